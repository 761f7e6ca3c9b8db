"""Distances of many places at once, as ``surroundings`` measures those of one.

Every place is paired with the edges that its distance may end at, and all pairs are computed
together; nothing is kept. The metric is that of ``surroundings``: the latitude of the middle of
the cell, for high cells and for places outside the band of the place.
"""

from __future__ import annotations

import itertools

import numpy as np
import shapely
from numpy.typing import ArrayLike

from gridsvc.locate.edges import Edges, Labels
from gridsvc.locate.locator import BadShape, Locator
from gridsvc.locate.surroundings import BANDS_PER_DEGREE, metres_per_degree
from gridsvc.types import BoolArray, FloatArray, IntArray, ObjectArray

_PAIRS = 60_000  # computed together; more do not stay in the cache
_RIM_PAIRS = 2_000_000
_TIE_M = 1e-6
_RATIO_SLACK = 1e-9


def boundary_many(
    locator: Locator, position: ArrayLike, lon: ArrayLike, lat: ArrayLike
) -> FloatArray:
    """Return the distance of each place to the boundary of its cell.

    Parameters
    ----------
    locator : Locator
    position : array_like of int
        Cells of the places as from ``locate_many``.
    lon, lat : array_like of float
        Degrees, of the shape of ``position``.

    Returns
    -------
    ndarray of float
        Metres; NaN where the position is −1. Equal to ``Location.boundary_distance_m`` to 1e-6 m,
        on a border also to its 0.

    Raises
    ------
    BadShape
    """
    cell, x, y = _rows(position, lon, lat)
    metres = np.full(len(x), np.nan)
    rows = np.flatnonzero(cell >= 0)
    if len(rows):
        edges, start, numbers = locator.borders()
        middle, high = _middles(edges, start, numbers, cell[rows])
        at = np.where(high, _band_middle(y[rows]), middle)
        kx, ky = _degree_lengths(at)
        counts = start[cell[rows] + 1] - start[cell[rows]]
        for part in _chunks(counts):
            owner, which = _pairs(start[cell[rows[part]]], counts[part])
            here = rows[part][owner]
            gap = _gaps(edges, numbers[which], x[here], y[here], kx[part][owner], ky[part][owner])
            first = np.concatenate([[0], np.cumsum(counts[part])[:-1]])
            metres[rows[part]] = np.minimum.reduceat(gap, first)
    return metres.reshape(np.shape(position))


def nearest_many(locator: Locator, lon: ArrayLike, lat: ArrayLike) -> tuple[Labels, FloatArray]:
    """Return the nearest cell of each place outside all cells, and its distance.

    Parameters
    ----------
    locator : Locator
    lon, lat : array_like of float
        Degrees, finite, in no cell.

    Returns
    -------
    position : ndarray of int32
        In ``locator.codes``; of cells that are as near to a micrometre, the one with the lowest
        code.
    metres : ndarray of float
        Equal to ``Location.nearest_distance_m`` to 1e-6 m.

    Raises
    ------
    BadShape
    """
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if x.shape != y.shape:
        raise BadShape(lon_shape=x.shape, lat_shape=y.shape)
    shape = x.shape
    # Default coordinates occur in piles.
    places, back = np.unique(np.column_stack([x.ravel(), y.ravel()]), axis=0, return_inverse=True)
    back = back.reshape(-1)
    position = np.full(len(places), -1, dtype=np.int32)
    metres = np.full(len(places), np.nan)
    if len(places):
        rim = _Rim(locator)
        for begin in range(0, len(places), rim.step):
            part = slice(begin, begin + rim.step)
            position[part], metres[part] = rim.nearest(places[part, 0], places[part, 1])
    return position[back].reshape(shape), metres[back].reshape(shape)


class _Rim:
    """Edges with a cell on one side only: the boundary of all cells together is among them."""

    def __init__(self, locator: Locator) -> None:
        edges, _, _ = locator.borders()
        self.edges = edges
        self.number = np.flatnonzero((edges.left == 0) | (edges.right == 0))
        self.owner = (edges.left[self.number] + edges.right[self.number] - 1).astype(np.int32)
        n = self.number
        ax, ay = edges.ax[n], edges.ay[n]
        bx, by = ax + edges.dx[n], ay + edges.dy[n]
        self.lat = float((ay.min() + by.max()) / 2.0)
        self.kx, self.ky = metres_per_degree(self.lat)
        ends = np.stack(
            [
                np.column_stack([ax * self.kx, ay * self.ky]),
                np.column_stack([bx * self.kx, by * self.ky]),
            ],
            axis=1,
        )
        lines: ObjectArray = np.asarray(shapely.linestrings(ends), dtype=object)
        self.tree = shapely.STRtree(lines)
        self.step = max(1, _RIM_PAIRS // len(n))  # even if every edge could be the nearest

    def nearest(self, x: FloatArray, y: FloatArray) -> tuple[Labels, FloatArray]:
        """Return cell and metres for places, each measured in its own band."""
        kx, ky = _degree_lengths(_band_middle(y))
        points = shapely.points(x * self.kx, y * self.ky)
        (row, _), least = self.tree.query_nearest(points, return_distance=True, all_matches=False)
        reach = np.empty(len(x))
        reach[row] = least
        # The frame of the tree stretches what the band measures by factors between these two.
        stretch = np.sort(np.abs(np.column_stack([self.kx / kx, self.ky / ky])), axis=1)
        reach = reach * (stretch[:, 1] / stretch[:, 0]) * (1.0 + _RATIO_SLACK) + 2.0 * _TIE_M
        row, edge = self.tree.query(points, predicate="dwithin", distance=reach)
        order = np.argsort(row, kind="stable")
        row, edge = row[order], edge[order]
        gap = _gaps(self.edges, self.number[edge], x[row], y[row], kx[row], ky[row])
        first = np.searchsorted(row, np.arange(len(x)))
        metres = np.minimum.reduceat(gap, first)
        tied = gap <= metres[row] + _TIE_M
        cell = np.where(tied, self.owner[edge], np.iinfo(np.int32).max)
        return np.minimum.reduceat(cell, first), metres


def _rows(
    position: ArrayLike, lon: ArrayLike, lat: ArrayLike
) -> tuple[IntArray, FloatArray, FloatArray]:
    cell = np.asarray(position, dtype=np.int64)
    x, y = np.asarray(lon, dtype=np.float64), np.asarray(lat, dtype=np.float64)
    if not cell.shape == x.shape == y.shape:
        raise BadShape(lon_shape=x.shape, lat_shape=y.shape)
    return cell.ravel(), x.ravel(), y.ravel()


def _middles(
    edges: Edges, start: IntArray, numbers: Labels, cell: IntArray
) -> tuple[FloatArray, BoolArray]:
    """Return for each cell asked for its middle latitude and whether it is a high one."""
    used, back = np.unique(cell, return_inverse=True)
    counts = start[used + 1] - start[used]
    _, which = _pairs(start[used], counts)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    low = edges.ay[numbers[which]]
    south = np.minimum.reduceat(low, first)
    north = np.maximum.reduceat(low + edges.dy[numbers[which]], first)
    return ((south + north) / 2.0)[back], ((north - south) * BANDS_PER_DEGREE > 1.0)[back]


def _band_middle(lat: FloatArray) -> FloatArray:
    band = np.floor(lat * BANDS_PER_DEGREE)
    return np.asarray((band / BANDS_PER_DEGREE + (band + 1.0) / BANDS_PER_DEGREE) / 2.0)


def _degree_lengths(lat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ``metres_per_degree`` of each latitude."""
    known, back = np.unique(lat, return_inverse=True)
    lengths = np.array([metres_per_degree(v) for v in known.tolist()]).reshape(-1, 2)
    return lengths[back, 0], lengths[back, 1]


def _chunks(counts: IntArray) -> list[slice]:
    """Return parts of the rows with about ``_PAIRS`` pairs each."""
    total = np.cumsum(counts)
    limits = np.arange(_PAIRS, int(total[-1]), _PAIRS)
    cuts = np.unique(np.concatenate([[0], np.searchsorted(total, limits) + 1, [len(counts)]]))
    cuts = cuts[cuts <= len(counts)]
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(cuts)]


def _pairs(start: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    """Return, for runs of numbers, to which run each belongs, and the numbers."""
    owner = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - before[owner] + start[owner]


def _gaps(
    edges: Edges, e: IntArray | Labels, x: FloatArray, y: FloatArray, kx: FloatArray, ky: FloatArray
) -> FloatArray:
    """Return the distance in metres of each place to its edge."""
    wx, wy = (x - edges.ax[e]) * kx, (y - edges.ay[e]) * ky
    dx, dy = edges.dx[e] * kx, edges.dy[e] * ky
    along = np.clip((wx * dx + wy * dy) / (dx * dx + dy * dy), 0.0, 1.0)
    return np.asarray(np.hypot(wx - along * dx, wy - along * dy))
