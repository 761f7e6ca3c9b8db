"""How far neighbouring borders of a drawn layer miss each other, and the snapping that heals it."""

from __future__ import annotations

import numpy as np
import shapely

from gridsvc.types import ObjectArray

SEARCH_M = 20.0
"""Borders farther apart than this are not meant to be the same line."""
LEAST_SNAP_M = 0.001
DISAGREEMENT_M = 2.0
SNAP_FACTOR = 2.5
_NOISE_M = 1e-7


def estimate_discrepancy(metric: ObjectArray) -> float:
    """Return the 95th percentile of the distance between edges that should match, in metres.

    Taken over the vertices of all non-matching edges (``coverage_invalid_edges``) that have
    another cell's boundary within 20 m but not on it; 0 when every edge matches.

    Parameters
    ----------
    metric : array of valid Polygon or MultiPolygon
        In a metric CRS.
    """
    edges = shapely.coverage_invalid_edges(metric)
    bad = np.flatnonzero(~(shapely.is_missing(edges) | shapely.is_empty(edges)))
    if len(bad) == 0:
        return 0.0
    xy, edge = shapely.get_coordinates(edges[bad], return_index=True)
    points, owner = shapely.points(xy), bad[edge]
    boundaries = shapely.boundary(metric)
    row, other = shapely.STRtree(boundaries).query(points, predicate="dwithin", distance=SEARCH_M)
    foreign = owner[row] != other
    row, other = row[foreign], other[foreign]
    if len(row) == 0:
        return 0.0
    nearest = np.full(len(points), np.inf)
    np.minimum.at(nearest, row, shapely.distance(points[row], boundaries[other]))
    off = nearest[np.isfinite(nearest) & (nearest > _NOISE_M)]
    return float(np.percentile(off, 95.0)) if len(off) else 0.0


def snapping_for(discrepancy_m: float) -> float:
    """Return the snapping distance in metres: 2.5 times the discrepancy.

    Above 2 m the borders disagree rather than being drawn imprecisely; snapping would bend
    streets, so only floating-point noise is snapped and overlaps go to one owner as a whole.
    """
    if discrepancy_m > DISAGREEMENT_M:
        return 0.01
    return max(LEAST_SNAP_M, round(SNAP_FACTOR * discrepancy_m, 3))
