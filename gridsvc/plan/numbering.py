"""Issue 15-digit cell codes: from west to east, rows from north to south, none used twice."""

from __future__ import annotations

from collections.abc import Iterable

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.codes import CellCode
from gridsvc.errors import InputError, InvalidCode
from gridsvc.types import ObjectArray


def number_cells(
    cells: gpd.GeoDataFrame, *, retired: Iterable[str] = (), keep: bool = True
) -> gpd.GeoDataFrame:
    """Return the cells indexed by 15-digit codes, ordered by code.

    Within a community the first numbering runs along rows from north to south, each row from west
    to east; a row is as high as the middle cell of the community. Later numberings keep the codes
    of cells that have one and continue after the highest sequence ever used.

    Parameters
    ----------
    cells : GeoDataFrame
        With a 12-digit ``community_code``; indexed by anything unique. The old index is kept in
        the column ``source_code``.
    retired : iterable of str
        Codes that were in use once and must not come back.
    keep : bool
        Whether cells whose index is a 15-digit code of their community keep it.

    Raises
    ------
    InputError
        If a cell has no community code, or two cells claim one code.
    InvalidCode
        If a community code is not 12 digits or a community needs more than 999 sequences.
    """
    frame = cells.copy()
    frame["source_code"] = [str(c) for c in cells.index]
    community = frame["community_code"]
    if community.isna().any():
        code = str(frame.index[community.isna()][0])
        raise InputError(
            reason_zh=f"网格 {code} 没有社区代码", reason_en=f"cell {code} has no community code"
        )
    fixed = {c: _kept(c, str(p)) for c, p in zip(frame["source_code"], community, strict=True)}
    if not keep:
        fixed = dict.fromkeys(fixed, 0)
    highest: dict[str, int] = {}
    for code in [*retired, *(c for c, s in fixed.items() if s)]:
        try:
            parsed = CellCode.parse(code)
        except InvalidCode:
            continue
        if len(parsed.sequence) == 3:
            parent = parsed.community_code
            highest[parent] = max(highest.get(parent, 0), int(parsed.sequence))
    issued: list[str] = [c if fixed[c] else "" for c in frame["source_code"]]
    for parent in sorted(community.astype(str).unique()):
        members = np.flatnonzero((community.astype(str) == parent).to_numpy())
        fresh = np.array([i for i in members if not issued[i]], dtype=np.int64)
        if len(fresh) == 0:
            continue
        shapes = np.asarray(frame.geometry.array, dtype=object)[fresh]
        names = [frame["source_code"].iloc[i] for i in fresh]
        start = highest.get(parent, 0) + 1
        for sequence, k in enumerate(_rows(shapes, names), start=start):
            issued[fresh[k]] = str(CellCode.make(parent, sequence))
    frame.index = pd.Index(issued, name="code", dtype="str")
    if not frame.index.is_unique:
        twice = str(frame.index[frame.index.duplicated()][0])
        raise InputError(reason_zh=f"编码重复:{twice}", reason_en=f"code used twice: {twice}")
    return frame.sort_index()


def _kept(code: str, community: str) -> int:
    """Return the sequence of a code that stays, 0 if it is to be issued."""
    try:
        parsed = CellCode.parse(code)
    except InvalidCode:
        return 0
    if len(parsed.sequence) != 3 or parsed.community_code != community:
        return 0
    return int(parsed.sequence)


def _rows(shapes: ObjectArray, names: list[str]) -> list[int]:
    """Return positions along rows from north to south, each from west to east."""
    inside = shapely.point_on_surface(shapes)
    x, y = shapely.get_x(inside), shapely.get_y(inside)
    bounds = shapely.bounds(shapes)
    height = float(np.median(bounds[:, 3] - bounds[:, 1])) or 1.0
    row = np.round((y.max() - y) / height).astype(int)
    return sorted(range(len(shapes)), key=lambda i: (int(row[i]), x[i], -y[i], names[i]))
