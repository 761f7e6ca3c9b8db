"""Values of foreign tables: codes, numbers and instants read without guessing."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from gridsvc.errors import Fault
from gridsvc.services.raw import DateOrder, Note

_ISO = re.compile(
    r"^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?$"
)
_YEAR_FIRST = re.compile(
    r"^(\d{4})[/.年](\d{1,2})[/.月](\d{1,2})日?"
    r"(?:\s*(\d{1,2})(?:[:时点](\d{1,2})(?:[:分](\d{1,2})秒?)?分?|[时点]整?))?"
    r"\s*(AM|PM|上午|下午)?$"
)
_YEAR_LAST = re.compile(
    r"^(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?"
    r"\s*(AM|PM|上午|下午)?$"
)
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?$")
_NUMBER = re.compile(r"^\d{1,5}(?:\.\d+)?$")
_SCIENTIFIC = re.compile(r"^[+-]?\d+(?:\.\d+)?[eE][+-]?\d+$")
_EXCEL_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - a serial has no zone
_EXCEL_RANGE = (15000.0, 80000.0)


@dataclass(slots=True)
class Parsed:
    """Values of one column, with what was wrong and what should be known.

    ``unread`` are rows (from 1) that one fault of another row speaks for.
    """

    values: list[Any]
    faults: list[Fault] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)


def blank(value: Any) -> bool:
    """Return whether a value says nothing: missing, NaN or white space."""
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, float | np.floating):
        return math.isnan(float(value))
    return isinstance(value, str) and value.strip() == ""


def texts(column: pd.Series) -> list[str | None]:
    """Return trimmed text; whole numbers lose the ``.0`` that blanks in a column give them."""
    return [None if blank(v) else plain_text(v) for v in column]


def names(column: pd.Series, name: str, *, rows: Sequence[int] | None = None) -> Parsed:
    """Return names without the full-width blanks that offices pad them with.

    Everything else stays as it is written; variant characters are a matter of matching only.
    ``rows`` are the numbers of the rows in messages, 1, 2, … when not given.
    """
    parsed = Parsed(texts(column))
    padded = [i for i, v in enumerate(parsed.values) if v is not None and "\u3000" in v]
    for i in padded:
        parsed.values[i] = parsed.values[i].replace("\u3000", "")
    if padded:
        listing = ", ".join(str(i + 1 if rows is None else rows[i]) for i in padded[:20])
        parsed.notes.append(Note(f"{name}:{len(padded)} 行去掉了全角空格(第 {listing} 行)",
                                 f"{name}: full-width blanks taken out of {len(padded)} rows "
                                 f"({listing})"))  # fmt: skip
    return parsed


def plain_text(value: Any) -> str:
    """Return one value as a person would write it."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def codes(column: pd.Series, name: str) -> Parsed:
    """Return codes as text with full digits.

    Numbers and Excel's ``3.5E+14`` are taken only when no digit was lost; others are faults,
    because a code that was rounded names another cell.
    """
    parsed = Parsed([])
    for row, value in enumerate(column, start=1):
        if blank(value):
            parsed.values.append(None)
            continue
        text = unicodedata.normalize("NFKC", plain_text(value)).strip()
        if text.startswith("'"):
            text = text[1:]
        if _SCIENTIFIC.match(text):
            whole = _whole(text)
            if whole is None:
                parsed.faults.append(Fault(
                    row, name, text[:80], "编码变成了科学计数,位数已丢失",
                    "the code turned into scientific notation and lost digits",
                    "请在源表中把该列设为文本格式后重新导出",
                    "make the column text in the source and export it again"))  # fmt: skip
            parsed.values.append(whole)
            continue
        parsed.values.append(text)
    return parsed


def _whole(text: str) -> str | None:
    """Return an integer written as ``3.50404E+14`` if its mantissa holds every digit."""
    mantissa, exponent = re.split("[eE]", text)
    digits = len(mantissa.lstrip("+-").replace(".", ""))
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if digits < int(exponent) + 1 or value != value.to_integral_value():
        return None
    return format(value, "f").split(".")[0]


def numbers(column: pd.Series, name: str, *, whole: bool = False) -> Parsed:
    """Return numbers, ``None`` where blank; thousands separators are understood."""
    parsed = Parsed([])
    for row, value in enumerate(column, start=1):
        if blank(value):
            parsed.values.append(None)
            continue
        text = unicodedata.normalize("NFKC", str(value)).strip().replace(",", "")
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or (whole and not number.is_integer()):
            zh, en = ("不是整数", "not a whole number") if whole else ("不是数字", "not a number")
            parsed.faults.append(Fault(row, name, str(value)[:80], zh, en,
                                       "请改正该值", "correct the value"))  # fmt: skip
            parsed.values.append(None)
            continue
        parsed.values.append(int(number) if whole else number)
    return parsed


def instants(
    column: pd.Series, name: str, *, timezone: str = "Asia/Shanghai", order: DateOrder | None = None
) -> Parsed:
    """Return aware UTC instants of a column of dates in any of the usual forms.

    Understood: ISO 8601; year first (``2015/1/3 4:40``, ``2015年1月3日``, ``20150103``); year last
    (``01/03/2015 04:40:58 PM``); Excel serial numbers. Where day and month could be either way,
    rows of the same column that allow only one reading decide, and a note says so; without such
    rows the order has to be stated.

    Parameters
    ----------
    column : Series
    name : str
        Column name for messages.
    timezone : str
        IANA zone of times without offset.
    order : {"ymd", "mdy", "dmy"}, optional
    """
    zone = ZoneInfo(timezone)
    parsed = Parsed([None] * len(column))
    pending: list[tuple[int, re.Match[str], str]] = []
    for i, value in enumerate(column):
        if blank(value):
            continue
        if isinstance(value, datetime):
            parsed.values[i] = _aware(value, zone)
            continue
        text = unicodedata.normalize("NFKC", str(value)).strip().upper()
        late = _YEAR_LAST.match(text)
        if late:
            pending.append((i, late, text))
            continue
        found = _unambiguous(text, zone)
        if found is None:
            parsed.faults.append(_no_date(i, name, text))
        parsed.values[i] = found
    if pending:
        _year_last(pending, parsed, name, zone, order)
    parsed.faults.sort(key=lambda f: f.row or 0)
    return parsed


def _unambiguous(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        if match := _ISO.match(text):
            year, month, day, hour, minute, second, part, offset = match.groups()
            moment = _moment(year, month, day, hour, minute, second, None)
            moment = moment.replace(microsecond=int((part or "0").ljust(6, "0")[:6]))
            if offset is None:
                return _aware(moment, zone)
            if offset == "Z":
                return moment.replace(tzinfo=UTC)
            plain = offset.replace(":", "")
            shift = timedelta(hours=int(plain[1:3]), minutes=int(plain[3:5]))
            return (moment - (shift if plain[0] == "+" else -shift)).replace(tzinfo=UTC)
        if match := _YEAR_FIRST.match(text):
            year, month, day, hour, minute, second, half = match.groups()
            return _aware(_moment(year, month, day, hour, minute, second, half), zone)
        if _NUMBER.match(text) and _EXCEL_RANGE[0] <= float(text) <= _EXCEL_RANGE[1]:
            seconds = round(float(text) * 86400.0)
            return _aware(_EXCEL_ZERO + timedelta(seconds=seconds), zone)
        if match := _COMPACT.match(text):
            year, month, day, hour, minute, second = match.groups()
            return _aware(_moment(year, month, day, hour, minute, second, None), zone)
    except ValueError:
        return None
    return None


def _year_last(
    pending: Sequence[tuple[int, re.Match[str], str]],
    parsed: Parsed,
    name: str,
    zone: ZoneInfo,
    order: DateOrder | None,
) -> None:
    if order is None:
        day_first = any(int(m[1]) > 12 for _, m, _ in pending)
        month_first = any(int(m[2]) > 12 for _, m, _ in pending)
        if day_first == month_first:
            i, _, text = pending[0]
            zh = "日和月的先后不一致" if day_first else "分不清日和月"
            en = "day and month come in both orders" if day_first else "day and month are ambiguous"
            more_zh = f"(共 {len(pending)} 行)" if len(pending) > 1 else ""
            more_en = f" ({len(pending)} rows)" if len(pending) > 1 else ""
            parsed.faults.append(Fault(
                i + 1, name, text[:80], zh + more_zh, en + more_en,
                "请用 {way:date_order} 说明:月/日/年(mdy)或日/月/年(dmy)",
                "state it with {way:date_order}: month/day/year (mdy) or day/month/year (dmy)",
            ))  # fmt: skip
            # One fault speaks for all of these rows: they are not empty on top of it.
            parsed.unread = [i + 1 for i, _, _ in pending]
            return
        order = "dmy" if day_first else "mdy"
        shown = ("日/月/年", "day/month/year") if day_first else ("月/日/年", "month/day/year")
        parsed.notes.append(Note(f"{name} 按 {shown[0]} 读取(由其中的日期判断)",
                                 f"{name} is read as {shown[1]}, judged by its dates"))  # fmt: skip
    for i, match, text in pending:
        first, second_, year, hour, minute, second, half = match.groups()
        month, day = (second_, first) if order == "dmy" else (first, second_)
        try:
            moment = _moment(year, month, day, hour, minute, second, half)
        except ValueError:
            parsed.faults.append(_no_date(i, name, text))
            continue
        parsed.values[i] = _aware(moment, zone)


def _moment(
    year: str,
    month: str,
    day: str,
    hour: str | None,
    minute: str | None,
    second: str | None,
    half: str | None,
) -> datetime:
    h = int(hour or 0)
    if half in ("PM", "下午") and h < 12:
        h += 12
    elif half in ("AM", "上午") and h == 12:
        h = 0
    return datetime(int(year), int(month), int(day), h, int(minute or 0), int(second or 0))  # noqa: DTZ001


def _aware(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return UTC; of an hour that comes twice the first, as in the zone's own rules."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _no_date(i: int, name: str, text: str) -> Fault:
    return Fault(i + 1, name, text[:80], "不是可识别的日期", "not a date that can be read",
                 "请写成 2015-01-03 04:40 的形式", "write it like 2015-01-03 04:40")  # fmt: skip
