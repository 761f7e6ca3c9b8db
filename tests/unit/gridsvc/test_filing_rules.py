"""Deadlines in the zone of the city, and duties whose holder is not there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gridsvc.cases.deadlines import deadlines
from gridsvc.duties.standing import of_nobody


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
