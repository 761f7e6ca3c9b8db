"""When a case is due: work time of weekdays, or a clock that never stops.

Work time is 08–12 and 14–18, eight hours to a workday (domain §2.5). Public holidays and make-up
workdays are not known here: whoever shows a deadline that ran on work time has to say so.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import pandas as pd

from gridsvc.types import FloatArray, ObjectArray

CLOCKS = ("work_hour", "workday", "urgent_hour")
URGENT = "urgent_hour"
DEFAULT_ZONE = "Asia/Shanghai"


def deadlines(
    reported: pd.DatetimeIndex,
    hours: FloatArray,
    clock: ObjectArray,
    *,
    timezone: str = DEFAULT_ZONE,
) -> pd.DatetimeIndex:
    """Return deadlines: urgent clocks run on, work time is 08–12 and 14–18 on weekdays.

    Parameters
    ----------
    reported : DatetimeIndex
        Aware UTC.
    hours : ndarray
        Hours, 8 to a workday; NaN gives no deadline.
    clock : ndarray of str
        ``work_hour``, ``workday`` or ``urgent_hour``.
    timezone : str
        IANA zone of the city.

    Returns
    -------
    DatetimeIndex
        Aware UTC, ``NaT`` where there are no hours.
    """
    asked = np.asarray(hours, dtype=float)
    known = np.isfinite(asked)
    given = np.where(known, asked, 0.0)
    local = reported.tz_convert(timezone).tz_localize(None)
    date = local.to_numpy().astype("datetime64[D]")
    minute = local.hour.to_numpy() * 60.0 + local.minute.to_numpy()
    worked = np.clip(minute - 480, 0, 240) + np.clip(minute - 840, 0, 240)
    weekday = np.is_busday(date)
    start = np.busday_offset(date, 0, roll="forward")
    total = np.where(weekday, worked, 0.0) + given * 60.0
    days = np.ceil(total / 480.0) - 1.0
    rest = total - days * 480.0
    day = np.busday_offset(start, days.astype("int64"))
    clock_minute = np.where(rest <= 240.0, 480.0 + rest, 840.0 + rest - 240.0)
    work = pd.DatetimeIndex(day.astype("datetime64[m]") + clock_minute.astype("timedelta64[m]"))
    work = work.tz_localize(timezone).tz_convert("UTC")
    # No hours lead back to the last work time there was; nothing is due before it is reported.
    work = work.where(work > reported, reported)
    urgent = reported + pd.to_timedelta(given, unit="h")
    due = pd.Series(urgent.where(np.asarray(clock) == URGENT, work))
    return pd.DatetimeIndex(due.where(known))


def due(
    start: datetime, hours: float | None, clock: str, *, timezone: str = DEFAULT_ZONE
) -> datetime | None:
    """Return one deadline as ``deadlines`` does; ``None`` where there are no hours.

    Work time counts in whole minutes, so that one of a minute is computed once.

    Parameters
    ----------
    start : datetime
        Aware.
    hours : float or None
        Hours, 8 to a workday.
    clock : str
        ``work_hour``, ``workday`` or ``urgent_hour``.
    timezone : str
        IANA zone of the city.
    """
    if hours is None or clock not in CLOCKS:
        return None
    instant = start.astimezone(UTC)
    if clock == URGENT:
        found = _due(instant, hours, clock, timezone)
    else:
        found = _due(instant.replace(second=0, microsecond=0), hours, clock, timezone)
    return None if found is None else max(found, instant)


@lru_cache(maxsize=4096)
def _due(start: datetime, hours: float, clock: str, timezone: str) -> datetime | None:
    reported = pd.DatetimeIndex([start])
    found = deadlines(
        reported, np.array([hours]), np.array([clock], dtype=object), timezone=timezone
    )[0]
    return None if pd.isna(found) else found.to_pydatetime()
