"""A later drawing of the same cells that lies beside the plan in force: a wrong datum."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.crs import to_metric
from gridsvc.datum import convert
from gridsvc.errors import WrongCrs
from gridsvc.phrases import length
from gridsvc.types import Datum, FloatArray, IntArray, ObjectArray
from gridsvc.ways import way

_LEAST_SHIFT_M = 50.0
_SPREAD = 0.25
_FITS_M = 5.0
_LEAST_CELLS = 3
_WINDS = (
    ("东", "east"), ("东北", "northeast"), ("北", "north"), ("西北", "northwest"),
    ("西", "west"), ("西南", "southwest"), ("南", "south"), ("东南", "southeast"),
)  # fmt: skip


def refuse_shifted(
    drawn: gpd.GeoDataFrame, in_force: gpd.GeoDataFrame, datum: Datum, metric_epsg: int
) -> None:
    """Refuse cells that all lie beside the same cells of the plan in force.

    Centroids of cells with the same code are compared, by unique name where codes changed. The
    shift is uniform when the median deviation from the median shift is below a quarter of it.

    Parameters
    ----------
    drawn, in_force : GeoDataFrame
        Indexed by code, EPSG:4490, with ``name`` where known.
    datum : Datum
        Stated datum of the source, undone before others are tried.
    metric_epsg : int

    Raises
    ------
    WrongCrs
        Naming the shift in metres, its direction and the datum that makes it vanish, if one does.
    """
    pairs = _same(drawn, in_force)
    if len(pairs) < _LEAST_CELLS:
        return
    here = _centres(drawn.geometry.to_numpy()[pairs[:, 0]])
    there = _centres(in_force.geometry.to_numpy()[pairs[:, 1]])
    target = _ground(there, metric_epsg)
    steps = _ground(here, metric_epsg) - target
    middle = np.median(steps, axis=0)
    shift = float(np.hypot(*middle))
    spread = float(np.median(np.hypot(*(steps - middle).T)))
    if shift < _LEAST_SHIFT_M or spread > _SPREAD * shift:
        return
    given = convert(here[:, 0], here[:, 1], Datum.WGS84, datum)
    left: dict[Datum, float] = {}
    for other in (Datum.GCJ02, Datum.BD09, Datum.WGS84):
        tried = np.column_stack(convert(*given, other, Datum.WGS84))
        left[other] = float(np.median(np.hypot(*(_ground(tried, metric_epsg) - target).T)))
    best = min(left, key=lambda d: left[d])
    wind = _WINDS[round(float(np.degrees(np.arctan2(middle[1], middle[0]))) / 45.0) % 8]
    zh = f"与现行方案同编码或同名的 {len(pairs)} 个网格相比,整体偏移约 {length(shift)}"
    zh += f"(向{wind[0]})"
    en = (
        f"compared with the same {len(pairs)} cells of the plan in force, everything is shifted "
        f"by about {length(shift, 'en')} to the {wind[1]}"
    )
    hint_zh = "请核对 {way:crs} 与 {way:datum}:没有一种已知基准能消除该偏移"
    hint_en = "check {way:crs} and {way:datum}: no known datum makes the shift vanish"
    if left[best] < _FITS_M:
        zh += f",像是把 {best.value} 当成 {datum.value}"
        en += f", as if {best.value} were read as {datum.value}"
        hint_zh = f"请改用 {way('datum', best.value)}(偏移降至 {left[best]:.1f} 米)"
        hint_en = f"use {way('datum', best.value)} (the shift falls to {left[best]:.1f} m)"
    raise WrongCrs(
        crs=datum.value, reason_zh=zh, reason_en=en, hint_zh=hint_zh, hint_en=hint_en,
        shift_m=shift, datum=best.value if left[best] < _FITS_M else None,
    )  # fmt: skip


def _same(drawn: gpd.GeoDataFrame, in_force: gpd.GeoDataFrame) -> IntArray:
    """Return positions of the same cells in both frames, (n, 2): by code, else by unique name."""
    keys = [(pd.Index(drawn.index.astype(str)), pd.Index(in_force.index.astype(str)))]
    if "name" in drawn.columns and "name" in in_force.columns:
        keys.append((pd.Index(drawn["name"].astype(str)), pd.Index(in_force["name"].astype(str))))
    found = np.empty((0, 2), dtype=np.int64)
    for one, two in keys:
        shared = one[~one.duplicated(keep=False)].intersection(two[~two.duplicated(keep=False)])
        pairs = np.column_stack([one.get_indexer_for(shared), two.get_indexer_for(shared)])
        usable = [
            not (shapely.is_empty(a) or shapely.is_empty(b))
            for a, b in zip(
                drawn.geometry.to_numpy()[pairs[:, 0]],
                in_force.geometry.to_numpy()[pairs[:, 1]],
                strict=True,
            )
        ]
        pairs = pairs[np.array(usable, dtype=bool)]
        if len(pairs) > len(found):
            found = pairs
        if len(found) >= _LEAST_CELLS:
            break
    return found


def _centres(shapes: ObjectArray) -> FloatArray:
    return np.asarray(shapely.get_coordinates(shapely.centroid(shapes)))


def _ground(lonlat: FloatArray, metric_epsg: int) -> FloatArray:
    return np.asarray(shapely.get_coordinates(to_metric(shapely.points(lonlat), metric_epsg)))
