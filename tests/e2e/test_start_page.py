"""What planners and dispatchers do on the start page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Route

from api.settings import DatabaseSettings, MapSettings, Settings
from geodata.sample import SampleCity

from .conftest import Open, serving

pytestmark = pytest.mark.chromium


@pytest.fixture
def own(web_assets: Path, demo_db: Path, tmp_path: Path) -> Iterator[str]:
    """A service on a copy of the sample city that may be changed."""
    from api.app import create_app

    copy = tmp_path / "own.db"
    shutil.copy(demo_db, copy)
    settings = Settings(
        database=DatabaseSettings(database_url=f"sqlite:///{copy}"),
        map=MapSettings(cache_dir=tmp_path / "pages"),
        log_level="error",
    )
    with serving(create_app(settings)) as address:
        yield address


def test_a_planner_imports_cells_and_publishes_the_draft(
    own: str, visit: Open, sample_city: SampleCity, tmp_path: Path
) -> None:
    file = tmp_path / "cells.geojson"
    sample_city.cells.reset_index().to_file(file, driver="GeoJSON")
    seen = visit(own + "/", ready=False)
    seen.page.set_input_files("#import input[name=file]", str(file))
    seen.page.select_option("#import select[name=as]", "cells")
    seen.page.fill("#import input[name=title]", "新一版")
    seen.page.click("#import button[type=submit]")
    seen.page.wait_for_selector("#report .publish", timeout=120_000)
    said = seen.page.inner_text("#report")
    assert f"{len(sample_city.cells)} / {len(sample_city.cells)}" in said
    assert "修复" in said
    seen.shot("start-imported")
    seen.page.reload(wait_until="load")
    row = seen.page.locator("#plans tr", has_text="新一版")
    assert "草稿" in row.inner_text()
    seen.page.select_option("#plans .publish select", "merged")
    seen.page.click("#plans .publish a")
    seen.page.wait_for_selector("#plans .answer[data-kind=note]", timeout=60_000)
    assert "将空缺的岗位" in seen.page.inner_text("#plans .answer")
    seen.page.fill("#plans .publish input", "2026-12-01")
    seen.page.click("#plans .publish button")
    seen.page.wait_for_selector("#plans .answer[data-kind=good]", timeout=120_000)
    seen.page.reload(wait_until="load")
    assert "待生效" in seen.page.locator("#plans tr", has_text="新一版").inner_text()
    assert seen.page.locator("#plans .publish").count() == 0
    seen.shot("start-scheduled")
    seen.page.fill("#plans .withdraw input", "日期有误")
    seen.page.click("#plans .withdraw button")
    seen.page.wait_for_selector("#plans .answer[data-kind=good]")
    seen.page.reload(wait_until="load")
    assert "草稿" in seen.page.locator("#plans tr", has_text="新一版").inner_text()
    seen.clean()


def test_a_file_that_cannot_be_imported_is_explained_by_row(
    own: str, visit: Open, tmp_path: Path
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(
        "case_id,class_code,lon,lat,reported_at\nA1,04001,abc,26,2026-01-01\n"
        "A2,04999,117.6,26.2,2026-01-01\n",
        encoding="utf-8",
    )
    seen = visit(own + "/", ready=False)
    seen.page.set_input_files("#import input[name=file]", str(file))
    seen.page.select_option("#import select[name=as]", "cases")
    seen.page.click("#import button[type=submit]")
    seen.page.wait_for_selector("#report[data-kind=bad] td", timeout=60_000)
    said = seen.page.inner_text("#report table")
    for word in ("lon", "abc", "坐标不是数字", "请改正", "04999", "未知类别", "“坐标系”"):
        assert word in said
    assert "--" not in seen.page.inner_text("#report")
    whole = seen.page.inner_text("#report")
    assert "处错误,未导入任何数据" in whole
    # The list stands in the table alone, readable without scrolling the page sideways.
    assert whole.count("坐标不是数字") == 1
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    seen.shot("start-refused")
    seen.page.click("a[data-table=jobs]")
    seen.page.wait_for_selector("#sheet td")
    assert "失败" in seen.page.inner_text("#sheet")
    seen.clean()


def less(sample_city: SampleCity, folder: Path) -> Path:
    """The cells of the city without three of them."""
    path = folder / "less.geojson"
    sample_city.cells.reset_index().iloc[:-3].to_file(path, driver="GeoJSON")
    return path


def test_questions_of_an_import_are_told_in_the_words_of_the_form(
    own: str, visit: Open, sample_city: SampleCity, tmp_path: Path
) -> None:
    seen = visit(own + "/", ready=False)
    seen.page.set_input_files("#import input[name=file]", str(less(sample_city, tmp_path)))
    seen.page.select_option("#import select[name=as]", "cells")
    seen.page.click("#import button[type=submit]")
    seen.page.wait_for_selector("#report[data-kind=bad]", timeout=120_000)
    asked = seen.page.inner_text("#report")
    assert "需要人工决定" in asked
    assert "“对个别编码的决定”(gap@" in asked
    assert "--decide" not in asked
    seen.shot("start-asked")
    seen.clean()


def test_a_plan_that_cannot_be_published_lists_its_findings(
    own: str, visit: Open, sample_city: SampleCity, tmp_path: Path
) -> None:
    seen = visit(own + "/", ready=False)
    content = less(sample_city, tmp_path).read_bytes()
    job = seen.page.request.post(
        own + "/api/v1/imports",
        multipart={
            "file": {"name": "l.geojson", "mimeType": "application/json", "buffer": content},
            "as": "cells",
            "repair": "false",
            "title": "缺三格",
        },
        headers={"origin": own},
    ).json()
    for _ in range(600):
        state = seen.page.request.get(own + job["links"]["self"]).json()["state"]
        if state not in ("queued", "running"):
            break
        seen.page.wait_for_timeout(200)
    assert state == "done"
    seen.page.reload(wait_until="load")
    seen.page.fill("#plans .publish input", "2026-12-01")
    seen.page.click("#plans .publish button")
    seen.page.wait_for_selector("#plans .answer[data-kind=bad] td", timeout=120_000)
    said = seen.page.inner_text("#plans .answer")
    assert "不能发布" in said
    assert "未被网格覆盖" in said
    assert "uncovered_territory" not in said
    assert "gridsvc check" not in said
    assert "“在地图上查看草案”" in said
    assert seen.page.locator("#plans .answer tbody tr").count() >= 1
    assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    seen.shot("start-not-published")
    # Browsers report the refusal itself; nothing else went wrong.
    assert seen.outside == []
    assert [one for one in seen.errors if "409" not in one] == []


def test_cases_are_listed_in_the_page(served: str, visit: Open) -> None:
    seen = visit(served + "/", ready=False)
    seen.page.click("a[data-table=cases]")
    seen.page.wait_for_selector("#sheet td")
    first = seen.page.inner_text("#sheet td >> nth=1")
    # Cases of the same instant stay on one page.
    assert 20 <= seen.page.locator("#sheet tbody tr").count() < 30
    table = seen.page.inner_text("#sheet")
    # By when: every case of the sample city has a deadline.
    due = [one.inner_text() for one in seen.page.locator("#sheet td:nth-child(5)").all()]
    assert all(re.match(r"20\d\d-\d\d-\d\d \d\d:\d\d", one) for one in due)
    # Names, not ids; one language.
    assert not re.search(r"U-\w+|checking|dispatched|filed|handling|feedback", table)
    times = [one.inner_text() for one in seen.page.locator("#sheet td:first-child").all()]
    assert times == sorted(times, reverse=True)
    with seen.page.expect_response(lambda one: "until=" in one.url):
        seen.page.click("#sheet button")
    seen.page.locator("#sheet tr", has_text=first).wait_for(state="detached")
    assert seen.page.inner_text("#sheet td >> nth=1") != first
    seen.clean()


@pytest.mark.parametrize("separator", ["，", " / ", "; ", "、"])
def test_places_are_read_as_people_write_them_and_lead_to_the_map(
    served: str, visit: Open, separator: str
) -> None:
    seen = visit(served + "/", ready=False)
    example = seen.attribute("input[name=at]", "placeholder")
    seen.page.fill("input[name=at]", example.replace(", ", separator))
    seen.page.fill("input[name=accuracy]", "15")
    seen.page.fill("input[name=category]", "04001")
    seen.page.click("#locate button")
    seen.page.wait_for_selector("#answer .more")
    assert "责任单位" in seen.page.inner_text("#answer")
    seen.page.click("#answer .more")
    seen.page.wait_for_selector("html[data-ready=true]", state="attached")
    seen.page.wait_for_selector(".leaflet-popup .gs-card")
    assert seen.page.locator(".gs-pin").count() == 1
    seen.clean()


@pytest.mark.parametrize(("language", "names"), [("zh", "甲、乙"), ("en", "甲, 乙")])
def test_holders_of_one_role_are_listed_as_the_language_does(
    served: str, visit: Open, language: str, names: str
) -> None:
    seen = visit(f"{served}/?lang={language}", ready=False)

    def two(route: Route) -> None:
        answer = route.fetch()
        document = answer.json()
        document["persons"] = {"cell_leader": [{"name": "甲"}, {"name": "乙"}]}
        route.fulfill(response=answer, json=document)

    seen.page.route(re.compile(r"/start/locate\?"), two)
    seen.page.fill("input[name=at]", seen.attribute("input[name=at]", "placeholder"))
    seen.page.click("#locate button")
    seen.page.wait_for_selector("#answer .more")
    assert names in seen.page.inner_text("#answer")
    seen.clean()


def test_a_place_in_no_cell_is_no_error_of_the_page(served: str, visit: Open) -> None:
    seen = visit(served + "/", ready=False)
    seen.page.fill("input[name=at]", "100, 30")
    seen.page.click("#locate button")
    seen.page.wait_for_selector("#answer[data-kind=note]")
    assert "不在任何网格内" in seen.page.inner_text("#answer")
    seen.clean()


def test_an_unknown_map_is_a_page_with_a_way_on(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/foo", ready=False)
    assert "/maps/coverage" in seen.page.inner_text("main")
    assert seen.page.locator("main a").count() > 0
