"""Fit the outer edge of a coverage to a declared territory, node by node.

The ground outside the territory takes part in the cleaning like a cell that wins every overlap.
So nodes where the rim of the cells meets the border of the territory are inserted on both sides,
what stands out is cut, and what is left open becomes a face that shares its edges with the cells.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from gridsvc.crs import canonical_geometry, to_metric
from gridsvc.quality.decisions import ask
from gridsvc.quality.segments import SegmentTable, ordered
from gridsvc.quality.shapes import (
    THIN_M,
    gap_key,
    inscribed_width,
    inside_of,
    polygonal,
    usable_polygons,
    wide,
)
from gridsvc.types import ObjectArray

if TYPE_CHECKING:
    from gridsvc.quality.repair_steps import RepairSteps, WideGaps

_MARGIN_DEG = 0.01
_FINE_M = 1e-4
_ROUNDS = 5
_BEYOND = 1.01


def outside_of(territory: Any, shapes: ObjectArray) -> Any:
    """Return the ground around a territory, as far as shapes reach and a margin."""
    frame = shapely.box(*shapely.total_bounds(np.array([territory, *shapes], dtype=object)))
    west, south, east, north = frame.bounds
    around = shapely.box(
        west - _MARGIN_DEG, south - _MARGIN_DEG, east + _MARGIN_DEG, north + _MARGIN_DEG
    )
    return shapely.difference(around, territory)


def cut_outside(steps: RepairSteps, territory: Any, fill: float, wide_gaps: WideGaps) -> Any:
    """Cut what stands out; ask about pieces wider than ``fill`` metres.

    Returns
    -------
    shapely geometry
        What lies outside all cells and the territory, edge-matched with the cells.
    """
    present = np.flatnonzero(~shapely.is_missing(steps.shapes))
    shapes = steps.shapes[present]
    outside = outside_of(territory, shapes)
    kept = []
    for i in present[~shapely.covered_by(shapes, territory)]:
        pieces, _ = wide(shapely.intersection(steps.shapes[i], outside), steps.epsg)
        for piece in pieces:
            if _stays(steps, int(i), piece, fill, wide_gaps):
                kept.append(piece)
    if kept:
        outside = shapely.difference(outside, shapely.union_all(np.array(kept, dtype=object)))
    both = np.concatenate([[outside], shapes])
    for _ in range(_ROUNDS):
        cleaned = shapely.coverage_clean(  # type: ignore[attr-defined]
            steps.plane.to(both),
            snapping_distance=_FINE_M,
            gap_width=0.0,
            merge_strategy="min_index",
        )
        both = steps.plane.back(np.array(cleaned, dtype=object))
        full = ~shapely.is_empty(both)
        if shapely.is_valid(both).all() and shapely.coverage_is_valid(both[full]):
            break
        both = np.array([polygonal(g) for g in shapely.make_valid(both)], dtype=object)
        both[shapely.is_missing(both)] = shapely.Polygon()
    steps.shapes[present] = usable_polygons(both[1:])
    return both[0]


def _stays(steps: RepairSteps, i: int, piece: Any, fill: float, wide_gaps: WideGaps) -> bool:
    """Return whether a piece outside the territory stays with its cell for now."""
    ground = to_metric(piece, steps.epsg)
    width = 0.0 if ground.area < math.pi / 4.0 * fill**2 else inscribed_width(ground)
    if width <= fill:
        return False
    key = gap_key(piece)
    preset = {"fill": "trim", "exclude": "trim"}.get(wide_gaps, wide_gaps)
    answer = steps.answers.get(key) or preset
    if answer == "ask" and key not in steps.seen:
        code = steps.codes[i]
        steps.open.append(ask("wide_outside", key, piece, measure=width, by=code))
    steps.seen.add(key)
    return answer != "trim"


def open_pieces(steps: RepairSteps, territory: Any, outside: Any, fill: float) -> ObjectArray:
    """Return the faces of the territory in no cell, cut where cells meet at the rim.

    A long open strip along several cells is cut across at each node between two of them, so that
    every cell gets the part along its own border.
    """
    shapes = steps.shapes[~shapely.is_missing(steps.shapes)]
    table = SegmentTable.of(np.array([*shapes, outside], dtype=object))
    faces = table.faces()
    if len(faces) == 0:
        return faces
    taken = np.zeros(len(faces), dtype=bool)
    inside = inside_of(faces)
    taken[shapely.STRtree(shapes).query(inside, predicate="intersects")[0]] = True
    taken |= ~shapely.intersects(territory, inside)
    missing = faces[~taken]
    if steps.barred is not None and len(missing):
        missing = shapely.difference(missing, steps.barred)
    pieces, _ = wide(missing, steps.epsg)
    if len(pieces) == 0:
        return pieces
    return _cut_across(steps, pieces, shapes, territory, fill)


def _cut_across(
    steps: RepairSteps, pieces: ObjectArray, shapes: ObjectArray, territory: Any, fill: float
) -> ObjectArray:
    points: Any = shapely.points(_meeting_points(shapes))
    if len(points) == 0:
        return pieces
    border = shapely.boundary(steps.plane.to(np.array([territory], dtype=object))[0])
    shapely.prepare(border)
    tree = shapely.STRtree(points)
    found: list[Any] = []
    for piece in pieces:
        nodes = points[np.sort(tree.query(piece, predicate="intersects"))]
        across = shapely.shortest_line(steps.plane.to(nodes), border)
        across = across[(shapely.length(across) > THIN_M) & (shapely.length(across) <= fill)]
        if len(across) == 0:
            found.append(piece)
            continue
        ends = shapely.get_coordinates(across).reshape(-1, 2, 2)
        ends[:, 1] = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * _BEYOND
        lines = steps.plane.back(shapely.linestrings(ends))
        noded = shapely.union_all(np.array([shapely.boundary(piece), *lines], dtype=object))
        parts = shapely.get_parts(shapely.polygonize([noded]))
        parts = parts[shapely.intersects(piece, inside_of(parts))]
        found += list(parts) if len(parts) else [piece]
    return ordered(canonical_geometry(np.array(found, dtype=object)))


def _meeting_points(shapes: ObjectArray) -> Any:
    """Return the rim vertices where two cells meet, (n, 2) degrees."""
    table = SegmentTable.of(shapes)
    rim = table.rim()
    ends = np.concatenate([table.low[rim], table.high[rim]])
    owner = np.concatenate([table.owner[rim], table.owner[rim]])
    pairs = np.unique(np.column_stack([ends, owner]), axis=0)
    vertex, count = np.unique(pairs[:, 0], return_counts=True)
    return table.points[vertex[count > 1]]


def fits(steps: RepairSteps, territory: Any) -> bool:
    """Return whether no cell stands out and no narrow ground of the territory is open.

    Ground that is asked about, barred or left by decision is no misfit.
    """
    shapes = steps.shapes[~shapely.is_missing(steps.shapes)]
    faces = SegmentTable.of(shapes).faces()
    covered = np.zeros(len(faces), dtype=bool)
    covered[shapely.STRtree(shapes).query(inside_of(faces), predicate="intersects")[0]] = True
    whole = shapely.multipolygons(list(faces[covered]))
    missing = shapely.difference(territory, whole)
    if steps.barred is not None:
        missing = shapely.difference(missing, steps.barred)
    over = shapely.difference(whole, territory)
    pieces, _ = wide([missing, over], steps.epsg)
    return all(gap_key(p) in steps.seen for p in pieces)
