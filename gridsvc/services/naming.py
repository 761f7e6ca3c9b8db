"""Use case: how the city is called in answers, on maps and on pages."""

from __future__ import annotations

from dataclasses import replace

from gridsvc.errors import InputError
from gridsvc.plan.version import GridScheme
from gridsvc.services.ports import Storage
from gridsvc.types import Level

LONGEST = 60


def name_city(storage: Storage, scheme_id: str, name: str) -> GridScheme:
    """Give the city of a scheme a name, also in the versions that were published before.

    Parameters
    ----------
    storage : Storage
    scheme_id : str
    name : str
        At most ``LONGEST`` characters; empty takes the name away.

    Raises
    ------
    InputError
        If it is too long.
    NotFoundError
    """
    given = " ".join(name.split())
    if len(given) > LONGEST:
        raise InputError(
            reason_zh=f"城市名称最多 {LONGEST} 个字",
            reason_en=f"the name of a city has at most {LONGEST} characters",
        )
    with storage.unit_of_work() as work:
        scheme = replace(work.plans.scheme(scheme_id), name=given)
        work.plans.save_scheme(scheme)
        for plan in work.plans.list(scheme_id):
            areas = work.plans.areas(plan.id)
            if len(areas):
                areas.loc[areas["level"] == Level.CITY.value, "name"] = scheme.city
                work.plans.put_areas(plan.id, areas)
        work.commit()
    return scheme
