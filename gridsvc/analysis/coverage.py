"""Coverage in its first three meanings, each ending in a list of what is not covered.

1. *Territory*: the declared territory without its exclusions, against the union of the cells.
2. *Duties*: cells and points, against the duties valid at an instant.
3. *Visits*: points, against their visit windows and frequencies.

The meanings are reported side by side and never mixed into one figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc import crs, layers
from gridsvc.analysis.results import CoverageResult
from gridsvc.errors import BadOption
from gridsvc.points import last_visits, visit_interval_days

DEFAULT_ROLES = ("cell_leader",)
_LEVELS = ("cell", "community", "subdistrict")


def duties_valid(
    duties: pd.DataFrame, at: datetime, *, known_at: datetime | None = None
) -> pd.DataFrame:
    """Return the duties valid at an instant, as known at another (half-open validity).

    Parameters
    ----------
    duties : DataFrame
        Contract DUTIES.
    at : datetime
        Aware; ``valid_from`` ≤ at < ``valid_to``.
    known_at : datetime, optional
        Only rows recorded until then; when not given, all records count.
    """
    if at.tzinfo is None:
        raise BadOption(
            option="at",
            value=at.isoformat(),
            reason_zh="缺少时区",
            reason_en="it has no time zone",
        )
    keep = (duties["valid_from"] <= at) & (duties["valid_to"].isna() | (duties["valid_to"] > at))
    if known_at is not None:
        keep &= duties["recorded_at"] <= known_at
    return duties[keep]


def coverage_territory(
    cells: gpd.GeoDataFrame,
    territory: Any,
    exclusions: gpd.GeoDataFrame | None = None,
    *,
    metric_epsg: int | None = None,
) -> tuple[gpd.GeoDataFrame, dict[str, Any]]:
    """Return the pieces of the territory that lie in no cell, and the figures.

    Parameters
    ----------
    cells : GeoDataFrame
        Contract CELLS.
    territory : Polygon or MultiPolygon or None
        Declared territory, EPSG:4490; ``None`` takes cells and exclusions for it.
    exclusions : GeoDataFrame, optional
        Registered exclusions, taken out of the territory.
    metric_epsg : int, optional

    Returns
    -------
    uncovered : GeoDataFrame
        One row per piece, column ``area_m2``.
    summary : dict
        ``territory_m2`` (without exclusions), ``cells_m2``, ``excluded_m2``, ``uncovered_m2``,
        ``share`` (covered part, ``None`` for 0/0).
    """
    shapes = cells.geometry.to_numpy()
    out = exclusions.geometry.to_numpy() if exclusions is not None else np.empty(0, dtype=object)
    epsg = metric_epsg or crs.metric_epsg_of(shapes)
    covered = shapely.union_all(shapes)
    excluded = shapely.union_all(out) if len(out) else shapely.Polygon()
    declared = covered if territory is None else shapely.difference(territory, excluded)
    missing = shapely.difference(declared, covered)
    pieces = [
        p
        for p in shapely.get_parts(np.atleast_1d(np.asarray(missing, dtype=object)))
        if p.geom_type == "Polygon" and not p.is_empty
    ]
    area = shapely.area(crs.to_metric(np.asarray(pieces, dtype=object), epsg)) if pieces else []
    frame = gpd.GeoDataFrame(
        {"area_m2": np.asarray(area, dtype=np.float64)}, geometry=pieces, crs=crs.STORAGE_EPSG
    )
    total = float(shapely.area(crs.to_metric(declared, epsg)))
    lost = float(frame["area_m2"].sum())
    return frame, {
        "territory_m2": total,
        "cells_m2": float(shapely.area(crs.to_metric(covered, epsg))),
        "excluded_m2": float(shapely.area(crs.to_metric(excluded, epsg))),
        "uncovered_m2": lost,
        "share": _share(total - lost, total),
    }


def coverage_duties(
    cells: pd.DataFrame,
    duties: pd.DataFrame,
    at: datetime,
    *,
    required_roles: Sequence[str] = DEFAULT_ROLES,
    sole_roles: Sequence[str] | None = None,
    known_at: datetime | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Count who holds which role for each cell, and name vacancies and doubles.

    A duty for a community or subdistrict holds for each of its cells.

    Parameters
    ----------
    cells : DataFrame
        Contract CELLS (geometry not needed).
    duties : DataFrame
        Contract DUTIES.
    at, known_at : datetime
        As in ``duties_valid``.
    required_roles : sequence of str
        Roles each cell must have.
    sole_roles : sequence of str, optional
        Roles that only one may hold for a cell; the required ones when not given.

    Returns
    -------
    counts : DataFrame
        Aligned to the cells: ``staff`` (distinct persons), ``role_<role>`` (distinct holders),
        ``vacancies`` (required roles nobody holds).
    vacant : DataFrame
        Rows ``cell_code, name, role``.
    doubled : DataFrame
        Rows ``cell_code, role, count``.
    summary : dict
    """
    sole = tuple(required_roles if sole_roles is None else sole_roles)
    valid = duties_valid(duties, at, known_at=known_at)
    holders = _holders(cells, valid)
    per_role = holders.groupby(["cell_code", "role"])["holder"].nunique().unstack(fill_value=0)
    roles = sorted(set(per_role.columns) | set(required_roles) | set(sole))
    counts = pd.DataFrame(index=cells.index)
    persons = holders[holders["person"]].groupby("cell_code")["holder"].nunique()
    counts["staff"] = persons.reindex(cells.index, fill_value=0).astype("int64")
    for role in roles:
        column = per_role[role] if role in per_role.columns else pd.Series(dtype="int64")
        counts[f"role_{role}"] = column.reindex(cells.index).fillna(0).astype("int64")
    counts["vacancies"] = sum(
        ((counts[f"role_{role}"] == 0).astype("int64") for role in required_roles),
        pd.Series(0, index=cells.index, dtype="int64"),
    )
    vacant = pd.DataFrame(
        [
            {"cell_code": code, "name": cells.at[code, "name"], "role": role}
            for role in required_roles
            for code in counts.index[counts[f"role_{role}"] == 0]
        ],
        columns=["cell_code", "name", "role"],
    )
    doubled = pd.DataFrame(
        [
            {"cell_code": code, "role": role, "count": int(held)}
            for role in sole
            for code, held in zip(counts.index, counts[f"role_{role}"].to_numpy(), strict=True)
            if held > 1
        ],
        columns=["cell_code", "role", "count"],
    )
    full = int((counts["vacancies"] == 0).sum())
    summary = {
        "cells": len(cells),
        "cells_with_required_roles": full,
        "share": _share(full, len(cells)),
        "vacancies": len(vacant),
        "doubles": len(doubled),
        "valid_duties": len(valid),
        "by_role": {r: int((counts[f"role_{r}"] > 0).sum()) for r in roles},
    }
    return counts, vacant, doubled, summary


def coverage_points(
    points: pd.DataFrame,
    duties: pd.DataFrame,
    at: datetime,
    *,
    required_roles: Sequence[str] = DEFAULT_ROLES,
    cells: pd.DataFrame | None = None,
    known_at: datetime | None = None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return for each point whether a concrete person answers for it.

    A person answers through a duty for the point itself, or, failing that, as holder of a
    required role for the cell that the point lies in.

    Returns
    -------
    answer : DataFrame
        Aligned to the points: ``responsible`` (bool), ``responsible_by`` (``point``, ``cell`` or
        missing).
    summary : dict
    """
    valid = duties_valid(duties, at, known_at=known_at)
    named = valid[valid["person_id"].notna()]
    direct = points.index.isin(named.loc[named["target_kind"] == "point", "target_code"])
    through = np.zeros(len(points), dtype=bool)
    if cells is not None:
        holders = _holders(cells, named[named["role"].isin(list(required_roles))])
        through = points["cell_code"].isin(set(holders["cell_code"])).to_numpy()
    answer = pd.DataFrame(index=points.index)
    answer["responsible"] = direct | through
    answer["responsible_by"] = pd.array(
        ["point" if d else "cell" if t else None for d, t in zip(direct, through, strict=True)],
        dtype="str",
    )
    return answer, {
        "points": len(points),
        "with_person": int((direct | through).sum()),
        "by_point_duty": int(direct.sum()),
        "by_cell_duty": int((through & ~direct).sum()),
        "share": _share(int((direct | through).sum()), len(points)),
    }


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
        "share": _share(asked_for - int(due.sum()), asked_for),
    }


def coverage(
    cells: gpd.GeoDataFrame,
    points: gpd.GeoDataFrame,
    duties: pd.DataFrame,
    visits: pd.DataFrame,
    *,
    plan_id: str,
    as_of: datetime,
    areas: gpd.GeoDataFrame | None = None,
    exclusions: gpd.GeoDataFrame | None = None,
    streets: gpd.GeoDataFrame | None = None,
    territory: Any = None,
    required_roles: Sequence[str] = DEFAULT_ROLES,
    sole_roles: Sequence[str] | None = None,
    known_at: datetime | None = None,
    metric_epsg: int | None = None,
) -> CoverageResult:
    """Return the coverage of a plan in the meanings territory, duties and visits.

    Parameters are those of ``coverage_territory``, ``coverage_duties``, ``coverage_points`` and
    ``coverage_visits``. Points are counted in the cell that ``cell_code`` names.
    """
    uncovered, territory_figures = coverage_territory(
        cells, territory, exclusions, metric_epsg=metric_epsg
    )
    counts, vacant, doubled, duty_figures = coverage_duties(
        cells, duties, as_of,
        required_roles=required_roles, sole_roles=sole_roles, known_at=known_at,
    )  # fmt: skip
    answer, point_figures = coverage_points(
        points, duties, as_of, required_roles=required_roles, cells=cells, known_at=known_at
    )
    state, visit_figures = coverage_visits(points, visits, as_of)
    held = points.assign(
        last_visit=state["last_visit"], days_since=state["days_since"], due=state["due"],
        responsible=answer["responsible"], responsible_by=answer["responsible_by"],
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
        points_without_person=pd.DataFrame(held.loc[~held["responsible"], shown]),
        points_not_visited=pd.DataFrame(held.loc[held["due"], [*shown, "last_visit"]]),
        required_roles=tuple(required_roles),
        as_of=as_of,
        plan_id=plan_id,
        summary={
            "territory": territory_figures,
            "duties": duty_figures,
            "points": {**point_figures, "in_cells": int(placed.sum())},
            "visits": visit_figures,
        },
    )


def _holders(cells: pd.DataFrame, duties: pd.DataFrame) -> pd.DataFrame:
    """Return rows cell_code, role, holder, person: who holds what for each cell."""
    codes = pd.Series(cells.index.to_numpy(), index=cells.index)
    targets = {"cell": codes}
    for level in _LEVELS[1:]:
        targets[level] = cells[f"{level}_code"]
    parts = []
    person = duties["person_id"].notna()
    holder = duties["person_id"].where(person, duties["unit_id"])
    rows = duties.assign(holder=holder, person=person)[holder.notna()]
    for level, column in targets.items():
        own = rows[rows["target_kind"] == level]
        if own.empty:
            continue
        members = pd.DataFrame({"cell_code": codes.to_numpy(), "target_code": column.to_numpy()})
        joined = own[["target_code", "role", "holder", "person"]].merge(members, on="target_code")
        parts.append(joined[["cell_code", "role", "holder", "person"]])
    if not parts:
        return pd.DataFrame(
            {
                "cell_code": pd.Series(dtype="str"),
                "role": pd.Series(dtype="str"),
                "holder": pd.Series(dtype="str"),
                "person": pd.Series(dtype="bool"),
            }
        )
    return pd.concat(parts, ignore_index=True).drop_duplicates()


def _or_empty(frame: gpd.GeoDataFrame | None, layer: layers.Layer) -> gpd.GeoDataFrame:
    if frame is not None:
        return frame
    return gpd.GeoDataFrame(layers.empty(layer))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
