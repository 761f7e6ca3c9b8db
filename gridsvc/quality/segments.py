"""All boundary segments of a polygon set in one table: adjacency, rim, shared lengths, digest.

In an edge-matched coverage each boundary segment is used once (the rim of the union) or twice (a
border between two cells). One sort of integer-keyed segments therefore answers what a geometric
union would answer, several times faster, and gives a digest that does not depend on row order,
ring direction or start points.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import shapely

from gridsvc.crs import LATTICE_PER_DEGREE
from gridsvc.types import BoolArray, FloatArray, IntArray

_PACKED = 1 << 31


@dataclass(frozen=True)
class SegmentTable:
    """Undirected boundary segments of polygons, one row per use by a polygon.

    Attributes
    ----------
    points : float array (n_points, 2)
        Distinct vertices ordered by x, then y.
    low, high : int array (n_uses,)
        End points of each use, ``low < high``; segments of zero length are left out.
    owner : int array (n_uses,)
        Position of the polygon that uses the segment.
    vertices : int array (n_coordinates,)
        Position in ``points`` of every vertex of every ring, in order.
    rings : int array (n_rings + 1,)
        Where each ring begins in ``vertices``.
    ring_owner : int array (n_rings,)
    shell : bool array (n_rings,)
        Whether the ring is an exterior.
    """

    points: FloatArray
    low: IntArray
    high: IntArray
    owner: IntArray
    vertices: IntArray
    rings: IntArray
    ring_owner: IntArray
    shell: BoolArray

    @classmethod
    def of(cls, geometries: Any) -> SegmentTable:
        """Build the table of an array of polygons and multipolygons.

        Parameters
        ----------
        geometries : array of shapely Polygon or MultiPolygon
            Any plane; empty and missing geometries contribute nothing.
        """
        array = np.asarray(geometries, dtype=object)
        kept = np.flatnonzero(~(shapely.is_missing(array) | shapely.is_empty(array)))
        if len(kept) == 0:
            none = np.empty(0, dtype=np.int64)
            ends = np.zeros(1, dtype=np.int64)
            return cls(
                np.empty((0, 2)), none, none, none, none, ends, none, np.empty(0, dtype=bool)
            )
        _, xy, offsets = shapely.to_ragged_array(array[kept], include_z=False)
        ring_ends = offsets[0].astype(np.int64)
        ring_of_cell = offsets[1] if len(offsets) == 2 else offsets[1][offsets[2]]
        ring_of_cell = ring_of_cell.astype(np.int64)
        ring_owner = np.repeat(kept, np.diff(ring_of_cell))
        shell = np.zeros(len(ring_owner), dtype=bool)
        shell[offsets[1][:-1][np.diff(offsets[1]) > 0]] = True
        filled = np.diff(ring_ends) > 0
        if not filled.all():  # a polygon may have empty holes
            ring_owner, shell = ring_owner[filled], shell[filled]
        owner = np.repeat(kept, np.diff(ring_ends[ring_of_cell]))[:-1]
        ring_ends = np.unique(ring_ends)
        points, index = _distinct(xy)
        start, end = index[:-1], index[1:]
        real = start != end
        real[ring_ends[1:-1] - 1] = False
        if not real.all():
            start, end, owner = start[real], end[real], owner[real]
        low, high = np.minimum(start, end), np.maximum(start, end)
        return cls(points, low, high, owner, index, ring_ends, ring_owner, shell)

    @cached_property
    def _keys(self) -> IntArray:
        return np.asarray(self.low * np.int64(max(len(self.points), 1)) + self.high)

    @cached_property
    def _order(self) -> IntArray:
        return np.argsort(self._keys)

    @cached_property
    def _first(self) -> IntArray:
        """Positions in sorted order where a new distinct segment begins."""
        keys = self._keys[self._order]
        new = np.ones(len(keys), dtype=bool)
        new[1:] = keys[1:] != keys[:-1]
        return np.flatnonzero(new)

    @cached_property
    def _uses(self) -> IntArray:
        return np.diff(np.append(self._first, len(self._keys)))

    def rim(self) -> IntArray:
        """Return the uses (row positions) of segments that only one polygon uses once."""
        return np.asarray(self._order[self._first[self._uses == 1]])

    def most_uses(self) -> int:
        """Return how often the most used segment is used (2 in a coverage)."""
        return int(self._uses.max(initial=0))

    def lines(self, rows: IntArray) -> Any:
        """Return two-point lines of the given uses, an array of LineString."""
        ends = np.stack([self.points[self.low[rows]], self.points[self.high[rows]]], axis=1)
        return shapely.linestrings(ends)

    def lengths(self, metric_points: FloatArray | None = None) -> FloatArray:
        """Return the length of each use, of ``metric_points`` if given (same order as points)."""
        points = self.points if metric_points is None else metric_points
        step = points[self.high] - points[self.low]
        return np.hypot(step[:, 0], step[:, 1])

    def areas(self, count: int, metric_points: FloatArray) -> FloatArray:
        """Return the area of each of ``count`` polygons by the shoelace formula.

        Parameters
        ----------
        count : int
            Number of polygons that the table was built of.
        metric_points : float array (n_points, 2)
            ``points`` in a metric plane.
        """
        if len(self.vertices) == 0:
            return np.zeros(count)
        origin = metric_points.mean(axis=0)
        x, y = (metric_points - origin)[self.vertices].T
        cross = np.zeros(len(x))
        cross[:-1] = x[:-1] * y[1:] - x[1:] * y[:-1]
        cross[self.rings[1:] - 1] = 0.0
        ring = np.abs(np.add.reduceat(cross, self.rings[:-1])) / 2.0
        signed = np.where(self.shell, ring, -ring)
        return np.asarray(
            np.bincount(self.ring_owner, weights=signed, minlength=count), dtype=np.float64
        )

    def shared(self, metric_points: FloatArray | None = None) -> pd.DataFrame:
        """Return neighbours: columns first, second (positions, first < second), length.

        Only segments used exactly twice by two different polygons count.
        """
        begin = self._first[self._uses == 2]
        one, two = self._order[begin], self._order[begin + 1]
        first = np.minimum(self.owner[one], self.owner[two])
        second = np.maximum(self.owner[one], self.owner[two])
        length = self.lengths(metric_points)[one]
        apart = first != second
        table = pd.DataFrame(
            {"first": first[apart], "second": second[apart], "length": length[apart]}
        )
        return table.groupby(["first", "second"], sort=True)[["length"]].sum().reset_index()

    def faces(self) -> Any:
        """Return the faces that the rim encloses, an array of Polygon ordered by lower-left corner.

        The uncovered ones among them are gaps; the covered ones are the parts of the union.
        """
        rim = self.rim()
        if len(rim) == 0:
            return np.empty(0, dtype=object)
        found = np.asarray(shapely.get_parts(shapely.polygonize(self.lines(rim))), dtype=object)
        if len(found) == 0:
            return found
        return ordered(found)

    def digest(self) -> str:
        """Return the SHA-256 of all distinct segments in canonical order, as hexadecimal text."""
        digest = hashlib.sha256()
        digest.update(np.ascontiguousarray(self.points, dtype="<f8").tobytes())
        distinct = self._order[self._first]
        digest.update(np.ascontiguousarray(self.low[distinct], dtype="<i4").tobytes())
        digest.update(np.ascontiguousarray(self.high[distinct], dtype="<i4").tobytes())
        return digest.hexdigest()


def ordered(polygons: Any) -> Any:
    """Return polygons in an order that depends on their place only."""
    array = np.asarray(polygons, dtype=object)
    bounds = shapely.bounds(array)
    corner = np.lexsort(
        (shapely.area(array), bounds[:, 3], bounds[:, 2], bounds[:, 1], bounds[:, 0])
    )
    return array[corner]


def _distinct(xy: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return distinct points ordered by x, y and for each input row its position among them."""
    lattice = np.round(xy * LATTICE_PER_DEGREE)
    if np.array_equal(lattice / LATTICE_PER_DEGREE, xy) and np.abs(xy).max() < 400.0:
        whole = lattice.astype(np.int64)
        whole -= whole.min(axis=0)
        if whole.max(initial=0) < _PACKED:
            return _sorted_groups(xy, (whole[:, 0] << 31) | whole[:, 1])
    xs = np.unique(xy[:, 0], return_inverse=True)[1].astype(np.int64)
    ys = np.unique(xy[:, 1], return_inverse=True)[1].astype(np.int64)
    return _sorted_groups(xy, xs * (ys.max() + 1) + ys)


def _sorted_groups(xy: FloatArray, key: IntArray) -> tuple[FloatArray, IntArray]:
    order = np.argsort(key)
    ranked = key[order]
    new = np.ones(len(ranked), dtype=bool)
    new[1:] = ranked[1:] != ranked[:-1]
    index = np.empty(len(key), dtype=np.int64)
    index[order] = np.cumsum(new) - 1
    return np.asarray(xy[order[new]]), index
