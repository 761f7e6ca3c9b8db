"""Commands speak one language, take coordinates as people write them, and show local times."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import geopandas as gpd
import pandas as pd
import pytest
import shapely
import typer
from rich.console import Console

from api.cli import state
from api.cli.analysis import _hotspot_text
from api.cli.locating import _place, answer_text
from api.cli.options import one_of, pairs
from api.local_times import in_zone
from gridsvc.analysis.results import HotspotResult
from gridsvc.errors import BadOption, InvalidCoordinate, Language
from gridsvc.phrases import STAGES


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
        "beside": [{"kind": "river", "name": "盐水溪", "code": "r1", "distance_m": 12.0}],
        "neighbours": [{"name": "乙", "code": "c2", "distance_m": 5.0}],
        "persons": {"cell_leader": [person]},
        "nearest_point": {"name": "公园", "point_id": "p1", "distance_m": 80.0, "unit": None},
        "deadline": None, "unknown_holders": [],
        "responsible_unit": {"name": None, "reason_zh": "无", "reason_en": "none"},
        "plan": {"id": "p", "title": "t", "effective_from": "2020-01-01"},
    }  # fmt: skip
    assert "网格长        甲 (社区)" in answer_text(answer, "zh")
    assert "Cell leader甲" not in answer_text(answer, "en")
    assert "Cell leader 甲 (community)" in answer_text(answer, "en")
    units: dict[Language, str] = {"zh": "米", "en": "m"}
    for language, unit in units.items():
        lines = answer_text(answer, language).splitlines()
        told = [line for line in lines if re.search(r"\d\.\d ", line)]
        assert [line.rsplit(" ", 1)[1] for line in told] == [unit] * 4


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("language", "words"), [("zh", "检查图形"), ("en", "checking shapes")])
def test_the_bar_says_what_is_done_in_the_language_of_the_session(
    monkeypatch: pytest.MonkeyPatch, language: Language, words: str
) -> None:
    screen = _Terminal()
    terminal = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr(state, "err_console", terminal)
    context = cast(
        typer.Context, SimpleNamespace(find_object=lambda _: state.State(language=language))
    )
    with state.progress(context) as report:
        report("valid", 0.5)
    assert words in screen.getvalue()
    assert "valid" not in screen.getvalue()


def test_every_stage_that_is_reported_has_words() -> None:
    root = Path(__file__).resolve().parents[3]
    call = re.compile(r'(?:progress|report|tell|step)\(\s*"([a-z_]+)",')
    told = {
        stage
        for folder in ("gridsvc", "geodata", "api")
        for path in (root / folder).rglob("*.py")
        for stage in call.findall(path.read_text("utf-8"))
    }
    assert {"valid", "hotspot", "write"} <= told
    assert told - set(STAGES) == set()
    assert {"coverage", "hotspot", "patrol", "plan"} <= set(STAGES)  # `gridsvc map` reports these


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
