"""Fit the outer edge of a coverage to a declared territory, node by node.

Borders of the cells and of the territory are noded together on the storage lattice and the faces
between them are handed out: what stands out is cut, what is left open becomes faces that share
their edges with the cells, and nodes where a border meets the rim are there on both sides.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from gridsvc.crs import LATTICE_PER_DEGREE, canonical_geometry, to_metric
from gridsvc.quality.decisions import ask
from gridsvc.quality.segments import SegmentTable, ordered
from gridsvc.quality.shapes import (
    THIN_M,
    gap_key,
    inscribed_width,
    inside_of,
    polygonal,
    wide,
)
from gridsvc.types import IntArray, ObjectArray

if TYPE_CHECKING:
    from gridsvc.quality.repair_steps import RepairSteps, WideGaps

_BEYOND = 1.01


def fit_rim(steps: RepairSteps, territory: Any, fill: float, wide_gaps: WideGaps) -> ObjectArray:
    """Cut what stands out, unless it is wider than ``fill`` metres: that is asked about.

    A long open strip along several cells is cut across at each node between two of them, so that
    every cell can get the part along its own border.

    Returns
    -------
    array of Polygon
        Open ground of the territory, edge-matched with the cells, on the lattice.
    """
    present = np.flatnonzero(~shapely.is_missing(steps.shapes))
    shapes = steps.shapes[present]
    ground = _allowed(steps, territory, present, fill, wide_gaps)
    shapely.prepare(ground)
    shapely.prepare(territory)
    faces = _faces([*shapely.boundary(shapes), shapely.boundary(territory)])
    owner = _owners(faces, shapes, ground)
    open_ = (owner < 0) & shapely.intersects(territory, inside_of(faces))
    cells = _joined(faces, owner, len(shapes))
    cuts = _cuts(steps, faces[open_], cells, territory, fill)
    if len(cuts):
        faces = _faces([*shapely.boundary(faces), *cuts])
        owner = _owners(faces, shapes, ground)
        open_ = (owner < 0) & shapely.intersects(territory, inside_of(faces))
        cells = _joined(faces, owner, len(shapes))
    steps.shapes[present] = cells
    missing = faces[open_]
    if steps.barred is not None and len(missing):
        missing = missing[~shapely.intersects(steps.barred, inside_of(missing))]
    # Finer than the certificate measures, so that nothing stands at its limit.
    pieces, _ = wide(missing, steps.epsg, THIN_M / 10.0)
    return pieces


def _allowed(
    steps: RepairSteps, territory: Any, present: IntArray, fill: float, wide_gaps: WideGaps
) -> Any:
    """Return the territory and what stays with its cell beyond it for now."""
    kept = []
    for i in present[~shapely.covered_by(steps.shapes[present], territory)]:
        pieces, _ = wide(shapely.difference(steps.shapes[i], territory), steps.epsg)
        kept += [p for p in pieces if _stays(steps, int(i), p, fill, wide_gaps)]
    return shapely.union_all(np.array([territory, *kept], dtype=object)) if kept else territory


def _faces(lines: list[Any]) -> ObjectArray:
    """Node lines on the lattice and return the faces between them."""
    noded = shapely.union_all(np.array(lines, dtype=object), grid_size=1.0 / LATTICE_PER_DEGREE)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(canonical_geometry(noded))))
    return np.asarray(ordered(faces), dtype=object)


def _owners(faces: ObjectArray, shapes: ObjectArray, ground: Any) -> IntArray:
    """Return the first cell that holds each face within the ground, -1 where there is none."""
    inside = inside_of(faces)
    owner = np.full(len(faces), len(shapes), dtype=np.int64)
    face, cell = shapely.STRtree(shapes).query(inside, predicate="intersects")
    np.minimum.at(owner, face, cell)
    owner[(owner == len(shapes)) | ~shapely.intersects(ground, inside)] = -1
    return owner


def _joined(faces: ObjectArray, owner: IntArray, count: int) -> ObjectArray:
    """Return the union of each cell's faces, ``None`` for a cell without any."""
    cells = np.full(count, None, dtype=object)
    order = np.argsort(owner, kind="stable")
    begin = np.searchsorted(owner[order], np.arange(count + 1))
    for i in range(count):
        mine = faces[order[begin[i] : begin[i + 1]]]
        if len(mine):
            cells[i] = polygonal(mine[0] if len(mine) == 1 else shapely.coverage_union_all(mine))
    return cells


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


def _cuts(
    steps: RepairSteps, missing: ObjectArray, cells: ObjectArray, territory: Any, fill: float
) -> list[Any]:
    """Return lines across open strips where cells meet, and the rim of exclusions in them."""
    lines: list[Any] = []
    if len(missing) == 0:
        return lines
    if steps.barred is not None:
        barred = shapely.boundary(shapely.intersection(missing, steps.barred))
        lines += [g for g in barred if g is not None and not shapely.is_empty(g)]
    points: Any = shapely.points(_meeting_points(cells))
    touched = np.unique(shapely.STRtree(points).query(missing, predicate="intersects")[1])
    if len(touched) == 0:
        return lines
    border = shapely.boundary(steps.plane.to(np.array([territory], dtype=object))[0])
    shapely.prepare(border)
    across = shapely.shortest_line(steps.plane.to(points[touched]), border)
    length = shapely.length(across)
    across = across[(length > THIN_M) & (length <= fill)]
    ends = shapely.get_coordinates(across).reshape(-1, 2, 2)
    ends[:, 1] = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * _BEYOND
    drawn = np.asarray(shapely.linestrings(ends), dtype=object)
    return [*lines, *steps.plane.back(drawn)]


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
