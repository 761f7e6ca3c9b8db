"""Distances from a place to the boundary of its cell, to neighbours and to the nearest cell.

Metres are taken in a local frame: degrees times the length of a degree on the CGCS2000 ellipsoid
at the latitude of the cell's middle, or for cells higher than 0.01° at that of the place in bands
of 0.01°. The relative error is below 1e-4 × tan latitude, smaller than that of a 3-degree zone.
Where distances to several cells are compared, all are taken in the band of the place. Arithmetic
uses complex numbers, east + i north.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from gridsvc.locate.edges import Edges, Labels
from gridsvc.locate.tiles import EdgeTiles
from gridsvc.types import BoolArray, ComplexArray, FloatArray, IntArray

BANDS_PER_DEGREE = 100.0
NOBODY = -1  # label across an edge where no other cell comes near
_TOUCH_DEGREES = 1e-8  # about a millimetre
_KEEP_FRAMES = 4096
_TILES_AFTER = 16  # questions in a frame
_KEEP_TILES = 2048  # frames with tiles, some 40 kB each
_SEMI_MAJOR = 6378137.0
_E2 = 0.00669438002290


def metres_per_degree(lat: float) -> tuple[float, float]:
    """Return the lengths in metres of a degree of longitude and of latitude at a latitude.

    Radii of curvature of the CGCS2000 ellipsoid (a = 6378137 m, f = 1/298.257222101).
    """
    phi = math.radians(lat)
    w = 1.0 - _E2 * math.sin(phi) ** 2
    n = _SEMI_MAJOR / math.sqrt(w)
    m = n * (1.0 - _E2) / w
    degree = math.pi / 180.0
    return n * math.cos(phi) * degree, m * degree


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another cell near a place and its distance in metres."""

    code: str
    distance_m: float


@dataclass(slots=True)
class Frame:
    """Edges of one cell in metres near one latitude; ``low, high`` are the northings it is for."""

    kx: float
    ky: float
    x0: float
    y0: float
    a: ComplexArray
    d: ComplexArray
    unit: ComplexArray  # conjugate of d over |d|²: the real part of unit * w is the position
    zeros: FloatArray
    ones: FloatArray
    other: Labels
    alone: BoolArray  # all edges that it touches have the same cell on the other side
    low: float
    high: float
    asked: int = 0
    tiles: EdgeTiles | None = None
    kept: bool = True  # until another takes its place or there are too many


class Surroundings:
    """Distance questions on the edges of the cells; safe for many readers.

    Parameters
    ----------
    edges : Edges
    start, numbers : ndarray
        Edges by cell (``Edges.by_cell``).
    boxes : ndarray (parts, 4)
        West, south, east, north of every polygon part.
    owner : ndarray of int
        Position of the cell of every part.
    """

    def __init__(
        self, edges: Edges, start: IntArray, numbers: Labels, boxes: FloatArray, owner: IntArray
    ) -> None:
        self._edges = edges
        self._start = start
        self._numbers = numbers
        self._boxes = boxes
        self._owner = owner
        self._prepare()

    def _prepare(self) -> None:
        self._frames: OrderedDict[int | tuple[int, int], Frame | None] = OrderedDict()
        self._tiled = 0
        self._lock = threading.Lock()
        # Those of the frames that have one for the whole cell, by position.
        self.tiles: list[EdgeTiles | None] = [None] * (len(self._start) - 1)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "_edges": self._edges, "_start": self._start, "_numbers": self._numbers,
            "_boxes": self._boxes, "_owner": self._owner,
        }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()

    @property
    def nbytes(self) -> int:
        """Memory held besides the edges, in bytes."""
        return sum(a.nbytes for a in (self._start, self._numbers, self._boxes, self._owner))

    def borders(self) -> tuple[Edges, IntArray, Labels]:
        """Return all edges and those of every cell in compressed rows (``Edges.by_cell``)."""
        return self._edges, self._start, self._numbers

    def boundary(
        self, position: int, lon: float, lat: float, *, comparable: bool = False
    ) -> tuple[float, tuple[int, ...]]:
        """Return the distance to a cell's boundary and the labels on the other side of it.

        Several labels when the nearest place of the boundary is a vertex; ``NOBODY`` stands for
        the outside, label 0 for "no cell there, or a border without common nodes".
        ``comparable`` measures in the frame that all cells share near the place.
        """
        frame = None if comparable else self._frames.get(position)
        if frame is None:
            frame = self._frame(position, lat, comparable)
        if frame.tiles is not None:
            found = frame.tiles.nearest(lon, lat)
            if found is not None:
                return found
        elif frame.asked < _TILES_AFTER:
            frame.asked += 1
            # Others may have counted as well meanwhile: never miss the one that builds.
            wanted = frame.asked >= _TILES_AFTER and self._tiled < _KEEP_TILES
            if wanted and EdgeTiles.suits(len(frame.a)):
                self._put_tiles(position, frame)
        w = complex((lon - frame.x0) * frame.kx, (lat - frame.y0) * frame.ky) - frame.a
        t = (w * frame.unit).real
        w -= np.minimum(np.maximum(t, frame.zeros), frame.ones) * frame.d
        gap = np.abs(w)
        nearest = int(gap.argmin())
        distance = gap.item(nearest)
        if 0.0 < t.item(nearest) < 1.0 or frame.alone.item(nearest):
            return distance, (frame.other.item(nearest),)
        # A vertex where several cells meet: all that are as near.
        tied = (gap <= distance * (1.0 + 1e-9) + 1e-7).nonzero()[0]
        return distance, tuple(np.unique(frame.other[tied]).tolist())

    def distance(self, position: int, lon: float, lat: float) -> float:
        """Return the distance in metres to a cell's boundary, comparable among cells."""
        return self.boundary(position, lon, lat, comparable=True)[0]

    def near(
        self, lon: float, lat: float, radius_m: float, without: int
    ) -> list[tuple[float, int]]:
        """Return ``(distance, position)`` of the other cells within a radius of a place."""
        gap = self._box_gaps(lon, lat)
        candidates = np.unique(self._owner[gap <= radius_m * (1.0 + 1e-3) + 1e-3]).tolist()
        found = [(self.distance(i, lon, lat), i) for i in candidates if i != without]
        return sorted((d, i) for d, i in found if d <= radius_m)

    def nearest(self, lon: float, lat: float) -> tuple[float, int]:
        """Return ``(distance, position)`` of the nearest cell to a place outside all cells."""
        gap = self._box_gaps(lon, lat)
        order = np.argsort(gap, kind="stable")
        best = (math.inf, -1)
        for part in order.tolist():
            # Boxes are measured with the frame of the place, edges with that of its band.
            if gap[part] > best[0] * (1.0 + 1e-3) + 1e-3:
                break
            position = int(self._owner[part])
            best = min(best, (self.distance(position, lon, lat), position))
        return best

    def _box_gaps(self, lon: float, lat: float) -> FloatArray:
        kx, ky = metres_per_degree(lat)
        west, south, east, north = self._boxes.T
        x = np.maximum(np.maximum(west - lon, lon - east), 0.0) * kx
        y = np.maximum(np.maximum(south - lat, lat - north), 0.0) * ky
        return np.asarray(np.hypot(x, y))

    def _frame(self, position: int, lat: float, comparable: bool) -> Frame:
        if not comparable:
            own: Frame | None = self._frames.get(position, _UNKNOWN)
            if own is _UNKNOWN:
                middle, low = self._middle(position)
                own = self._make_frame(position, middle, -math.inf, math.inf) if low else None
                self._keep(position, own)
            if own is not None:
                return own
        band = math.floor(lat * BANDS_PER_DEGREE)
        key = (position, band)
        found: Frame | None = self._frames.get(key)
        if found is None:
            south, north = band / BANDS_PER_DEGREE, (band + 1) / BANDS_PER_DEGREE
            found = self._make_frame(position, (south + north) / 2.0, south, north)
            self._keep(key, found)
        return found

    def _middle(self, position: int) -> tuple[float, bool]:
        """Return the middle latitude of a cell and whether the cell is low enough for it."""
        e = self._numbers[self._start[position] : self._start[position + 1]]
        south = float(self._edges.ay[e].min())
        north = float((self._edges.ay[e] + self._edges.dy[e]).max())
        return (south + north) / 2.0, (north - south) * BANDS_PER_DEGREE <= 1.0

    def _put_tiles(self, position: int, frame: Frame) -> None:
        tiles = EdgeTiles(
            (frame.x0, frame.y0), (frame.kx, frame.ky), frame.a, frame.d, frame.other,
            frame.alone, frame.low, frame.high,
        )  # fmt: skip
        with self._lock:
            if frame.tiles is None and frame.kept:
                frame.tiles = tiles
                self._tiled += 1
                if frame is self._frames.get(position):
                    self.tiles[position] = tiles

    def _keep(self, key: int | tuple[int, int], frame: Frame | None) -> None:
        with self._lock:
            self._drop(key, self._frames.pop(key, None))
            self._frames[key] = frame
            while len(self._frames) > _KEEP_FRAMES:
                self._drop(*self._frames.popitem(last=False))

    def _drop(self, key: int | tuple[int, int], frame: Frame | None) -> None:
        if frame is not None:
            self._tiled -= frame.tiles is not None
            frame.kept = False
        if isinstance(key, int):
            self.tiles[key] = None

    def _make_frame(self, position: int, lat: float, south: float, north: float) -> Frame:
        kx, ky = metres_per_degree(lat)
        e = self._numbers[self._start[position] : self._start[position + 1]]
        edges = self._edges
        x0, y0 = float(edges.ax[e[0]]), float(edges.ay[e[0]])
        a = (edges.ax[e] - x0) * kx + 1j * ((edges.ay[e] - y0) * ky)
        d = edges.dx[e] * kx + 1j * (edges.dy[e] * ky)
        unit = np.conj(d) / (d.real**2 + d.imag**2)
        left, right = edges.left[e], edges.right[e]
        other = np.where(left == position + 1, right, left)
        self._mark_outside(position, e, other)
        alone = _alone(edges.ax[e], edges.ay[e], edges.dx[e], edges.dy[e], other)
        zeros, ones = _limits(len(e))
        low = max(float(a.imag.min()), (south - y0) * ky)
        high = min(float((a.imag + d.imag).max()), (north - y0) * ky)
        return Frame(kx, ky, x0, y0, a, d, unit, zeros, ones, other, alone, low, high)

    def _mark_outside(self, position: int, e: Labels, other: Labels) -> None:
        """Set ``NOBODY`` where no box of another cell touches the box of an edge."""
        open_ = (other == 0).nonzero()[0]
        if len(open_) == 0:
            return
        ax, ay = self._edges.ax[e[open_]], self._edges.ay[e[open_]]
        bx, by = ax + self._edges.dx[e[open_]], ay + self._edges.dy[e[open_]]
        west, east = np.minimum(ax, bx) - _TOUCH_DEGREES, np.maximum(ax, bx) + _TOUCH_DEGREES
        south, north = ay - _TOUCH_DEGREES, by + _TOUCH_DEGREES
        boxes = self._boxes
        near = (boxes[:, 0] <= east.max()) & (boxes[:, 2] >= west.min())
        near &= (boxes[:, 1] <= north.max()) & (boxes[:, 3] >= south.min())
        near &= self._owner != position
        touched = np.zeros(len(open_), dtype=bool)
        for w, s, ea, n in boxes[near].tolist():
            touched |= (west <= ea) & (east >= w) & (south <= n) & (north >= s)
        other[open_[~touched]] = NOBODY


_UNKNOWN: Any = object()


@lru_cache(maxsize=1024)
def _limits(count: int) -> tuple[FloatArray, FloatArray]:
    """Return zeros and ones, shared by all frames of a size."""
    return np.zeros(count), np.ones(count)


def _alone(
    ax: FloatArray, ay: FloatArray, dx: FloatArray, dy: FloatArray, other: Labels
) -> BoolArray:
    """Return for each edge of a cell whether every edge it touches has the same other cell."""
    ends = np.concatenate([ax + 1j * ay, (ax + dx) + 1j * (ay + dy)])
    across = np.concatenate([other, other])
    _, node = np.unique(ends, return_inverse=True)
    highest = np.zeros(int(node.max()) + 1, dtype=np.int64)
    lowest = np.full(len(highest), np.iinfo(np.int64).max)
    np.maximum.at(highest, node, across)
    np.minimum.at(lowest, node, across)
    single = (highest == lowest)[node].reshape(2, -1)
    return np.asarray(single.all(axis=0) & (other > 0))
