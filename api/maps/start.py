"""What the start page states, read from storage."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import geopandas as gpd
import pandas as pd

from api.bootstrap import Services
from api.geojson import plain_records
from api.plans.schemas import plan_etag
from gridsvc.errors import Language, NoPlanInForce
from gridsvc.services.ports import UnitOfWork
from maps import formats
from maps.start import PlanLine, StartFacts


def start_facts(services: Services) -> StartFacts:
    """Read the plan in force, all plans and the counts of the records."""
    zone = services.settings.grid.timezone
    now = services.clock()
    try:
        current = services.locators.plan_at(now)
    except NoPlanInForce:
        current = None
    with services.storage.unit_of_work() as work:
        plans = work.plans.list()
        counts = {layer: work.records(layer).count() for layer in ("staff", "points", "cases")}
        example = _inside(work.plans.cells(current.id, limit=1)) if current else ""
        city = (work.plans.scheme(current.scheme_id).city or current.title) if current else ""
        communities = len(work.plans.areas(current.id, "community")) if current else 0
    lines = tuple(
        PlanLine(
            id=plan.id,
            title=plan.title,
            status=(plan.standing(now) or plan.status).value,
            in_force=current is not None and plan.id == current.id,
            cells=plan.cell_count,
            effective_from=formats.instant(plan.effective_from, zone),
            published_at=formats.instant(plan.published_at, zone),
            etag=plan_etag(plan, now),
        )
        for plan in reversed(plans)
    )
    return StartFacts(
        city=city,
        cells=current.cell_count if current else 0,
        communities=communities,
        staff=counts["staff"],
        points=counts["points"],
        reports=counts["cases"],
        plans=lines,
        timezone=zone,
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


_FIRST_WINDOW = timedelta(days=7)
_WINDOWS = 7
"""Each four times as long as the one before; the last ones reach back for decades."""
_CASE = (
    "case_id", "title", "reported_at", "deadline", "closed_at", "status", "placement", "class_code",
    "cell_code", "plan_id", "unit_id",
)  # fmt: skip


def latest_cases(
    services: Services, until: datetime | None, limit: int, language: Language
) -> dict[str, Any]:
    """Return the latest cases with the names that people know, and the way to earlier ones.

    Parameters
    ----------
    until : datetime, optional
        Aware; only cases reported before it.
    limit : int
        Rows; more when several were reported at the instant of the last.
    language : {"zh", "en"}
        Of the way to earlier ones.
    """
    with services.storage.unit_of_work() as work:
        found = _latest(work, until or services.clock() + timedelta(days=1), limit)
        units, classes = work.records("units").frame(), work.records("classes").frame()
        cells = _cell_names(work, found)
    shown = found.head(limit)
    if len(found) > limit:
        shown = found[found["reported_at"] >= shown["reported_at"].iloc[-1]]
    rows = plain_records(shown.rename_axis("case_id").reset_index(), _CASE)
    late = overdue(shown, services.clock())
    for row, is_late in zip(rows, late, strict=True):
        row["overdue"] = is_late
        row["class_name"] = _named(classes, row["class_code"])
        row["unit_name"] = _named(units, row["unit_id"])
        row["cell_name"] = cells.get((row.pop("plan_id"), row["cell_code"]))
    links = []
    if len(found) > len(shown):
        query = {"until": rows[-1]["reported_at"], "limit": limit, "language": language}
        links = [{"rel": "next", "href": f"/start/cases?{urlencode(query)}"}]
    return {"rows": rows, "links": links}


def overdue(cases: pd.DataFrame, now: datetime) -> list[bool]:
    """Return which cases were closed after their deadline, or are open past it."""
    if cases.empty:
        return []
    ended = cases["closed_at"].fillna(pd.Timestamp(now))
    return [bool(v) for v in cases["deadline"].notna() & (cases["deadline"] < ended)]


def _latest(work: UnitOfWork, until: datetime, limit: int) -> pd.DataFrame:
    """Return more than ``limit`` of the latest cases, latest first, or all there are."""
    window, found = _FIRST_WINDOW, pd.DataFrame()
    for step in range(_WINDOWS + 1):
        since = until - window * 4**step if step < _WINDOWS else None
        found = pd.DataFrame(work.records("cases").frame(since=since, until=until))
        if len(found) > limit:
            break
    return found.sort_values("reported_at", ascending=False, kind="stable")


def _cell_names(work: UnitOfWork, cases: pd.DataFrame) -> dict[tuple[str | None, str | None], str]:
    """Return the names of the cells that cases were filed under, by plan and code."""
    names: dict[tuple[str | None, str | None], str] = {}
    filed = cases[cases["cell_code"].notna() & cases["plan_id"].notna()]
    for plan, codes in filed.groupby("plan_id")["cell_code"]:
        cells = work.plans.cells(str(plan), codes=sorted(set(codes)))
        names.update({(str(plan), str(c)): str(n) for c, n in cells["name"].dropna().items()})
    return names


def _named(table: pd.DataFrame, key: str | None) -> str | None:
    name = table["name"].get(key) if key is not None else None
    return None if formats.missing(name) else str(name)
