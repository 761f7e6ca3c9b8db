"""Maps of results in which something is missing: names, duties, visits, reports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import maps
from gridsvc.analysis.results import CoverageResult, Turn
from maps.patrol import steps

from . import builders
from .test_maps import data_of


def test_cells_without_names_are_called_by_their_codes() -> None:
    hot = builders.hotspot_result()
    covered = builders.coverage_result()
    drawn: list[dict[str, Any]] = [
        data_of(maps.hotspot_map(replace(hot, cells=hot.cells.drop(columns="name")))),
        data_of(maps.coverage_map(replace(covered, cells=covered.cells.drop(columns="name")))),
    ]
    for data in drawn:
        assert data["cells"]["names"] == builders.CODES
    assert drawn[0]["lists"][0]["rows"][0]["values"][0] == builders.CODES[0]
    assert drawn[1]["lists"][1]["rows"][0]["values"][0] == builders.CODES[5]


def without(records: str) -> CoverageResult:
    """A result of a city that never imported these records."""
    loaded = {name: name != records for name in ("duties", "visits", "staff")}
    return replace(builders.coverage_result(), loaded=loaded)


def figures(data: dict[str, Any]) -> dict[str, Any]:
    return {one["label"]["en"]: one for one in data["figures"]}


def test_without_duties_nobody_is_said_to_be_missing() -> None:
    data = data_of(maps.coverage_map(without("duties")))
    assert "导入责任分工表" in data["missing"][0]["text"]["zh"]
    assert len(data["missing"]) == 1
    assert "vacancies" not in [one["key"] for one in data["overlays"]]
    filled = figures(data)["Cells fully staffed"]
    assert filled["value"] == "—"
    assert "state" not in filled
    assert figures(data)["Points visited on time"]["value"] != "—"
    assert [one["hatch"] for one in data["cells"]["themes"][0]["classes"]] == ["back"]
    vacant = next(one for one in data["lists"] if one["label"]["en"].startswith("Cells with"))
    assert vacant["rows"] == []
    assert "Import the table of duties" in vacant["empty"]["en"]


def test_units_on_points_answer_for_them_without_duties() -> None:
    result = replace(
        builders.coverage_result(), loaded={"duties": False, "visits": True, "staff": False}
    )
    data = data_of(maps.coverage_map(result))
    held = figures(data)["Points with a named person"]
    assert (held["value"], "state" in held) == ("—", False)
    assert held["note"]["en"] == "duties not imported; 1 of 4 have a unit"
    assert "unnamed" not in [one["key"] for one in data["overlays"]]
    lacking = next(one for one in data["lists"] if one.get("key") == "unnamed")
    assert lacking["label"]["en"] == "Points without a responsible unit"
    assert len(lacking["rows"]) == 1
    nobody = replace(result, points=result.points.assign(responsible=False, responsible_by=None))
    data = data_of(maps.coverage_map(nobody))
    assert figures(data)["Points with a named person"]["note"]["en"] == "not imported yet"


def test_without_visits_no_point_is_said_to_be_late() -> None:
    data = data_of(maps.coverage_map(without("visits")))
    assert "导入走访记录表" in data["missing"][0]["text"]["zh"]
    points = next(one for one in data["overlays"] if one["key"] == "points")
    assert len(points["themes"][0]["classes"]) == 1
    assert "far" not in points["themes"][0]
    assert "hollow" not in str(points["themes"])
    assert figures(data)["Points visited on time"]["value"] == "—"
    assert figures(data)["Cells fully staffed"]["value"] != "—"


def test_a_complete_result_lacks_nothing() -> None:
    data = data_of(maps.coverage_map(builders.coverage_result()))
    assert data["missing"] == []
    points = next(one for one in data["overlays"] if one["key"] == "points")
    assert points["themes"][0]["far"] == [1, 2]
    rows = {row["label"]["en"]: row["values"] for row in points["rows"]}
    assert rows["Cell"][0] == "网格1"
    assert rows["Cell code"][0] == builders.CODES[0]
    shapes = {one["shape"] for theme in points["themes"][:1] for one in theme["classes"]}
    rings = next(one for one in data["overlays"] if one["key"] == "vacancies")
    assert rings["themes"][0]["classes"][0]["shape"] not in shapes


def test_a_period_without_reports_says_so_and_leads_back() -> None:
    data = data_of(maps.hotspot_map(replace(builders.hotspot_result(), n=0)))
    assert "该时段没有案件" in data["missing"][0]["text"]["zh"]
    assert data["missing"][0]["reset"] is True
    assert data_of(maps.hotspot_map(builders.hotspot_result()))["missing"] == []


def test_density_is_not_counted_and_has_no_colour_of_a_hot_spot() -> None:
    data = data_of(maps.hotspot_map(builders.hotspot_result()))
    density = next(one for one in data["overlays"] if one["key"] == "density")
    assert density["over"] is True
    assert density["theme"]["counted"] is False
    hot = {one["color"] for one in data["cells"]["themes"][0]["classes"]}
    assert hot.isdisjoint(one["color"] for one in density["theme"]["classes"])


def test_steps_name_their_stop_and_tiny_ones_join_the_next() -> None:
    first = builders.patrol_plan().rounds[0]
    place = first.start
    turns = (
        Turn(place, "depart", "街", 300.0, 0.0),
        Turn(place, "right", "", 3.0, 0.0),
        Turn(place, "left", "巷", 100.0, 0.0),
        Turn(place, "slight_left", "", 4.0, 0.0),
        Turn(place, "arrive", "", 0.0, 0.0),
        Turn(place, "uturn", "巷", 6.0, 0.0),
        Turn(place, "straight", "街", 50.0, 0.0),
        Turn(place, "arrive", "", 0.0, 0.0),
        Turn(place, "finish", "", 0.0, 0.0),
    )
    made = steps(replace(first, turns=turns))
    said = [one["text"]["zh"] for one in made]
    assert said == [
        "出发", "右转，随即左转", "到达 1 号点位 点一", "掉头", "到达 2 号点位 点二", "回到起点",
    ]  # fmt: skip
    assert [one["length"] for one in made] == ["300 m", "103 m", "4 m", "56 m", "0 m", "0 m"]
    assert made[1]["street"] == "巷"
