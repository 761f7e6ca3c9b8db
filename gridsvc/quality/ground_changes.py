"""Ground that changed hands, face by face: who had it, who has it, how much.

The borders that changed are noded into faces. Each face lies wholly inside or outside every cell,
before and after, so that nothing is counted twice and nothing is left over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gridsvc.quality.segments import SegmentTable, ordered
from gridsvc.quality.shapes import LocalPlane, inside_of
from gridsvc.quality.true_areas import true_areas
from gridsvc.types import BoolArray, FloatArray, IntArray, ObjectArray

NOISE_M = 1e-6
"""Faces of a mean width below this are rounding of a computed crossing, a hundredth of the
storage lattice."""
_FILLED_M = 0.1
_SNAPPED_M = 0.5


@dataclass(frozen=True, slots=True)
class GroundChanges:
    """One row per face and cell that lost it, or per face that had no owner.

    Attributes
    ----------
    action : array of str
        overlap_resolved, snapped, transferred, trimmed or gap_filled.
    loser, taker : int arrays
        Positions of cells; -1 for nobody.
    face : array of Polygon
    area, lost, gained, width : float arrays
        Area of the face, what the loser lost and the taker gained of it in m² (a taker that had
        it already gains nothing), mean width in metres.
    """

    action: ObjectArray
    loser: IntArray
    taker: IntArray
    face: ObjectArray
    area: FloatArray
    lost: FloatArray
    gained: FloatArray
    width: FloatArray


def ground_changes(
    changed: ObjectArray,
    before: ObjectArray,
    after: ObjectArray,
    filled: ObjectArray,
    plane: LocalPlane,
    metric_epsg: int,
) -> GroundChanges:
    """Return the ground that changed hands, in an order that depends on places only.

    Parameters
    ----------
    changed : array of LineString
        Segments that some cell has only before or only after, degrees.
    before, after : arrays of Polygon or MultiPolygon or None
        All cells, EPSG:4490, in the same order; ``after`` without overlaps.
    filled : array of Polygon
        Gaps that were filled on purpose.
    plane : LocalPlane
    metric_epsg : int
        Plane in which areas are measured.
    """
    then, now = _Cells(before), _Cells(after)
    faces = _faces(changed)
    face, loser, taker, gains = _hands(faces, then, now)
    if len(face):
        # Borders that stayed may divide a face between several cells.
        across = _borders_within(faces[np.unique(face)], before, after)
        if len(across):
            faces = _faces(np.concatenate([changed, across]))
            face, loser, taker, gains = _hands(faces, then, now)
    ground = plane.to(faces)
    width = 2.0 * shapely.area(ground) / np.maximum(shapely.length(ground), NOISE_M)
    real = width[face] >= NOISE_M
    face, loser, taker, gains = face[real], loser[real], taker[real], gains[real]
    area, wide = true_areas(faces, metric_epsg)[face], width[face]
    narrow = np.where(wide < _SNAPPED_M, "snapped", "transferred")
    owned = np.where(taker < 0, "trimmed", np.where(gains, narrow, "overlap_resolved"))
    known = _within(faces[face], filled) | (wide >= _FILLED_M)
    action = np.where(loser >= 0, owned, np.where(known, "gap_filled", "snapped"))
    return GroundChanges(
        action.astype(object), loser, taker, faces[face], area,
        np.where(loser >= 0, area, 0.0), np.where(gains, area, 0.0), wide,
    )  # fmt: skip


class _Cells:
    """Polygons that answer which of them hold a point, prepared once asked."""

    def __init__(self, shapes: ObjectArray) -> None:
        self._shapes = shapes
        self._tree = shapely.STRtree(shapes)

    def holding(self, x: FloatArray, y: FloatArray) -> tuple[IntArray, IntArray]:
        """Return point and cell of each pair, ordered by both."""
        point, cell = self._tree.query(shapely.points(x, y))
        shapely.prepare(self._shapes[np.unique(cell)])
        inside = shapely.intersects_xy(self._shapes[cell], x[point], y[point])
        point, cell = point[inside], cell[inside]
        order = np.lexsort((cell, point))
        return point[order], cell[order]


def _hands(
    faces: ObjectArray, then: _Cells, now: _Cells
) -> tuple[IntArray, IntArray, IntArray, BoolArray]:
    """Return who lost and who took each face: face, loser, taker, whether the taker gained it.

    The first cell that lost a face hands it to the first that gained it. A face that nobody gained
    went to a cell that had it already, or to nobody.
    """
    inside = inside_of(faces)
    x, y = shapely.get_x(inside), shapely.get_y(inside)
    held, has = then.holding(x, y), now.holding(x, y)
    size = 1 + max((int(c.max()) for _, c in (held, has) if len(c)), default=0)
    keys_then, keys_now = held[0] * size + held[1], has[0] * size + has[1]
    lost = np.setdiff1d(keys_then, keys_now)
    won = np.setdiff1d(keys_now, keys_then)
    first_won = np.full(len(faces), -1, dtype=np.int64)
    first_won[won[::-1] // size] = won[::-1] % size
    owner = np.full(len(faces), -1, dtype=np.int64)
    owner[has[0][::-1]] = has[1][::-1]
    face, loser = lost // size, lost % size
    first = np.ones(len(face), dtype=bool)
    first[1:] = face[1:] != face[:-1]
    taker = np.where(first_won[face] >= 0, first_won[face], owner[face])
    gains = first & (first_won[face] >= 0)
    # What is gained from nobody has a row of its own.
    paired = np.isin(won, face[gains] * size + taker[gains])
    bare = won[~paired]
    face = np.concatenate([face, bare // size])
    loser = np.concatenate([loser, np.full(len(bare), -1, dtype=np.int64)])
    taker = np.concatenate([taker, bare % size])
    gains = np.concatenate([gains, np.ones(len(bare), dtype=bool)])
    order = np.lexsort((taker, loser, face))
    return face[order], loser[order], taker[order], gains[order]


def _faces(lines: ObjectArray) -> ObjectArray:
    if len(lines) == 0:
        return np.empty(0, dtype=object)
    noded = shapely.get_parts(shapely.union_all(lines))
    faces = shapely.get_parts(shapely.polygonize(noded))
    return np.asarray(ordered(faces) if len(faces) else faces, dtype=object)


def _borders_within(faces: ObjectArray, before: ObjectArray, after: ObjectArray) -> ObjectArray:
    """Return the segments of cells that meet faces, in a fixed order."""
    near = np.unique(np.concatenate([shapely.STRtree(s).query(faces)[1] for s in (before, after)]))
    table = SegmentTable.of(np.concatenate([before[near], after[near]]))
    pairs = np.unique(np.column_stack([table.low, table.high]), axis=0)
    lines: Any = shapely.linestrings(table.points[pairs])
    met = np.unique(shapely.STRtree(lines).query(faces, predicate="intersects")[1])
    found: ObjectArray = lines[met]
    return found


def _within(faces: ObjectArray, filled: ObjectArray) -> Any:
    """Return whether each face lies in one of the filled gaps."""
    found = np.zeros(len(faces), dtype=bool)
    if len(filled) and len(faces):
        inside = inside_of(faces)
        found[shapely.STRtree(filled).query(inside, predicate="intersects")[0]] = True
    return found
