"""Edges of one cell by tile: only those that can be the nearest to some place of the tile.

For a tile with middle ``c`` and half diagonal ``r`` an edge can be the nearest only when it is at
most ``2 r`` farther from ``c`` than the nearest edge (triangle inequality). The same is asked of
the parts of each tile, and each edge of a tile knows its parts. What is left is so little that
plain Python answers faster than numpy can be called.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from gridsvc.locate.edges import Labels
from gridsvc.types import BoolArray, ComplexArray, FloatArray

_SIDE = 16
_PARTS = 4  # a tile has so many parts along a side; 16 bits hold them
_MOST_EDGES = 4000
_ALL_IN_ONE = 8  # so few edges need no tiles
_SLACK_M = 0.01  # so that edges that tie are in the tile as well

# All of a cell lies in one piece of memory, as what is scattered costs more to fetch than to
# calculate: head, starts of the tiles, candidates by tile, edges.
# Longitude and latitude of the origin, metres per degree, south-west corner, tiles per metre,
# columns, rows, number of bytes before the edges.
_HEAD = struct.Struct("=8d3I")
_HEAD_SIZE = _HEAD.size
_head_of = _HEAD.unpack_from
_span_at = struct.Struct("=2I").unpack_from
# x, y of the lower end, direction and length in metres, label across, whether it is the only one.
_EDGE = np.dtype([("a", "c16"), ("unit", "c16"), ("length", "f8"), ("other", "i4"), ("alone", "?")])
_edge_at = struct.Struct("=5di?").unpack_from
_SIZE = _EDGE.itemsize
# Number of the edge, the parts of the tile in which it can be the nearest, a bit each.
_CANDIDATE = np.dtype([("edge", "u2"), ("parts", "u2")])
_candidates_of = struct.Struct("=2H").iter_unpack


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

    __slots__ = ("_packed",)

    def __init__(
        self, origin: tuple[float, float], scale: tuple[float, float], a: ComplexArray,
        d: ComplexArray, other: Labels, alone: BoolArray, low: float, high: float,
    ) -> None:  # fmt: skip
        b = a + d
        west = float(np.minimum(a.real, b.real).min())
        east = float(np.maximum(a.real, b.real).max())
        side = 1 if len(a) <= _ALL_IN_ONE else _SIDE
        width = max(east - west, 1e-3) / side
        height = max(high - low, 1e-3) / side
        length = np.abs(d)
        unit = d / length
        edges = np.empty(len(a), dtype=_EDGE)
        edges["a"], edges["unit"], edges["length"] = a, unit, length
        edges["other"], edges["alone"] = other, alone
        column = west + (np.arange(side) + 0.5) * width
        part_x = (np.arange(_PARTS) + 0.5) / _PARTS - 0.5
        parts = (part_x * width + 1j * (part_x * height)[:, None]).ravel()
        reach = math.hypot(width, height)  # twice the half diagonal
        turn = unit.conj()
        bits = 1 << np.arange(_PARTS * _PARTS)
        tiles: list[bytes] = []
        for row in range(side):
            middle = column + 1j * (low + (row + 0.5) * height)
            gap = _gaps(middle[:, None] - a, turn, length)
            most = int((gap <= gap.min(axis=1, keepdims=True) + reach + _SLACK_M).sum(axis=1).max())
            some = gap.argsort(axis=1, kind="stable")[:, :most]
            # The same again for the parts of each tile, among what is left: (tile, part, edge).
            w = (middle[:, None] + parts)[..., None] - a[some][:, None]
            gap = _gaps(w, turn[some][:, None], length[some][:, None])
            limit = gap.min(axis=2, keepdims=True) + (reach / _PARTS + _SLACK_M)
            found = np.empty(some.shape, dtype=_CANDIDATE)
            found["edge"], found["parts"] = some, np.tensordot(gap <= limit, bits, axes=(1, 0))
            tiles += [f[f["parts"] != 0].tobytes() for f in found]
        first = _HEAD.size + 4 * (side * side + 1)
        starts = np.cumsum([first, *map(len, tiles)], dtype=np.uint32)
        before = int(starts[-1])
        head = _HEAD.pack(*origin, *scale, west, low, 1.0 / width, 1.0 / height, side, side, before)
        self._packed = b"".join((head, starts.tobytes(), *tiles, edges.tobytes()))

    @staticmethod
    def suits(count: int) -> bool:
        """Tell whether a cell with so many edges is worth the memory."""
        return count <= _MOST_EDGES

    def nearest(self, lon: float, lat: float) -> tuple[float, tuple[int, ...]] | None:
        """Return metres to the boundary and the labels across it.

        ``None`` for a place outside the tiles.
        """
        packed = self._packed
        x0, y0, kx, ky, west, south, x_scale, y_scale, columns, rows, edges = _head_of(packed)
        x, y = (lon - x0) * kx, (lat - y0) * ky
        u, v = (x - west) * x_scale, (y - south) * y_scale
        if not (0.0 <= u < columns and 0.0 <= v < rows):
            return None
        column, row = int(u), int(v)
        begin, end = _span_at(packed, _HEAD_SIZE + 4 * (row * columns + column))
        part = 1 << int((v - row) * _PARTS) * _PARTS + int((u - column) * _PARTS)
        candidates = packed[begin:end]
        best = math.inf  # squared
        label, sure = 0, False
        for number, parts in _candidates_of(candidates):
            if not parts & part:
                continue
            ax, ay, ux, uy, length, other, alone = _edge_at(packed, edges + number * _SIZE)
            wx, wy = x - ax, y - ay
            along = wx * ux + wy * uy
            if along <= 0.0:
                gap = wx * wx + wy * wy
                inner = alone
            else:
                gap = wx * uy - wy * ux
                gap *= gap
                inner = True
                if along >= length:
                    gap += (along - length) ** 2
                    inner = alone
            if gap < best:
                best, label, sure = gap, other, inner
        distance = math.sqrt(best)
        if sure:
            return distance, (label,)
        # A vertex where several cells meet: all that are as near.
        limit = (distance * (1.0 + 1e-9) + 1e-7) ** 2
        near = (
            _edge_at(packed, edges + number * _SIZE) for number, _ in _candidates_of(candidates)
        )
        tied = {e[5] for e in near if _square_gap(x - e[0], y - e[1], *e[2:5]) <= limit}
        return distance, tuple(sorted(tied))


def _gaps(w: ComplexArray, turn: ComplexArray, length: FloatArray) -> FloatArray:
    """Return distances of places to edges, ``w`` from their lower ends; ``w`` is overwritten."""
    w *= turn  # along the edge + i across it
    beyond = np.maximum(w.real - length, 0.0)
    beyond += np.minimum(w.real, 0.0)
    return np.hypot(beyond, w.imag)


def _square_gap(wx: float, wy: float, ux: float, uy: float, length: float) -> float:
    along = wx * ux + wy * uy
    beyond = max(along - length, -along, 0.0)
    return beyond * beyond + (wx * uy - wy * ux) ** 2
