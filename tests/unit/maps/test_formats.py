"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from maps import formats


@pytest.mark.parametrize(
    ("metres", "text"),
    [(0, "0 m"), (85.4, "85 m"), (999.4, "999 m"), (999.6, "1.0 km"), (1234, "1.2 km"),
     (123_456, "123 km")],
)  # fmt: skip
def test_distance(metres: float, text: str) -> None:
    assert formats.distance(metres) == text


@pytest.mark.parametrize(
    ("square_metres", "text"),
    [(0.25, "0.250 m²"), (540, "540 m²"), (34_000, "3.4 ha"), (155_100_000, "155.10 km²")],
)
def test_area(square_metres: float, text: str) -> None:
    assert formats.area(square_metres) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "—"), (float("nan"), "—"), (0.0, "0.0 %"), (0.372, "37.2 %"), (1.0, "100.0 %"),
     (0.99999, "99.9 %")],
)  # fmt: skip
def test_percent_never_rounds_what_is_missing_away(share: float | None, text: str) -> None:
    assert formats.percent(share) == text


def test_duration_in_both_languages() -> None:
    assert formats.duration(29) == {"zh": "0 分", "en": "0 min"}
    assert formats.duration(3599) == {"zh": "1 小时 00 分", "en": "1 h 00 min"}
    assert formats.duration(5400) == {"zh": "1 小时 30 分", "en": "1 h 30 min"}


def test_instants_are_shown_in_the_zone_of_the_city() -> None:
    at = datetime(2018, 11, 22, 16, 30, tzinfo=UTC)
    assert formats.instant(at, "Asia/Shanghai") == "2018-11-23 00:30"
    assert formats.instant(pd.NaT, "Asia/Shanghai") == "—"
    assert formats.day(at, "Asia/Shanghai") == "2018-11-23"
    assert formats.day(None, "Asia/Shanghai") == ""


def test_periods() -> None:
    since = datetime(2017, 12, 31, 16, tzinfo=UTC)
    until = datetime(2018, 6, 30, 17, 30, tzinfo=UTC)
    zone = "Asia/Shanghai"
    assert formats.period(None, None, zone)["en"] == "all"
    assert formats.period(since, None, zone)["en"] == "from 2018-01-01"
    assert formats.period(None, until, zone)["en"] == "before 2018-07-01 01:30"
    assert formats.period(since, until, zone)["zh"] == "2018-01-01 至 2018-07-01 01:30（不含）"


def test_missing_values() -> None:
    assert formats.number(None) == "—"
    assert formats.number(1234.5, 1) == "1,234.5"
    assert formats.missing(np.nan)
    assert formats.missing(pd.NA)
    assert not formats.missing(0)
