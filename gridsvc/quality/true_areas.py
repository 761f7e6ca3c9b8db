"""Areas of longitude/latitude polygons in a metric plane, additive to the last digit.

A straight edge of longitude/latitude is a slightly bent line in the plane (8 mm at 1 km). The area
between the chords of projected vertices therefore depends on where vertices stand, and a node on
an edge would seem to move ground. Here the bend of each edge is added, so that the areas of pieces
sum up to the area of the whole, however its borders are cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from gridsvc.crs import STORAGE_EPSG, transformer
from gridsvc.types import FloatArray, ObjectArray

_POLYGONS = (3, 6)


def true_areas(shapes: ObjectArray, metric_epsg: int) -> FloatArray:
    """Return the area of each polygon in m², edges taken as straight in longitude/latitude.

    Parameters
    ----------
    shapes : array of Polygon or MultiPolygon
        EPSG:4490; missing and empty ones have area 0, invalid ones that of their rings
        (exterior minus interiors).
    metric_epsg : int
        Plane in which areas are measured.

    Notes
    -----
    Each bend is taken for a parabola through the projected middle of the edge (Archimedes: two
    thirds of the box around it). The rest is below 1 mm² for edges up to 10 km.
    """
    areas = np.zeros(len(shapes))
    full = np.flatnonzero(np.isin(shapely.get_type_id(shapes), _POLYGONS))
    polygons, shape = shapely.get_parts(shapes[full], return_index=True)
    rings, polygon = shapely.get_rings(polygons, return_index=True)
    if len(rings) == 0:
        return areas
    degrees, ring = shapely.get_coordinates(rings, return_index=True)
    follows = ring[1:] == ring[:-1]
    begin, end = degrees[:-1][follows], degrees[1:][follows]
    ring = ring[:-1][follows]
    first = np.searchsorted(ring, np.arange(len(rings)))
    start = _projected(begin, metric_epsg)
    corner = start[first[ring]]
    stop = _projected(end, metric_epsg) - corner
    middle = _projected((begin + end) / 2.0, metric_epsg) - corner
    start = start - corner
    chord = _cross(start, stop) / 2.0
    bend = _cross(middle - (start + stop) / 2.0, stop - start) * (2.0 / 3.0)
    size = np.abs(np.bincount(ring, weights=chord + bend, minlength=len(rings)))
    outer = np.ones(len(rings), dtype=bool)
    outer[1:] = polygon[1:] != polygon[:-1]
    signed = np.where(outer, size, -size)
    areas[full] = np.bincount(shape[polygon], weights=signed, minlength=len(full))
    return areas


def _projected(xy: FloatArray, epsg: int) -> FloatArray:
    return np.column_stack(transformer(STORAGE_EPSG, epsg).transform(xy[:, 0], xy[:, 1]))


def _cross(one: FloatArray, two: FloatArray) -> Any:
    return one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
