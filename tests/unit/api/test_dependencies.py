"""Query parameters as values."""

from __future__ import annotations

import pytest

from api.dependencies import UnreadableBox, UnreadableInstant, bbox, parse_instant
from gridsvc.errors import InvalidCoordinate

ZONE = "Asia/Shanghai"


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2018-11-22", "2018-11-21T16:00:00+00:00"),
        ("2018-11-22T08:00:00Z", "2018-11-22T08:00:00+00:00"),
        ("2018-11-22T08:00:00+08:00", "2018-11-22T00:00:00+00:00"),
        ("2018-11-22T08:00:00 08:00", "2018-11-22T00:00:00+00:00"),
        ("2018-11-22T08:00", "2018-11-22T00:00:00+00:00"),
        ("20181122", "2018-11-21T16:00:00+00:00"),
    ],
)
def test_instants(text: str, utc: str) -> None:
    assert parse_instant(text, ZONE).isoformat() == utc


@pytest.mark.parametrize(
    "text", ["yesterday", "2018-13-01", "2018-02-30", "0001-01-01", "今天", ""]
)
def test_what_is_no_instant_says_how_to_write_one(text: str) -> None:
    with pytest.raises(UnreadableInstant, match="since"):
        parse_instant(text, ZONE, field="since")


def test_boxes() -> None:
    found = bbox("117.6, 26.2,117.7,26.3")
    assert found is not None
    assert found.as_tuple() == (117.6, 26.2, 117.7, 26.3)
    assert bbox(None) is None
    assert bbox(" ") is None


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "1,2,3,4,5", "1;2;3;4"])
def test_what_is_no_box(text: str) -> None:
    with pytest.raises(UnreadableBox):
        bbox(text)


@pytest.mark.parametrize("text", ["2,0,1,1", "0,2,1,1", "nan,0,1,1", "inf,0,1,1"])
def test_boxes_that_are_none(text: str) -> None:
    with pytest.raises(InvalidCoordinate):
        bbox(text)
