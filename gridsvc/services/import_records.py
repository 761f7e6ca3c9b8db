"""Records of a file: typed, referenced, and put into the cells of the plan in force."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from gridsvc.crs import STORAGE_EPSG
from gridsvc.errors import BadOption, Fault
from gridsvc.layers import LAYERS, Layer, Placement
from gridsvc.services.attributes import Reading, in_contract, read_attributes, require
from gridsvc.services.import_checks import check_rows
from gridsvc.services.import_filing import as_filed
from gridsvc.services.import_placement import placed_rows
from gridsvc.services.import_shapes import record_shapes, single_lines
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.raw import ImportOptions, Note, RawLayer
from gridsvc.types import Progress

# Layers whose rows belong into a cell, and those that cannot do without coordinates.
PLACED = ("points", "cases", "staff", "facilities")


@dataclass(slots=True)
class Records:
    """Rows ready to be stored, with units to be created before them."""

    frame: pd.DataFrame
    notes: list[Note]
    placements: dict[str, int] = field(default_factory=dict)
    new_units: pd.DataFrame | None = None


def read_records(
    work: UnitOfWork,
    raw: RawLayer,
    as_layer: str,
    options: ImportOptions,
    at: datetime,
    progress: Progress,
    now: datetime,
) -> Records:
    """Turn a source into rows of a record layer; nothing is stored.

    Parameters
    ----------
    at : datetime
        Instant whose plan places rows; may be stated by a person.
    now : datetime
        The present: what comes after both has not happened yet.

    Raises
    ------
    RejectedRows
        Naming every row and field that cannot be used.
    NoPlanInForce
        If rows have to be placed and there is no plan.
    WrongCrs
        If not one row lies near the plan.
    """
    layer = LAYERS[as_layer]
    reading = read_attributes(raw, as_layer, options, layer=layer)
    progress("check", 0.2)
    _keys(reading, raw, layer)
    geometry = record_shapes(reading, raw, layer)
    wanted = [c.name for c in layer.columns if c.required and c.default is None]
    if as_layer == "duties":
        _default(reading, "recorded_at", at)
        _target_kind(reading)
    if as_layer == "points":
        _default_name(reading)
    require(reading, layer, *wanted)
    new_units = check_rows(work, reading, as_layer, options, max(now, at))
    if not options.replace:
        _existing(work, reading, layer)
    table, rows = reading.table, None
    if as_layer == "units":
        table, rows = _distinct(table, reading)
    if layer.geometry == "line":
        if reading.faults:
            # Lines of several parts get their keys from good rows only: the contract is asked about
            # the rows as they stand, so that what it finds is told with the rest.
            in_contract(_with_source(table, geometry, raw, layer), layer, reading)
        table, geometry = single_lines(table, geometry, layer)
    frame = _with_source(table, geometry, raw, layer)
    # What is wrong with keys and values is told together with what was found so far.
    frame = in_contract(frame, layer, reading, rows=rows)
    placements: dict[str, int] = {}
    if as_layer in PLACED:
        progress("place", 0.5)
        frame = placed_rows(work, frame, raw, as_layer, options, at, reading)
        if as_layer == "cases":
            progress("file", 0.65)
            frame = as_filed(work, frame, reading, options)
        counts = frame["placement"].value_counts()
        placements = {kind: int(counts.get(kind, 0)) for kind in Placement.ALL}
    return Records(frame, [*raw.notes, *reading.notes], placements, new_units)


def _default(reading: Reading, name: str, value: Any) -> None:
    given = reading.table.get(name)
    fill = pd.Series([value] * len(reading.table), index=reading.table.index, dtype=object)
    reading.table[name] = fill if given is None else given.where(given.notna(), fill)


def _default_name(reading: Reading) -> None:
    if "name" not in reading.table and "address" in reading.table:
        reading.table["name"] = reading.table["address"]


def _target_kind(reading: Reading) -> None:
    """Let the length of the code tell what a duty is for, where the file does not say."""
    table = reading.table
    if "target_kind" in table or "target_code" not in table:
        return
    kinds = {9: "subdistrict", 12: "community", 14: "cell", 15: "cell"}
    table["target_kind"] = [kinds.get(len(c or "")) for c in table["target_code"]]


def _keys(reading: Reading, raw: RawLayer, layer: Layer) -> None:
    if layer.key in reading.table.columns:
        return
    reading.table[layer.key] = [f"{raw.digest[:8]}-{i:06d}" for i in range(1, len(raw.frame) + 1)]
    reading.notes.append(
        Note(
            f"没有编号列,已按行号生成 {layer.key}({raw.digest[:8]}-000001 起)",
            f"no key column; {layer.key} is the row number (from {raw.digest[:8]}-000001)",
        )
    )


def _existing(work: UnitOfWork, reading: Reading, layer: Layer) -> None:
    """Note a fault for each row whose key is stored already."""
    repository = work.records(layer.name)
    given = reading.table[layer.key]
    keys = sorted({str(k) for k in given.dropna()})
    if not keys or not repository.count():
        return
    stored = set(map(str, repository.frame(where={layer.key: keys}).index))
    for row, key in enumerate(given, start=1):
        if key is not None and str(key) in stored:
            reading.faults.append(
                Fault(
                    row,
                    reading.shown(layer.key),
                    str(key)[:80],
                    "该编号已导入",
                    "a record of this key is there already",
                    "要替换已有记录请用 {way:replace},否则删除该行或改用新编号",
                    "use {way:replace} to replace it, or remove the row or give it a new key",
                )
            )


def _distinct(table: pd.DataFrame, reading: Reading) -> tuple[pd.DataFrame, list[int]]:
    """Keep one of several rows that say the same, as when units are taken from a list of points.

    Returns the rows kept and their numbers in the source.
    """
    kept = ~table.duplicated()
    rows = [i for i, keep in enumerate(kept, start=1) if keep]
    same = table[kept].reset_index(drop=True)
    if len(same) < len(table):
        reading.notes.append(
            Note(
                f"{len(table) - len(same)} 行内容重复,已合并",
                f"{len(table) - len(same)} repeated rows were merged",
            )
        )
    return same, rows


def _with_source(
    table: pd.DataFrame, geometry: np.ndarray | None, raw: RawLayer, layer: Layer
) -> pd.DataFrame:
    if layer.geometry is None:
        return table
    frame: pd.DataFrame = gpd.GeoDataFrame(table.copy(), geometry=geometry, crs=STORAGE_EPSG)
    names = layer.column_names
    if "source_x" in names and raw.source_x is not None and raw.source_y is not None:
        frame["source_x"], frame["source_y"] = raw.source_x, raw.source_y
        shifted = raw.datum in ("gcj02", "bd09")
        told = f"{raw.crs}/{raw.datum}" if shifted else raw.crs
        if raw.crs in ("EPSG:4490", "EPSG:4326"):
            told = str(raw.datum)
        frame["source_datum"] = [told if known else None for known in raw.source_x.notna()]
    return frame


def check_layer(as_layer: str, known: Iterable[str]) -> None:
    """Raise ``BadOption`` for an ``--as`` value that is none."""
    names = sorted(known)
    if as_layer not in names:
        listing = ", ".join(names)
        raise BadOption(
            option="as",
            value=as_layer,
            reason_zh=f"可用 {listing}",
            reason_en=f"use one of {listing}",
        )
