"""Cells that come without a code: known by their row until they are given one."""

from __future__ import annotations

from collections.abc import Iterable

import geopandas as gpd
import pandas as pd

from gridsvc.plan import number_cells
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.raw import Note

# No code of a city begins so.
_BY_ROW = "row-"


def by_row(code: object) -> bool:
    """Return whether a code only stands in until codes are issued."""
    return isinstance(code, str) and code.startswith(_BY_ROW)


def stand_in_codes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table in which rows without a code are known by their row from 1."""
    given = [None] * len(table) if "code" not in table.columns else list(table["code"])
    codes = [f"{_BY_ROW}{i:06d}" if c is None else c for i, c in enumerate(given, start=1)]
    result = table.copy()
    result["code"] = pd.Series(codes, index=table.index, dtype=object)
    if "community_code" in result.columns and "subdistrict_code" not in result.columns:
        above = [
            str(c)[:9] if by_row(k) and c is not None else None
            for k, c in zip(codes, result["community_code"], strict=True)
        ]
        result["subdistrict_code"] = pd.Series(above, index=table.index, dtype=object)
    return result


def codes_in_use_ever(work: UnitOfWork, scheme_id: str) -> set[str]:
    """Return the codes of every version of a scheme that was or will be in force."""
    versions = [p for p in work.plans.list(scheme_id) if p.effective_from is not None]
    return {str(code) for p in versions for code in work.plans.cells(p.id).index}


def issued(cells: gpd.GeoDataFrame, retired: Iterable[str]) -> dict[str, str]:
    """Return the 15-digit code of each cell that is known by its row only.

    Sequences continue after the highest one of the community, among the cells and the retired.

    Raises
    ------
    InputError, InvalidCode
        As ``gridsvc.plan.number_cells``.
    """
    fresh = cells[[by_row(c) for c in cells.index]]
    if len(fresh) == 0:
        return {}
    taken = [str(c) for c in cells.index if not by_row(c)]
    numbered = number_cells(fresh, retired=[*retired, *taken], keep=False)
    return {str(old): str(new) for new, old in numbered["source_code"].items()}


def renamed(frame: gpd.GeoDataFrame, codes: dict[str, str], *columns: str) -> gpd.GeoDataFrame:
    """Return a frame with codes issued in its index and in columns."""
    result = frame.copy()
    if result.index.name == "code":
        result.index = pd.Index([codes.get(c, c) for c in result.index], name="code", dtype="str")
        result = result.sort_index()
    for column in columns:
        if column in result.columns:
            result[column] = result[column].replace(codes)
    return result


def numbered_note(codes: dict[str, str]) -> Note:
    """Return what to tell of codes that were issued: how many, from which to which."""
    new = sorted(codes.values())
    return Note(
        f"{len(new)} 个没有编码的网格已编号:{new[0]} 至 {new[-1]}",
        f"{len(new)} cells without a code were numbered: {new[0]} to {new[-1]}",
    )
