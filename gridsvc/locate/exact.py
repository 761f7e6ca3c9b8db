"""The exact test of a place against the edges of its border pixel, for many and for one.

Side of an edge: sign of ``l - r`` with ``l = dp * u``, ``r = dq * w`` where all four factors are
exact doubles (``Lattice.exact_for_doubles``). Rounding is monotone, so different rounded products
already have the order of the exact ones; only equal ones need the residuals of the products,
taken by Veltkamp's splitting and Dekker's product (Dekker, Numerische Mathematik 18, 1971).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from gridsvc.locate.edges import Edges, Labels
from gridsvc.locate.raster import EAST, NORTH, SOUTH, WEST, Raster
from gridsvc.types import BoolArray, FloatArray, IntArray

_SPLITTER = 134217729.0  # 2**27 + 1
_NONE = np.int32(np.iinfo(np.int32).max)
_BLOCK = 65536  # places looked up before their borders are settled, small enough for the caches
_CHUNK = 16384
_LOOKUP_CHUNK = 16384
_WHOLE = 2.0**52
_TO_WHOLE = 2.0**52 - 0.5
_WHOLE_BITS = np.int64(np.float64(_WHOLE).view(np.int64))


@dataclass(frozen=True, slots=True)
class Index:
    """Edges and raster together: what a lookup reads."""

    edges: Edges
    raster: Raster


def label_many(index: Index, lon: FloatArray, lat: FloatArray) -> tuple[Labels, BoolArray]:
    """Return the label of each place (0 none) and whether it lies exactly on a border.

    Parameters
    ----------
    index : Index
        With exact differences.
    lon, lat : ndarray of float64, one axis
        Degrees; NaN and infinite values have label 0.
    """
    labels = np.empty(len(lon), dtype=np.int32)
    on_border = np.zeros(len(lon), dtype=bool)
    for begin in range(0, len(lon), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        x, y, label = lon[part], lat[part], labels[part]
        lookup(index.raster, x, y, label)
        rest = np.flatnonzero(label < 0)
        for first in range(0, len(rest), _CHUNK):
            at = rest[first : first + _CHUNK]
            label[at], on_border[begin + at] = _settle(
                index, x.take(at), y.take(at), -1 - label.take(at)
            )
    return labels, on_border


def lookup(raster: Raster, lon: FloatArray, lat: FloatArray, out: Labels) -> None:
    """Read what the raster holds at places; outside, NaN and infinite read 0.

    Pixel numbers are taken by adding 2**52, which rounds to whole numbers in one vectorised
    addition. Whether a place on the line between two pixels counts to one or the other does not
    matter: pixels are border pixels when an edge comes near.
    """
    lattice = raster.lattice
    columns = float(lattice.columns)
    u_buffer, v_buffer = np.empty(_LOOKUP_CHUNK), np.empty(_LOOKUP_CHUNK)
    with np.errstate(over="ignore", invalid="ignore"):
        for begin in range(0, len(lon), _LOOKUP_CHUNK):
            x, y = lon[begin : begin + _LOOKUP_CHUNK], lat[begin : begin + _LOOKUP_CHUNK]
            u, v = u_buffer[: len(x)], v_buffer[: len(x)]
            np.subtract(y, lattice.y0, out=v)
            v *= lattice.scale
            np.clip(v, 0.5, lattice.rows - 0.5, out=v)
            v += _TO_WHOLE
            v -= _WHOLE
            v *= columns
            np.subtract(x, lattice.x0, out=u)
            u *= lattice.scale
            np.clip(u, 0.5, columns - 0.5, out=u)
            u += v
            u += _TO_WHOLE
            pixel = u.view(np.int64)
            pixel -= _WHOLE_BITS
            # NaN reads as a number far outside, which clips to a corner of the free margin.
            raster.grid.take(pixel, out=out[begin : begin + len(x)], mode="clip")


def _settle(index: Index, x: FloatArray, y: FloatArray, k: Labels) -> tuple[Labels, BoolArray]:
    raster = index.raster
    direction = raster.direction.take(k)
    label = raster.reference.take(k)
    lowest = np.full(len(k), _NONE, dtype=np.int32)
    edges = index.edges
    along = direction < SOUTH
    for rows, p, q, ap, aq, dp, dq in (
        (np.flatnonzero(along), x, y, edges.ax, edges.ay, edges.dx, edges.dy),
        (np.flatnonzero(~along), y, x, edges.ay, edges.ax, edges.dy, edges.dx),
    ):
        if len(rows):
            kk = k.take(rows)
            high = (direction.take(rows) & 1).astype(bool)
            _cross(
                index, rows, raster.start.take(kk), raster.stop.take(kk), high,
                p.take(rows), q.take(rows), (ap, aq, dp, dq), label, lowest,
            )  # fmt: skip
    on_border = lowest != _NONE
    return np.where(on_border, lowest, label), on_border


def _cross(
    index: Index,
    rows: IntArray,
    start: Labels,
    stop: Labels,
    high: BoolArray,
    p: FloatArray,
    q: FloatArray,
    geometry: tuple[FloatArray, FloatArray, FloatArray, FloatArray],
    label: Labels,
    lowest: Labels,
) -> None:
    """Count the edges between the free pixel and each place, scanning along ``p``.

    ``high`` tells that the free pixel lies on the side of larger ``p``. Results go into
    ``label`` and ``lowest`` at ``rows``.
    """
    ap, aq, dp, dq = geometry
    counts = stop - start
    ends = np.cumsum(counts)
    begins = ends - counts
    who = np.repeat(np.arange(len(rows)), counts)
    entry = (start - begins).take(who)
    entry += np.arange(ends[-1])
    edge = index.raster.entries.take(entry)
    u = q.take(who)
    u -= aq.take(edge)
    d = dq.take(edge)
    near = np.flatnonzero(u * (u - d) <= 0.0)  # within the closed range of the edge across the scan
    u, d, edge = u.take(near), d.take(near), edge.take(near)
    who = who.take(near)
    w = p.take(who) - ap.take(edge)
    along = dp.take(edge)
    left_product = along * u
    right_product = d * w
    # Half-open range: a vertex belongs to one of the two edges that meet there.
    crosses = (u < 0.0) != (u < d)
    below = (left_product < right_product) == (d > 0.0)
    crosses &= below != high.take(who)
    tie = np.flatnonzero(left_product == right_product)
    if len(tie):
        sign = np.sign(
            _residual(along[tie], u[tie], left_product[tie])
            - _residual(d[tie], w[tie], right_product[tie])
        )
        below = (sign < 0) == (d[tie] > 0.0)
        half = (u[tie] < 0.0) != (u[tie] < d[tie])
        crosses[tie] = half & (below != high[who[tie]])
        a = along[tie]
        hit = (sign == 0) & (w[tie] * (w[tie] - a) <= 0.0)
        crosses[tie[hit]] = False
        on, at = edge[tie[hit]], rows[who[tie[hit]]]
        for side in (index.edges.left, index.edges.right):
            number = side[on]
            np.minimum.at(lowest, at[number > 0], number[number > 0])
    crossed = np.flatnonzero(crosses)
    edge = edge.take(crossed)
    change = index.edges.left.take(edge) ^ index.edges.right.take(edge)
    np.bitwise_xor.at(label, rows.take(who.take(crossed)), change)


def _residual(
    a: NDArray[np.float64], b: NDArray[np.float64], product: NDArray[np.float64]
) -> FloatArray:
    """Return the exact ``a * b - product``."""
    t = _SPLITTER * a
    a_high = t - (t - a)
    a_low = a - a_high
    t = _SPLITTER * b
    b_high = t - (t - b)
    b_low = b - b_high
    return np.asarray(
        ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    )


class OneByOne:
    """The same lookup for one place at a time, in plain Python over memory views.

    Costs about a microsecond where numpy costs fifty.
    """

    __slots__ = (
        "_ax", "_ay", "_columns", "_direction", "_dx", "_dy", "_entries", "_grid", "_last_column",
        "_last_row", "_left", "_reference", "_right", "_scale", "_start", "_stop", "_x0", "_y0",
    )  # fmt: skip

    def __init__(self, index: Index) -> None:
        lattice, raster, edges = index.raster.lattice, index.raster, index.edges
        self._x0, self._y0, self._scale = lattice.x0, lattice.y0, lattice.scale
        self._columns = lattice.columns
        self._last_column, self._last_row = lattice.columns - 1.0, lattice.rows - 1.0
        self._grid = raster.grid.data
        self._reference = raster.reference.data
        self._direction = raster.direction.data
        self._start, self._stop = raster.start.data, raster.stop.data
        self._entries = raster.entries.data
        self._ax, self._ay = edges.ax.data, edges.ay.data
        self._dx, self._dy = edges.dx.data, edges.dy.data
        self._left, self._right = edges.left.data, edges.right.data

    def raw(self, x: float, y: float) -> int:
        """Return what the raster holds at a place: a label, or ``-1 - k`` at borders."""
        u = (x - self._x0) * self._scale
        v = (y - self._y0) * self._scale
        if 0.0 <= u < self._last_column and 0.0 <= v < self._last_row:
            return int(self._grid[int(v) * self._columns + int(u)])
        return 0

    def label(self, x: float, y: float) -> tuple[int, tuple[int, ...] | None]:
        """Return the label of a place and, when it lies on a border, all labels that cover it."""
        u = (x - self._x0) * self._scale
        v = (y - self._y0) * self._scale
        if not (0.0 <= u < self._last_column and 0.0 <= v < self._last_row):
            return 0, None
        label = self._grid[int(v) * self._columns + int(u)]
        if label >= 0:
            return label, None
        return self._settle(x, y, -1 - label)

    def _settle(self, x: float, y: float, k: int) -> tuple[int, tuple[int, ...] | None]:
        label = self._reference[k]
        direction = self._direction[k]
        high = direction in (EAST, NORTH)
        if direction in (WEST, EAST):
            p, q = x, y
            aps, aqs, dps, dqs = self._ax, self._ay, self._dx, self._dy
        else:
            p, q = y, x
            aps, aqs, dps, dqs = self._ay, self._ax, self._dy, self._dx
        covering: set[int] | None = None
        entries = self._entries
        for n in range(self._start[k], self._stop[k]):
            e = entries[n]
            u = q - aqs[e]
            d = dqs[e]
            if u * (u - d) > 0.0:
                continue
            w = p - aps[e]
            along = dps[e]
            left_product = along * u
            right_product = d * w
            below = left_product < right_product
            if left_product == right_product:
                exact = Fraction(along) * Fraction(u) - Fraction(d) * Fraction(w)
                if exact == 0:
                    if w * (w - along) <= 0.0:
                        covering = covering or set()
                        covering.add(self._left[e])
                        covering.add(self._right[e])
                    continue
                below = exact < 0
            if (u < 0.0) != (u < d) and (below == (d > 0.0)) != high:
                label ^= self._left[e] ^ self._right[e]
        if covering is None:
            return label, None
        covering.discard(0)
        labels = tuple(sorted(covering))
        return labels[0], labels
