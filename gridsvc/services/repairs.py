"""The repairs that a plan's cells went through when they were imported."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd

from gridsvc.crs import STORAGE_EPSG
from gridsvc.quality.repair_log import COLUMNS, RepairLog
from gridsvc.services.ports import UnitOfWork


def repairs_of_plan(work: UnitOfWork, plan_id: str) -> gpd.GeoDataFrame:
    """Return the repair log of the import that a plan came from.

    Returns
    -------
    GeoDataFrame
        Columns of a repair log, indexed by ``number`` from 1, EPSG:4490; no rows for a plan that
        was not imported or needed no repair. Columns that an earlier version did not write are
        missing values.

    Raises
    ------
    UnknownPlan
    """
    batch = work.plans.get(plan_id).provenance.get("batch_id")
    log = RepairLog().frame() if batch is None else work.batches.log(str(batch))
    if "action" not in log.columns:
        log = RepairLog().frame()
    log = log.reindex(columns=[*COLUMNS, "geometry"]).set_geometry("geometry", crs=STORAGE_EPSG)
    log.index = pd.RangeIndex(1, len(log) + 1, name="number")
    return log
