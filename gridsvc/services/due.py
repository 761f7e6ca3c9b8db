"""By when a case of a class is due that is dispatched at an instant, and the rule behind it."""

from __future__ import annotations

from datetime import datetime

from gridsvc.cases.catalogue import CaseClass
from gridsvc.cases.deadlines import CLOCKS, URGENT, due
from gridsvc.types import Json

_WORK_ZH = "(周一至周五 08–12、14–18 时,未计法定节假日和调休)"
_WORK_EN = " (Monday to Friday, 08–12 and 14–18; without public holidays and make-up workdays)"


def deadline_document(case_class: CaseClass, start: datetime, timezone: str) -> Json:
    """Return the deadline of a case whose clock starts at ``start``.

    Parameters
    ----------
    case_class : CaseClass
    start : datetime
        Aware; the instant of dispatch.
    timezone : str
        IANA zone of the city.

    Returns
    -------
    dict
        ``due_at`` (aware UTC, ISO 8601; ``None`` where the catalogue states no hours), ``from``,
        ``hours`` (8 to a workday), ``clock``, ``timezone``, ``rule`` as filed cases have it, and
        its reason in both languages.
    """
    hours, clock = case_class.deadline_hours, case_class.clock
    found = due(start, hours, clock, timezone=timezone)
    zh, en = _reason(hours, clock)
    return {
        "due_at": None if found is None else found.isoformat(),
        "from": start.isoformat(),
        "hours": hours,
        "clock": clock,
        "timezone": timezone,
        "rule": None if found is None else f"{clock}:{hours:g}",
        "reason_zh": zh,
        "reason_en": en,
    }


def _reason(hours: float | None, clock: str) -> tuple[str, str]:
    if hours is None or clock not in CLOCKS:
        return "类别目录没有规定时限", "the catalogue states no time for this class"
    if clock == URGENT:
        return f"{hours:g} 小时,昼夜连续计时", f"{_many(hours, 'hour')} by a clock that never stops"
    if clock == "workday":
        days = hours / 8.0
        return f"{days:g} 个工作日{_WORK_ZH}", f"{_many(days, 'workday')}{_WORK_EN}"
    return f"{hours:g} 个工作小时{_WORK_ZH}", f"{_many(hours, 'working hour')}{_WORK_EN}"


def _many(number: float, unit: str) -> str:
    return f"{number:g} {unit}" if number == 1.0 else f"{number:g} {unit}s"
