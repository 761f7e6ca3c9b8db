"""Borders of cells as unique line segments with the cell on either side.

Each ring segment appears once; the copies of two neighbours merge. A segment runs from its lower
end ``a`` (smaller latitude, then smaller longitude) to its upper end ``b``. Cells are labelled by
position + 1; label 0 is "no cell".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from gridsvc.errors import InputError, OverlappingCells
from gridsvc.types import BoolArray, FloatArray, IntArray, ObjectArray

Labels = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Edges:
    """Unique border segments.

    Attributes
    ----------
    ax, ay : ndarray of float64
        Lower ends, in stored degrees.
    dx, dy : ndarray of float64
        Upper end minus lower end; ``dy >= 0``.
    left, right : ndarray of int32
        Labels of the cells left and right of a → b.
    """

    ax: FloatArray
    ay: FloatArray
    dx: FloatArray
    dy: FloatArray
    left: Labels
    right: Labels

    def __len__(self) -> int:
        return len(self.ax)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return sum(a.nbytes for a in (self.ax, self.ay, self.dx, self.dy, self.left, self.right))

    def by_cell(self, cells: int) -> tuple[IntArray, Labels]:
        """Return the edges of every cell as ``(start, edge numbers)`` in compressed rows.

        ``numbers[start[i]:start[i + 1]]`` are the edges of the cell at position ``i``.
        """
        labels = np.concatenate([self.left, self.right])
        number = np.arange(len(self), dtype=np.int32)
        numbers = np.concatenate([number, number])
        used = labels > 0
        labels, numbers = labels[used], numbers[used]
        order = np.argsort(labels, kind="stable")
        start = np.zeros(cells + 1, dtype=np.int64)
        np.cumsum(np.bincount(labels - 1, minlength=cells), out=start[1:])
        return start, numbers[order]


def polygons_of(geometries: ObjectArray) -> tuple[ObjectArray, IntArray]:
    """Return the polygon parts of (Multi)Polygons and the position each belongs to.

    Raises
    ------
    InputError
        If a geometry is missing, empty or of another kind.
    """
    kinds = shapely.get_type_id(geometries)
    bad = ~np.isin(kinds, (3, 6)) | shapely.is_empty(geometries)
    if bad.any():
        raise InputError(
            reason_zh=f"第 {int(np.flatnonzero(bad)[0]) + 1} 个图形不是有内部的面",
            reason_en=f"geometry number {int(np.flatnonzero(bad)[0]) + 1} is no filled polygon",
        )
    parts, owner = shapely.get_parts(geometries, return_index=True)
    keep = ~shapely.is_empty(parts)
    return parts[keep], owner[keep]


def extract_edges(
    parts: ObjectArray, owner: IntArray, codes: Sequence[str]
) -> tuple[Edges, FloatArray]:
    """Return the unique border segments of polygon parts, and their upper ends as stored.

    The upper ends, shape (n, 2), equal ``a + d`` only where differences are exact.

    Segments with the same cell on both sides are left out: they are no border.

    Raises
    ------
    OverlappingCells
        If two cells lie on the same side of one segment.
    """
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    is_shell = np.empty(len(rings), dtype=bool)
    is_shell[0] = True
    is_shell[1:] = part_of_ring[1:] != part_of_ring[:-1]
    # The interior is left of a counter-clockwise shell and of a clockwise hole.
    interior_left = shapely.is_ccw(rings) == is_shell
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    xy += 0.0  # -0.0 becomes 0.0: one spelling per value
    same = ring[1:] == ring[:-1]
    begin, end = xy[:-1], xy[1:]
    same &= (begin != end).any(axis=1)
    at = np.flatnonzero(same)
    begin, end, ring = begin[at], end[at], ring[at]
    upward = (begin[:, 1] < end[:, 1]) | ((begin[:, 1] == end[:, 1]) & (begin[:, 0] < end[:, 0]))
    ax = np.where(upward, begin[:, 0], end[:, 0])
    ay = np.where(upward, begin[:, 1], end[:, 1])
    bx = np.where(upward, end[:, 0], begin[:, 0])
    by = np.where(upward, end[:, 1], begin[:, 1])
    label = (owner[part_of_ring[ring]] + 1).astype(np.int32)
    on_left = upward == interior_left[ring]
    del xy, begin, end, ring, upward
    order, first = _group(ax, ay, bx, by)
    label, on_left = label[order], on_left[order]
    starts = np.flatnonzero(first)
    left = _one_side(label, on_left, starts, codes)
    right = _one_side(label, ~on_left, starts, codes)
    head = order[starts]
    real = left != right
    head, left, right = head[real], left[real], right[real]
    ax, ay, bx, by = ax[head], ay[head], bx[head], by[head]
    return Edges(ax, ay, bx - ax, by - ay, left, right), np.column_stack([bx, by])


def _one_side(label: Labels, here: BoolArray, starts: IntArray, codes: Sequence[str]) -> Labels:
    side = np.where(here, label, np.int32(0))
    highest = np.maximum.reduceat(side, starts)
    crowded = np.flatnonzero(np.add.reduceat(here.astype(np.int32), starts) > 1)
    if len(crowded):
        begin, end = np.append(starts, len(side))[crowded[0] : crowded[0] + 2]
        names = sorted(codes[v - 1] for v in side[begin:end].tolist() if v > 0)
        raise OverlappingCells(first=names[0], second=names[1], count=len(crowded))
    return np.asarray(highest, dtype=np.int32)


def _group(
    ax: FloatArray, ay: FloatArray, bx: FloatArray, by: FloatArray
) -> tuple[IntArray, BoolArray]:
    """Sort so that equal segments stand together; flag the first of each group."""
    columns = (ax, ay, bx, by)
    key = np.zeros(len(ax), dtype=np.uint64)
    for value, factor in zip(columns, _FACTORS, strict=True):
        key ^= value.view(np.uint64)
        key *= factor
        key ^= key >> np.uint64(29)
    order = np.argsort(key, kind="stable")
    key = key[order]
    first = np.ones(len(ax), dtype=bool)
    alike = np.ones(max(len(ax) - 1, 0), dtype=bool)
    for value in columns:
        sorted_value = value[order]
        alike &= sorted_value[1:] == sorted_value[:-1]
    first[1:] = ~alike
    if bool(((key[1:] == key[:-1]) & ~alike).any()):  # two segments share a key: sort in full
        order = np.lexsort(columns)
        alike = np.ones(len(ax) - 1, dtype=bool)
        for value in columns:
            sorted_value = value[order]
            alike &= sorted_value[1:] == sorted_value[:-1]
        first[1:] = ~alike
    return order, first


# Odd 64-bit multipliers with well mixed bits.
_FACTORS = tuple(
    np.uint64(f)
    for f in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
)
