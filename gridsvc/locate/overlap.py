"""Proof that no two cells overlap, without comparing all of them.

The number of cells over a place changes only across edges that do not have one cell on either
side. If two cells overlapped somewhere, an edge with one cell alone would therefore run through
the interior of another cell. Only those edges (outer boundary, lakes, T-junctions without a
node) are tested; edges with two cells on one side were refused before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from gridsvc.errors import InputError, OverlappingCells
from gridsvc.locate.edges import Edges
from gridsvc.types import FloatArray, IntArray, ObjectArray
from gridsvc.ways import way

_CHUNK = 200_000


def require_no_overlap(
    parts: ObjectArray, owner: IntArray, edges: Edges, upper: FloatArray, codes: Sequence[str]
) -> None:
    """Check that the interiors of cells are disjoint.

    Raises
    ------
    OverlappingCells
        Naming the first pair in order of code.
    InputError
        If a polygon is not valid.
    """
    valid = shapely.is_valid(parts)
    if not valid.all():
        at = int(np.flatnonzero(~valid)[0])
        reason = shapely.is_valid_reason(parts[at])
        code = codes[owner[at]]
        raise InputError(
            reason_zh=f"网格 {code} 不是有效的面({reason});请先修复({way('repair')})",
            reason_en=f"cell {code} is no valid polygon ({reason}); "
            f"mend it first ({way('repair')})",
        )
    single = np.flatnonzero((edges.left == 0) | (edges.right == 0))
    if len(single) == 0:
        return
    tree = shapely.STRtree(parts)
    label = edges.left[single] + edges.right[single]
    pairs: list[IntArray] = []
    for begin in range(0, len(single), _CHUNK):
        e = single[begin : begin + _CHUNK]
        ends = np.stack([np.column_stack([edges.ax[e], edges.ay[e]]), upper[e]], axis=1)
        lines: ObjectArray = np.asarray(shapely.linestrings(ends), dtype=object)
        line, part = tree.query(lines)
        mine = label[begin + line] - 1
        other = owner[part] != mine
        line, part, mine = line[other], part[other], mine[other]
        if len(line) == 0:
            continue
        inside = shapely.relate_pattern(lines[line], parts[part], "T********")
        pairs.append(np.sort(np.column_stack([mine, owner[part]])[inside], axis=1))
    found = np.unique(np.concatenate(pairs), axis=0) if pairs else np.empty((0, 2), dtype=int)
    if len(found):
        first, second = (codes[int(i)] for i in found[0])
        raise OverlappingCells(first=first, second=second, count=len(found))
