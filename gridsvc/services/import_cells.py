"""Cells of a file: geometry judged row by row, codes, hierarchy, repair; nothing is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.codes import CellCode
from gridsvc.crs import STORAGE_EPSG, canonical_geometry, to_metric
from gridsvc.errors import BadOption, Fault, InvalidCode
from gridsvc.layers import CELLS, EXCLUSIONS
from gridsvc.plan.version import CodeSystem
from gridsvc.quality import RepairResult, repair
from gridsvc.services.attributes import Reading, in_contract, no_values, read_attributes
from gridsvc.services.import_numbers import by_row, stand_in_codes
from gridsvc.services.import_parents import by_parent, hierarchy_columns, one_spelling
from gridsvc.services.import_shapes import no_area, polygons_of
from gridsvc.services.raw import ImportOptions, Note, RawLayer
from gridsvc.types import Progress
from gridsvc.ways import way

AREA_LAYERS = ("communities", "subdistricts")
_DUPLICATE = ("merge", "first")


@dataclass(slots=True)
class DrawnCells:
    """Cells as read, before repair.

    Attributes
    ----------
    frame : GeoDataFrame
        Indexed by code, contract columns as far as known, geometry as drawn.
    code_system : {"cn", "free"}
    rows : int
    dropped : list of str
        Codes left out by decision.
    """

    frame: gpd.GeoDataFrame
    code_system: CodeSystem
    reading: Reading
    rows: int
    dropped: list[str] = field(default_factory=list)


def read_cells(
    raw: RawLayer, as_layer: str, options: ImportOptions, scheme_system: CodeSystem | None
) -> DrawnCells:
    """Read a polygon layer as leaf cells.

    ``communities`` and ``subdistricts`` become plans in which each area is one cell.

    Parameters
    ----------
    raw : RawLayer
    as_layer : {"cells", "communities", "subdistricts"}
    options : ImportOptions
    scheme_system : {"cn", "free"} or None
        Code system of the scheme when it exists already.

    Raises
    ------
    RejectedRows
        Naming every row: no polygon, no area, coordinates out of range, codes missing, repeated
        or not of the code system, no way to a parent.
    """
    layer = CELLS
    reading = read_attributes(raw, as_layer, options, layer=layer)
    geometry = polygons_of(raw, reading, "cells")
    table = reading.table.copy()
    if options.number and as_layer == "cells":
        table = stand_in_codes(table)
    if "code" not in table.columns:
        reading.faults.append(no_values(reading, as_layer, "code"))
        reading.refuse()
    drop = no_area(table["code"], geometry, reading, options)
    told = {f.row for f in reading.faults if f.field == reading.shown("code")}
    for row, code in enumerate(table["code"], start=1):
        if code is None and row not in told:
            reading.faults.append(
                Fault(
                    row,
                    reading.shown("code"),
                    "",
                    "编码为空",
                    "the code is empty",
                    "请填写网格编码",
                    "give the cell a code",
                )
            )
    system = _code_system(table["code"], as_layer, options, scheme_system)
    if as_layer in AREA_LAYERS:
        table = _areas_as_cells(table, as_layer, system)
    if system == "cn":
        _check_codes(table["code"], reading)
    kept = ~drop
    dropped = [str(c) for c in table["code"][drop]]
    table, geometry = table[kept], geometry[kept.to_numpy()]
    table, geometry = _without_repeats(table, geometry, reading, options)
    hierarchy_columns(table, as_layer, system, reading, options)
    one_spelling(table, reading)
    reading.refuse()
    if "name" not in table.columns:
        table["name"] = table["code"]
        reading.notes.append(
            Note("没有名称列,以编码为名称", "no name column; codes serve as names")
        )
    table["name"] = table["name"].where(table["name"].notna(), table["code"])
    frame = gpd.GeoDataFrame(table.set_index("code"), geometry=geometry, crs=STORAGE_EPSG)
    return DrawnCells(frame.sort_index(), system, reading, len(raw.frame), dropped)


def repair_cells(
    drawn: DrawnCells,
    *,
    options: ImportOptions,
    metric_epsg: int,
    gap_width_m: float,
    territory: Any,
    exclusions: gpd.GeoDataFrame | None,
    progress: Progress,
) -> RepairResult:
    """Repair drawn cells; all questions have to be answered.

    Raises
    ------
    DecisionNeeded
        Naming cells that would vanish or fall apart, and wide gaps.
    """
    known = set(drawn.frame.index)
    decisions = {
        k: v
        for k, v in options.decisions.items()
        if v not in _DUPLICATE and k not in drawn.dropped and (k in known or k.startswith("gap@"))
    }
    result = repair(
        drawn.frame,
        metric_epsg=metric_epsg,
        snap_m=options.snap_m,
        gap_width_m=gap_width_m,
        territory=territory,
        exclusions=exclusions,
        decisions=decisions,
        progress=progress,
        wide_gaps=options.wide_gaps,
    )
    result.require_decided()
    return result


def finished_cells(
    drawn: DrawnCells, cells: gpd.GeoDataFrame, options: ImportOptions, metric_epsg: int
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Give repaired cells their parents and area, in contract form.

    Returns
    -------
    cells : GeoDataFrame
    ambiguous : DataFrame
        Cells whose parent is not clear, with the shares.
    """
    ambiguous = pd.DataFrame()
    if options.parents():
        cells, ambiguous = by_parent(cells, options, metric_epsg, drawn.reading)
    cells = cells.copy()
    cells["area_m2"] = shapely.area(to_metric(cells.geometry.to_numpy(), metric_epsg))
    typed = in_contract(cells, CELLS, drawn.reading)
    assert isinstance(typed, gpd.GeoDataFrame)  # noqa: S101 - cells have geometry
    return typed.sort_index(), ambiguous


def as_drawn(drawn: DrawnCells) -> gpd.GeoDataFrame:
    """Return cells with canonical coordinates and nothing else changed."""
    cells = drawn.frame.copy()
    cells.geometry = canonical_geometry(cells.geometry.to_numpy())
    return cells


def read_exclusions(raw: RawLayer, options: ImportOptions) -> gpd.GeoDataFrame:
    """Return registered exclusions in contract form.

    Raises
    ------
    RejectedRows
    """
    reading = read_attributes(raw, "exclusions", options, layer=EXCLUSIONS, mapping={})
    geometry = polygons_of(raw, reading, "exclusions")
    table = reading.table
    if "exclusion_id" not in table.columns:
        table["exclusion_id"] = [f"x{i:04d}" for i in range(1, len(table) + 1)]
    if "kind" not in table.columns:
        table["kind"] = "water"
    frame = gpd.GeoDataFrame(table, geometry=canonical_geometry(geometry), crs=STORAGE_EPSG)
    typed = in_contract(frame, EXCLUSIONS, reading)
    assert isinstance(typed, gpd.GeoDataFrame)  # noqa: S101 - exclusions have geometry
    return typed


def _code_system(
    codes: pd.Series, as_layer: str, options: ImportOptions, scheme_system: CodeSystem | None
) -> CodeSystem:
    if options.number:
        if "free" in (options.code_system, scheme_system):
            raise BadOption(
                option="number",
                value="true",
                reason_zh="只用于 15 位编码的网格体系",
                reason_en="it is for schemes of 15-digit codes",
            )
        return "cn"
    if options.code_system != "auto":
        return options.code_system
    if scheme_system is not None:
        return scheme_system
    lengths = {len(str(c)) for c in codes if c is not None and str(c).isdigit()}
    digits = all(str(c).isdigit() for c in codes if c is not None)
    wanted = {12} if as_layer == "communities" else {14, 15}
    return "cn" if digits and lengths and lengths <= wanted else "free"


def _areas_as_cells(table: pd.DataFrame, as_layer: str, system: CodeSystem) -> pd.DataFrame:
    """Let each community or subdistrict be a cell of itself."""
    own = table["code"]
    names = table.get("name", own)
    result = table.copy()
    result["community_code"], result["community_name"] = own, names
    if as_layer == "subdistricts":
        result["subdistrict_code"], result["subdistrict_name"] = own, names
    if as_layer == "communities" and system == "cn":
        result["code"] = [None if c is None else f"{c}001" for c in own]
    return result


def _check_codes(codes: pd.Series, reading: Reading) -> None:
    for row, code in enumerate(codes, start=1):
        if code is None or by_row(code):
            continue
        try:
            CellCode.parse(str(code))
        except InvalidCode as error:
            reading.faults.append(
                Fault(
                    row,
                    reading.shown("code"),
                    str(code)[:80],
                    error.reason_zh,
                    error.reason_en,
                    "请改正编码;外来图层可用 {way:code_system=free}",
                    "correct the code; for foreign layers use {way:code_system=free}",
                )
            )


def _without_repeats(
    table: pd.DataFrame, geometry: np.ndarray, reading: Reading, options: ImportOptions
) -> tuple[pd.DataFrame, np.ndarray]:
    """Settle repeated codes as decided; others are faults."""
    rows: dict[str, list[int]] = {}
    for i, code in enumerate(table["code"]):
        if code is not None:
            rows.setdefault(str(code), []).append(i)
    keep = np.ones(len(table), dtype=bool)
    geometry = geometry.copy()
    for code, found in rows.items():
        if len(found) == 1:
            continue
        answer = options.decisions.get(code)
        if answer in _DUPLICATE:
            keep[found[1:]] = False
            if answer == "merge":
                geometry[found[0]] = shapely.union_all(shapely.make_valid(geometry[found]))
            reading.notes.append(
                Note(
                    f"编码 {code} 的 {len(found)} 行按决定处理:{answer}",
                    f"{len(found)} rows of code {code} were settled: {answer}",
                )
            )
            continue
        first = int(table.index[found[0]]) + 1
        merge, keep_one = way("decide", f"{code}=merge"), way("decide", f"{code}=first")
        for i in found[1:]:
            reading.faults.append(
                Fault(
                    int(table.index[i]) + 1,
                    reading.shown("code"),
                    code,
                    f"编码与第 {first} 行重复",
                    f"the code repeats row {first}",
                    f"请改编码;若是同一网格的几块用 {merge},只留第一行用 {keep_one}",
                    f"give it another code; parts of one cell: {merge}, "
                    f"keep the first row only: {keep_one}",
                    refers=first,
                )
            )
    return table[keep], geometry[keep]
