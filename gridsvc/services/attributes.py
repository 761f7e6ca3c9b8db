"""From the columns of a file to the typed columns of a contract, every fault named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from gridsvc.errors import Fault, RejectedRows
from gridsvc.layers import Layer, normalize
from gridsvc.services import values
from gridsvc.services.fields import match_fields, missing_field, synonyms_of
from gridsvc.services.raw import ImportOptions, Note, RawLayer

# Text columns whose digits must survive: no float, no scientific notation.
_CODES = {
    "code", "community_code", "subdistrict_code", "unit_id", "person_id", "point_id", "case_id",
    "class_code", "major_code", "cell_code", "target_code", "parent_id", "area_code", "phone",
    "duty_id", "visit_id", "facility_id", "street_id", "exclusion_id",
}  # fmt: skip

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

    def shown(self, name: str) -> str:
        """Return how a person knows a field: the column of the file, else the field."""
        return self.fields.get(name, name)

    def refuse(self) -> None:
        """Raise ``RejectedRows`` if there are faults."""
        if self.faults:
            raise RejectedRows(
                source=self.source, faults=sorted(self.faults, key=lambda f: f.row or 0)
            )


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
        ``table`` has one column per field found, rows in file order; faults are collected, not
        raised.

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
    fields = match_fields(candidates, as_layer, stated, source=raw.source)
    reading = Reading(raw.source, candidates, fields, pd.DataFrame(index=frame.index))
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
        parsed = values.names(column, shown)
    elif kind == "boolean":
        parsed = values.Parsed(list(column))
    else:
        parsed = values.Parsed(values.texts(column))
    reading.faults += parsed.faults
    reading.notes += parsed.notes
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
    """Note a fault for each required field that has no column."""
    for name in names:
        if name not in reading.table.columns:
            reading.faults.append(missing_field(layer, name, reading.columns))


def in_contract(frame: pd.DataFrame, layer: Layer, reading: Reading) -> pd.DataFrame:
    """Return the frame in contract form; faults are named by the columns of the file.

    Raises
    ------
    RejectedRows
    """
    try:
        return normalize(frame, layer, source=reading.source)
    except RejectedRows as error:
        reading.faults += [
            replace(f, field=reading.shown(f.field)) if f.field else f for f in error.faults
        ]
    reading.refuse()
    raise AssertionError("a refusal without faults")
