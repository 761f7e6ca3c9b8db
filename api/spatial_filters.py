"""Filters by an area, through the cells that rows were filed under."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd

from api.bootstrap import Services
from gridsvc.plan.version import PlanStatus, in_force_at
from gridsvc.services.ports import UnitOfWork

IN_COMMUNITY = (
    "Community code; a row is in it if the cell it was filed under was, in the plan version of "
    "that time."
)
_EFFECTIVE = (PlanStatus.PUBLISHED, PlanStatus.SUPERSEDED)


def frame_in_community(
    work: UnitOfWork,
    layer: str,
    community: str,
    where: dict[str, Any],
    *,
    now: datetime,
    limit: int,
    **narrowed: Any,
) -> pd.DataFrame:
    """Return rows of a layer that were filed under a cell of a community.

    A row keeps the cell and the plan version it was filed under. It is in the community if that
    cell was in it in that version, also when the version has been superseded and the cell has
    gone, moved or been renumbered since. Rows that name no version count by the one in force.

    Parameters
    ----------
    work : UnitOfWork
    layer : str
        A layer with columns ``cell_code`` and ``plan_id``.
    community : str
        Community code.
    where : dict
        Further conditions.
    now : datetime
        Instant of "in force", aware.
    limit : int
        Rows at most, the first ones by key.
    **narrowed
        ``bbox``, ``since``, ``until``, ``visited``, ``unvisited``, ``after`` of the repository.

    Returns
    -------
    GeoDataFrame or DataFrame
        Ordered by key.
    """
    repository = work.records(layer)
    found: list[pd.DataFrame] = []
    for codes, plans in _codes_by_plan(work, community, now).items():
        asked = where.get("cell_code")
        kept = [code for code in codes if asked is None or code == asked]
        if not kept:
            continue
        narrow = {**where, "cell_code": kept, "plan_id": plans}
        rows = repository.frame(where=narrow, limit=limit, **narrowed)
        if len(rows):
            found.append(rows)
    if not found:
        return repository.frame(where={**where, "cell_code": []}, limit=1)
    if len(found) == 1:
        return found[0]
    return pd.concat(found).sort_index(kind="stable").head(limit)


def version_part(services: Services, community: str | None) -> str | None:
    """Return what an ETag needs of time: the version in force, which an area is looked up in.

    A version takes effect by the clock alone, without anything being written.
    """
    if community is None:
        return None
    with services.storage.unit_of_work() as work:
        plans = [p for p in work.plans.list() if p.status in _EFFECTIVE]
    current = in_force_at(plans, services.clock())
    return None if current is None else current.id


def _codes_by_plan(
    work: UnitOfWork, community: str, now: datetime
) -> dict[tuple[str, ...], list[str | None]]:
    """Return the sets of cell codes the community had, each with the versions that had it."""
    plans = [p for p in work.plans.list() if p.status in _EFFECTIVE]
    current = in_force_at(plans, now)
    result: dict[tuple[str, ...], list[str | None]] = {}
    for plan in plans:
        cells = work.plans.cells(plan.id, community=community)
        versions = result.setdefault(tuple(str(c) for c in cells.index), [])
        versions.append(plan.id)
        if current is not None and plan.id == current.id:
            versions.append(None)
    return result
