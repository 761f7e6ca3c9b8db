"""The raster over the territory: border-free pixels know their cell, the others their edges.

Building is vectorised numpy. A pixel is a *border pixel* when an edge comes within a millionth of
a pixel of it; every place in another pixel is in one cell (or none), whichever way its pixel
number is rounded. A border pixel looks towards the nearest border-free pixel in its row or column
and keeps all edges on the way: counting those between that pixel and a place tells the cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridsvc.locate.edges import Edges, Labels
from gridsvc.types import BoolArray, FloatArray, IntArray

WEST, EAST, SOUTH, NORTH = 0, 1, 2, 3
PIXELS_PER_SIDE = 40
_FINE_PIXELS_PER_SIDE = 64  # faster by a fifth, for plans whose raster stays small
_FINE_UP_TO_CELLS = 2000
MAX_PIXELS = 40_000_000
_MARGIN = 2
_WIDEN = 1e-6
_CHUNK = 1_000_000


def pixels_per_side(cells: int) -> int:
    """Return how many pixels the side of a mean cell gets in a plan of so many cells."""
    return _FINE_PIXELS_PER_SIDE if cells <= _FINE_UP_TO_CELLS else PIXELS_PER_SIDE


@dataclass(frozen=True, slots=True)
class Lattice:
    """Square pixels over the territory with two free ones all round.

    ``x0, y0`` is the south-west corner in degrees, ``scale`` pixels per degree.
    """

    x0: float
    y0: float
    scale: float
    columns: int
    rows: int

    @classmethod
    def over(
        cls, bounds: tuple[float, float, float, float], area: float, cells: int, pixels: int
    ) -> Lattice:
        """Choose pixels so that a mean cell has ``pixels`` along a side, within the limit."""
        west, south, east, north = bounds
        width, height = east - west, north - south
        size = (area / cells) ** 0.5 / pixels
        limit = min(MAX_PIXELS, 200_000 + 10 * cells * pixels * pixels)
        size = max(size, (width * height / limit) ** 0.5, (width + height) / limit)
        margin = _MARGIN * size
        return cls(
            x0=west - margin,
            y0=south - margin,
            scale=1.0 / size,
            columns=int(width / size) + 2 * _MARGIN + 1,
            rows=int(height / size) + 2 * _MARGIN + 1,
        )

    def exact_for_doubles(self) -> bool:
        """Return whether differences of any two coordinates on the lattice are exact doubles.

        Coordinates at least ``m`` away from zero are multiples of ulp(m); a difference within
        the extent is a multiple of it too and fits 53 bits when the extent is small enough. Data
        around 0 degrees fails.
        """
        for start, pixels in ((self.x0, self.columns), (self.y0, self.rows)):
            extent = pixels / self.scale
            stop = start + extent
            nearest = min(abs(start), abs(stop)) if start * stop > 0 else 0.0
            if nearest == 0.0 or 3.0 * extent / float(np.spacing(nearest)) >= 2.0**52:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Raster:
    """Labels of border-free pixels and edge lists of border pixels.

    Attributes
    ----------
    lattice : Lattice
    grid : ndarray of int32, flat
        Label (0 none, else position + 1), or ``-1 - k`` for border pixel ``k``.
    reference : ndarray of int32
        Label of the free pixel that border pixel ``k`` looks at.
    direction : ndarray of int8
        Where that pixel lies: WEST, EAST, SOUTH or NORTH.
    start, stop : ndarray of int32
        Slice of ``entries``.
    entries : ndarray of int32
        Edge numbers.
    """

    lattice: Lattice
    grid: Labels
    reference: Labels
    direction: NDArray[np.int8]
    start: Labels
    stop: Labels
    entries: Labels

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return sum(
            a.nbytes
            for a in (
                self.grid, self.reference, self.direction, self.start, self.stop, self.entries
            )
        )  # fmt: skip


def build_raster(edges: Edges, top: FloatArray, lattice: Lattice) -> Raster:
    """Return the raster of valid, non-overlapping cells.

    Parameters
    ----------
    edges : Edges
    top : ndarray of float64
        Latitudes of the upper ends as stored (``ay + dy`` where differences are exact).
    lattice : Lattice
        Covers all edges.
    """
    pixels, members = _touched(edges, lattice)
    grid = _fill(edges, top, lattice)
    order = np.argsort(pixels, kind="stable")
    pixels, members = pixels[order], members[order]
    del order
    head = np.ones(len(pixels), dtype=bool)
    np.not_equal(pixels[1:], pixels[:-1], out=head[1:])
    start = np.flatnonzero(head).astype(np.int32)
    border = pixels[start]
    stop = np.append(start[1:], np.int32(len(pixels))).astype(np.int32)
    del pixels, head
    blocked = np.zeros(len(grid), dtype=bool)
    blocked[border] = True
    direction, distance = _look(border, blocked, lattice)
    steps = np.array([-1, 1, -lattice.columns, lattice.columns], dtype=np.int64)[direction]
    reference = grid[border + steps * distance]
    grid[border] = -1 - np.arange(len(border), dtype=np.int32)
    far = np.flatnonzero(distance > 1)
    if len(far):
        extra, counts = _on_the_way(far, border, steps, distance, start, stop, members, grid)
        offset = len(members) + np.concatenate([[0], np.cumsum(counts)])
        start[far] = offset[:-1]
        stop[far] = offset[1:]
        members = np.concatenate([members, extra])
    return Raster(lattice, grid, reference, direction.astype(np.int8), start, stop, members)


def _touched(edges: Edges, lattice: Lattice) -> tuple[Labels, Labels]:
    """Return (pixel, edge) for every pixel that an edge comes close to."""
    all_pixels: list[Labels] = []
    all_edges: list[Labels] = []
    for begin in range(0, len(edges), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        u0 = (edges.ax[part] - lattice.x0) * lattice.scale
        v0 = (edges.ay[part] - lattice.y0) * lattice.scale
        du = edges.dx[part] * lattice.scale
        dv = edges.dy[part] * lattice.scale
        low = np.floor(v0 - _WIDEN).astype(np.int64)
        rows = np.floor(v0 + dv + _WIDEN).astype(np.int64) - low + 1
        which, step = _expand(rows)
        row = low[which] + step
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            t0 = (row - _WIDEN - v0[which]) / dv[which]
            t1 = (row + 1 + _WIDEN - v0[which]) / dv[which]
        level = dv[which] == 0
        t0[level], t1[level] = 0.0, 1.0
        np.clip(t0, 0.0, 1.0, out=t0)
        np.clip(t1, 0.0, 1.0, out=t1)
        u, d = u0[which], du[which]
        ua, ub = u + t0 * d, u + t1 * d
        left = np.floor(np.minimum(ua, ub) - _WIDEN).astype(np.int64)
        columns = np.floor(np.maximum(ua, ub) + _WIDEN).astype(np.int64) - left + 1
        again, step = _expand(columns)
        pixel = (row * lattice.columns + left)[again] + step
        all_pixels.append(pixel.astype(np.int32))
        all_edges.append((which[again] + begin).astype(np.int32))
    return np.concatenate(all_pixels), np.concatenate(all_edges)


def _expand(counts: IntArray) -> tuple[IntArray, IntArray]:
    """Return for ``counts`` repeated rows their source and their number within it."""
    which = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    return which, np.arange(len(which)) - first[which]


def _fill(edges: Edges, top: FloatArray, lattice: Lattice) -> Labels:
    """Return the label at every pixel centre by scanning rows from the west."""
    grid = np.zeros(lattice.rows * lattice.columns, dtype=np.int32)
    for begin in range(0, len(edges), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        u0 = (edges.ax[part] - lattice.x0) * lattice.scale
        du = edges.dx[part] * lattice.scale
        # From the coordinate alone, so that edges meeting at a vertex agree on the row.
        v0 = (edges.ay[part] - lattice.y0) * lattice.scale
        v1 = (top[part] - lattice.y0) * lattice.scale
        low = np.ceil(v0 - 0.5).astype(np.int64)
        which, step = _expand(np.maximum(np.ceil(v1 - 0.5).astype(np.int64) - low, 0))
        row = low[which] + step
        t = (row + 0.5 - v0[which]) / (v1 - v0)[which]
        column = np.floor(u0[which] + t * du[which]).astype(np.int64)
        label = edges.left[part] ^ edges.right[part]
        np.bitwise_xor.at(grid, row * lattice.columns + column + 1, label[which])
    image = grid.reshape(lattice.rows, lattice.columns)
    np.bitwise_xor.accumulate(image, axis=1, out=image)
    return grid


def _look(border: Labels, blocked: BoolArray, lattice: Lattice) -> tuple[IntArray, IntArray]:
    """Return direction and distance (pixels) of the nearest border-free pixel."""
    direction = np.full(len(border), -1, dtype=np.int64)
    distance = np.zeros(len(border), dtype=np.int64)
    left = np.arange(len(border))
    step = 0
    while len(left):
        step += 1
        for number, move in enumerate((-1, 1, -lattice.columns, lattice.columns)):
            free = ~blocked[border[left] + move * step]
            found = left[free]
            direction[found] = number
            distance[found] = step
            left = left[~free]
    return direction, distance


def _on_the_way(
    far: IntArray,
    border: Labels,
    steps: IntArray,
    distance: IntArray,
    start: Labels,
    stop: Labels,
    members: Labels,
    grid: Labels,
) -> tuple[Labels, IntArray]:
    """Return the distinct edges of all border pixels up to the free one, and their numbers."""
    which, step = _expand(distance[far])
    pixel = border[far][which] + steps[far][which] * step
    k = -1 - grid[pixel].astype(np.int64)
    source, number = _expand((stop[k] - start[k]).astype(np.int64))
    edge = members[start[k][source] + number].astype(np.int64)
    key = np.unique(which[source] * (int(members.max()) + 1) + edge)
    owner, edge = np.divmod(key, int(members.max()) + 1)
    return edge.astype(np.int32), np.bincount(owner, minlength=len(far))
