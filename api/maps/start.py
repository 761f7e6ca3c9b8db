"""What the start page states, read from storage."""

from __future__ import annotations

import geopandas as gpd

from api.bootstrap import Services
from api.plans.schemas import plan_etag
from gridsvc.errors import NoPlanInForce
from maps import formats
from maps.start import PlanLine, StartFacts


def start_facts(services: Services) -> StartFacts:
    """Read the plan in force, all plans and the counts of the records."""
    zone = services.settings.grid.timezone
    try:
        current = services.locators.plan_at(services.clock())
    except NoPlanInForce:
        current = None
    with services.storage.unit_of_work() as work:
        plans = work.plans.list()
        counts = {layer: work.records(layer).count() for layer in ("staff", "points", "cases")}
        example = _inside(work.plans.cells(current.id, limit=1)) if current else ""
        communities = len(work.plans.areas(current.id, "community")) if current else 0
    lines = tuple(
        PlanLine(
            id=plan.id,
            title=plan.title,
            status=plan.status.value,
            in_force=current is not None and plan.id == current.id,
            cells=plan.cell_count,
            effective_from=formats.instant(plan.effective_from, zone),
            published_at=formats.instant(plan.published_at, zone),
            etag=plan_etag(plan),
        )
        for plan in reversed(plans)
    )
    return StartFacts(
        city=current.title if current else "",
        cells=current.cell_count if current else 0,
        communities=communities,
        staff=counts["staff"],
        points=counts["points"],
        reports=counts["cases"],
        plans=lines,
        **({"example": example} if example else {}),
    )


def class_names(services: Services) -> dict[str, str]:
    """Return the names of the minor classes of the stored catalogue."""
    with services.storage.unit_of_work() as work:
        table = work.records("classes").frame()
    return {str(code): str(name) for code, name in table["name"].items()} if len(table) else {}


def _inside(cells: gpd.GeoDataFrame) -> str:
    """Return a place inside the first cell, as an example that can be located."""
    if not len(cells):
        return ""
    place = cells.geometry.iloc[0].representative_point()
    return f"{place.x:.6f}, {place.y:.6f}"
