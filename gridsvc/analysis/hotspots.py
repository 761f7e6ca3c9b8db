"""Hot and cold cells: reports per cell, Gi* with the false discovery rate, density, piles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc import crs
from gridsvc.analysis.contiguity import contiguity
from gridsvc.analysis.counting import CellLocator, count_by_cell, period_of, select_cases
from gridsvc.analysis.gi_star import (
    benjamini_hochberg,
    gi_star,
    needed_permutations,
    permutation_p,
    two_sided_p,
)
from gridsvc.analysis.inputs import (
    DEFAULT_TIMEZONE,
    Instant,
    MissingColumn,
    instant_of,
    instants_of,
    keyed,
    require_lonlat,
    was_placed,
)
from gridsvc.analysis.kde import kde
from gridsvc.analysis.piles import PileRule, geocode_piles
from gridsvc.analysis.results import DensitySurface, GeocodePile, HotspotResult, Note
from gridsvc.errors import BadOption, NothingToWorkOn
from gridsvc.locate import Locator
from gridsvc.types import FloatArray, IntArray
from gridsvc.values import DTYPES

__all__ = [
    "DENOMINATORS",
    "Denominator",
    "classify",
    "count_by_cell",
    "find_hotspots",
    "select_cases",
]

Denominator = Literal["none", "area_km2", "population"]
DENOMINATORS: tuple[Denominator, ...] = ("none", "area_km2", "population")
# Levels of the map's legend; p after correction.
_LEVELS = ((0.01, "99"), (0.05, "95"), (0.10, "90"))
_MIN_REPORTS_PER_CELL = 1.0


def find_hotspots(
    cases: gpd.GeoDataFrame,
    cells: gpd.GeoDataFrame,
    *,
    plan_id: str = "",
    updated_at: datetime | None = None,
    locator: CellLocator | None = None,
    since: Instant | None = None,
    until: Instant | None = None,
    classes: Sequence[str] = (),
    denominator: Denominator = "none",
    set_aside: bool = True,
    pile_rule: PileRule | None = None,
    weights: Literal["queen", "rook"] = "queen",
    alpha: float = 0.05,
    permutations: int = 0,
    seed: int = 0,
    metric_epsg: int | None = None,
    bandwidth_m: float | None = 300.0,
    keep_points: bool = True,
    timezone: str = DEFAULT_TIMEZONE,
) -> HotspotResult:
    """Find hot and cold cells.

    Parameters
    ----------
    cases : GeoDataFrame
        Points in EPSG:4490 or 4326. Of contract CASES, ``reported_at`` is needed for a period and
        ``class_code`` for a choice of classes; without ``class_code`` all are of one class, so
        that no pile can be told from a recurring spot.
    cells : GeoDataFrame
        Polygons of one plan without overlaps, in EPSG:4490 or 4326, indexed by code or with a
        column ``code`` (contract CELLS; the other columns are optional).
    plan_id : str
        What the result says of its plan.
    updated_at : datetime, optional
        Instant that the result carries; now when not given.
    locator : optional
        Of the same plan: reports are located anew. ``None`` counts by the cell stored at filing
        (``cell_code``), or, when the reports were never placed, locates in ``cells``.
    since, until, classes, timezone
        As in ``select_cases``.
    denominator : {"none", "area_km2", "population"}
        What the count of each cell is divided by; z is of the quotient. Cells with a zero or
        unknown denominator are not tested.
    set_aside : bool
        Leave default-geocode piles out of counts and density. They are found and listed anyway.
    pile_rule : PileRule, optional
    weights : {"queen", "rook"}
        Neighbours; the own cell is always included.
    alpha : float
        Level for which the count of permutations is checked.
    permutations : int
        0 takes the analytic p; otherwise p of that many relabellings with ``seed``.
    metric_epsg : int, optional
        Metric CRS of the density; chosen from the cells when not given.
    bandwidth_m : float or None
        Of the density surface; ``None`` makes none.
    keep_points : bool
        Return the counted reports, for close zoom levels.

    Returns
    -------
    HotspotResult
        ``n + n_set_aside + n_unplaced`` equals the reports of the period and classes.

    Raises
    ------
    BadOption, NothingToWorkOn
        For a bad period, denominator or level, or an empty plan.
    NotLonLat, MissingColumn, BadColumn
        If a frame is in another CRS or lacks what the question needs.
    TooFewPermutations
        If the permutations cannot reach significance.
    """
    if denominator not in DENOMINATORS:
        known = ", ".join(DENOMINATORS)
        raise BadOption(
            option="denominator",
            value=denominator,
            reason_zh=f"可用 {known}",
            reason_en=f"use one of {known}",
        )
    if not 0.0 < alpha < 1.0:
        raise BadOption(
            option="alpha",
            value=alpha,
            reason_zh="应在 0 与 1 之间",
            reason_en="it must lie between 0 and 1",
        )
    if len(cells) == 0:
        raise NothingToWorkOn(
            reason_zh=f"方案 {plan_id} 没有网格", reason_en=f"plan {plan_id} has no cells"
        )
    cells = keyed(cells)
    require_lonlat(cases, "cases")
    since, until = period_of(since, until, timezone)
    if locator is None and not was_placed(cases):
        locator = Locator.from_cells(cells)
    chosen = select_cases(cases, since=since, until=until, classes=classes, timezone=timezone)
    codes = [str(c) for c in cells.index]
    position = count_by_cell(chosen, codes, locator=locator)
    found, piled = geocode_piles(chosen, rule=pile_rule)
    piles = tuple(_named(p, chosen, piled.to_numpy(), position, codes) for p in found)
    aside = piled.to_numpy() if set_aside else np.zeros(len(chosen), dtype=bool)
    counted = (position >= 0) & ~aside
    counts = np.bincount(position[counted], minlength=len(codes))

    epsg = metric_epsg or crs.metric_epsg_of(cells.geometry.to_numpy())
    rate = counts / _divisor(cells, denominator, epsg)
    neighbours = contiguity(cells.geometry.to_numpy(), weights)
    z = gi_star(rate, neighbours)
    tests = int((~np.isnan(z)).sum())
    p = two_sided_p(z)
    if permutations:
        p = permutation_p(rate, neighbours, permutations=permutations, seed=seed, alpha=alpha)
    adjusted = benjamini_hochberg(p)
    shown = [c for c in ("name", "community_name", "subdistrict_name") if c in cells.columns]
    table = gpd.GeoDataFrame(
        cells[shown].reset_index(drop=True),
        geometry=cells.geometry.to_numpy(),
        crs=cells.crs,
    )
    table.index = pd.Index(codes, name="code")
    table["count"], table["rate"] = counts, rate
    table["z"], table["p"], table["p_adjusted"] = z, p, adjusted
    table["hotspot"] = classify(z, adjusted)

    placed = chosen[counted]
    surface: DensitySurface | None = None
    if bandwidth_m is not None and len(placed):
        surface = kde(placed.geometry, epsg=epsg, bandwidth_m=bandwidth_m)
    points = _shown_points(placed, timezone) if keep_points else None
    first, last = _span(placed, timezone)
    return HotspotResult(
        cells=table,
        n=int(counted.sum()),
        n_set_aside=int(aside.sum()),
        n_unplaced=int(((position < 0) & ~aside).sum()),
        since=since,
        until=until,
        classes=tuple(classes),
        denominator=denominator,
        weights=f"{weights}, self included",
        correction="Benjamini-Hochberg, two-sided, "
        + (f"{permutations} permutations" if permutations else "analytic z"),
        alpha=alpha,
        plan_id=plan_id,
        updated_at=instant_of(updated_at, "updated_at", timezone) or datetime.now(UTC),
        seed=seed if permutations else None,
        permutations=permutations,
        piles=piles,
        density=surface,
        points=points,
        notes=_notes(len(chosen), counts, z, tests, adjusted, permutations, alpha),
        first=first,
        last=last,
    )


def classify(z: FloatArray, p_adjusted: FloatArray) -> list[str]:
    """Return ``hot_99 … cold_99``, ``none`` or ``not_tested`` for each cell."""
    names = np.full(len(z), "none", dtype=object)
    for limit, label in reversed(_LEVELS):
        significant = p_adjusted <= limit
        names[significant & (z > 0)] = f"hot_{label}"
        names[significant & (z < 0)] = f"cold_{label}"
    names[np.isnan(z) | np.isnan(p_adjusted)] = "not_tested"
    return [str(n) for n in names]


def _span(cases: gpd.GeoDataFrame, timezone: str) -> tuple[datetime | None, datetime | None]:
    """Return the instants of the first and the last report."""
    if "reported_at" not in cases.columns:
        return None, None
    known = instants_of(cases, "reported_at", "cases", timezone).dropna()
    if known.empty:
        return None, None
    return known.min().to_pydatetime(), known.max().to_pydatetime()


def _shown_points(cases: gpd.GeoDataFrame, timezone: str) -> gpd.GeoDataFrame:
    """Return class, instant and place of reports, empty where a column is not there."""
    blank = pd.Series(None, index=cases.index, dtype=object)
    return gpd.GeoDataFrame(
        {
            "class_code": cases["class_code"]
            if "class_code" in cases.columns
            else blank.astype(DTYPES["text"]),
            "reported_at": instants_of(cases, "reported_at", "cases", timezone)
            if "reported_at" in cases.columns
            else blank.astype(DTYPES["instant"]),
            "geometry": cases.geometry,
        },
        geometry="geometry",
        crs=cases.crs,
    )


def _divisor(cells: gpd.GeoDataFrame, denominator: Denominator, epsg: int) -> FloatArray:
    if denominator == "none":
        return np.ones(len(cells))
    if denominator == "population":
        if "population" not in cells.columns:
            raise MissingColumn(
                frame="cells", column="population",
                reason_zh="按人口计算时需要该列;可改用 denominator=\"area_km2\"",
                reason_en="a rate per head needs it; denominator=\"area_km2\" does without",
            )  # fmt: skip
        value = cells["population"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        area = (
            cells["area_m2"].to_numpy(dtype=np.float64)
            if "area_m2" in cells.columns
            else np.full(len(cells), np.nan)
        )
        if np.isnan(area).any():
            area = shapely.area(crs.to_metric(cells.geometry.to_numpy(), epsg))
        value = area / 1e6
    return np.where(value > 0, value, np.nan)


def _named(
    pile: GeocodePile,
    cases: gpd.GeoDataFrame,
    piled: Any,
    position: IntArray,
    codes: Sequence[str],
) -> GeocodePile:
    at = np.flatnonzero(piled)
    xy = shapely.get_coordinates(cases.geometry.to_numpy()[at])
    own = at[(xy[:, 0] == pile.lon) & (xy[:, 1] == pile.lat)]
    where = int(position[own[0]])
    return GeocodePile(
        pile.lon, pile.lat, pile.count, pile.share, pile.distinct_classes,
        codes[where] if where >= 0 else None, pile.reason,
    )  # fmt: skip


def _notes(
    total: int,
    counts: IntArray,
    z: FloatArray,
    tests: int,
    adjusted: FloatArray,
    permutations: int,
    alpha: float,
) -> tuple[Note, ...]:
    if total == 0:
        return (Note("该时段没有上报案件", "no reports in this period"),)
    notes = []
    if counts.sum() == 0:
        notes.append(
            Note(
                f"该时段的 {total} 件案件都不在网格内或已搁置",
                f"none of the {total} reports of this period is in a cell and counted",
            )
        )
    elif tests == 0:
        notes.append(
            Note(
                "没有可检验的网格:无邻接或数值全部相同",
                "no cell could be tested: no neighbours or no variation",
            )
        )
    elif tests < len(z):
        left = len(z) - tests
        notes.append(
            Note(
                f"{left} 个网格未检验:无邻接或缺少分母",
                f"{left} cells not tested: no neighbours or no denominator",
            )
        )
    if counts.mean() < _MIN_REPORTS_PER_CELL:
        mean = f"{counts.mean():.2f}"
        notes.append(
            Note(
                f"平均每格仅 {mean} 件,正态近似较弱",
                f"{mean} reports per cell on average: the normal approximation is weak",
            )
        )
    if permutations and not (adjusted <= alpha).any():
        needed = needed_permutations(tests, 1, alpha)
        notes.append(
            Note(
                f"仅一个显著网格时需要 {needed} 次置换",
                f"one single significant cell would need {needed} permutations",
            )
        )
    return tuple(notes)
