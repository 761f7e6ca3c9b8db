"""Rows of the log for vertices: nodes put in, vertices moved or taken out, rings, spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from gridsvc.crs import canonical, to_metric
from gridsvc.quality.repair_log import RepairLog
from gridsvc.quality.shapes import LocalPlane
from gridsvc.quality.true_areas import true_areas
from gridsvc.quality.vertex_changes import Nodes, VertexChanges
from gridsvc.types import BoolArray, FloatArray, IntArray, ObjectArray


class BorderRows:
    """Writes the rows of changed cells, which are given by position in equal arrays.

    Parameters
    ----------
    codes : list of str
    given : array of Polygon or MultiPolygon
        As read, valid or not.
    before, after : arrays of Polygon or MultiPolygon or None
    sizes : pair of float arrays
        Areas before and after, m².
    plane : LocalPlane
    metric_epsg : int
    log : RepairLog
    """

    def __init__(
        self,
        codes: list[str],
        given: ObjectArray,
        before: ObjectArray,
        after: ObjectArray,
        sizes: tuple[FloatArray, FloatArray],
        plane: LocalPlane,
        metric_epsg: int,
        log: RepairLog,
    ) -> None:
        self._codes = np.array(codes, dtype=object)
        self._given, self._before, self._after = given, before, after
        self._sizes = sizes
        self._plane = plane
        self._epsg = metric_epsg
        self._log = log

    def write(self, changes: VertexChanges) -> None:
        """Write a row for each change; every vertex that differs is in one."""
        points = changes.points
        vertex, cell = changes.gone
        ringed = self._rings(points, vertex, cell)
        vertex, cell = vertex[~ringed], cell[~ringed]
        tips = self._tips(points[vertex], cell)
        self._points("spike_removed", points[vertex[tips]], cell[tips])
        self._points("duplicate_removed", points[changes.repeated[0]], changes.repeated[1])
        gone = self._ways(points[vertex[~tips]], cell[~tips], self._after)
        new = self._ways(points[changes.new[0]], changes.new[1], self._before)
        # Where rounding alone lies between, the vertex stands on the border.
        for name, (there, of, foot) in (("vertex_removed", gone), ("node_inserted", new)):
            on = (there == foot).all(axis=1)
            self._points(name, there[on], of[on])
        self._nodes("vertex_removed", changes.removed, points, -1.0)
        self._nodes("node_inserted", changes.inserted, points, 1.0)
        self._moved(gone, new)

    def _add(self, names: Any, cell: IntArray, shapes: ObjectArray, **values: Any) -> None:
        before, after = self._sizes
        self._log.extend(
            names, list(self._codes[cell]), shapes, before=before[cell], after=after[cell], **values
        )

    def _points(self, name: str, xy: FloatArray, cell: IntArray) -> None:
        order = np.lexsort((xy[:, 1], xy[:, 0], cell))
        spots = np.asarray(shapely.points(xy[order]), dtype=object)
        self._add([name] * len(spots), cell[order], spots, vertices=1)

    def _nodes(self, name: str, nodes: Nodes, points: FloatArray, sign: float) -> None:
        """Write nodes with the ground that rounding them to the lattice cost or brought."""
        order = np.lexsort((nodes.vertex, nodes.cell))
        if len(order) == 0:
            return
        cell = nodes.cell[order]
        corners = points[nodes.triangle[order]]
        a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        turn = np.sign(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) * sign
        area = true_areas(np.asarray(shapely.polygons(corners), dtype=object), self._epsg)
        grows = turn > 0
        names = [str(c) if g else None for c, g in zip(self._codes[cell], grows, strict=True)]
        self._add(
            [name] * len(order), cell,
            np.asarray(shapely.points(points[nodes.vertex[order]]), dtype=object),
            area=np.where(turn == 0, 0.0, area), lost=np.where(turn < 0, area, 0.0),
            gained=np.where(grows, area, 0.0), shift=nodes.offset_m[order], vertices=1,
            gained_by=names,
        )  # fmt: skip

    def _ways(
        self, xy: FloatArray, cell: IntArray, shapes: ObjectArray
    ) -> tuple[FloatArray, IntArray, FloatArray]:
        """Return vertices, their cells, and the nearest places on the borders of ``shapes``."""
        borders = shapely.boundary(self._plane.to(shapes))
        scale = np.array([self._plane.east_m, self._plane.north_m])
        spots = shapely.points(xy * scale)
        lines = shapely.shortest_line(spots, borders[cell])
        foot = shapely.get_coordinates(lines).reshape(-1, 2, 2)[:, 1]
        return xy, cell, canonical(foot / scale)

    def _moved(
        self,
        gone: tuple[FloatArray, IntArray, FloatArray],
        new: tuple[FloatArray, IntArray, FloatArray],
    ) -> None:
        """Write a row per cell with a line for each vertex, from the old place to the new."""
        table = np.concatenate(
            [
                np.column_stack([cell, *start.T, *end.T])
                for start, cell, end in (gone, (new[2], new[1], new[0]))
            ]
        )
        table = np.unique(table, axis=0)
        table = table[(table[:, 1:3] != table[:, 3:]).any(axis=1)]
        if len(table) == 0:
            return
        cell, row = np.unique(table[:, 0].astype(np.int64), return_inverse=True)
        lines = np.asarray(shapely.linestrings(table[:, 1:].reshape(-1, 2, 2)), dtype=object)
        shift = np.zeros(len(cell))
        np.maximum.at(shift, row, shapely.length(to_metric(lines, self._epsg)))
        count = np.zeros(len(cell), dtype=np.int64)
        for xy, of, foot in (gone, new):
            off = (xy != foot).any(axis=1)
            np.add.at(count, np.searchsorted(cell, of[off]), 1)
        self._add(
            ["vertices_moved"] * len(cell), cell,
            np.asarray(shapely.multilinestrings(lines, indices=row), dtype=object),
            shift=shift, vertices=count,
        )  # fmt: skip

    def _rings(self, points: FloatArray, vertex: IntArray, cell: IntArray) -> BoolArray:
        """Write rings that are gone; return which of the lost vertices were theirs alone."""
        there = ~shapely.is_missing(self._after)
        fewer = there & (_ring_count(self._given) > _ring_count(self._after))
        found: list[tuple[int, Any]] = []
        spent = np.zeros(len(vertex), dtype=bool)
        for i in np.flatnonzero(fewer):
            lost = np.flatnonzero(cell == i)
            places = {(float(x), float(y)): k for k, (x, y) in zip(lost, points[vertex[lost]],
                                                                   strict=True)}  # fmt: skip
            for ring in _lost_rings(self._given[i], self._after[i]):
                found.append((int(i), ring))
                spent[[places[p] for p in ring.coords if p in places]] = True
        self._add(
            ["ring_removed"] * len(found),
            np.array([i for i, _ in found], dtype=np.int64),
            np.array([ring for _, ring in found], dtype=object),
            vertices=[len(set(ring.coords)) for _, ring in found],
        )
        return spent

    def _tips(self, xy: FloatArray, cell: IntArray) -> BoolArray:
        """Return which lost vertices were tips of spikes of invalid shapes."""
        invalid = ~shapely.is_valid(self._given)
        tips = np.zeros(len(xy), dtype=bool)
        for i in np.unique(cell[invalid[cell]]):
            turns = _turning_points(self._given[i])
            mine = np.flatnonzero(cell == i)
            tips[mine] = [(float(x), float(y)) in turns for x, y in xy[mine]]
        return tips


def _ring_count(shapes: ObjectArray) -> Any:
    rings, of = shapely.get_rings(shapes, return_index=True)
    del rings
    return np.bincount(of, minlength=len(shapes))


def _lost_rings(given: Any, after: Any) -> list[Any]:
    """Return the rings of a shape whose part or hole the other shape does not have at all."""
    parts = shapely.get_parts(given)
    now = shapely.get_parts(after)
    holes = [shapely.Polygon(r) for p in now for r in p.interiors]
    lost = []
    for part in parts:
        if not _meets(part.exterior, now):
            lost += [shapely.LineString(part.exterior.coords)]
            lost += [shapely.LineString(r.coords) for r in part.interiors]
            continue
        lost += [shapely.LineString(r.coords) for r in part.interiors if not _meets(r, holes)]
    return lost


def _meets(ring: Any, shapes: Any) -> bool:
    """Return whether the ring encloses or crosses ground of one of the shapes."""
    own = shapely.Polygon(ring)
    if own.is_valid:
        return any(shapely.relate_pattern(own, s, "2********") for s in shapes)
    return any(shapely.intersects(ring, s) for s in shapes)


def _turning_points(shape: Any) -> set[tuple[float, float]]:
    """Return the vertices at which a ring goes back the way it came."""
    turns: set[tuple[float, float]] = set()
    for ring in shapely.get_rings(shape):
        xy = shapely.get_coordinates(ring)[:-1]
        keep = (xy != np.roll(xy, 1, axis=0)).any(axis=1)
        xy = xy[keep]
        back, ahead = np.roll(xy, 1, axis=0) - xy, np.roll(xy, -1, axis=0) - xy
        reach = np.hypot(*back.T) * np.hypot(*ahead.T)
        cross = back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0]
        dot = (back * ahead).sum(axis=1)
        turned = (dot > 0) & (np.abs(cross) <= 1e-9 * reach)
        turns |= {(float(x), float(y)) for x, y in xy[turned]}
    return turns
