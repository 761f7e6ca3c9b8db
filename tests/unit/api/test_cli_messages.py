"""Commands speak one language, take coordinates as people write them, and show local times."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from api.cli.analysis import _hotspot_text
from api.cli.locating import _place, answer_text
from api.cli.options import one_of, pairs
from api.local_times import in_zone
from gridsvc.analysis.results import HotspotResult
from gridsvc.errors import BadOption, InvalidCoordinate


@pytest.mark.parametrize(
    ("lon", "lat"),
    [
        ("120.18,22.93", ""),
        ("120.18，22.93", ""),
        ("120.18, 22.93", ""),
        ("120.18,", "22.93"),
        ("120.18", "22.93"),
        ("E120°10'48\"", "N22°55'48\""),
        ("N22°55'48\"", "E120°10'48\""),
    ],
)
def test_coordinates_as_people_write_them(lon: str, lat: str) -> None:
    assert _place(lon, lat, None) == pytest.approx((120.18, 22.93), abs=1e-9)


@pytest.mark.parametrize(("lon", "lat"), [("120.18", ""), ("1,2,3", ""), ("abc", "22")])
def test_other_coordinates_are_refused(lon: str, lat: str) -> None:
    with pytest.raises(InvalidCoordinate):
        _place(lon, lat, None)
    with pytest.raises(InvalidCoordinate):
        _place("1", "2", Path("out.csv"))


def test_errors_of_options_speak_one_language() -> None:
    with pytest.raises(BadOption) as caught:
        one_of("--swap", "both", "none", "rows")
    assert "use none" not in caught.value.text("zh")
    assert "可用" not in caught.value.text("en")
    with pytest.raises(BadOption) as caught:
        pairs(["nothing"], "--map")
    assert "write" not in caught.value.text("zh")


def test_instants_are_shown_in_the_zone() -> None:
    shown = in_zone("2019-12-31T16:00:00+00:00 没有方案", "Asia/Shanghai")
    assert shown == "2020-01-01 00:00:00+08:00 没有方案"
    assert in_zone("2020-01-01T00:00+08:00", "Asia/Shanghai") == "2020-01-01T00:00+08:00"
    assert in_zone("2020-13-01T00:00Z", "Asia/Shanghai") == "2020-13-01T00:00Z"


def test_roles_have_their_names() -> None:
    person = {"name": "甲", "unit_name": None, "via": "community"}
    answer = {
        "chain": [], "on_border": False, "boundary_distance_m": 5.0, "ambiguous": False,
        "beside": [], "neighbours": [], "persons": {"cell_leader": [person]},
        "nearest_point": None, "deadline": None, "unknown_holders": [],
        "responsible_unit": {"name": None, "reason_zh": "无", "reason_en": "none"},
        "plan": {"id": "p", "title": "t", "effective_from": "2020-01-01"},
    }  # fmt: skip
    assert "网格长        甲 (社区)" in answer_text(answer, "zh")
    assert "Cell leader甲" not in answer_text(answer, "en")
    assert "Cell leader 甲 (community)" in answer_text(answer, "en")


def test_hot_cells_are_told_in_the_language_of_the_session() -> None:
    cells = pd.DataFrame(
        {"hotspot": ["hot_99"], "z": [3.5], "name": ["一"], "count": [9]}, index=["c1"]
    )
    result = HotspotResult(
        plan_id="p", cells=gpd.GeoDataFrame(cells, geometry=[shapely.box(0, 0, 1, 1)], crs=4490),
        n=1, n_set_aside=0, n_unplaced=0, alpha=0.05,
        since=None, until=None, updated_at=datetime(2026, 1, 1, tzinfo=UTC), classes=(),
        denominator="none", weights="queen, self included", correction="BH-FDR",
    )  # fmt: skip
    chinese = _hotspot_text(result, None, "zh", "Asia/Shanghai")
    assert "热点" in chinese
    assert "hot_99" not in chinese
    assert "queen" not in chinese
