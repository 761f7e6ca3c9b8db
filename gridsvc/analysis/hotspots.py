"""Hot and cold cells: reports per cell, Gi* with the false discovery rate, density, piles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc import crs
from gridsvc.analysis.contiguity import contiguity
from gridsvc.analysis.gi_star import (
    benjamini_hochberg,
    gi_star,
    needed_permutations,
    permutation_p,
    two_sided_p,
)
from gridsvc.analysis.kde import kde
from gridsvc.analysis.piles import PileRule, geocode_piles
from gridsvc.analysis.results import DensitySurface, GeocodePile, HotspotResult, Note
from gridsvc.errors import BadOption, NothingToWorkOn
from gridsvc.types import FloatArray, IntArray

Denominator = Literal["none", "area_km2", "population"]
DENOMINATORS: tuple[Denominator, ...] = ("none", "area_km2", "population")
# Levels of the map's legend; p after correction.
_LEVELS = ((0.01, "99"), (0.05, "95"), (0.10, "90"))
_MIN_REPORTS_PER_CELL = 1.0


class CellLocator(Protocol):
    """What counting asks of a locator (``gridsvc.locate.Locator`` fulfils it)."""

    codes: Any

    def locate_many(self, lon: FloatArray, lat: FloatArray) -> Any:
        """Return positions in ``codes``, −1 for none."""


def select_cases(
    cases: gpd.GeoDataFrame,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    classes: Sequence[str] = (),
) -> gpd.GeoDataFrame:
    """Return the reports of a half-open period and of some classes.

    Parameters
    ----------
    cases : GeoDataFrame
        Contract CASES.
    since, until : datetime, optional
        Aware; ``since`` ≤ reported_at < ``until``.
    classes : sequence of str
        Major or minor class codes; empty for all.

    Raises
    ------
    BadOption
        For a naive instant or an empty period.
    """
    for name, instant in (("since", since), ("until", until)):
        if instant is not None and instant.tzinfo is None:
            raise BadOption(
                option=name,
                value=instant.isoformat(),
                reason_zh="缺少时区",
                reason_en="it has no time zone",
            )
    if since is not None and until is not None and since >= until:
        raise BadOption(
            option="since, until",
            value=f"{since.isoformat()}, {until.isoformat()}",
            reason_zh="起点应早于终点",
            reason_en="an empty period, since must come before until",
        )
    keep = np.ones(len(cases), dtype=bool)
    if since is not None:
        keep &= (cases["reported_at"] >= since).to_numpy(dtype=bool)
    if until is not None:
        keep &= (cases["reported_at"] < until).to_numpy(dtype=bool)
    if classes:
        keep &= (
            cases["class_code"].isin(classes).to_numpy()
            | cases["major_code"].isin(classes).to_numpy()
        )
    return cases[keep]


def count_by_cell(
    cases: gpd.GeoDataFrame, codes: Sequence[str], *, locator: CellLocator | None
) -> IntArray:
    """Return for each report the position of its cell in ``codes``, −1 for none.

    With a locator the coordinates decide; without one the ``cell_code`` stored at filing does.
    """
    positions = np.full(len(cases), -1, dtype=np.int64)
    lookup = pd.Index(codes)
    if locator is None:
        filed = cases["cell_code"]
        known = filed.notna().to_numpy()
        positions[known] = lookup.get_indexer(pd.Index(filed[known].to_numpy()))
        return positions
    shapes = cases.geometry.to_numpy()
    at = np.flatnonzero(~(shapely.is_missing(shapes) | shapely.is_empty(shapes)))
    if len(at):
        xy = shapely.get_coordinates(shapes[at])
        found = np.asarray(
            locator.locate_many(np.ascontiguousarray(xy[:, 0]), np.ascontiguousarray(xy[:, 1]))
        )
        translate = np.append(lookup.get_indexer(pd.Index(list(locator.codes))), -1)
        positions[at] = translate[found]
    return positions


def find_hotspots(
    cases: gpd.GeoDataFrame,
    cells: gpd.GeoDataFrame,
    *,
    plan_id: str,
    updated_at: datetime,
    locator: CellLocator | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
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
) -> HotspotResult:
    """Find hot and cold cells.

    Parameters
    ----------
    cases : GeoDataFrame
        Contract CASES.
    cells : GeoDataFrame
        Contract CELLS of one plan, a valid coverage.
    plan_id : str
    updated_at : datetime
        Aware instant that the result carries.
    locator : optional
        Of the same plan: reports are located anew. ``None`` counts by the cell stored at filing.
    since, until, classes
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
    chosen = select_cases(cases, since=since, until=until, classes=classes)
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
    points = placed[["class_code", "reported_at", "geometry"]] if keep_points else None
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
        updated_at=updated_at,
        seed=seed if permutations else None,
        permutations=permutations,
        piles=piles,
        density=surface,
        points=points,
        notes=_notes(counts, z, tests, adjusted, permutations, alpha),
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


def _divisor(cells: gpd.GeoDataFrame, denominator: Denominator, epsg: int) -> FloatArray:
    if denominator == "none":
        return np.ones(len(cells))
    if denominator == "population":
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
    counts: IntArray,
    z: FloatArray,
    tests: int,
    adjusted: FloatArray,
    permutations: int,
    alpha: float,
) -> tuple[Note, ...]:
    notes = []
    if tests == 0:
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
