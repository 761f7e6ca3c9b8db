"""Geometry as the browser receives it: whole steps of 1e-6 degree, each relative to the last.

Six decimals (about 0.1 m) are for display only; nothing is computed from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import shapely

from gridsvc.types import FloatArray

SCALE = 1_000_000


def steps(coordinates: FloatArray) -> list[int]:
    """Return ``[x0, y0, dx1, dy1, …]`` in steps, repeated vertices left out."""
    grid = np.rint(coordinates[:, :2] * SCALE).astype(np.int64)
    if len(grid) > 1:
        keep = np.ones(len(grid), dtype=bool)
        keep[1:] = (np.diff(grid, axis=0) != 0).any(axis=1)
        grid = grid[keep]
    return np.diff(grid, axis=0, prepend=np.zeros((1, 2), dtype=np.int64)).ravel().tolist()


def area(geometry: Any) -> list[list[list[int]]]:
    """Return polygons → rings → steps; parts that are no polygon are left out."""
    if geometry is None or geometry.is_empty:
        return []
    polygons = []
    for part in shapely.get_parts(geometry):
        if part.geom_type in ("GeometryCollection", "MultiPolygon"):
            polygons += area(part)
        if part.geom_type != "Polygon":
            continue
        rings = [steps(shapely.get_coordinates(r)[:-1]) for r in (part.exterior, *part.interiors)]
        polygons.append([ring for ring in rings if len(ring) >= 6])
    return [polygon for polygon in polygons if polygon]


def lines(geometry: Any) -> list[list[int]]:
    """Return the lines of a geometry as steps; polygons give their rings."""
    if geometry is None or geometry.is_empty:
        return []
    found = []
    for part in shapely.get_parts(geometry):
        shape = part.boundary if part.geom_type == "Polygon" else part
        for line in shapely.get_parts(shape):
            if line.geom_type in ("LineString", "LinearRing"):
                encoded = steps(shapely.get_coordinates(line))
                if len(encoded) >= 4:
                    found.append(encoded)
    return found


def point(geometry: Any) -> list[int]:
    """Return x, y of a point in steps."""
    return [round(geometry.x * SCALE), round(geometry.y * SCALE)]


def points(geometries: Iterable[Any]) -> list[int]:
    """Return the flat x, y of points in steps, absolute."""
    xy = shapely.get_coordinates(np.asarray(list(geometries), dtype=object))
    return np.rint(xy * SCALE).astype(np.int64).ravel().tolist()


def inner_points(geometries: Any) -> list[int]:
    """Return for each area a point inside it, near its middle, as flat steps."""
    shapes = np.asarray(geometries, dtype=object)
    centres = shapely.centroid(shapes)
    inside = shapely.covers(shapes, centres)
    chosen = np.where(inside, centres, shapely.point_on_surface(shapes))
    return points(chosen)


def bounds(*collections: Any) -> list[float]:
    """Return west, south, east, north of all geometries, in degrees; a default for none."""
    boxes = [shapely.total_bounds(np.asarray(c, dtype=object)) for c in collections if len(c) > 0]
    boxes = [box for box in boxes if np.isfinite(box).all()]
    if not boxes:
        return [73.0, 18.0, 135.0, 54.0]
    table = np.asarray(boxes)
    low, high = table[:, :2].min(axis=0), table[:, 2:].max(axis=0)
    return [round(float(v), 6) for v in (*low, *high)]
