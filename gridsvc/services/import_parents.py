"""Which community and subdistrict imported cells get: columns, names, codes, a parent layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from gridsvc.codes import normalize_name
from gridsvc.crs import STORAGE_EPSG
from gridsvc.errors import DecisionNeeded, Fault
from gridsvc.plan import assign_hierarchy
from gridsvc.plan.version import CodeSystem
from gridsvc.services.attributes import Reading, no_values, read_attributes
from gridsvc.services.import_numbers import by_row
from gridsvc.services.import_shapes import polygons_of
from gridsvc.services.raw import ImportOptions, Note, RawLayer
from gridsvc.ways import way

# A few cells across a border of communities are usual; a twentieth of all are not.
UNCLEAR_SHARE = 0.05
UNCLEAR_LEAST = 3


def hierarchy_columns(
    table: pd.DataFrame,
    as_layer: str,
    system: CodeSystem,
    reading: Reading,
    options: ImportOptions,
) -> None:
    """Fill parent codes from columns, names or the code itself; a parent layer comes later."""
    codes = ["" if c is None else str(c) for c in table["code"]]
    by_layer: Sequence[str] = ()
    if given := options.parents():
        by_layer = ("subdistrict_code",)
        if "community" in given:
            by_layer = ("community_code", "subdistrict_code")
    for level, size in (("subdistrict", 9), ("community", 12)):
        column, name = f"{level}_code", f"{level}_name"
        known = table.get(column)
        made: list[Any] = [None] * len(table) if known is None else list(known)
        names = table.get(name)
        above = table.get("subdistrict_code")
        for i in range(len(table)):
            if made[i] is not None:
                continue
            if system == "cn" and not by_row(codes[i]):
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
                            "请补全,或用 {way:parent} 给出上级图层",
                            "fill it in, or give the parent layer with {way:parent}",
                        )
                    )
        table[column] = pd.Series(made, index=table.index, dtype=object)


def one_spelling(table: pd.DataFrame, reading: Reading) -> None:
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
    layer = "communities" if column.startswith("community") else "subdistricts"
    return Fault(
        None,
        column,
        "",
        f"无法得知网格所属{zh}",
        f"nothing tells the {column[:-5]} of the cells",
        f"请用 {way('map', f'{column}=列名')} 指明、"
        f"用 {way('parent')} 或 {way(layer)} 给出{zh}图层,"
        f"或用 {way('set', f'{column}=值')};文件的列:{listing}",
        f"name the column with {way('map', f'{column}=COLUMN')}, give the parent layer with "
        f"{way('parent')} or {way(layer)}, or a value with {way('set', f'{column}=VALUE')}; "
        f"columns of the file: {listing}",
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
        reading.faults.append(no_values(reading, as_layer, "code"))
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


def mapping_of(level: str, mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of one layer of parents; ``communities.code`` is of communities alone.

    Examples
    --------
    >>> mapping_of("subdistrict", {"name": "MC", "communities.code": "A", "subdistricts.code": "B"})
    {'name': 'MC', 'code': 'B'}
    """
    own = "communities" if level == "community" else "subdistricts"
    shared = {field: column for field, column in mapping.items() if "." not in field}
    named = [(field.partition("."), column) for field, column in mapping.items()]
    return shared | {field: column for (kind, dot, field), column in named if dot and kind == own}


def by_parent(
    cells: gpd.GeoDataFrame, options: ImportOptions, metric_epsg: int, reading: Reading
) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """Give cells the parents that hold most of them; unclear ones are returned as a list.

    Raises
    ------
    RejectedRows
        For cells that overlap no parent, or when no subdistrict can be told.
    """
    given = options.parents()
    frames = {
        level: parent_frame(layer, level, mapping_of(level, options.parent_mapping))
        for level, layer in given.items()
    }
    sources = ", ".join(layer.source for layer in given.values())
    found = assign_hierarchy(
        cells,
        communities=frames.get("community"),
        subdistricts=frames.get("subdistrict"),
        metric_epsg=metric_epsg,
    )
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
                    f"请核对上级图层 {sources},或在文件中填写上级编码",
                    f"check the parent layer {sources}, or state the parent's code",
                )
            )
    reading.refuse()
    if "community" in given:
        _require_fit(cells, found.ambiguous, given["community"], options)
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


def _require_fit(
    cells: gpd.GeoDataFrame, ambiguous: pd.DataFrame, parent: RawLayer, options: ImportOptions
) -> None:
    """Ask a person when so many cells lie in two parents that the layers cannot fit.

    Cells are drawn inside their community. A parent layer in another datum lies some 500 m
    off, which puts most cells along every border into two parents, and many into a wrong one.

    Raises
    ------
    DecisionNeeded
        If more than ``UNCLEAR_SHARE`` of the cells are ambiguous and nobody accepted it.
    """
    unclear = ambiguous[ambiguous["level"] == "cell"] if len(ambiguous) else ambiguous
    if len(unclear) <= max(UNCLEAR_LEAST, UNCLEAR_SHARE * len(cells)):
        return
    if options.decisions.get("parents") == "accept":
        return
    name = parent.source
    share = len(unclear) / len(cells)
    read_as = f"{parent.crs}、{parent.datum}"
    raise DecisionNeeded(
        reason_zh=f"上级图层 {name} 与网格不吻合:{len(unclear)} 个网格({share:.0%})跨两个上级,"
        f"例如 {unclear['code'].iloc[0]};上级图层按 {read_as} 读取,"
        "请核对并用 {way:parent_datum} 或 {way:parent_crs} 指明;"
        "确认无误用 {way:decide=parents=accept}",
        reason_en=f"the parent layer {name} does not fit the cells: {len(unclear)} of them "
        f"({share:.0%}) lie in two parents, for example {unclear['code'].iloc[0]}; it was read as "
        f"{parent.crs}, {parent.datum}: state it with "
        "{way:parent_datum} or {way:parent_crs}; if it is right use {way:decide=parents=accept}",
    )
