"""The name of a city: none at first, then in every version, on both back ends."""

from __future__ import annotations

import pytest

from gridsvc.errors import InputError, NotFoundError
from gridsvc.plan import derive_areas
from gridsvc.services.naming import LONGEST, name_city
from gridsvc.services.ports import Storage
from tests.contract import data


def test_a_city_gets_its_name_in_published_versions_too(storage: Storage) -> None:
    with storage.unit_of_work() as work:
        scheme = data.scheme()
        work.plans.add_scheme(scheme)
        work.plans.add(data.plan("p1", 1), data.cells())
        areas = derive_areas(data.cells(), metric_epsg=scheme.metric_epsg, city_name=scheme.id)
        work.plans.put_areas("p1", areas)
        work.commit()
    assert name_city(storage, scheme.id, " 清澜 市 ").city == "清澜 市"
    with storage.unit_of_work() as work:
        assert work.plans.scheme(scheme.id).city == "清澜 市"
        kept = work.plans.areas("p1")
        assert kept.loc[kept["level"] == "city", "name"].tolist() == ["清澜 市"]
        rest = kept[kept["level"] != "city"]
        assert rest["name"].tolist() == areas[areas["level"] != "city"]["name"].tolist()
    assert name_city(storage, scheme.id, "").city is None


def test_what_is_no_name_or_has_no_scheme_is_refused(storage: Storage) -> None:
    with storage.unit_of_work() as work:
        work.plans.add_scheme(data.scheme())
        work.commit()
    with pytest.raises(InputError):
        name_city(storage, data.scheme().id, "长" * (LONGEST + 1))
    with pytest.raises(NotFoundError):
        name_city(storage, "elsewhere", "清澜市")
