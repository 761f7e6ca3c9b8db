"""Points, staff posts and facilities in the cells of whichever plan is asked about.

Rows keep the cell of the plan they were imported under; a later plan draws other cells. What is
shown and filtered is the cell of the plan in force at the instant asked about: rows stored under
another plan are placed again by its exact locator, as they are read. Nothing is written, so every
instant has its own answer and neither a publication nor its coming into force touches a row.
Cases are different: they keep the cell of filing time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import geopandas as gpd
import pandas as pd

from gridsvc.layers import LAYERS, Placement, empty
from gridsvc.plan.version import PlanVersion
from gridsvc.services.joining import ManyLocator, place
from gridsvc.services.ports import UnitOfWork
from gridsvc.types import BoundingBox

PLACED_LAYERS = ("points", "staff", "facilities")
"""Layers whose rows lie where they lie, whatever cells are drawn around them."""
_CHUNK = 2_000
_KEPT = [Placement.NO_COORDINATES, Placement.INVALID_COORDINATES]

LocatorOf = Callable[[str], ManyLocator]
"""Returns the locator of a plan by its id."""


def in_plan(
    frame: gpd.GeoDataFrame | pd.DataFrame, plan: PlanVersion | None, locator_of: LocatorOf
) -> gpd.GeoDataFrame:
    """Return rows with cell, plan and placement as in one plan.

    Parameters
    ----------
    frame : GeoDataFrame
        Rows of one of ``PLACED_LAYERS`` in contract form. Nothing is mutated.
    plan : PlanVersion or None
        ``None``: no plan is in force, so no row has a cell.
    locator_of : callable
        Asked only when some row was stored under another plan.

    Returns
    -------
    GeoDataFrame
        Same rows in the same order. Rows without usable coordinates keep their reason.
    """
    result = gpd.GeoDataFrame(frame).copy()
    unusable = result["placement"].isin(_KEPT) & result.geometry.isna()
    if plan is None:
        result["cell_code"] = pd.array([None] * len(result), dtype="str")
        result["plan_id"] = pd.array([None] * len(result), dtype="str")
        result["placement"] = result["placement"].where(unusable, None).astype("str")
        return result
    strange = (result["plan_id"] != plan.id).fillna(True)
    if not strange.any():
        return result
    again = place(result[strange], locator_of(plan.id), plan.id)
    again["placement"] = again["placement"].where(~unusable[strange], result["placement"][strange])
    for column in ("cell_code", "plan_id", "placement"):
        values = result[column].astype(object)
        values[strange] = again[column].astype(object)
        result[column] = values.astype("str")
    return result


def rows_in_plan(
    work: UnitOfWork,
    layer: str,
    plan: PlanVersion | None,
    locator_of: LocatorOf,
    *,
    cell: str | None = None,
    community: str | None = None,
    placement: str | None = None,
    bbox: BoundingBox | None = None,
    after: str | None = None,
    limit: int | None = None,
    **narrowed: Any,
) -> gpd.GeoDataFrame:
    """Return rows of a layer by the cells of one plan, ordered by key.

    Cells and communities are looked up through the spatial index and decided by the locator.

    Parameters
    ----------
    work : UnitOfWork
    layer : str
        One of ``PLACED_LAYERS``.
    plan, locator_of
        As in ``in_plan``.
    cell, community : str or None
        Codes of that plan.
    placement : str or None
        Placement in that plan.
    bbox, after, limit, **narrowed
        As in ``RecordRepository.frame``.
    """
    repository = work.records(layer)
    codes: set[str] | None = None
    if cell is not None or community is not None:
        chosen = [] if cell is None else [cell]
        cells = None if plan is None else work.plans.cells(
            plan.id, codes=chosen or None, community=community
        )  # fmt: skip
        if cells is None or cells.empty:
            return gpd.GeoDataFrame(empty(LAYERS[layer]))
        codes = {str(code) for code in cells.index}
        bbox = _common(bbox, BoundingBox(*(float(v) for v in cells.total_bounds)))
        if bbox is None:
            return gpd.GeoDataFrame(empty(LAYERS[layer]))
    plain = codes is None and placement is None
    size = limit if plain or limit is None else max(limit, _CHUNK)
    found: list[gpd.GeoDataFrame] = []
    count = 0
    while True:
        read = repository.frame(bbox=bbox, after=after, limit=size, **narrowed)
        rows = in_plan(read, plan, locator_of)
        if codes is not None:
            rows = rows[rows["cell_code"].isin(codes)]
        if placement is not None:
            rows = rows[rows["placement"] == placement]
        if len(rows) or not found:
            found.append(rows)
        count += len(rows)
        if size is None or len(read) < size or (limit is not None and count >= limit):
            break
        after = str(read.index[-1])
    table = found[0] if len(found) == 1 else gpd.GeoDataFrame(pd.concat(found), crs=found[0].crs)
    return table if limit is None else table.head(limit)


def _common(one: BoundingBox | None, two: BoundingBox) -> BoundingBox | None:
    """Return what two boxes have in common, ``None`` for nothing."""
    if one is None:
        return two
    west, south = max(one.west, two.west), max(one.south, two.south)
    east, north = min(one.east, two.east), min(one.north, two.north)
    return BoundingBox(west, south, east, north) if west <= east and south <= north else None
