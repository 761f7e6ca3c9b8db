"""Where duties are: in which box their targets lie, and their targets as geometry."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.services.ports import UnitOfWork
from gridsvc.types import BoundingBox

AREA_KINDS = ("community", "subdistrict", "city")


def within(work: UnitOfWork, duties: pd.DataFrame, plan_id: str, box: BoundingBox) -> pd.DataFrame:
    """Return the duties whose target meets a box."""
    cells = work.plans.cells(plan_id, bbox=box)
    barred = work.plans.exclusions(plan_id)
    area = shapely.box(box.west, box.south, box.east, box.north)
    excluded = barred.index[shapely.intersects(barred.geometry.to_numpy(), area)]
    targets: dict[str, pd.Index | pd.Series] = {
        "cell": cells.index,
        "community": cells["community_code"],
        "subdistrict": cells["subdistrict_code"],
        "point": work.records("points").frame(bbox=box).index,
        "road": work.records("streets").frame(bbox=box)["name"].dropna(),
        "river": excluded,
        "field": excluded.union(work.records("facilities").frame(bbox=box).index),
    }
    keep = (duties["target_kind"] == "city") & bool(len(cells))
    for kind, codes in targets.items():
        keep |= (duties["target_kind"] == kind) & duties["target_code"].isin(codes)
    return duties[keep]


def located(work: UnitOfWork, duties: pd.DataFrame, plan_id: str) -> gpd.GeoDataFrame:
    """Return duties with the geometry of their targets in a plan.

    Cells, areas and exclusions (rivers, fields) are those of the plan; a field may be a facility
    instead, a road is all its streets. Duties for a class, and for what the plan does not have,
    have none.

    Parameters
    ----------
    work : UnitOfWork
    duties : DataFrame
        Contract DUTIES.
    plan_id : str

    Returns
    -------
    GeoDataFrame
        The same rows in EPSG:4490.
    """
    shapes = np.full(len(duties), None, dtype=object)
    kinds = duties["target_kind"].to_numpy()
    for kind in sorted(set(kinds.tolist())):
        rows = np.flatnonzero(kinds == kind)
        codes = duties["target_code"].iloc[rows]
        found = _shapes(work, plan_id, kind, sorted(set(codes.dropna().astype(str))))
        if kind == "city" and len(found) == 1:
            shapes[rows] = next(iter(found.values()))  # there is one city, whatever it is called
        else:
            shapes[rows] = [found.get(str(code)) for code in codes]
    return gpd.GeoDataFrame(duties, geometry=shapes, crs=4490)


def _shapes(work: UnitOfWork, plan_id: str, kind: str, codes: list[str]) -> dict[str, Any]:
    """Return the geometries of targets of one kind by code."""
    if kind == "cell":
        frame = work.plans.cells(plan_id, codes=codes)
    elif kind in AREA_KINDS:
        frame = work.plans.areas(plan_id, kind).set_index("code")
    elif kind == "river":
        frame = work.plans.exclusions(plan_id)
    elif kind == "field":
        built = work.records("facilities").frame(where={"facility_id": codes})
        return _by_code(gpd.GeoDataFrame(built)) | _by_code(work.plans.exclusions(plan_id))
    elif kind == "point":
        frame = work.records("points").frame(where={"point_id": codes})
    elif kind == "road":
        streets = work.records("streets").frame(where={"name": codes})
        by_name = streets.groupby("name", sort=False)["geometry"]
        return {str(name): shapely.union_all(list(lines)) for name, lines in by_name}
    else:
        return {}
    return _by_code(frame)


def _by_code(frame: gpd.GeoDataFrame) -> dict[str, Any]:
    return {str(code): shape for code, shape in zip(frame.index, frame.geometry, strict=True)}
