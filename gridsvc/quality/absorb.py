"""Give loose pieces (gaps, split-off parts) to the neighbour with the longest shared border."""

from __future__ import annotations

import numpy as np
import shapely

from gridsvc.crs import STORAGE_EPSG, transformer
from gridsvc.quality.segments import SegmentTable
from gridsvc.types import IntArray, ObjectArray


def absorb(
    cells: ObjectArray, pieces: ObjectArray, metric_epsg: int
) -> tuple[ObjectArray, IntArray]:
    """Return the cells enlarged by the pieces, and who got each piece.

    A piece that touches only other pieces waits until one of them has an owner. Ties go to the
    cell that stands first.

    Parameters
    ----------
    cells, pieces : arrays of Polygon or MultiPolygon
        Edge-matched with each other, in EPSG:4490; cells may be ``None``.
    metric_epsg : int
        CRS in which borders are measured.

    Returns
    -------
    cells : array
        New array; untouched cells are the same objects.
    owner : int array (n_pieces,)
        Position of the gaining cell, -1 where no cell shares a border with the piece.
    """
    count = len(cells)
    owner = np.full(len(pieces), -1, dtype=np.int64)
    if len(pieces) == 0:
        return cells, owner
    table = SegmentTable.of(np.concatenate([cells, pieces]))
    x, y = transformer(STORAGE_EPSG, metric_epsg).transform(table.points[:, 0], table.points[:, 1])
    shared = table.shared(np.column_stack([x, y]))
    first, second = shared["first"].to_numpy(), shared["second"].to_numpy()
    length = shared["length"].to_numpy()
    border = second >= count
    first, second, length = first[border], second[border] - count, length[border]
    while True:
        # Where each side stands now: a cell, or the owner of a piece.
        side = np.where(first < count, first, owner[np.maximum(first - count, 0)])
        rows = np.concatenate([second, np.where(first >= count, first - count, -1)])
        holder = np.concatenate([side, owner[second]])
        weight = np.concatenate([length, length])
        open_ = (rows >= 0) & (holder >= 0)
        open_[open_] = owner[rows[open_]] < 0
        if not open_.any():
            break
        totals: dict[tuple[int, int], float] = {}
        for row, cell, metres in zip(rows[open_], holder[open_], weight[open_], strict=True):
            totals[int(row), int(cell)] = totals.get((int(row), int(cell)), 0.0) + float(metres)
        best: dict[int, tuple[float, int]] = {}
        for (row, cell), metres in totals.items():
            # Borders equal to a tenth of a millimetre are equal.
            rank = (-round(metres, 4), cell)
            if row not in best or rank < best[row]:
                best[row] = rank
        for row, (_, cell) in best.items():
            owner[row] = cell
    grown = cells.copy()
    for cell in np.unique(owner[owner >= 0]):
        members = [cells[cell], *pieces[owner == cell]]
        grown[cell] = shapely.coverage_union_all(np.array(members, dtype=object))
    return grown, owner
