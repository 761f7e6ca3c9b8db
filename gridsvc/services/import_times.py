"""Instants and figures of imported rows that contradict each other or the present."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from gridsvc.errors import Fault
from gridsvc.services.attributes import Reading
from gridsvc.services.raw import Note

# Two clocks that write down two steps of one event differ by less.
STEP = timedelta(minutes=1)
AHEAD = timedelta(hours=1)


def in_order(
    reading: Reading,
    first: str,
    then: str,
    *,
    equal: bool = True,
    slack: timedelta = timedelta(0),
    timezone: str | None = None,
) -> None:
    """Note a fault for each row whose second instant comes before its first.

    Parameters
    ----------
    first, then : str
        Fields; nothing happens where one of them is missing.
    equal : bool
        Whether both may be the same instant.
    slack : timedelta
        So much earlier is kept and told in a note.
    timezone : str, optional
        IANA zone: a second instant that is a plain day there is not before an instant of that
        day.
    """
    table = reading.table
    if first not in table or then not in table:
        return
    close = 0
    for row, (a, b) in enumerate(zip(table[first], table[then], strict=True), start=1):
        if not (isinstance(a, datetime) and isinstance(b, datetime)):
            continue
        if b > a or (equal and b == a) or (timezone is not None and _same_day(a, b, timezone)):
            continue
        if a - b < slack:
            close += 1
            continue
        fields = reading.shown(first), reading.shown(then)
        reading.faults.append(
            Fault(
                row,
                fields[1],
                _iso(b),
                f"不晚于 {fields[0]}({_iso(a)})" if not equal else f"早于 {fields[0]}({_iso(a)})",
                f"is {'not after' if not equal else 'before'} {fields[0]} ({_iso(a)})",
                f"请核对这两个时间,未结束的请留空 {fields[1]}",
                f"check the two instants; leave {fields[1]} empty if it is not over",
            )
        )
    if close:
        names = reading.shown(first), reading.shown(then)
        reading.notes.append(
            Note(
                f"{close} 行的 {names[1]} 比 {names[0]} 早不到 {slack.seconds} 秒,按原值保留",
                f"in {close} rows {names[1]} is less than {slack.seconds} seconds before "
                f"{names[0]}; they are kept as they are",
            )
        )


def not_ahead(reading: Reading, name: str, now: datetime) -> None:
    """Note a fault for each row whose instant has not come yet."""
    if name not in reading.table:
        return
    for row, at in enumerate(reading.table[name], start=1):
        if isinstance(at, datetime) and at > now + AHEAD:
            reading.faults.append(
                Fault(
                    row,
                    reading.shown(name),
                    _iso(at),
                    f"在将来(现在是 {_iso(now)})",
                    f"has not come yet (it is {_iso(now)})",
                    "请改正时间;若是本机时钟落后,用 {way:at} 指明现在的时间",
                    "correct it; if the clock of this machine is behind, state the time "
                    "with {way:at}",
                )
            )


def not_negative(reading: Reading, *names: str) -> None:
    """Note a fault for each figure below zero."""
    for name in names:
        if name not in reading.table:
            continue
        for row, value in enumerate(reading.table[name], start=1):
            figure = _number(value)
            if figure is not None and figure < 0:
                reading.faults.append(
                    Fault(
                        row,
                        reading.shown(name),
                        f"{figure:g}",
                        "不能小于 0",
                        "cannot be below 0",
                        "请改正该数值",
                        "correct the figure",
                    )
                )


def not_more(reading: Reading, part: str, whole: str) -> None:
    """Note a fault for each row whose part is more than the whole."""
    if part not in reading.table or whole not in reading.table:
        return
    columns = reading.table[part], reading.table[whole]
    for row, (a, b) in enumerate(zip(*columns, strict=True), start=1):
        some, most = _number(a), _number(b)
        if some is not None and most is not None and some > most:
            name = reading.shown(whole)
            reading.faults.append(
                Fault(
                    row,
                    reading.shown(part),
                    f"{some:g}",
                    f"比 {name}({most:g})还多",
                    f"is more than {name} ({most:g})",
                    "请核对这两个数,是否填反了列",
                    "check both figures; were the columns exchanged?",
                )
            )


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or math.isnan(value):
        return None
    return float(value)


def _same_day(a: datetime, b: datetime, timezone: str) -> bool:
    zone = ZoneInfo(timezone)
    there = b.astimezone(zone)
    midnight = (there.hour, there.minute, there.second, there.microsecond) == (0, 0, 0, 0)
    return midnight and there.date() == a.astimezone(zone).date()


def _iso(at: datetime) -> str:
    return at.isoformat()
