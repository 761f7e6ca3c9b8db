"""How far neighbouring borders of a drawn layer miss each other, and the snapping that heals it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gridsvc.types import ObjectArray

SEARCH_M = 20.0
"""Borders farther apart than this are not meant to be the same line."""
LEAST_SNAP_M = 0.001
NOISE_SNAP_M = 0.01
DISAGREEMENT_M = 2.0
LOCAL_SHARE = 0.01
SNAP_FACTOR = 2.5
_NOISE_M = 1e-7


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """How a layer's borders disagree.

    Attributes
    ----------
    metres : float
        95th percentile of the distance between edges that should match.
    share : float
        Vertices on non-matching edges over all vertices.
    matched : bool
        Whether every edge matches.
    """

    metres: float
    share: float
    matched: bool

    @property
    def snap_m(self) -> float:
        """Snapping distance in metres: 2.5 times the discrepancy.

        Where borders disagree by more than 2 m, or on less than 1 % of their vertices, the layer
        is not drawn imprecisely as a whole: snapping would bend streets and shores that are right,
        so only floating-point noise is snapped (1 cm) and each overlap goes to one owner.
        """
        wanted = max(LEAST_SNAP_M, round(SNAP_FACTOR * self.metres, 3))
        if self.metres > DISAGREEMENT_M or self.share < LOCAL_SHARE:
            return min(wanted, NOISE_SNAP_M)
        return wanted


def estimate_discrepancy(metric: ObjectArray) -> Discrepancy:
    """Measure the distances between edges that should match.

    Taken over the vertices of all non-matching edges (``coverage_invalid_edges``) that have
    another cell's boundary within 20 m but not on it.

    Parameters
    ----------
    metric : array of valid Polygon or MultiPolygon
        In a metric CRS.
    """
    edges = shapely.coverage_invalid_edges(metric)
    bad = np.flatnonzero(~(shapely.is_missing(edges) | shapely.is_empty(edges)))
    if len(bad) == 0:
        return Discrepancy(0.0, 0.0, True)
    xy, edge = shapely.get_coordinates(edges[bad], return_index=True)
    share = len(xy) / max(1, int(shapely.get_num_coordinates(metric).sum()))
    points: Any = shapely.points(xy)
    owner = bad[edge]
    boundaries = shapely.boundary(metric)
    row, other = shapely.STRtree(boundaries).query(points, predicate="dwithin", distance=SEARCH_M)
    foreign = owner[row] != other
    row, other = row[foreign], other[foreign]
    nearest = np.full(len(points), np.inf)
    np.minimum.at(nearest, row, shapely.distance(points[row], boundaries[other]))
    off = nearest[np.isfinite(nearest) & (nearest > _NOISE_M)]
    return Discrepancy(float(np.percentile(off, 95.0)) if len(off) else 0.0, share, False)
