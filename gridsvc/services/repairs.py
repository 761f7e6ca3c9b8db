"""The repairs that a plan's cells went through when they were imported."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

from gridsvc.crs import STORAGE_EPSG
from gridsvc.quality.repair_log import COLUMNS, RepairLog
from gridsvc.services.ports import UnitOfWork
from gridsvc.types import BoundingBox


def repairs_of_plan(
    work: UnitOfWork,
    plan_id: str,
    *,
    action: str | None = None,
    cell: str | None = None,
    bbox: BoundingBox | None = None,
    after: int = 0,
    limit: int | None = None,
) -> gpd.GeoDataFrame:
    """Return rows of the repair log of the import that a plan came from.

    Parameters
    ----------
    work : UnitOfWork
    plan_id : str
    action : str, optional
        Only repairs of this kind.
    cell : str, optional
        Only repairs of this cell and those that gave it ground.
    bbox : BoundingBox, optional
        Only repairs that meet the closed box.
    after : int
        Only rows with a larger ``number``.
    limit : int, optional
        So many rows at most.

    Returns
    -------
    GeoDataFrame
        Columns of a repair log, EPSG:4490, indexed by ``number``: the place of the row in the
        whole log, from 1. No rows for a plan that was not imported or needed no repair. Columns
        that an earlier version did not write are missing values.

    Raises
    ------
    UnknownPlan
    """
    batch = work.plans.get(plan_id).provenance.get("batch_id")
    log = (
        RepairLog().frame()
        if batch is None
        else work.batches.log(
            str(batch), action=action, cell=cell, bbox=bbox, after=after - 1, limit=limit
        )
    )
    if "action" not in log.columns:
        log = RepairLog().frame()
    log = log.reindex(columns=[*COLUMNS, "geometry"]).set_geometry("geometry", crs=STORAGE_EPSG)
    log.index = pd.Index(log.index.to_numpy() + 1, dtype="int64", name="number")
    return log
