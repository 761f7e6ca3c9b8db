"""Values and column names of foreign tables."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.surfaces import cli
from gridsvc.errors import RejectedRows
from gridsvc.services import values
from gridsvc.services.fields import SYNONYMS, column_key, match_fields
from gridsvc.services.raw import DateOrder

SHANGHAI = "Asia/Shanghai"
# 2015-01-03 04:40:58 in Shanghai is 2015-01-02 20:40:58 UTC.
MOMENT = datetime(2015, 1, 2, 20, 40, 58, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2015-01-03 04:40:58",
        "2015-01-03T04:40:58",
        "2015-01-02T20:40:58Z",
        "2015-01-03T04:40:58+08:00",
        "2015-01-03 04:40:58+0800",
        "2015/1/3 4:40:58",
        "2015.1.3 4:40:58",
        "2015年1月3日 4时40分58秒",
        "2015年1月3日 4:40:58",
        "20150103044058",
        "２０１５-01-03 04:40:58",
        # 42007 days after 1899-12-30 is 2015-01-03; 16858 s of 86400 s.
        str(42007 + 16858 / 86400),
    ],
)
def test_one_moment_in_many_forms(text: str) -> None:
    parsed = values.instants(pd.Series([text]), "t", timezone=SHANGHAI)
    assert parsed.faults == []
    assert parsed.values == [MOMENT]


@pytest.mark.parametrize(
    ("order", "expected"),
    [("mdy", datetime(2015, 1, 3, 8, 40, 58, tzinfo=UTC)),
     ("dmy", datetime(2015, 3, 1, 8, 40, 58, tzinfo=UTC))],
)  # fmt: skip
def test_year_last_needs_the_order(order: DateOrder, expected: datetime) -> None:
    column = pd.Series(["01/03/2015 04:40:58 PM"])
    bare = values.instants(column, "t", timezone=SHANGHAI)
    assert bare.values == [None]
    assert "date_order" in bare.faults[0].text("zh")
    assert "--date-order" in bare.faults[0].text("en", cli)
    told = values.instants(column, "t", timezone=SHANGHAI, order=order)
    assert told.values == [expected]


def test_a_column_decides_its_own_order_and_says_so() -> None:
    parsed = values.instants(pd.Series(["01/03/2015", "01/13/2015", None]), "t", timezone="UTC")
    assert [None if v is None else v.day for v in parsed.values] == [3, 13, None]
    assert "month/day/year" in parsed.notes[0].en
    torn = values.instants(pd.Series(["13/01/2015", "01/13/2015"]), "t", timezone="UTC")
    assert torn.values == [None, None]
    assert len(torn.faults) == 1


@pytest.mark.parametrize("text", ["昨天", "2015-02-30", "99/99/2015", "2015-13-01", "12", "1e9"])
def test_what_is_no_date_is_named(text: str) -> None:
    parsed = values.instants(pd.Series([None, text]), "t", timezone="UTC", order="dmy")
    assert parsed.faults[0].row == 2
    assert parsed.values[1] is None


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)))  # noqa: DTZ001
def test_iso_round_trip(moment: datetime) -> None:
    aware = moment.replace(tzinfo=UTC)
    parsed = values.instants(pd.Series([aware.isoformat()]), "t", timezone=SHANGHAI)
    assert parsed.values == [aware]


def test_codes_keep_their_digits() -> None:
    column = pd.Series(["001", 350404002003001.0, "3.50404002003001E+14", " １２ ", "'007", None])
    parsed = values.codes(column, "码")
    assert parsed.faults == []
    assert parsed.values == ["001", "350404002003001", "350404002003001", "12", "007", None]


def test_codes_that_lost_digits_are_refused() -> None:
    parsed = values.codes(pd.Series(["1", "3.50404E+14"]), "码")
    assert [f.row for f in parsed.faults] == [2]
    assert "文本" in parsed.faults[0].way_out_zh


def test_numbers() -> None:
    parsed = values.numbers(pd.Series(["1,234", "５", "", None, np.nan]), "n", whole=True)
    assert parsed.values == [1234, 5, None, None, None]
    bad = values.numbers(pd.Series(["1.5", "x", "inf"]), "n", whole=True)
    assert [f.row for f in bad.faults] == [1, 2, 3]


@pytest.mark.parametrize("layer", sorted(SYNONYMS))
def test_each_field_is_found_under_each_of_its_names(layer: str) -> None:
    for field, names in SYNONYMS[layer].items():
        for name in (field, *names):
            assert field in match_fields([name], layer) or any(
                column_key(name) in {column_key(n) for n in others}
                for other, others in SYNONYMS[layer].items()
                if other != field
            )


def test_names_match_whatever_the_dress() -> None:
    columns = [" Cell_Code", "社区(村)编码", "臺帳", "街 道"]
    found = match_fields(columns, "cells")
    assert found["code"] == " Cell_Code"
    assert found["community_code"] == "社区(村)编码"
    assert found["subdistrict_name"] == "街 道"


def test_names_cut_by_a_shapefile() -> None:
    assert match_fields(["网格编", "community_"], "cells")["code"] == "网格编"
    assert "community_code" not in match_fields(["community_"], "cells")


def test_a_stated_column_wins_and_must_exist() -> None:
    assert match_fields(["code", "旧码"], "cells", {"code": "旧码"})["code"] == "旧码"
    with pytest.raises(RejectedRows) as caught:
        match_fields(["a", "b"], "cells", {"code": "c", "nonsense": "a"})
    assert {f.field for f in caught.value.faults} == {"code", "nonsense"}
    assert "a, b" in caught.value.text("en")
