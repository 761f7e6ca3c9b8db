"""Coverage in its first three meanings, each ending in a list of what is not covered.

1. *Territory*: the declared territory without its exclusions, against the union of the cells.
2. *Duties*: cells and points, against the duties valid at an instant.
3. *Visits*: points, against their visit windows and frequencies.

The meanings are reported side by side and never mixed into one figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from gridsvc import layers
from gridsvc.analysis.counting import count_by_cell
from gridsvc.analysis.coverage_people import (
    DEFAULT_ROLES,
    PERSON_BY,
    coverage_duties,
    coverage_points,
)
from gridsvc.analysis.inputs import (
    DEFAULT_TIMEZONE,
    Instant,
    completed,
    instant_of,
    keyed,
    require_lonlat,
    was_placed,
)
from gridsvc.analysis.results import CoverageResult
from gridsvc.analysis.territory import coverage_territory, share_of
from gridsvc.errors import BadOption
from gridsvc.locate import Locator
from gridsvc.points import last_visits, visit_interval_days


def coverage_visits(
    points: pd.DataFrame, visits: pd.DataFrame, at: datetime
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the last visit of each point and whether the next one is due.

    The rule of what is due is that of ``gridsvc.points.last_visits``.

    Parameters
    ----------
    points : DataFrame
        Contract POINTS.
    visits : DataFrame
        Contract VISITS; those after ``at`` are left out.
    at : datetime
        Aware.

    Returns
    -------
    state : DataFrame
        Aligned to the points: ``last_visit`` (any window), ``days_since`` (NaN for never),
        ``due``.
    summary : dict
    """
    if at.tzinfo is None:
        raise BadOption(
            option="at",
            value=at.isoformat(),
            reason_zh="缺少时区",
            reason_en="it has no time zone",
        )
    state = last_visits(points, visits, at)
    due = state["due"].to_numpy()
    asked_for = int(np.isfinite(visit_interval_days(points)).sum())
    return state, {
        "points": len(points),
        "with_frequency": asked_for,
        "in_time": asked_for - int(due.sum()),
        "due": int(due.sum()),
        "never_visited": int(state["last_visit"].isna().sum()),
        "share": share_of(asked_for - int(due.sum()), asked_for),
    }


def coverage(
    cells: gpd.GeoDataFrame,
    points: gpd.GeoDataFrame,
    duties: pd.DataFrame | None = None,
    visits: pd.DataFrame | None = None,
    *,
    plan_id: str = "",
    as_of: Instant | None = None,
    areas: gpd.GeoDataFrame | None = None,
    exclusions: gpd.GeoDataFrame | None = None,
    streets: gpd.GeoDataFrame | None = None,
    territory: Any = None,
    required_roles: Sequence[str] = DEFAULT_ROLES,
    sole_roles: Sequence[str] | None = None,
    known_at: datetime | None = None,
    metric_epsg: int | None = None,
    loaded: Mapping[str, bool] | None = None,
    timezone: str = DEFAULT_TIMEZONE,
) -> CoverageResult:
    """Return the coverage of a plan in the meanings territory, duties and visits.

    Frames may lack columns of their contract, which then have its defaults.

    Parameters
    ----------
    cells : GeoDataFrame
        Polygons without overlaps, EPSG:4490 or 4326, indexed by code or with a column ``code``.
    points : GeoDataFrame
        EPSG:4490 or 4326. Counted in the cell that ``cell_code`` names, or, when they were never
        placed, in the one they lie in.
    duties, visits : DataFrame, optional
        Without any record the result says that they are not loaded.
    plan_id : str
        What the result says of its plan.
    as_of : datetime, date or str, optional
        Now when not given; a day or an instant without zone is of ``timezone``.
    areas, exclusions, streets, territory, required_roles, sole_roles, known_at, metric_epsg
        As in ``coverage_territory``, ``coverage_duties``, ``coverage_points`` and
        ``coverage_visits``.
    loaded : mapping of str to bool, optional
        What was ever imported of ``duties``, ``visits``, ``staff``, where the caller knows better
        than the frames tell.
    timezone : str
        IANA zone of the city.

    Raises
    ------
    NotLonLat, DuplicateKey, OverlappingCells, BadOption
    """
    at = instant_of(as_of, "as_of", timezone) or datetime.now(UTC)
    cells = completed(keyed(cells), layers.CELLS)
    require_lonlat(points, "points")
    points = _in_cells(completed(points, layers.POINTS), cells)
    duties = layers.empty(layers.DUTIES) if duties is None else completed(duties, layers.DUTIES)
    visits = layers.empty(layers.VISITS) if visits is None else completed(visits, layers.VISITS)
    there = {
        "duties": len(duties) > 0,
        "visits": len(visits) > 0,
        "staff": bool(duties["person_id"].notna().any()),
        **(loaded or {}),
    }
    uncovered, territory_figures = coverage_territory(
        cells, territory, exclusions, metric_epsg=metric_epsg
    )
    counts, vacant, doubled, duty_figures = coverage_duties(
        cells, duties, at,
        required_roles=required_roles, sole_roles=sole_roles, known_at=known_at,
    )  # fmt: skip
    answer, point_figures = coverage_points(
        points, duties, at, required_roles=required_roles, cells=cells, known_at=known_at
    )
    state, visit_figures = coverage_visits(points, visits, at)
    if not there["duties"]:
        duty_figures["share"] = point_figures["person_share"] = None
        if not point_figures["responsible"]:
            point_figures["share"] = None
    if not there["visits"]:
        visit_figures["share"] = None
    held = points.assign(
        last_visit=state["last_visit"], days_since=state["days_since"], due=state["due"],
        responsible=answer["responsible"], responsible_by=answer["responsible_by"],
        answering_unit=answer["answering_unit"],
    )  # fmt: skip
    base = [
        "name", "community_code", "community_name", "subdistrict_code", "subdistrict_name",
        "area_m2", "population",
    ]  # fmt: skip
    table = cells.reindex(columns=[*base, "geometry"]).join(counts)
    per_cell = held.groupby("cell_code")
    table["points"] = per_cell.size().reindex(table.index).fillna(0).astype("int64")
    visited = (~held["due"]).groupby(held["cell_code"]).sum()
    table["points_visited"] = visited.reindex(table.index).fillna(0).astype("int64")
    unnamed = ~held["responsible_by"].isin(PERSON_BY)
    lacking = unnamed.groupby(held["cell_code"]).sum()
    table["points_without_person"] = lacking.reindex(table.index).fillna(0).astype("int64")
    placed = held["cell_code"].isin(table.index)
    shown = ["name", "category", "cell_code"]
    return CoverageResult(
        cells=gpd.GeoDataFrame(table, geometry="geometry", crs=cells.crs),
        areas=_or_empty(areas, layers.AREAS),
        exclusions=_or_empty(exclusions, layers.EXCLUSIONS),
        points=held,
        streets=_or_empty(streets, layers.STREETS),
        uncovered_territory=uncovered,
        vacant_cells=vacant,
        doubled_cells=doubled,
        points_without_person=pd.DataFrame(held.loc[unnamed, [*shown, "answering_unit"]]),
        points_not_visited=pd.DataFrame(held.loc[held["due"], [*shown, "last_visit"]]),
        required_roles=tuple(required_roles),
        as_of=at,
        plan_id=plan_id,
        summary={
            "territory": territory_figures,
            "duties": duty_figures,
            "points": {**point_figures, "in_cells": int(placed.sum())},
            "visits": visit_figures,
            "loaded": there,
        },
        loaded=there,
    )


def _in_cells(points: gpd.GeoDataFrame, cells: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return points with the cell they lie in, unless they were placed before."""
    if len(points) == 0 or len(cells) == 0 or was_placed(points):
        return points
    locator = Locator.from_cells(cells)
    names = np.array([*locator.codes, None], dtype=object)
    position = count_by_cell(points, locator.codes, locator=locator)
    return points.assign(cell_code=pd.array(names[position], dtype="str"))


def _or_empty(frame: gpd.GeoDataFrame | None, layer: layers.Layer) -> gpd.GeoDataFrame:
    if frame is not None:
        return frame
    return gpd.GeoDataFrame(layers.empty(layer))
