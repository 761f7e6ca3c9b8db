"""Numbers as people read them: 85 m, 1.2 km, 3.4 ha, 11-22 14:05."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from maps.messages import Both, both


def missing(value: Any) -> bool:
    """Return whether a table's value is empty (None, NaN, NaT, NA)."""
    return value is None or bool(pd.isna(value))


def number(value: Any, digits: int = 0) -> str:
    """Return a number with thousands separators, an em dash for a missing one."""
    return "—" if missing(value) else f"{float(value):,.{digits}f}"


def distance(metres: float) -> str:
    """Return metres below 1 km, else kilometres with one digit."""
    if metres < 999.5:
        return f"{metres:.0f} m"
    return f"{metres / 1000:.1f} km" if metres < 99_950 else f"{metres / 1000:,.0f} km"


def area(square_metres: float) -> str:
    """Return m² below 1,000, hectares below 1 km², else km²."""
    if square_metres < 1_000:
        return f"{square_metres:,.{0 if square_metres >= 10 else 3}f} m²"
    if square_metres < 1_000_000:
        return f"{square_metres / 10_000:,.1f} ha"
    return f"{square_metres / 1_000_000:,.2f} km²"


def duration(seconds: float) -> Both:
    """Return hours and minutes in both languages, rounded to minutes."""
    minutes = max(0, math.floor(seconds / 60 + 0.5))
    if minutes < 60:
        return both("minutes", m=minutes)
    return both("hours_minutes", h=minutes // 60, m=f"{minutes % 60:02d}")


def instant(at: Any, timezone: str) -> str:
    """Return an instant in the city's zone as ``2018-11-22 14:05``, an em dash when missing."""
    if missing(at):
        return "—"
    moment = pd.Timestamp(at)
    if moment.tzinfo is None:
        moment = moment.tz_localize("UTC")
    return str(moment.tz_convert(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M"))


def day(at: datetime | None, timezone: str) -> str:
    """Return a date in the city's zone as ``2018-11-22``, empty for none."""
    return "" if at is None else at.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d")


def percent(part: float | None, digits: int = 1) -> str:
    """Return a share (0 to 1) in percent; ``None`` (0/0) is an em dash.

    A share below one never rounds up to 100 %: what is missing must not vanish in the figure.
    """
    if missing(part):
        return "—"
    value = float(part) * 100.0  # type: ignore[arg-type]
    if value < 100.0 and round(value, digits) >= 100.0:
        return f"{100.0 - 10.0**-digits:.{digits}f} %"
    return f"{value:.{digits}f} %"


def period(since: datetime | None, until: datetime | None, timezone: str) -> Both:
    """Return a half-open period in both languages."""
    if since is None and until is None:
        return both("period_all")
    first, last = _edge(since, timezone), _edge(until, timezone)
    if until is None:
        return both("period_from", since=first)
    if since is None:
        return both("period_until", until=last)
    return both("period_between", since=first, until=last)


def _edge(at: datetime | None, timezone: str) -> str:
    if at is None:
        return ""
    local = at.astimezone(ZoneInfo(timezone))
    midnight = (local.hour, local.minute, local.second) == (0, 0, 0)
    return local.strftime("%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M")
