"""Small street networks and points on a metric plane, stored as lon/lat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc import crs, layers

EPSG = 4548
EAST, NORTH = 560_000.0, 2_905_000.0


def stored(*xy: tuple[float, float]) -> np.ndarray:
    """Lon/lat of metres east and north of the origin, canonical."""
    moved = shapely.points(np.array(xy, dtype=float) + np.array([EAST, NORTH]))
    return shapely.get_coordinates(crs.to_storage(moved, EPSG))


def line(*xy: tuple[float, float]) -> shapely.LineString:
    """A line in stored coordinates; equal metres give bitwise equal vertices."""
    return shapely.LineString(stored(*xy))


def spot(x: float, y: float) -> shapely.Point:
    """A point in stored coordinates."""
    return shapely.Point(stored((x, y))[0])


def streets(
    lines: Sequence[shapely.LineString | shapely.MultiLineString], **columns: Any
) -> gpd.GeoDataFrame:
    """Streets in contract form, named after their row."""
    frame = gpd.GeoDataFrame(
        {
            "name": [f"街{i}" for i in range(len(lines))],
            "highway": "residential",
            **columns,
        },
        index=pd.Index([f"s{i}" for i in range(len(lines))], name="street_id"),
        geometry=lines,
        crs=4490,
    )
    return layers.normalize(frame, layers.STREETS)


def town(blocks: int = 4, side: float = 100.0) -> gpd.GeoDataFrame:
    """A square grid of streets, one line per street with a vertex at each corner."""
    steps = np.arange(blocks + 1) * side
    rows = [line(*[(x, y) for x in steps]) for y in steps]
    columns = [line(*[(x, y) for y in steps]) for x in steps]
    return streets(rows + columns)


def points(places: Sequence[tuple[float, float]], **columns: Any) -> gpd.GeoDataFrame:
    """Evaluation points in contract form."""
    frame = gpd.GeoDataFrame(
        {"name": [f"点{i}" for i in range(len(places))], "category": "market", **columns},
        index=pd.Index([f"P{i:03d}" for i in range(len(places))], name="point_id"),
        geometry=[spot(*p) for p in places],
        crs=4490,
    )
    return layers.normalize(frame, layers.POINTS)
