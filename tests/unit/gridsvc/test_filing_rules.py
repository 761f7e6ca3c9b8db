"""Deadlines in the zone of the city, and duties whose holder is not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gridsvc.cases.catalogue import CaseClass
from gridsvc.cases.deadlines import CLOCKS, deadlines, due
from gridsvc.duties.standing import of_nobody
from gridsvc.services.due import deadline_document
from gridsvc.services.import_filing import FIELDS, rules_of, told

FRIDAY_EVENING = datetime(2018, 5, 4, 9, 59, 30, 250, tzinfo=UTC)
STALL = CaseClass("0101", "占道经营", "01", "街面秩序", "demo", "CN", None, 4.0, "work_hour")


def test_work_time_is_that_of_the_city_and_no_hours_give_no_deadline() -> None:
    at = pd.DatetimeIndex([pd.Timestamp("2018-05-04T13:00:00Z")] * 3)
    hours = np.array([1.0, np.nan, 1.0])
    clock = np.array(["work_hour", "work_hour", "urgent_hour"], dtype=object)
    # Nine in the evening of a Friday in China, nine in the morning in Boston.
    here = deadlines(at, hours, clock)
    there = deadlines(at, hours, clock, timezone="America/New_York")
    assert here[0] == pd.Timestamp("2018-05-07T01:00:00Z")
    assert there[0] == pd.Timestamp("2018-05-04T14:00:00Z")
    assert here.isna().tolist() == there.isna().tolist() == [False, True, False]
    assert here[2] == there[2] == pd.Timestamp("2018-05-04T14:00:00Z")


def test_a_duty_is_of_nobody_when_its_person_or_only_its_unit_is_not_there() -> None:
    duties = pd.DataFrame(
        [("P1", None), ("P9", None), (None, "U1"), (None, "U9"), ("P1", "U9"), ("P9", "U1")],
        columns=["person_id", "unit_id"],
        index=["known", "person", "unit", "no_unit", "employer", "person_with_unit"],
    )
    strange = of_nobody(duties, {"P1"}, {"U1"})
    assert list(strange.index[strange]) == ["person", "no_unit", "person_with_unit"]
    assert len(of_nobody(duties.iloc[:0], set(), set())) == 0


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize("hours", [0.0, 0.01, 0.5, 4.0, 8.0, 80.0, None])
@pytest.mark.parametrize("minutes", [0, 1, 600, 1201, 3900])
def test_one_deadline_is_that_of_tables(clock: str, hours: float | None, minutes: int) -> None:
    start = pd.Timestamp(FRIDAY_EVENING) + pd.Timedelta(minutes=minutes)
    given = np.array([np.nan if hours is None else hours])
    table = deadlines(pd.DatetimeIndex([start]), given, np.array([clock], dtype=object))[0]
    found = due(start.to_pydatetime(), hours, clock)
    if hours is None:
        assert found is None and pd.isna(table)
    else:
        assert found == table.to_pydatetime()


def test_a_deadline_names_its_rule_and_what_the_calendar_does_not_know() -> None:
    found = deadline_document(STALL, FRIDAY_EVENING, "Asia/Shanghai")
    # Of four hours one minute is left of Friday's work.
    assert found["due_at"] == "2018-05-07T03:59:00+00:00"
    assert found["from"] == FRIDAY_EVENING.isoformat()
    assert found["rule"] == "work_hour:4"
    assert "4 个工作小时" in found["reason_zh"] and "调休" in found["reason_zh"]
    assert "4 working hours" in found["reason_en"] and "holidays" in found["reason_en"]
    urgent = replace(STALL, clock="urgent_hour", deadline_hours=1.0)
    found = deadline_document(urgent, FRIDAY_EVENING, "Asia/Shanghai")
    assert found["due_at"] == "2018-05-04T10:59:30.000250+00:00"
    assert found["reason_en"] == "1 hour by a clock that never stops"
    days = replace(STALL, clock="workday", deadline_hours=16.0)
    assert deadline_document(days, FRIDAY_EVENING, "Asia/Shanghai")["reason_zh"][:6] == "2 个工作日"
    there = deadline_document(STALL, FRIDAY_EVENING, "America/New_York")
    assert there["due_at"] == "2018-05-04T16:00:00+00:00"


@pytest.mark.parametrize("stated", [(None, "work_hour"), (4.0, "moon_hour")])
def test_a_class_without_a_time_says_so(stated: tuple[float | None, str]) -> None:
    silent = replace(STALL, deadline_hours=stated[0], clock=stated[1])
    found = deadline_document(silent, FRIDAY_EVENING, "Asia/Shanghai")
    assert found["due_at"] is None and found["rule"] is None
    assert "没有规定" in found["reason_zh"] and "states no time" in found["reason_en"]


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=12)))
@example({"unit_id": "class:D1, deadline=urgent_hour:0"})
@example({"person_id": "cell_leader:D1, 2", "deadline": "work_hour:4"})
@example({"unit_id": "class:%2C%25=,", "person_id": "cell_leader:%252C"})
def test_rules_with_any_id_in_them_are_read_as_they_were_told(rules: dict[str, str]) -> None:
    assert rules_of(told(rules)) == rules


def test_rules_of_plain_ids_are_told_as_they_are() -> None:
    assert told({"deadline": "work_hour:4", "unit_id": "class:责任-1"}) == (
        "unit_id=class:责任-1, deadline=work_hour:4"
    )
