"""Duties whose holder is not known: they are kept, and nobody holds a role by them."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import numpy as np
import pandas as pd

from gridsvc.duties.book import Assignment, Duty


def of_nobody(duties: pd.DataFrame, persons: Container[str], units: Container[str]) -> pd.Series:
    """Return which duties name a person, or only a unit, that is not there.

    Parameters
    ----------
    duties : DataFrame
        Contract DUTIES.
    persons, units : container of str
        Ids of the staff and of the units there are.

    Returns
    -------
    Series of bool
        Aligned to the duties. The unit of a duty that also names a person is the employer only.
    """
    strange = [
        (str(person) not in persons) if _named(person) else _named(unit) and str(unit) not in units
        for person, unit in zip(duties["person_id"], duties["unit_id"], strict=True)
    ]
    return pd.Series(np.array(strange, dtype=bool), index=duties.index)


def reason(duty: Duty) -> tuple[str, str]:
    """Return why nobody holds the role by a duty, in Chinese and English."""
    if duty.person_id is not None:
        return (
            f"人员 {duty.person_id} 不在人员表中,按此责任无人任职",
            f"person {duty.person_id} is not among the staff: nobody holds the role by this duty",
        )
    return (
        f"单位 {duty.unit_id} 不在单位表中,按此责任无人任职",
        f"unit {duty.unit_id} is not among the units: nobody holds the role by this duty",
    )


def unknown_holders(assignments: Iterable[Assignment]) -> list[dict[str, Any]]:
    """Return duties of nobody known that reach a place, each with the reason, as plain values."""
    rows = []
    for assignment in assignments:
        duty = assignment.duty
        zh, en = reason(duty)
        rows.append(
            {
                "role": duty.role,
                "person_id": duty.person_id,
                "unit_id": duty.unit_id,
                "via": assignment.via,
                "target_code": duty.target_code,
                "duty_id": duty.duty_id,
                "reason_zh": zh,
                "reason_en": en,
            }
        )
    return rows


def _named(value: object) -> bool:
    return isinstance(value, str) and value != ""
