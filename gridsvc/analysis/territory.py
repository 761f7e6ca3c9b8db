"""Coverage in its first meaning: the declared territory against the union of the cells."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from gridsvc import crs


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
        "share": share_of(total - lost, total),
    }


def share_of(part: float, whole: float) -> float | None:
    """Return a part of a whole, ``None`` for 0/0."""
    return part / whole if whole else None
