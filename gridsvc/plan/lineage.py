"""What became of each cell between two versions: unchanged, split, merged or irregular."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gridsvc.crs import to_metric
from gridsvc.types import FloatArray, ObjectArray

COLUMNS = ("old_code", "new_code", "kind", "share")
THIN_M = 1e-3
"""Overlaps of mean width (2 × area / length) up to this are rounding."""
_SAME = 1e-6


def lineage(
    old_cells: gpd.GeoDataFrame, new_cells: gpd.GeoDataFrame, metric_epsg: int
) -> pd.DataFrame:
    """Return the lineage between two versions of a plan.

    Kinds follow the practice of statistical offices: ``U`` unchanged in shape (its code may be
    new), ``S`` split into several, ``M`` merged from several, ``X`` irregular: not comparable.

    Parameters
    ----------
    old_cells, new_cells : GeoDataFrame
        Certified leaf cells indexed by code, EPSG:4490.
    metric_epsg : int
        CRS in which areas are measured.

    Returns
    -------
    DataFrame
        Columns old_code, new_code, kind, share (overlap over the old cell's area), ordered by
        old_code, new_code. A cell without counterpart has no code (missing value) on the
        other side, kind X and share 0.
    """
    overlaps = changed_overlaps(old_cells, new_cells, metric_epsg)
    same = overlaps["same"].to_numpy(dtype=bool)
    rows = overlaps.loc[same, ["old_code", "new_code"]].assign(kind="U", share=1.0)
    rest = overlaps[~same]
    kinds = _kinds(rest)
    moved = rest[["old_code", "new_code"]].assign(kind=kinds, share=_shares(rest))
    gone = sorted(set(old_cells.index.astype(str)) - set(overlaps["old_code"]))
    come = sorted(set(new_cells.index.astype(str)) - set(overlaps["new_code"]))
    lone = pd.DataFrame(
        {
            "old_code": [*gone, *[None] * len(come)],
            "new_code": [*[None] * len(gone), *come],
            "kind": "X",
            "share": 0.0,
        }
    )
    table = pd.concat([rows, moved, lone]).astype(
        {"old_code": "str", "new_code": "str", "kind": "str", "share": "float64"}
    )
    ordered: pd.DataFrame = table.sort_values(["old_code", "new_code"], ignore_index=True)
    return ordered.reindex(columns=list(COLUMNS))


def changed_overlaps(
    old_cells: gpd.GeoDataFrame, new_cells: gpd.GeoDataFrame, metric_epsg: int
) -> gpd.GeoDataFrame:
    """Return which old cells overlap which new ones, overlaying only what is not identical.

    Returns
    -------
    GeoDataFrame
        Columns old_code, new_code, area, old_area, new_area (m²), same (whether the shapes are
        one), geometry (overlap in EPSG:4490; ``None`` where same).
    """
    old_codes, new_codes = old_cells.index.astype(str), new_cells.index.astype(str)
    old, new = _shapes(old_cells), _shapes(new_cells)
    keys: dict[bytes, int] = {}
    for j, key in enumerate(shapely.to_wkb(new)):
        keys.setdefault(key, j)
    twin = np.array([keys.get(k, -1) for k in shapely.to_wkb(old)], dtype=np.int64)
    i_same = np.flatnonzero(twin >= 0)
    j_same = twin[i_same]
    open_old = np.flatnonzero(twin < 0)
    open_new = np.setdiff1d(np.arange(len(new)), j_same)
    pairs_old, pairs_new = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    if len(open_old) and len(open_new):
        row, col = shapely.STRtree(new[open_new]).query(old[open_old], predicate="intersects")
        pairs_old, pairs_new = open_old[row], open_new[col]
    common = shapely.intersection(old[pairs_old], new[pairs_new])
    metric = to_metric(common, metric_epsg)
    area, length = shapely.area(metric), shapely.length(metric)
    real = 2.0 * area > THIN_M * np.where(length > 0, length, np.inf)
    pairs_old, pairs_new = pairs_old[real], pairs_new[real]
    old_area = shapely.area(to_metric(old, metric_epsg))
    new_area = shapely.area(to_metric(new, metric_epsg))
    first, second = np.concatenate([i_same, pairs_old]), np.concatenate([j_same, pairs_new])
    same = np.arange(len(first)) < len(i_same)
    overlap = np.concatenate([old_area[i_same], area[real]])
    # Shapes that differ by rounding only are one.
    near = (np.abs(overlap - old_area[first]) <= _SAME * old_area[first]) & (
        np.abs(overlap - new_area[second]) <= _SAME * new_area[second]
    )
    geometry = np.concatenate([np.full(len(i_same), None, dtype=object), common[real]])
    table = pd.DataFrame(
        {
            "old_code": old_codes[first],
            "new_code": new_codes[second],
            "area": overlap,
            "old_area": old_area[first],
            "new_area": new_area[second],
            "same": same | near,
        }
    )
    return gpd.GeoDataFrame(table, geometry=geometry, crs=old_cells.crs)


def _shares(overlaps: pd.DataFrame) -> FloatArray:
    """Return overlaps over the old cells' areas: 1 where a cell went over whole, else below."""
    share = (overlaps["area"] / overlaps["old_area"]).to_numpy(dtype=np.float64)
    whole = np.abs(share - 1.0) <= _SAME
    return np.where(whole, 1.0, np.minimum(np.round(share, 9), 1.0))


def _shapes(frame: gpd.GeoDataFrame) -> ObjectArray:
    shapes: ObjectArray = np.array(
        shapely.normalize(np.asarray(frame.geometry.array, dtype=object)), dtype=object
    )
    return shapes


def _kinds(overlaps: pd.DataFrame) -> list[str]:
    """Return the kind of each overlap from the group of cells that it belongs to."""
    if overlaps.empty:
        return []
    old, old_index = np.unique(overlaps["old_code"].to_numpy(dtype=object), return_inverse=True)
    new, new_index = np.unique(overlaps["new_code"].to_numpy(dtype=object), return_inverse=True)
    size = len(old) + len(new)
    graph = coo_array(
        (np.ones(len(overlaps), dtype=np.int8), (old_index, new_index + len(old))),
        shape=(size, size),
    )
    label = connected_components(graph, directed=False)[1][old_index]
    kinds: dict[int, str] = {}
    for group in np.unique(label):
        rows = overlaps[label == group]
        olds = rows.drop_duplicates("old_code")
        news = rows.drop_duplicates("new_code")
        before, after = float(olds["old_area"].sum()), float(news["new_area"].sum())
        whole = abs(float(rows["area"].sum()) - before) <= _SAME * before
        whole = whole and abs(before - after) <= _SAME * before
        if whole and len(olds) == 1 and len(news) > 1:
            kinds[int(group)] = "S"
        elif whole and len(news) == 1 and len(olds) > 1:
            kinds[int(group)] = "M"
        else:
            kinds[int(group)] = "X"
    return [kinds[int(g)] for g in label]
