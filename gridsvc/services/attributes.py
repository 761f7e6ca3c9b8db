"""From the columns of a file to the typed columns of a contract, every fault named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from gridsvc.errors import Fault, RejectedRows
from gridsvc.layers import Layer, normalize
from gridsvc.services import values
from gridsvc.services.fields import find_column, match_fields, missing_field, synonyms_of
from gridsvc.services.raw import ImportOptions, Note, RawLayer
from gridsvc.ways import way

# Text columns whose digits must survive: no float, no scientific notation.
_CODES = {
    "code", "community_code", "subdistrict_code", "unit_id", "person_id", "point_id", "case_id",
    "class_code", "major_code", "cell_code", "target_code", "parent_id", "area_code", "phone",
    "duty_id", "visit_id", "facility_id", "street_id", "exclusion_id",
}  # fmt: skip

_ROWS_NAMED = 5
_NAMES = {"name", "community_name", "subdistrict_name", "major_name", "reporter"}


@dataclass(slots=True)
class Reading:
    """Typed columns of a source by contract field, and what was found on the way."""

    source: str
    columns: list[str]
    fields: dict[str, str]
    table: pd.DataFrame
    faults: list[Fault] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    sheet_rows: Sequence[int] | None = None
    unread: set[tuple[int | None, str | None]] = field(default_factory=set)
    empty: list[str] = field(default_factory=list)
    """Columns without any value."""

    def shown(self, name: str) -> str:
        """Return how a person knows a field: the column of the file, else the field."""
        return self.fields.get(name, name)

    def refuse(self) -> None:
        """Raise ``RejectedRows`` if there are faults."""
        if self.faults:
            faults = sorted(self.faults, key=lambda f: f.row or 0)
            raise RejectedRows(source=self.source, faults=faults).on_sheet(self.sheet_rows)


def read_attributes(
    raw: RawLayer,
    as_layer: str,
    options: ImportOptions,
    *,
    layer: Layer | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Reading:
    """Match columns to fields and read their values.

    Parameters
    ----------
    raw : RawLayer
    as_layer : str
        Value of ``--as``.
    options : ImportOptions
    layer : Layer, optional
        Contract that gives the kinds; without it all fields are text.
    mapping : mapping, optional
        Instead of ``options.mapping``.

    Returns
    -------
    Reading
        ``table`` has one column per field found, rows in file order; faults, those of the reader
        first, are collected, not raised.

    Raises
    ------
    RejectedRows
        If the mapping itself is wrong.
    """
    frame = pd.DataFrame(raw.frame.drop(columns="geometry") if raw.spatial else raw.frame)
    filled = [str(c) for c in frame.columns if not frame[c].map(values.blank).all()]
    frame.columns = [str(c) for c in frame.columns]
    stated = options.mapping if mapping is None else mapping
    # Columns without any value are no match, unless a person names one.
    named = set(stated.values())
    candidates = [c for c in frame.columns if c in filled or c in named]
    try:
        fields = match_fields(candidates, as_layer, stated, source=raw.source)
    except RejectedRows as error:
        faults = [*error.faults, *raw.faults]
        raise RejectedRows(source=raw.source, faults=faults).on_sheet(raw.sheet_rows) from None
    table = pd.DataFrame(index=frame.index)
    reading = Reading(
        raw.source, candidates, fields, table, faults=list(raw.faults), sheet_rows=raw.sheet_rows,
        empty=[c for c in frame.columns if c not in candidates],
    )  # fmt: skip
    kinds = {} if layer is None else {c.name: c.kind for c in layer.columns}
    for name, column in fields.items():
        kind = kinds.get(name, "text")
        reading.table[name] = _typed(frame[column], name, column, kind, options, reading)
    if mapping is None:
        _constants(reading, as_layer, options, layer)
    return reading


def _typed(
    column: pd.Series, name: str, shown: str, kind: str, options: ImportOptions, reading: Reading
) -> pd.Series:
    if kind in ("instant", "date"):
        parsed = values.instants(column, shown, timezone=options.timezone, order=options.date_order)
    elif kind in ("integer", "number"):
        parsed = values.numbers(column, shown, whole=kind == "integer")
    elif name in _CODES:
        parsed = values.codes(column, shown)
    elif name in _NAMES:
        parsed = values.names(column, shown, rows=reading.sheet_rows)
    elif kind == "boolean":
        parsed = values.Parsed(list(column))
    else:
        parsed = values.Parsed(values.texts(column))
    reading.faults += parsed.faults
    reading.notes += parsed.notes
    reading.unread |= {(row, shown) for row in parsed.unread}
    return pd.Series(parsed.values, index=column.index, dtype=object)


def _constants(
    reading: Reading, as_layer: str, options: ImportOptions, layer: Layer | None
) -> None:
    known = {*synonyms_of(as_layer), *(layer.column_names if layer else [])}
    for name, value in options.constants.items():
        if name not in known:
            listing = ", ".join(sorted(known))
            reading.faults.append(Fault(None, name, value, "没有这个字段", "there is no such field",
                                        f"可用字段:{listing}", f"fields: {listing}"))  # fmt: skip
            continue
        given: Any = reading.table.get(name)
        constant = pd.Series([value] * len(reading.table), index=reading.table.index, dtype=object)
        kind = "text" if layer is None or name == layer.key else layer.column(name).kind
        typed = _typed(constant, name, name, kind, options, reading)
        reading.table[name] = typed if given is None else given.where(given.notna(), typed)


def require(reading: Reading, layer: Layer | str, *names: str) -> None:
    """Note a fault for each required field that has no column, or one without any value."""
    for name in names:
        if name not in reading.table.columns:
            reading.faults.append(no_values(reading, layer, name))


def no_values(reading: Reading, layer: Layer | str, name: str) -> Fault:
    """Return the fault of a required field whose column is empty, or is not there."""
    known = synonyms_of(layer if isinstance(layer, str) else layer.name).get(name, ())
    column = find_column(reading.empty, (name, *known))
    rows = len(reading.table)
    if column is None or rows == 0:
        return missing_field(layer, name, reading.columns, reading.fields)
    numbers = reading.sheet_rows or range(1, rows + 1)
    some = [str(n) for n in list(numbers)[:_ROWS_NAMED]]
    more_zh, more_en = ("…", ", …") if rows > _ROWS_NAMED else ("", "")
    return Fault(
        None, column, "",
        f"有「{column}」列,但 {rows} 行都是空的:第 {'、'.join(some)} 行{more_zh}",
        f"column {column} is there but empty in {rows} rows: rows {', '.join(some)}{more_en}",
        f"请补全这些行,或用 {way('map', f'{name}=列名')} 指明另一列",
        f"fill it in, or name another column with {way('map', f'{name}=COLUMN')}",
    )  # fmt: skip


def in_contract(
    frame: pd.DataFrame, layer: Layer, reading: Reading, *, rows: Sequence[int] | None = None
) -> pd.DataFrame:
    """Return the frame in contract form; faults are named by the columns of the file.

    Parameters
    ----------
    frame : DataFrame
    layer : Layer
    reading : Reading
        Its faults so far are named together with those of the contract. Where a whole column is
        missing, that alone is said.
    rows : sequence of int, optional
        Row number in the source (from 1) of each row of the frame, where they differ.

    Raises
    ------
    RejectedRows
    """
    if any(f.row is None and f.field is not None for f in reading.faults):
        reading.refuse()
    told = reading.unread | {(f.row, f.field) for f in reading.faults}
    ready: pd.DataFrame | None = None
    try:
        ready = normalize(frame, layer, source=reading.source)
    except RejectedRows as error:
        for fault in error.faults:
            named = _in_source(fault, reading, rows)
            if (named.row, named.field) not in told:
                reading.faults.append(named)
    reading.refuse()
    assert ready is not None  # noqa: S101 - a refusal has faults
    return ready


def _in_source(fault: Fault, reading: Reading, rows: Sequence[int] | None) -> Fault:
    """Return a fault of the contract with the column and row of the source."""
    shown = reading.shown(fault.field) if fault.field else fault.field
    if rows is None or fault.row is None:
        return replace(fault, field=shown)
    row, refers = rows[fault.row - 1], fault.refers
    if refers is None:
        return replace(fault, field=shown, row=row)
    there = rows[refers - 1]
    return replace(
        fault, field=shown, row=row, refers=there,
        problem_zh=fault.problem_zh.replace(f"第 {refers} 行", f"第 {there} 行"),
        problem_en=fault.problem_en.replace(f"row {refers}", f"row {there}"),
    )  # fmt: skip
