"""The log of a repair: one row per change, each with its place, areas, width, gainer and reason."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.crs import STORAGE_EPSG, to_metric
from gridsvc.quality.shapes import inside_of, polygonal
from gridsvc.types import FloatArray, IntArray, ObjectArray

REASONS: dict[str, tuple[str, str]] = {
    "made_valid": ("几何自相交或无效,已按面结构修正", "the shape was invalid and was made valid"),
    "lines_dropped": ("几何中混有线或点,已去除", "lines or points among the polygons were dropped"),
    "overlap_resolved": (
        "与其他网格重叠,划给公共边界较长的一方",
        "overlapped another cell; given to the one with the longer shared border",
    ),
    "gap_filled": (
        "网格之间的空隙,划给公共边界最长的邻格",
        "a gap between cells, given to the neighbour with the longest shared border",
    ),
    "transferred": (
        "脱离主体的碎块,划给邻格",
        "a piece cut off from its cell, given to a neighbour",
    ),
    "snapped": ("节点捕捉使边界微移", "the border moved a little by snapping its vertices"),
    "trimmed": ("移到网格之外(辖区外或捕捉所致)", "left outside all cells (territory or snapping)"),
    "gap_excluded": ("较宽的空洞,登记为例外区", "a wide gap, registered as an exclusion"),
    "dropped": ("按决定删除该网格", "the cell was dropped by decision"),
}
_LEAST_ROW_M2 = 0.01
_HAIR_DEG = 1e-8
COLUMNS = (
    "action", "code", "area_m2", "area_before_m2", "area_after_m2", "width_m", "gained_by",
    "reason_zh", "reason_en",
)  # fmt: skip


class RepairLog:
    """Rows of a repair log, in the order in which they are written."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def add(
        self,
        action: str,
        code: str,
        geometry: Any,
        *,
        area: float = 0.0,
        before: float = float("nan"),
        after: float = float("nan"),
        width: float = float("nan"),
        gained_by: str | None = None,
        detail: str = "",
    ) -> None:
        """Append one row; areas in m², width in metres, geometry in EPSG:4490."""
        zh, en = REASONS[action]
        self._rows.append(
            {
                "action": action,
                "code": code,
                "area_m2": area,
                "area_before_m2": before,
                "area_after_m2": after,
                "width_m": width,
                "gained_by": gained_by,
                "reason_zh": f"{zh}:{detail}" if detail else zh,
                "reason_en": f"{en}: {detail}" if detail else en,
                "geometry": geometry,
            }
        )

    def frame(self) -> gpd.GeoDataFrame:
        """Return the log with columns ``COLUMNS`` and geometry, EPSG:4490."""
        table = pd.DataFrame({c: [r[c] for r in self._rows] for c in COLUMNS})
        for column in COLUMNS:
            number = column.endswith(("_m2", "_m"))
            table[column] = table[column].astype("float64" if number else "str")
        shapes = np.array([r["geometry"] for r in self._rows], dtype=object)
        return gpd.GeoDataFrame(table, geometry=shapes, crs=STORAGE_EPSG)


def compare(
    codes: list[str],
    before: ObjectArray,
    after: ObjectArray,
    sizes: tuple[FloatArray, FloatArray],
    filled: ObjectArray,
    metric_epsg: int,
    log: RepairLog,
) -> float:
    """Log every piece of ground that changed hands and return their area in m².

    Parameters
    ----------
    codes : list of str
    before, after : arrays of valid polygons in EPSG:4490, ``None`` where there is none
    sizes : pair of float arrays
        Areas of the cells before and after, m².
    filled : array of Polygon
        Gaps that were filled on purpose.
    metric_epsg : int
    log : RepairLog

    Returns
    -------
    float
        Area that lost its owner or changed it, plus area that had no owner and got one.
    """
    size_before, size_after = sizes
    changed = _changed(before, after)
    lost, loser, taker = _split(*_pieces(before[changed], after[changed], changed), after)
    lost_area, lost_width = _sizes(lost, metric_epsg)
    was_there = _covers(lost, before, taker)
    small = lost_area < _LEAST_ROW_M2
    for k in np.flatnonzero(~small):
        i, j = int(loser[k]), int(taker[k])
        if j < 0:
            name = "trimmed"
        elif was_there[k]:
            name = "overlap_resolved"
        else:
            name = "snapped" if lost_width[k] < 0.5 else "transferred"
        log.add(
            name, codes[i], lost[k], area=float(lost_area[k]),
            before=float(size_before[i]), after=float(size_after[i]),
            width=float(lost_width[k]), gained_by=codes[j] if j >= 0 else None,
        )  # fmt: skip
    won, winner, holder = _split(*_pieces(after[changed], before[changed], changed), before)
    won, winner = won[holder < 0], winner[holder < 0]
    won_area, won_width = _sizes(won, metric_epsg)
    gaps = shapely.STRtree(filled) if len(filled) else None
    for k in np.flatnonzero(won_area >= _LEAST_ROW_M2):
        i = int(winner[k])
        hit = gaps is not None and len(gaps.query(inside_of(won[k]), "intersects"))
        log.add(
            "gap_filled" if hit or won_width[k] >= 0.1 else "snapped", codes[i], won[k],
            area=float(won_area[k]), before=float(size_before[i]), after=float(size_after[i]),
            width=float(won_width[k]), gained_by=codes[i],
        )  # fmt: skip
    _log_rest(codes, lost, loser, small, lost_area, size_before, size_after, log)
    return float(lost_area.sum() + won_area.sum())


def _log_rest(
    codes: list[str],
    lost: ObjectArray,
    loser: IntArray,
    small: Any,
    area: FloatArray,
    before: FloatArray,
    after: FloatArray,
    log: RepairLog,
) -> None:
    """One row per cell for all pieces below 0.01 m² together."""
    for i in np.unique(loser[small]):
        rows = small & (loser == i)
        log.add(
            "snapped", codes[i], shapely.multipolygons(list(lost[rows])),
            area=float(area[rows].sum()), before=float(before[i]), after=float(after[i]), width=0.0,
        )  # fmt: skip


def _changed(before: ObjectArray, after: ObjectArray) -> IntArray:
    both = ~(shapely.is_missing(before) | shapely.is_missing(after))
    same = np.zeros(len(before), dtype=bool)
    same[both] = shapely.equals_exact(
        shapely.normalize(before[both]), shapely.normalize(after[both]), 0.0
    )
    return np.flatnonzero(~same & ~shapely.is_missing(before))


def _pieces(one: ObjectArray, two: ObjectArray, at: IntArray) -> tuple[ObjectArray, IntArray]:
    """Return the polygons of ``one - two`` and the position of the cell of each."""
    mine, other = one.copy(), two.copy()
    mine[shapely.is_missing(one)] = shapely.Polygon()
    other[shapely.is_missing(two)] = shapely.Polygon()
    try:
        differ = np.asarray(shapely.difference(mine, other), dtype=object)
    except shapely.GEOSException:
        differ = np.asarray(shapely.difference(mine, other, grid_size=1e-9), dtype=object)
    # Hairs along re-noded edges, thinner than a millimetre, are rounding and no change.
    differ = np.asarray(shapely.set_precision(differ, _HAIR_DEG), dtype=object)
    shapes = np.array([polygonal(g) for g in differ], dtype=object)
    parts, row = shapely.get_parts(shapes, return_index=True)
    return parts, at[row]


def _sizes(pieces: ObjectArray, epsg: int) -> tuple[FloatArray, FloatArray]:
    """Return areas in m² and mean widths (2 × area / length) in metres."""
    metric = to_metric(pieces, epsg)
    area, length = shapely.area(metric), shapely.length(metric)
    return area, 2.0 * area / np.where(length > 0, length, 1.0)


def _split(
    pieces: ObjectArray, owner: IntArray, shapes: ObjectArray
) -> tuple[ObjectArray, IntArray, IntArray]:
    """Cut pieces along the other cells that hold them.

    Returns
    -------
    pieces, owner, holder : arrays
        Parts, the cell that each was cut from, and the first other cell that holds it (-1 none).
    """
    row, cell = shapely.STRtree(shapes).query(pieces, predicate="intersects")
    foreign = cell != owner[row]
    order = np.lexsort((cell[foreign], row[foreign]))
    row, cell = row[foreign][order], cell[foreign][order]
    found: list[tuple[Any, int, int]] = []
    begin = np.searchsorted(row, np.arange(len(pieces) + 1))
    for k, piece in enumerate(pieces):
        rest = piece
        for j in cell[begin[k] : begin[k + 1]]:
            if rest is None:
                break
            held = _polygons(shapely.intersection, rest, shapes[j])
            if held is None:
                continue
            found += [(part, int(owner[k]), int(j)) for part in shapely.get_parts(held)]
            rest = _polygons(shapely.difference, rest, shapes[j])
        if rest is not None:
            found += [(part, int(owner[k]), -1) for part in shapely.get_parts(rest)]
    return (
        np.array([f[0] for f in found], dtype=object),
        np.array([f[1] for f in found], dtype=np.int64),
        np.array([f[2] for f in found], dtype=np.int64),
    )


def _polygons(operation: Any, one: Any, two: Any) -> Any:
    try:
        result = operation(one, two)
    except shapely.GEOSException:
        result = operation(one, two, grid_size=1e-9)
    return polygonal(shapely.set_precision(result, _HAIR_DEG))


def _covers(pieces: ObjectArray, shapes: ObjectArray, cell: IntArray) -> Any:
    """Return whether the given cell already held the piece."""
    found = np.zeros(len(pieces), dtype=bool)
    known = np.flatnonzero(cell >= 0)
    if len(known):
        inside = inside_of(pieces[known])
        found[known] = shapely.intersects(shapes[cell[known]], inside)
    return found
