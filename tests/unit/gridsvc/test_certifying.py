"""Certificates are computed once for one state of a plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import shapely

from geodata.storage import open_storage
from gridsvc.errors import UnknownPlan
from gridsvc.services import planning
from gridsvc.services.certifying import CertificateCache
from gridsvc.services.ports import Storage
from tests.unit.gridsvc.test_planning import SCHEME, T0, cells, split


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    found = open_storage(f"sqlite:///{tmp_path / 'plans.db'}")
    found.upgrade()
    yield found
    found.dispose()


def test_a_plan_is_certified_once_until_it_changes(storage: Storage) -> None:
    plan = planning.create_draft(storage, SCHEME, cells(), at=T0)
    cache = CertificateCache(storage)
    first = cache.of(plan.id)
    assert first.ok
    assert cache.of(plan.id) is first
    planning.publish(storage, plan.id, T0, T0)
    published = cache.of(plan.id)
    assert published is not first
    assert cache.of(plan.id) is published


def test_a_new_territory_is_seen_although_the_plan_stays(storage: Storage) -> None:
    plan = planning.create_draft(storage, SCHEME, cells(), at=T0)
    planning.publish(storage, plan.id, T0, T0)
    cache = CertificateCache(storage)
    assert cache.of(plan.id).ok
    with storage.unit_of_work() as work:
        territory = work.plans.scheme("main").territory
    west, south, east, north = shapely.bounds(territory)
    planning.declare_territory(storage, "main", shapely.box(west, south, east + 0.01, north))
    assert not cache.of(plan.id).ok


def test_few_are_kept_and_unknown_plans_are_refused(storage: Storage) -> None:
    plans = [planning.create_draft(storage, SCHEME, cells(), at=T0) for _ in range(2)]
    cache = CertificateCache(storage, keep=1)
    first = cache.of(plans[0].id)
    cache.of(plans[1].id)
    assert cache.of(plans[0].id) is not first
    with pytest.raises(UnknownPlan):
        cache.of("nothing")
    assert planning.create_draft(storage, SCHEME, split(), at=T0).id not in {p.id for p in plans}
