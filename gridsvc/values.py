"""Values of table columns: what counts as missing, and conversion with every fault named."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

from gridsvc.errors import Fault

Kind = Literal["text", "integer", "number", "boolean", "instant", "date"]

DTYPES: dict[str, Any] = {
    "text": "str",
    "integer": "Int64",
    "number": "float64",
    "boolean": "bool",
    "instant": "datetime64[us, UTC]",
    "date": "datetime64[us]",
}
"""pandas dtype of each kind of column."""

_KIND_ZH = {
    "integer": "整数",
    "number": "数字",
    "boolean": "布尔值",
    "instant": "时间",
    "date": "日期",
}
_TRUE = {"1", "true", "t", "yes", "y", "是"}
_FALSE = {"0", "false", "f", "no", "n", "否", ""}


def fault(row: int | None, field: str, value: Any, *texts: str, refers: int | None = None) -> Fault:
    """Return a fault with its value shortened to 80 characters.

    ``texts`` are problem (zh, en) and way out (zh, en); ``refers`` is another row they name.
    """
    zh, en, out_zh, out_en = texts
    return Fault(row, field, str(value)[:80], zh, en, out_zh, out_en, refers=refers)


def is_missing(values: pd.Series) -> pd.Series:
    """Return where values are null or blank text."""
    missing = values.isna()
    if pd.api.types.is_string_dtype(values.dtype) or values.dtype == object:
        missing |= values.astype("str").str.strip().eq("").fillna(value=False)
    return missing.astype(bool)


def as_text(values: pd.Series, missing: pd.Series) -> pd.Series:
    """Return stripped text, null where missing."""
    return values.astype("str").str.strip().mask(missing).astype("str")


def convert(
    values: pd.Series, missing: pd.Series, name: str, kind: Kind, faults: list[Fault]
) -> pd.Series:
    """Return a column in the dtype of its kind; what does not convert is added to ``faults``.

    Parameters
    ----------
    values, missing : Series
        Of equal length, with a fresh range index.
    name : str
        Column name for the faults.
    kind : str
    faults : list of Fault
        Appended to; the column returned is then blank.
    """
    if kind == "text":
        return as_text(values, missing)
    try:
        return _convert(values.astype(object).where(~missing, None), kind)
    except (ValueError, TypeError):
        pass
    for row, (value, blank) in enumerate(zip(values, missing, strict=True), start=1):
        try:
            _convert(pd.Series([None if blank else value], dtype=object), kind)
        except (ValueError, TypeError):
            texts = (f"不是有效的{_KIND_ZH[kind]}", f"not a valid {kind}")
            faults.append(fault(row, name, value, *texts, "请改正该值", "correct the value"))
    filler: Any = False if kind == "boolean" else None
    return pd.Series([filler] * len(values)).astype(DTYPES[kind])


def _convert(values: pd.Series, kind: Kind) -> pd.Series:
    if kind == "instant":
        return pd.to_datetime(values, utc=True, format="ISO8601").astype(DTYPES[kind])
    if kind == "date":
        return pd.to_datetime(values, format="ISO8601").astype(DTYPES[kind])
    if kind == "boolean":
        return values.map(_boolean).astype(DTYPES[kind])
    numbers = pd.to_numeric(values).astype("Float64")
    return numbers.astype(DTYPES[kind]) if kind == "integer" else numbers.astype("float64")


def _boolean(value: Any) -> bool:
    if value is None or value is pd.NA:
        return False
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise ValueError(value)
    return bool(value)
