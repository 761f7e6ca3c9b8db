"""What each map shows, from small results made by hand."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import LineString

import maps
from maps import Field, OfflineMap, Page, Tiles, document, ground, hotspot
from maps.page import Assets
from maps.patrol import twice_walked

from . import builders

NAMES = {
    "role": {"cell_leader": {"zh": "网格长", "en": "Cell leader"}},
    "category": {"market": {"zh": "集贸市场", "en": "Produce markets"}},
}


def every_map(name: str = "网格", **options: Any) -> dict[str, OfflineMap]:
    return {
        "coverage": maps.coverage_map(builders.coverage_result(name), **options),
        "hotspot": maps.hotspot_map(
            builders.hotspot_result(name, note=name), areas=builders.areas(name),
            streets=builders.streets(name), exclusions=builders.exclusions(name), **options,
        ),
        "patrol": maps.patrol_map(builders.patrol_plan(name), **options),
        "plan": maps.plan_map(
            builders.plan_version(name), builders.cells(name), findings=builders.findings(name),
            areas=builders.areas(name), exclusions=builders.exclusions(name),
            streets=builders.streets(name), **options,
        ),
    }  # fmt: skip


def data_of(drawn: OfflineMap) -> dict[str, Any]:
    """The document as the browser reads it out of the page."""
    page = maps.render_html(drawn)
    found = re.search(
        r'<script type="application/json" id="gridsvc-document">(.*?)</script>', page, re.DOTALL
    )
    assert found is not None
    return dict(json.loads(found.group(1)))


def overlay(data: dict[str, Any], key: str) -> dict[str, Any]:
    return next(dict(one) for one in data["overlays"] if one["key"] == key)


def facts(data: dict[str, Any]) -> dict[str, Any]:
    return {
        one["label"]["en"]: one["value"]["en"] if isinstance(one["value"], dict) else one["value"]
        for one in data["facts"]
    }


@pytest.mark.parametrize("kind", ["coverage", "hotspot", "patrol", "plan"])
@pytest.mark.parametrize("assets", ["url", "inline"])
def test_no_map_refers_to_another_machine(kind: str, assets: Assets) -> None:
    page = maps.render_html(every_map(assets=assets)[kind])
    for address in re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", page.split("<body>")[0]):
        assert address.startswith(("/static/", "data:")), address
    assert "//cdn" not in page.lower()
    assert "openstreetmap" not in page.lower()
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?:https?:)?//""", page)


@pytest.mark.parametrize("kind", ["coverage", "hotspot", "patrol", "plan"])
def test_hostile_names_stay_inside_the_data_block(kind: str) -> None:
    drawn = every_map(builders.HOSTILE, assets="url", page=Page(plan_title=builders.HOSTILE))
    page = maps.render_html(drawn[kind])
    assert "<img" not in page
    assert page.count("</script>") == page.count("<script")
    assert builders.HOSTILE in json.dumps(data_of(drawn[kind]), ensure_ascii=False).replace(
        '\\"', '"'
    ).replace("\\\\", "\\")


def test_two_renders_are_equal_and_text_like_an_element_id_is_kept() -> None:
    looks_like = "batch_0123456789abcdef0123456789abcdef"
    first = maps.render_html(every_map(looks_like, assets="url")["coverage"])
    second = maps.render_html(every_map(looks_like, assets="url")["coverage"])
    assert first == second
    assert looks_like in first


def test_the_policy_names_every_inline_block_and_nothing_else() -> None:
    rendered = maps.render(every_map(assets="url")["coverage"])
    inline = re.findall(r"<(script|style)>", rendered.html)
    assert rendered.policy.count("'sha256-") == len(inline) > 2
    assert "unsafe" not in rendered.policy
    assert "http" not in rendered.policy
    single = maps.render(every_map(assets="inline")["coverage"])
    assert '<meta http-equiv="Content-Security-Policy"' in single.html
    policy = re.search(r'Policy" content="([^"]*)"', single.html)
    assert policy is not None
    assert "'self'" not in policy[1].split("connect-src")[0]


def test_coverage_shows_staff_vacancies_points_and_what_is_not_covered() -> None:
    data = data_of(
        maps.coverage_map(builders.coverage_result(), page=Page(names=NAMES), assets="url")
    )
    keys = [theme["key"] for theme in data["cells"]["themes"]]
    assert keys == ["staff", "role-cell_leader", "role-volunteer", "population"]
    staff = data["cells"]["themes"][0]
    assert staff["classes"][staff["index"][5]]["label"]["en"] == "0 (vacant)"
    population = data["cells"]["themes"][3]
    assert population["classes"][population["index"][2]]["label"]["en"] == "no data"
    rings = overlay(data, "vacancies")
    assert rings["codes"] == [builders.CODES[5]]
    assert {r["label"]["en"]: r["values"][0] for r in rings["rows"]}["Vacant roles"][
        "zh"
    ] == "网格长"
    points = overlay(data, "points")
    assert [theme["key"] for theme in points["themes"]] == ["last-visit", "person", "category"]
    labels = [one["label"]["en"] for one in points["themes"][0]["classes"]]
    shown = [labels[i] for i in points["themes"][0]["index"]]
    assert shown == ["within 7 days", "more than 30 days", "never"]
    lists = {one["label"]["en"]: one for one in data["lists"]}
    assert lists["Uncovered territory"]["rows"][0]["values"][1] == "1.1 ha"
    vacant = lists["Cells with a vacant role"]["rows"][0]
    assert vacant["cell"] == builders.CODES[5]
    assert vacant["sign"] == ["vacancies", builders.CODES[5]]
    assert vacant["xy"] == rings["xy"]
    assert [v if isinstance(v, str) else v["zh"] for v in vacant["values"]] == [
        "网格6", "网格社区乙", "网格长",
    ]  # fmt: skip
    assert lists["Roles held more than once"]["rows"][0]["values"][0] == "网格5"
    assert len(lists["Points not visited in time"]["rows"]) == 3
    assert "xy" not in lists["Points without a named person"]["rows"][1]
    levels = [one["level"] for one in data["overlays"] if one["type"] == "edges"]
    assert levels == ["community", "subdistrict", "city"]
    assert facts(data)["As of"] == "2018-11-22 14:05"
    assert data["figures"][0]["state"] == "bad"


def test_points_without_a_named_person_are_counted_drawn_and_listed() -> None:
    page = Page(names={**NAMES, "unit": {"U7": "城管队"}})
    data = data_of(maps.coverage_map(builders.coverage_result(), page=page, assets="url"))
    tile = next(one for one in data["figures"] if one["label"]["zh"] == "有具体责任人的点位")
    assert (tile["value"], tile["state"]) == ("50.0 %", "bad")
    assert tile["note"]["zh"] == "2 / 4；只有单位 1，无人 1"
    rows = {one["key"]: one for one in data["lists"]}[tile["leads"]]["rows"]
    assert [row["values"][2] for row in rows] == ["城管队", "—"]
    # The one that has a place is drawn with a sign of its own, whatever the points show.
    assert rows[0]["sign"] == ["unnamed", "P3"]
    unnamed = overlay(data, "unnamed")
    assert unnamed["on"] is True
    assert unnamed["codes"] == ["P3"]
    assert [one["label"]["en"] for one in unnamed["themes"][0]["classes"]] == [
        "a unit, no named person"
    ]
    assert unnamed["xy"] == rows[0]["xy"]
    person = overlay(data, "points")["themes"][1]
    assert [one["count"] for one in person["classes"]] == [1, 1, 1, 0]
    assert person["far"] == [2]
    signs = [one["shape"] for one in person["classes"]]
    assert signs[2:] == ["box", "box"]
    assert "box" not in signs[:2]


def test_coverage_figures_of_nothing_are_not_a_hundred_percent() -> None:
    result = builders.coverage_result()
    data = data_of(maps.coverage_map(replace(
        result, points=result.points.iloc[:0],
        points_without_person=result.points_without_person.iloc[:0],
        points_not_visited=result.points_not_visited.iloc[:0],
    ), assets="url"))  # fmt: skip
    by_label = {one["label"]["en"]: one for one in data["figures"]}
    assert by_label["Points with a named person"]["value"] == "—"
    assert "state" not in by_label["Points with a named person"]


def test_many_cells_are_shown_as_communities_and_the_map_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(document, "MANY_CELLS", 5)
    data = data_of(maps.coverage_map(builders.coverage_result(), assets="url"))
    assert len(data["cells"]["codes"]) == 2
    staff = next(r for r in data["cells"]["rows"] if r["label"]["en"] == "Staff, each once")
    assert staff["values"] == [6, 14]
    assert any("2 communities" in note["en"] for note in data["notes"])
    assert data["cells"]["level"] == "community"
    labels = [one["label"]["en"] for one in data["cells"]["themes"]]
    assert labels[0] == "Staff, summed by communities"
    assert not any("per cell" in label for label in labels)
    assert data["detail"] is None
    # The lists and the rings still name cells, with their place.
    assert overlay(data, "vacancies")["codes"] == [builders.CODES[5]]
    vacant = next(one for one in data["lists"] if one.get("key") == "vacant")
    assert {"cell", "sign", "xy"} <= set(vacant["rows"][0])
    hot = data_of(maps.hotspot_map(builders.hotspot_result(), assets="url"))
    assert len(hot["cells"]["codes"]) == 4
    assert any("only the 4" in str(note) for note in hot["notes"])
    counts = {c["label"]["en"]: c["count"] for c in hot["cells"]["themes"][0]["classes"]}
    assert counts["not significant"] == 2
    monkeypatch.setattr(document, "MANY_CELLS", 2)
    strong = data_of(maps.hotspot_map(builders.hotspot_result(), assets="url"))
    assert strong["cells"]["codes"] == [builders.CODES[0], builders.CODES[4]]
    assert any("only the 2 most significant" in str(note) for note in strong["notes"])
    monkeypatch.setattr(document, "MANY_CELLS", 1)
    coarse = data_of(maps.coverage_map(builders.coverage_result(), assets="url"))
    assert coarse["cells"]["level"] == "subdistrict"
    assert any("1 subdistricts" in str(note) for note in coarse["notes"])
    assert "edges-community" not in [one["key"] for one in coarse["overlays"]]


def test_a_served_map_of_too_many_cells_says_where_the_cells_in_view_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = Page(cells_in_view="/api/v1/cells?plan=p")
    assert (
        data_of(maps.coverage_map(builders.coverage_result(), page=page, assets="url"))["detail"]
        is None
    )
    monkeypatch.setattr(document, "MANY_CELLS", 5)
    for served in (
        maps.coverage_map(builders.coverage_result(), page=page, assets="url"),
        maps.hotspot_map(builders.hotspot_result(), page=page, assets="url"),
    ):
        data = data_of(served)
        assert data["detail"] == "/api/v1/cells?plan=p"
        assert any("cells in view" in str(note) for note in data["notes"])
    alone = data_of(maps.coverage_map(builders.coverage_result(), page=page, assets="inline"))
    assert alone["detail"] is None
    assert not any("cells in view" in str(note) for note in alone["notes"])


def test_the_least_streets_of_a_large_city_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ground.ground(builders.streets())["streets"]
    assert {kind: len(lines) > 0 for kind, lines in whole.items()} == {
        "major": True, "minor": False, "lane": True,
    }  # fmt: skip
    monkeypatch.setattr(ground, "MANY_STREETS", 2)
    assert ground.ground(builders.streets())["streets"]["lane"] == []
    assert ground.ground(builders.streets())["streets"]["major"] == whole["major"]


def test_hotspot_states_all_that_the_figure_rests_on() -> None:
    data = data_of(maps.hotspot_map(builders.hotspot_result(), assets="url"))
    stated = facts(data)
    assert stated["Sample size n"] == "107 reports"
    assert stated["Set aside (default coordinates)"] == "40 reports"
    assert stated["Without a cell"] == "3 reports"
    assert stated["Period"] == "2018-01-01 to 2018-07-01 (exclusive)"
    assert stated["Denominator"] == "per km²"
    assert stated["Weights"] == "queen (shared edge or corner), self included"
    assert stated["Correction"].startswith("Benjamini–Hochberg")
    assert stated["Significance level"] == "0.05"
    assert stated["Bandwidth"] == "300 m"
    assert stated["Plan"] == "main-v1"
    assert stated["Updated at"] == "2018-11-22 14:05"


def test_hotspot_classes_colours_bands_and_piles() -> None:
    data = data_of(maps.hotspot_map(builders.hotspot_result(), assets="url"))
    theme = data["cells"]["themes"][0]
    look = [theme["classes"][i] for i in theme["index"]]
    assert [one["color"] for one in look] == [
        "#B2182B", "#EF8A62", None, None, "#2166AC", None,
    ]  # fmt: skip
    assert look[5]["hatch"] == "diagonal"
    assert look[2].get("hatch") is None
    bands = overlay(data, "density")
    assert [one["label"]["en"] for one in bands["theme"]["classes"]] == ["5–20", "20 and more"]
    assert bands["theme"]["unit"]["en"] == "(reports/km²)"
    cases = overlay(data, "cases")
    assert cases["below"] == 200
    assert len(cases["codes"]) == 3
    assert overlay(data, "piles")["xy"] == [117_615_000, 26_210_000]
    ranked = data["lists"][0]["rows"]
    assert [row["cell"] for row in ranked] == builders.CODES[:2]
    assert ranked[0]["values"][3] == "< 0.0001"


def test_hotspot_draws_only_the_latest_of_very_many_reports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hotspot, "MOST_POINTS", 2)
    data = data_of(maps.hotspot_map(builders.hotspot_result(), assets="url"))
    assert len(overlay(data, "cases")["codes"]) == 2
    assert any("latest 2 of 3" in str(note) for note in data["notes"])


def test_patrol_rounds_have_order_times_turns_and_gpx() -> None:
    data = data_of(maps.patrol_map(builders.patrol_plan(), page=Page(names=NAMES), assets="url"))
    first, second = overlay(data, "rounds")["rounds"]
    assert (first["color"], second["color"]) == ("#0072B2", "#D55E00")
    assert [stop["order"] for stop in first["stops"]] == [1, 2]
    assert first["stops"][0]["category"]["zh"] == "集贸市场"
    assert first["duration"]["en"] == "43 min"
    assert first["turns"][1]["text"]["en"] == "Slight left"
    assert second["window"]["en"] == "night"
    root = ET.fromstring(first["gpx"])  # noqa: S314 - our own text
    space = {"g": "http://www.topografix.com/GPX/1/1"}
    assert len(root.findall("g:trk", space)) == 1
    assert len(root.findall("g:wpt", space)) == 2
    stated = facts(data)
    assert stated["Independent check"] == "passed"
    assert stated["Proven bound on the length"] == "2.5 km"
    assert data["lists"][0]["rows"][0]["values"][1]["en"] == "350 m off the streets, too far"
    assert any("dashed" in str(note) for note in data["notes"])


def test_streets_walked_twice_are_found_in_either_direction() -> None:
    there = LineString([(0, 0), (0.001, 0), (0.002, 0)])
    back = LineString([(0.002, 0), (0.001, 0), (0.001, 0.001)])
    again = twice_walked(gpd.GeoSeries([there, back]))
    assert again == [[2000, 0, -1000, 0]]
    assert twice_walked(gpd.GeoSeries([there])) == []


def test_plan_map_draws_every_finding_with_its_number() -> None:
    data = data_of(
        maps.plan_map(
            builders.plan_version(), builders.cells(), findings=builders.findings(),
            areas=builders.no_areas(), assets="url",
        )
    )  # fmt: skip
    drawn = overlay(data, "findings")
    assert [one["number"] for one in drawn["features"]] == [1, 2]
    assert "areas" in drawn["features"][0]
    assert "lines" in drawn["features"][1]
    assert data["figures"][0]["value"]["en"] == "2 findings"
    assert data["lists"][0]["rows"][0]["values"][2] == "12.5 m²"
    # Without derived areas the boundaries come from the cells themselves.
    assert {one["level"] for one in data["overlays"] if one["type"] == "edges"} == {
        "community",
        "subdistrict",
    }


@pytest.mark.parametrize(
    ("given", "verdict"),
    [(builders.no_findings, "passed"), (lambda: None, "not made yet")],
)
def test_plan_map_tells_a_clean_certificate_from_a_missing_one(
    given: Callable[[], gpd.GeoDataFrame | None], verdict: str
) -> None:
    data = data_of(
        maps.plan_map(builders.plan_version(), builders.cells(), findings=given(), assets="url")
    )
    assert facts(data)["Certificate"] == verdict


def test_a_single_file_has_no_controls_links_or_tiles() -> None:
    page = Page(
        home="/", download="?download=1", action="/maps/coverage",
        fields=(Field("since", "s", "date"),), links=(("x", "/maps/plan"),),
        tiles=Tiles("https://tiles.example/{z}/{x}/{y}.png?tk=secret", "gcj02", "Tiles"),
    )  # fmt: skip
    served = maps.coverage_map(builders.coverage_result(), page=page, assets="url")
    single = maps.coverage_map(builders.coverage_result(), page=page, assets="inline")
    assert "secret" in maps.render_html(served)
    assert "img-src 'self' data: https://tiles.example;" in maps.render(served).policy
    assert any("shifted" in str(note) for note in data_of(served)["notes"])
    html = maps.render_html(single)
    assert "secret" not in html
    data = data_of(single)
    assert data["exported"] is True
    assert data["links"] == []
    assert data["tiles"] is None
    assert not any("shifted" in str(note) for note in data["notes"])
    assert any("offline" in str(note) for note in data["notes"])


def test_missing_assets_are_said_plainly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("maps.offline.STATIC", tmp_path)
    with pytest.raises(maps.offline.AssetsMissing, match="build_web"):
        maps.static_folder()


def test_numbers_in_documents_are_plain() -> None:
    assert document.number_or_none(np.int64(3)) == 3
    assert document.number_or_none(float("nan")) is None
    assert document.number_or_none(2.34567) == 2.3457
