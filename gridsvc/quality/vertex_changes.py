"""What happened to the vertices of each cell: put in, taken out, moved.

All cells stand on common vertices, before and after. A new vertex on a border as it was is a node;
a lost vertex on a border as it is was not needed; all others moved. Borders that differ only by
such nodes are the same border: what is left differs on the ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gridsvc.quality.segments import SegmentTable
from gridsvc.quality.shapes import LocalPlane
from gridsvc.types import BoolArray, FloatArray, IntArray, ObjectArray

ON_BORDER_M = 1.7e-4
"""A vertex this near to a border stands on it: 1.5 steps of the storage lattice."""
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Segments:
    """Directed segments of cells: vertex ids of both ends, the cell, the place among vertices."""

    start: IntArray
    end: IntArray
    cell: IntArray
    place: IntArray

    def keys(self, size: int) -> IntArray:
        """Return one number per cell and undirected segment; ``size`` vertices exist."""
        low, high = np.minimum(self.start, self.end), np.maximum(self.start, self.end)
        return np.asarray((self.cell * np.int64(size) + low) * np.int64(size) + high)

    def take(self, rows: Any) -> Segments:
        """Return some of the segments."""
        return Segments(self.start[rows], self.end[rows], self.cell[rows], self.place[rows])

    def without(self, other: Segments, size: int) -> Segments:
        """Return the segments that the same cell does not have in ``other``."""
        return self.take(~np.isin(self.keys(size), other.keys(size)))


@dataclass(frozen=True, slots=True)
class Nodes:
    """Vertices on segments: ids, cells, distance from the segment, and the triangle they open.

    The triangle leads from the vertex (or node) before to the node to the end of the segment; its
    signed area is what the node adds to the polygon on the left. ``place`` is that of the segment.
    """

    vertex: IntArray
    cell: IntArray
    offset_m: FloatArray
    triangle: IntArray
    place: IntArray


@dataclass(frozen=True, slots=True)
class VertexChanges:
    """Vertices of changed cells, by position in the arrays that were given.

    Attributes
    ----------
    points : float array (n, 2)
        All vertices, degrees.
    inserted, removed : Nodes
        New vertices on the border as it was, lost ones on the border as it is.
    new, gone : pairs of int arrays (vertex, cell)
        New and lost vertices that are on neither.
    repeated : pair of int arrays (vertex, cell)
        Consecutive repetitions that were taken out.
    changed : array of LineString
        Distinct segments that bound ground which changed hands, degrees.
    before, after : arrays of Polygon or MultiPolygon or None
        The cells with ``inserted`` nodes already there and ``removed`` ones still there: what is
        between these two changed hands.
    """

    points: FloatArray
    inserted: Nodes
    removed: Nodes
    new: tuple[IntArray, IntArray]
    gone: tuple[IntArray, IntArray]
    repeated: tuple[IntArray, IntArray]
    changed: ObjectArray
    before: ObjectArray
    after: ObjectArray


def vertex_changes(
    given: ObjectArray, before: ObjectArray, after: ObjectArray, plane: LocalPlane
) -> VertexChanges:
    """Compare the vertices and segments of cells.

    Parameters
    ----------
    given : array of Polygon or MultiPolygon
        As read, on the lattice, valid or not.
    before, after : arrays of Polygon or MultiPolygon or None
        Valid shapes before and after, exteriors counterclockwise.
    plane : LocalPlane
    """
    count = len(before)
    table = SegmentTable.of(np.concatenate([given, before, after]))
    size = max(len(table.points), 1)
    drawn, old, now = _segments(table, count)
    repeated = _repeated(drawn, now, size)
    drawn, old, now = (s.take(s.start != s.end) for s in (drawn, old, now))
    was = np.unique(drawn.cell * size + drawn.start)
    made = np.unique(old.cell * size + old.start)
    is_ = np.unique(now.cell * size + now.start)
    # Where a cell is gone altogether its ground is accounted for, vertex by vertex says nothing.
    there = np.isin(np.arange(count), now.cell)
    new = np.setdiff1d(is_, was)
    gone = np.setdiff1d(was, is_)
    gone = gone[there[gone // size]]
    old, now = old.without(now, size), now.without(old, size)
    inserted, old = _noded(old, new[~np.isin(new, made)], table.points, plane)
    removed, now = _noded(now, gone, table.points, plane)
    new = new[~np.isin(new, inserted.cell * size + inserted.vertex)]
    gone = gone[~np.isin(gone, removed.cell * size + removed.vertex)]
    left, right = old.without(now, size), now.without(old, size)
    pairs = np.concatenate(
        [np.sort(np.column_stack([s.start, s.end]), axis=1) for s in (left, right)]
    )
    lines: Any = shapely.linestrings(table.points[np.unique(pairs, axis=0)])
    return VertexChanges(
        table.points, inserted, removed, (new % size, new // size), (gone % size, gone // size),
        repeated, lines, _with_nodes(before, table, inserted), _with_nodes(after, table, removed),
    )  # fmt: skip


def _segments(table: SegmentTable, count: int) -> tuple[Segments, Segments, Segments]:
    """Return the directed segments of the three sets of ``count`` cells each."""
    if len(table.vertices) == 0:
        none = Segments(_NONE, _NONE, _NONE, _NONE)
        return none, none, none
    last = np.zeros(len(table.vertices), dtype=bool)
    last[table.rings[1:] - 1] = True
    begin = np.flatnonzero(~last)
    owner = np.repeat(table.ring_owner, np.diff(table.rings))[begin]
    segments = Segments(table.vertices[begin], table.vertices[begin + 1], owner % count, begin)
    of = owner // count
    return segments.take(of == 0), segments.take(of == 1), segments.take(of == 2)


def _repeated(drawn: Segments, now: Segments, size: int) -> tuple[IntArray, IntArray]:
    """Return vertices that followed themselves more often than they do now."""
    then, times = np.unique(_selves(drawn, size), return_counts=True)
    still, left = np.unique(_selves(now, size), return_counts=True)
    times = times.copy()
    places = np.searchsorted(still, then)
    known = places < len(still)
    known[known] = still[places[known]] == then[known]
    times[known] -= left[places[known]]
    found = np.repeat(then, np.maximum(times, 0))
    return found % size, found // size


def _selves(segments: Segments, size: int) -> IntArray:
    same = segments.start == segments.end
    return np.asarray(segments.cell[same] * size + segments.start[same])


def _noded(
    segments: Segments, keys: IntArray, points: FloatArray, plane: LocalPlane
) -> tuple[Nodes, Segments]:
    """Put the vertices (``cell * len(points) + vertex``) on the segments that they stand on."""
    size = max(len(points), 1)
    vertex, cell = keys % size, keys // size
    row, segment, along, offset = _nearest(segments, vertex, cell, points, plane)
    order = np.lexsort((vertex[row], along, segment))
    row, segment, offset = row[order], segment[order], offset[order]
    fresh = np.ones(len(row), dtype=bool)
    fresh[1:] = segment[1:] != segment[:-1]
    ends = np.ones(len(row), dtype=bool)
    ends[:-1] = fresh[1:]
    node = vertex[row]
    earlier = np.where(fresh, segments.start[segment], np.roll(node, 1))
    stop = segments.end[segment]
    whole = np.ones(len(segments.start), dtype=bool)
    whole[segment] = False
    place = segments.place[segment]
    pieces = Segments(
        np.concatenate([segments.start[whole], earlier, node[ends]]),
        np.concatenate([segments.end[whole], node, stop[ends]]),
        np.concatenate([segments.cell[whole], cell[row], cell[row][ends]]),
        np.concatenate([segments.place[whole], place, place[ends]]),
    )
    return Nodes(node, cell[row], offset, np.column_stack([earlier, node, stop]), place), pieces


def _with_nodes(shapes: ObjectArray, table: SegmentTable, nodes: Nodes) -> ObjectArray:
    """Return the shapes with nodes put where they stand in the rings of the table."""
    result = shapes.copy()
    # Nodes of one segment are in order; a stable sort by place keeps them so.
    order = np.argsort(nodes.place, kind="stable")
    place, node = nodes.place[order], nodes.vertex[order]
    ring = np.searchsorted(table.rings, place, side="right") - 1
    for owner in np.unique(table.ring_owner[ring]):
        first, last = np.searchsorted(table.ring_owner, [owner, owner + 1])
        parts: list[list[FloatArray]] = []
        for k in range(first, last):
            begin, end = table.rings[k], table.rings[k + 1]
            low, high = np.searchsorted(place, [begin, end])
            ids = np.insert(table.vertices[begin:end], place[low:high] - begin + 1, node[low:high])
            if table.shell[k]:
                parts.append([])
            parts[-1].append(table.points[ids])
        polygons = [shapely.Polygon(rings[0], rings[1:]) for rings in parts]
        whole = polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons)
        result[owner % len(shapes)] = whole
    return result


def _nearest(
    segments: Segments, vertex: IntArray, cell: IntArray, points: FloatArray, plane: LocalPlane
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Return for each vertex on a segment of its cell: row, segment, share along it, distance."""
    scale = np.array([plane.east_m, plane.north_m])
    ground = points * scale
    ends = np.stack([ground[segments.start], ground[segments.end]], axis=1)
    tree = shapely.STRtree(np.asarray(shapely.linestrings(ends), dtype=object))
    spots: Any = shapely.points(ground[vertex])
    row, segment = tree.query(spots, predicate="dwithin", distance=ON_BORDER_M)
    own = segments.cell[segment] == cell[row]
    row, segment = row[own], segment[own]
    a, step = ends[segment, 0], ends[segment, 1] - ends[segment, 0]
    way = ground[vertex[row]] - a
    length = np.hypot(step[:, 0], step[:, 1])
    along = (way * step).sum(axis=1) / length**2
    offset = np.abs(way[:, 0] * step[:, 1] - way[:, 1] * step[:, 0]) / length
    inner: BoolArray = (along > 0.0) & (along < 1.0)
    row, segment, along, offset = row[inner], segment[inner], along[inner], offset[inner]
    order = np.lexsort((segment, offset, row))
    first = np.ones(len(order), dtype=bool)
    first[1:] = row[order][1:] != row[order][:-1]
    best = order[first]
    return row[best], segment[best], along[best], offset[best]
