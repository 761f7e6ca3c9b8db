"""Edges of one cell by tile: only those that can be the nearest to some place of the tile.

For a tile with middle ``c`` and half diagonal ``r`` an edge can be the nearest only when it is at
most ``2 r`` farther from ``c`` than the nearest edge (triangle inequality); the same is asked of
the parts of each tile. What is left is so little that plain Python answers faster than numpy can
be called.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from gridsvc.locate.edges import Labels
from gridsvc.types import BoolArray, ComplexArray, FloatArray

_SIDE = 12
_PARTS = 4  # a tile is looked at in so many parts along a side
_MOST_EDGES = 4000
_ALL_IN_ONE = 8  # so few edges need no tiles
_SLACK_M = 0.01  # so that edges that tie are in the tile as well

# Packed together, as what is scattered in memory costs more to fetch than to calculate.
# Longitude and latitude of the origin, metres per degree, south-west corner, tiles per metre.
_HEAD = struct.Struct("8d")
# x, y of the lower end, vector in metres, label across, whether that is the only one.
_EDGE = np.dtype([("a", "c16"), ("d", "c16"), ("other", "i4"), ("alone", "?")])
_edges_of = struct.Struct("=4di?").iter_unpack


class EdgeTiles:
    """Nearest edge of a cell; immutable.

    Parameters
    ----------
    origin, scale : tuple of float
        Longitude and latitude of the origin and metres per degree of either.
    a, d : ndarray of complex
        Lower ends and vectors of the edges in metres, east + i north.
    other : ndarray of int32
        Label across each edge.
    alone : ndarray of bool
        All edges that it touches have the same label across.
    low, high : float
        Northings between which the places asked for lie.
    """

    __slots__ = ("_columns", "_head", "_rows", "_tiles")

    def __init__(
        self, origin: tuple[float, float], scale: tuple[float, float], a: ComplexArray,
        d: ComplexArray, other: Labels, alone: BoolArray, low: float, high: float,
    ) -> None:  # fmt: skip
        b = a + d
        west = float(np.minimum(a.real, b.real).min())
        east = float(np.maximum(a.real, b.real).max())
        self._columns = self._rows = 1 if len(a) <= _ALL_IN_ONE else _SIDE
        width = max(east - west, 1e-3) / self._columns
        height = max(high - low, 1e-3) / self._rows
        self._head = _HEAD.pack(*origin, *scale, west, low, 1.0 / width, 1.0 / height)
        edges = np.empty(len(a), dtype=_EDGE)
        edges["a"], edges["d"], edges["other"], edges["alone"] = a, d, other, alone
        length = np.abs(d)
        unit = d / length
        column = west + (np.arange(self._columns) + 0.5) * width
        part_x = (np.arange(_PARTS) + 0.5) / _PARTS - 0.5
        parts = (part_x * width + 1j * (part_x * height)[:, None]).ravel()
        reach = math.hypot(width, height)  # twice the half diagonal
        turn = unit.conj()
        tiles: list[bytes] = []
        for row in range(self._rows):
            middle = column + 1j * (low + (row + 0.5) * height)
            gap = _gaps(middle[:, None] - a, turn, length)
            most = int((gap <= gap.min(axis=1, keepdims=True) + reach + _SLACK_M).sum(axis=1).max())
            some = gap.argsort(axis=1, kind="stable")[:, :most]  # the likely ones first
            # The same again for the parts of each tile, among what is left: (tile, part, edge).
            w = (middle[:, None] + parts)[..., None] - a[some][:, None]
            gap = _gaps(w, turn[some][:, None], length[some][:, None])
            limit = gap.min(axis=2, keepdims=True) + (reach / _PARTS + _SLACK_M)
            kept = (gap <= limit).any(axis=1)
            tiles += [edges[e[k]].tobytes() for e, k in zip(some, kept, strict=True)]
        self._tiles = tiles

    @staticmethod
    def suits(count: int) -> bool:
        """Tell whether a cell with so many edges is worth the memory."""
        return count <= _MOST_EDGES

    def nearest(self, lon: float, lat: float) -> tuple[float, tuple[int, ...]] | None:
        """Return metres to the boundary and the labels across it.

        ``None`` for a place outside the tiles.
        """
        x0, y0, kx, ky, west, south, x_scale, y_scale = _HEAD.unpack(self._head)
        x, y = (lon - x0) * kx, (lat - y0) * ky
        u, v = (x - west) * x_scale, (y - south) * y_scale
        if not (0.0 <= u < self._columns and 0.0 <= v < self._rows):
            return None
        edges = self._tiles[int(v) * self._columns + int(u)]
        best = math.inf
        label, sure = 0, False
        for ax, ay, dx, dy, other, alone in _edges_of(edges):
            wx, wy = x - ax, y - ay
            square = dx * dx + dy * dy
            gap = wx * dy - wy * dx
            gap *= gap / square
            if gap >= best:
                continue
            along = wx * dx + wy * dy
            inner = True
            if along <= 0.0:
                gap = wx * wx + wy * wy
                inner = alone
            elif along >= square:
                wx -= dx
                wy -= dy
                gap = wx * wx + wy * wy
                inner = alone
            if gap < best:
                best, label, sure = gap, other, inner
        distance = math.sqrt(best)
        if sure:
            return distance, (label,)
        # A vertex where several cells meet: all that are as near.
        limit = (distance * (1.0 + 1e-9) + 1e-7) ** 2
        tied = {e[4] for e in _edges_of(edges) if _square_gap(x - e[0], y - e[1], *e[2:4]) <= limit}
        return distance, tuple(sorted(tied))


def _gaps(w: ComplexArray, turn: ComplexArray, length: FloatArray) -> FloatArray:
    """Return distances of places to edges, ``w`` from their lower ends; ``w`` is overwritten."""
    w *= turn  # along the edge + i across it
    beyond = np.maximum(w.real - length, 0.0)
    beyond += np.minimum(w.real, 0.0)
    return np.hypot(beyond, w.imag)


def _square_gap(wx: float, wy: float, dx: float, dy: float) -> float:
    share = min(max((wx * dx + wy * dy) / (dx * dx + dy * dy), 0.0), 1.0)
    return (wx - share * dx) ** 2 + (wy - share * dy) ** 2
