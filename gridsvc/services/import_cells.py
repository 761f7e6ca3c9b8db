"""Cells of a file: geometry judged row by row, codes, hierarchy, repair; nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.codes import CellCode, normalize_name
from gridsvc.crs import STORAGE_EPSG, canonical_geometry, to_metric
from gridsvc.errors import Fault, InvalidCode
from gridsvc.layers import CELLS, EXCLUSIONS
from gridsvc.plan import assign_hierarchy
from gridsvc.plan.version import CodeSystem
from gridsvc.quality import RepairResult, repair
from gridsvc.services.attributes import Reading, in_contract, read_attributes
from gridsvc.services.fields import missing_field
from gridsvc.services.raw import ImportOptions, Note, RawLayer
from gridsvc.types import Progress

AREA_LAYERS = ("communities", "subdistricts")
_MIN_AREA_DEG2 = 0.0
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
    if "code" not in table.columns:
        reading.faults.append(missing_field(as_layer, "code", reading.columns))
        reading.refuse()
    drop = _no_area(table["code"], geometry, reading, options)
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
    _hierarchy_columns(table, as_layer, system, reading, options)
    _one_spelling(table, reading)
    reading.refuse()
    if "name" not in table.columns:
        table["name"] = table["code"]
        reading.notes.append(
            Note("没有名称列,以编码为名称", "no name column; codes serve as names")
        )
    table["name"] = table["name"].where(table["name"].notna(), table["code"])
    frame = gpd.GeoDataFrame(table.set_index("code"), geometry=geometry, crs=STORAGE_EPSG)
    return DrawnCells(frame.sort_index(), system, reading, len(raw.frame), dropped)


def polygons_of(raw: RawLayer, reading: Reading, what: str) -> np.ndarray:
    """Return the polygons of a layer; rows without one are noted as faults.

    Raises
    ------
    RejectedRows
        At once if the layer holds no polygon at all.
    """
    if not isinstance(raw.frame, gpd.GeoDataFrame):
        listing = ", ".join(reading.columns)
        reading.faults.append(
            Fault(
                None,
                "geometry",
                "",
                f"表中没有图形(现有列:{listing})",
                f"the table has no geometry (it has: {listing})",
                "请给出 Shapefile、GeoPackage 等面图层,或用 --map wkt=列名 指明 WKT 列",
                "give a polygon layer, or name a WKT column with --map wkt=COLUMN",
            )
        )
        reading.refuse()
    geometry = np.asarray(raw.frame.geometry.array, dtype=object).copy()
    kinds = shapely.get_type_id(geometry)
    polygonal = np.isin(kinds, [3, 6, 7])
    if (kinds >= 0).any() and not polygonal.any():
        kind = geometry[np.flatnonzero(kinds >= 0)[0]].geom_type
        zh = "点" if "Point" in kind else "线"
        reading.faults.append(
            Fault(
                None,
                "geometry",
                kind,
                f"文件是{zh},而 {what} 需要面",
                f"the file holds {kind} features, {what} needs polygons",
                "请换用面图层;测评点请用 --as points",
                "give a polygon layer; for points use --as points",
            )
        )
        reading.refuse()
    outside = np.zeros(len(geometry), bool) if raw.invalid is None else raw.invalid.to_numpy()
    for i in np.flatnonzero(outside):
        reading.faults.append(
            Fault(
                int(i) + 1,
                "geometry",
                "",
                "坐标超出经纬度范围",
                "coordinates are outside the range of degrees",
                "请改正该图形",
                "correct this feature",
            )
        )
    for i in np.flatnonzero((kinds < 0) & ~outside):
        reading.faults.append(
            Fault(
                int(i) + 1,
                "geometry",
                "",
                "没有图形",
                "no geometry",
                "请补全或删除该行",
                "complete or remove the row",
            )
        )
    for i in np.flatnonzero((kinds >= 0) & ~polygonal):
        kind = geometry[i].geom_type
        reading.faults.append(
            Fault(
                int(i) + 1,
                "geometry",
                kind,
                "不是面",
                "not a polygon",
                "请删除或改正该图形",
                "remove or correct this feature",
            )
        )
    for i in np.flatnonzero(kinds == shapely.GeometryType.GEOMETRYCOLLECTION):
        parts = [p for p in shapely.get_parts(geometry[i]) if p.geom_type.endswith("Polygon")]
        geometry[i] = shapely.union_all(parts) if parts else shapely.Polygon()
    return geometry


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
    if options.parent is not None:
        cells, ambiguous = _by_parent(cells, options, metric_epsg, drawn.reading)
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


def _no_area(
    codes: pd.Series, geometry: np.ndarray, reading: Reading, options: ImportOptions
) -> pd.Series:
    """Return rows dropped by decision; other polygons without area are faults."""
    area = shapely.area(np.where(shapely.is_valid(geometry), geometry, None))
    bad = np.isin(shapely.get_type_id(geometry), [3, 6]) & (area == _MIN_AREA_DEG2)
    invalid = np.isin(shapely.get_type_id(geometry), [3, 6]) & ~shapely.is_valid(geometry)
    for i in np.flatnonzero(invalid):
        whole = shapely.make_valid(geometry[i], method="structure", keep_collapsed=False)
        bad[i] = shapely.area(whole) == _MIN_AREA_DEG2
    drop = np.zeros(len(geometry), dtype=bool)
    for i in np.flatnonzero(bad):
        code = codes.iloc[i]
        if code is not None and options.decisions.get(str(code)) == "drop":
            drop[i] = True
            continue
        key = code or "CODE"
        reading.faults.append(
            Fault(
                int(i) + 1,
                "geometry",
                str(code or ""),
                "网格面积为零",
                "the cell has zero area",
                f"请改正图形,或用 --decide {key}=drop 舍弃",
                f"correct it, or drop it with --decide {key}=drop",
            )
        )
    return pd.Series(drop, index=codes.index)


def _code_system(
    codes: pd.Series, as_layer: str, options: ImportOptions, scheme_system: CodeSystem | None
) -> CodeSystem:
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
        if code is None:
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
                    "请改正编码;外来图层可用 --code-system free",
                    "correct the code; for foreign layers use --code-system free",
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
        for i in found[1:]:
            reading.faults.append(
                Fault(
                    int(table.index[i]) + 1,
                    reading.shown("code"),
                    code,
                    f"编码与第 {first} 行重复",
                    f"the code repeats row {first}",
                    f"请改编码;若是同一网格的几块用 --decide {code}=merge,"
                    f"只留第一行用 --decide {code}=first",
                    f"give it another code; parts of one cell: --decide {code}=merge, "
                    f"keep the first row only: --decide {code}=first",
                )
            )
    return table[keep], geometry[keep]


def _hierarchy_columns(
    table: pd.DataFrame,
    as_layer: str,
    system: CodeSystem,
    reading: Reading,
    options: ImportOptions,
) -> None:
    """Fill parent codes from columns, names or the code itself; a parent layer comes later."""
    codes = ["" if c is None else str(c) for c in table["code"]]
    by_layer: Sequence[str] = ()
    if options.parent is not None:
        by_layer = (
            ("community_code", "subdistrict_code")
            if options.parent_level == "community"
            else ("subdistrict_code",)
        )
    for level, size in (("subdistrict", 9), ("community", 12)):
        column, name = f"{level}_code", f"{level}_name"
        known = table.get(column)
        made: list[Any] = [None] * len(table) if known is None else list(known)
        names = table.get(name)
        above = table.get("subdistrict_code")
        for i in range(len(table)):
            if made[i] is not None:
                continue
            if system == "cn":
                made[i] = codes[i][:size]
            elif names is not None and names.iloc[i] is not None:
                key = normalize_name(str(names.iloc[i]))
                prefix = "" if level == "subdistrict" or above is None else f"{above.iloc[i]}/"
                made[i] = prefix + key
        if column in by_layer and all(m is None for m in made):
            continue
        if any(m is None for m in made) and column not in by_layer:
            if known is None and names is None:
                reading.faults.append(missing_parent(column, as_layer, reading))
                continue
            shown = reading.shown(column if known is not None else name)
            for i, m in enumerate(made):
                if m is None:
                    reading.faults.append(
                        Fault(
                            int(table.index[i]) + 1,
                            shown,
                            "",
                            "缺少上级",
                            "the parent is missing",
                            "请补全,或用 --parent 给出上级图层",
                            "fill it in, or give the parent layer with --parent",
                        )
                    )
        table[column] = pd.Series(made, index=table.index, dtype=object)


def _one_spelling(table: pd.DataFrame, reading: Reading) -> None:
    """Give each parent one name: the spelling that most of its cells use."""
    for level in ("community", "subdistrict"):
        column, name = f"{level}_code", f"{level}_name"
        if column not in table.columns or name not in table.columns:
            continue
        for code, group in table.groupby(column, sort=True)[name]:
            spellings = group.dropna().value_counts(sort=False)
            if len(spellings) < 2:
                continue
            chosen = min(spellings.index, key=lambda s: (-spellings[s], s))
            others = "、".join(sorted(str(s) for s in spellings.index if s != chosen))
            if len({normalize_name(str(s)) for s in spellings.index}) == 1:
                zh, en = "有不同写法", "is spelt in several ways"
            else:
                zh, en = "有不同名称", "has different names"
            reading.notes.append(
                Note(
                    f"{code} {zh}:{others},统一为 {chosen}",
                    f"{code} {en}: {others}; {chosen} taken",
                )
            )
            table.loc[group.index[group.notna()], name] = chosen


def missing_parent(column: str, as_layer: str, reading: Reading) -> Fault:
    """Return the fault of a layer from which no parent can be told."""
    listing = ", ".join(reading.columns)
    zh = "社区" if column.startswith("community") else "街道"
    return Fault(
        None,
        column,
        "",
        f"无法得知网格所属{zh}",
        f"nothing tells the {column[:-5]} of the cells",
        f"请用 --map {column}=列名 指明、用 --parent 给出{zh}图层,"
        f"或用 --set {column}=值;文件的列:{listing}",
        f"name the column with --map {column}=COLUMN, give the parent layer with --parent, "
        f"or a value with --set {column}=VALUE; columns of the file: {listing}",
    )


def parent_frame(parent: RawLayer, level: str, mapping: Mapping[str, str]) -> gpd.GeoDataFrame:
    """Return a parent layer indexed by code with name (and subdistrict of communities).

    Raises
    ------
    RejectedRows
    """
    as_layer = "communities" if level == "community" else "subdistricts"
    reading = read_attributes(parent, as_layer, ImportOptions(), mapping=mapping)
    geometry = polygons_of(parent, reading, as_layer)
    if "code" not in reading.table.columns:
        reading.faults.append(missing_field(as_layer, "code", reading.columns))
    reading.refuse()
    table = reading.table
    if level == "community" and "subdistrict_code" not in table.columns:
        codes = [str(c) for c in table["code"]]
        if all(len(c) == 12 and c.isdigit() for c in codes):
            table["subdistrict_code"] = [c[:9] for c in codes]
    repeated = table["code"].duplicated(keep=False) & table["code"].notna()
    if repeated.any():
        # Parts of one area in several rows are one area.
        frame = gpd.GeoDataFrame(table, geometry=shapely.make_valid(geometry), crs=STORAGE_EPSG)
        frame = frame.dissolve(by="code", aggfunc="first")
        return gpd.GeoDataFrame(frame, geometry="geometry", crs=STORAGE_EPSG).sort_index()
    frame = gpd.GeoDataFrame(table.set_index("code"), geometry=geometry, crs=STORAGE_EPSG)
    return frame.sort_index()


def _by_parent(
    cells: gpd.GeoDataFrame, options: ImportOptions, metric_epsg: int, reading: Reading
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    assert options.parent is not None  # noqa: S101 - the caller looked
    parents = parent_frame(options.parent, options.parent_level, options.parent_mapping)
    if options.parent_level == "community":
        found = assign_hierarchy(cells, communities=parents, metric_epsg=metric_epsg)
    else:
        found = assign_hierarchy(cells, subdistricts=parents, metric_epsg=metric_epsg)
    if found.cells["subdistrict_code"].isna().all():
        reading.faults.append(missing_parent("subdistrict_code", "cells", reading))
    else:
        for code in found.orphans:
            reading.faults.append(
                Fault(
                    None,
                    reading.shown("code"),
                    code,
                    "网格不与任何上级区域相交",
                    "the cell overlaps no parent area",
                    f"请核对上级图层 {options.parent.source},或在文件中填写上级编码",
                    f"check the parent layer {options.parent.source}, or state the parent's code",
                )
            )
    reading.refuse()
    if len(found.ambiguous):
        count = len(found.ambiguous)
        reading.notes.append(
            Note(
                f"{count} 个网格或社区跨两个上级,已归入面积较大的一个(见列表)",
                f"{count} cells or communities lie in two parents; the larger share won (listed)",
            )
        )
    if len(found.conflicts):
        count = len(found.conflicts)
        reading.notes.append(
            Note(
                f"{count} 个网格的街道与其社区的街道不一致,以社区为准",
                f"{count} cells named another subdistrict than their community's, which was taken",
            )
        )
    return found.cells, found.ambiguous
