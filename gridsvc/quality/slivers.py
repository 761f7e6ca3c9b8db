"""Spaces between cells that are narrower than a width, enclosed or open to the outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gridsvc.quality.shapes import THIN_M, usable_polygons
from gridsvc.types import IntArray, ObjectArray

_TOUCH_M = 1e-2
_SHARE = 0.25


def narrow_edges(metric: ObjectArray, width_m: float) -> tuple[IntArray, ObjectArray]:
    """Return the cells that have edges along a space narrower than ``width_m``, and those edges.

    GEOS finds candidates; edges that do not match at all are left to the overlap test.

    Parameters
    ----------
    metric : array of valid Polygon or MultiPolygon
        In a metric CRS.
    """
    edges = shapely.coverage_invalid_edges(metric, gap_width=width_m)
    plain = shapely.coverage_invalid_edges(metric)
    narrow: ObjectArray = np.array(shapely.difference(edges, plain), dtype=object)
    cells = np.flatnonzero(~shapely.is_missing(narrow) & (shapely.length(narrow) > 1e-6))
    return cells, narrow[cells]


def narrow_spaces(
    metric: ObjectArray, width_m: float, *, reach: float = 0.5
) -> list[tuple[Any, IntArray]]:
    """Return the uncovered spaces narrower than ``width_m`` and the cells along each.

    GEOS also reports edges that face each other across a thin cell instead of a thin gap;
    a morphological closing of the cells around each candidate keeps the real spaces only.

    Parameters
    ----------
    metric : array of valid Polygon or MultiPolygon
        In a metric CRS.
    width_m : float
    reach : float
        Radius of the closing over ``width_m``.

    Returns
    -------
    list of (MultiPolygon, int array)
        Space in the metric CRS, positions of the cells with edges along it.
    """
    metric = usable_polygons(metric)
    cells, lines = narrow_edges(metric, width_m)
    if len(cells) == 0:
        return []
    a, b = shapely.STRtree(lines).query(lines, predicate="dwithin", distance=width_m)
    tree = shapely.STRtree(metric)
    found = []
    for group in _groups(len(cells), a, b):
        here = shapely.union_all(lines[group])
        zone = shapely.buffer(here, 2.0 * width_m)
        around = np.sort(tree.query(zone, predicate="intersects"))
        clip = shapely.buffer(here, 6.0 * width_m)
        local = shapely.union_all(shapely.intersection(metric[around], clip))
        closed = shapely.buffer(shapely.buffer(local, reach * width_m), -reach * width_m)
        space = shapely.intersection(shapely.difference(closed, local), zone)
        parts = [p for p in shapely.get_parts(space) if _real(p, here)]
        if parts:
            found.append((shapely.multipolygons(parts), np.unique(cells[group])))
    return found


def _real(part: Any, lines: Any) -> bool:
    """Return whether a space is more than rounding and runs along the candidate edges."""
    if shapely.get_type_id(part) != 3 or 2.0 * part.area <= THIN_M * part.length:
        return False
    along = shapely.length(shapely.intersection(lines, shapely.buffer(part, _TOUCH_M)))
    return bool(along >= _SHARE * min(shapely.length(lines), part.length / 2.0))


def _groups(count: int, a: IntArray, b: IntArray) -> list[IntArray]:
    graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(count, count))
    number, label = connected_components(graph, directed=False)
    return [np.flatnonzero(label == k) for k in range(number)]
