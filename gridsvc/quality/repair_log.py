"""The log of a repair: one row per change, with its place, areas, width, gainer and reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from gridsvc.crs import STORAGE_EPSG
from gridsvc.types import ObjectArray

REASONS: dict[str, tuple[str, str]] = {
    "made_valid": ("几何自相交或无效,已按面结构修正", "the shape was invalid and was made valid"),
    "lines_dropped": ("几何中混有线或点,已去除", "lines or points among the polygons were dropped"),
    "dropped": ("按决定删除该网格", "the cell was dropped by decision"),
    "gap_excluded": ("较宽的空洞,登记为例外区", "a wide gap, registered as an exclusion"),
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
    "ring_removed": ("一圈边界(部件或内洞)已去除", "a ring of the border (a part or hole) is gone"),
    "spike_removed": ("没有宽度的尖刺,已去除", "a spike without width was taken off"),
    "duplicate_removed": ("重复的节点,已去除", "a vertex that repeated the one before was removed"),
    "vertex_removed": ("直边上多余的节点,已去除", "a vertex on a straight border was taken out"),
    "node_inserted": (
        "边界上补入节点,与相邻边界的节点相接",
        "a node was put on the border, to meet a node of a border next to it",
    ),
    "vertices_moved": (
        "边界节点移位,线段由旧位置指向新位置",
        "vertices of the border moved; each line leads from the old place to the new one",
    ),
}
MOVES = (
    "overlap_resolved", "gap_filled", "transferred", "snapped", "trimmed", "vertex_removed",
    "node_inserted",
)  # fmt: skip
"""Actions whose areas make up the moved area."""
COLUMNS = (
    "action", "code", "area_m2", "lost_m2", "gained_m2", "area_before_m2", "area_after_m2",
    "width_m", "shift_m", "vertices", "gained_by", "reason_zh", "reason_en",
)  # fmt: skip
_NAN = float("nan")


class RepairLog:
    """Rows of a repair log, in the order in which they are written."""

    def __init__(self) -> None:
        self._chunks: list[dict[str, Any]] = []

    def add(self, action: str, code: str, geometry: Any, **values: Any) -> None:
        """Append one row; see ``extend`` for the values."""
        shape = np.empty(1, dtype=object)
        shape[0] = geometry
        detail = values.pop("detail", "")
        gained_by = values.pop("gained_by", None)
        self.extend([action], [code], shape, gained_by=[gained_by], detail=[detail], **values)

    def extend(
        self,
        action: Sequence[str],
        code: Sequence[str],
        geometry: ObjectArray,
        *,
        area: Any = 0.0,
        lost: Any = 0.0,
        gained: Any = 0.0,
        before: Any = _NAN,
        after: Any = _NAN,
        width: Any = _NAN,
        shift: Any = _NAN,
        vertices: Any = 0,
        gained_by: Sequence[str | None] | None = None,
        detail: Sequence[str] | None = None,
    ) -> None:
        """Append rows; numbers may be one for all.

        Parameters
        ----------
        action, code : sequences of str
        geometry : array of geometry
            Where, EPSG:4490.
        area : float or array
            Size of the piece, m².
        lost, gained : float or array
            What the cell ``code`` lost and the cell ``gained_by`` gained, m².
        before, after : float or array
            Area of the cell ``code``, m².
        width, shift : float or array
            Mean width of the piece, longest way of a vertex, metres.
        vertices : int or array
            Vertices put in, taken out or moved.
        gained_by, detail : sequences of str, optional
            Who gained; what is added to the reason.
        """
        if not len(action):
            return
        count = len(action)
        more = [""] * count if detail is None else list(detail)
        reasons = [REASONS[a] for a in action]
        numbers = {
            "area_m2": area, "lost_m2": lost, "gained_m2": gained, "area_before_m2": before,
            "area_after_m2": after, "width_m": width, "shift_m": shift,
        }  # fmt: skip
        self._chunks.append(
            {
                "action": list(action),
                "code": list(code),
                **{n: np.broadcast_to(np.asarray(v, float), count) for n, v in numbers.items()},
                "vertices": np.broadcast_to(np.asarray(vertices, np.int64), count),
                "gained_by": [None] * count if gained_by is None else list(gained_by),
                "reason_zh": [
                    f"{r[0]}:{d}" if d else r[0] for r, d in zip(reasons, more, strict=True)
                ],
                "reason_en": [
                    f"{r[1]}: {d}" if d else r[1] for r, d in zip(reasons, more, strict=True)
                ],
                "geometry": geometry,
            }
        )

    def frame(self) -> gpd.GeoDataFrame:
        """Return the log with columns ``COLUMNS`` and geometry, EPSG:4490."""
        columns: dict[str, Any] = {}
        for name in COLUMNS:
            if name == "vertices" or name.endswith(("_m2", "_m")):
                kind = "int64" if name == "vertices" else "float64"
                parts = [np.empty(0), *(c[name] for c in self._chunks)]
                columns[name] = np.concatenate(parts).astype(kind)
            else:
                texts = [v for c in self._chunks for v in c[name]]
                columns[name] = pd.Series(texts, dtype="str")
        shapes = np.concatenate([np.empty(0, dtype=object), *(c["geometry"] for c in self._chunks)])
        return gpd.GeoDataFrame(pd.DataFrame(columns), geometry=shapes, crs=STORAGE_EPSG)


def moved_area(log: gpd.GeoDataFrame) -> float:
    """Return the area in m² that changed its owner, lost it or got one: the sum over the rows."""
    return float(log.loc[log["action"].isin(MOVES), "area_m2"].sum())


def summary(log: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the log by action: rows, cells, vertices, area, largest width and shift.

    Returns
    -------
    list of dict
        ``action, rows, cells, vertices, area_m2, width_m, shift_m, reason_zh, reason_en``, ready
        for JSON, in the order of ``REASONS``; ``None`` where an action has no width or shift.
    """
    found = []
    for action, rows in log.groupby("action", sort=False):
        zh, en = REASONS.get(str(action), ("", ""))
        found.append(
            {
                "action": str(action),
                "rows": len(rows),
                "cells": int(rows.loc[rows["code"] != "", "code"].nunique()),
                "vertices": _total(rows, "vertices", int),
                "area_m2": _total(rows, "area_m2", float),
                "width_m": _largest(rows, "width_m"),
                "shift_m": _largest(rows, "shift_m"),
                "reason_zh": zh,
                "reason_en": en,
            }
        )
    place = {name: i for i, name in enumerate(REASONS)}
    return sorted(found, key=lambda row: place.get(str(row["action"]), len(place)))


def _total(rows: pd.DataFrame, column: str, kind: type) -> Any:
    # Logs of earlier versions lack columns of today.
    return kind(rows[column].sum()) if column in rows else kind(0)


def _largest(rows: pd.DataFrame, column: str) -> float | None:
    if column not in rows or not rows[column].notna().any():
        return None
    return float(rows[column].max())
