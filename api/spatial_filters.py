"""Filters by an area of the plan in force."""

from __future__ import annotations

from typing import Any

from api.bootstrap import Services


def in_community(services: Services, community: str, where: dict[str, Any]) -> dict[str, Any]:
    """Return a filter narrowed to the cells of a community of the plan in force.

    Cell codes of rows are those at filing; rows filed under earlier cells that are gone since are
    found by their cell code, not here.

    Raises
    ------
    NoPlanInForce
    """
    plan = services.locators.plan_at(services.clock())
    with services.storage.unit_of_work() as work:
        codes = [str(c) for c in work.plans.cells(plan.id, community=community).index]
    asked = where.get("cell_code")
    if asked is not None:
        codes = [c for c in codes if c == asked]
    return {**where, "cell_code": codes}
