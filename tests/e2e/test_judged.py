"""What was judged by eye once and shall stay: lists that lead on, print, empty, cancelled."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

import api.imports.routes
from api.app import create_app
from api.settings import DatabaseSettings, MapSettings, Settings
from geodata.sample import SampleCity
from geodata.storage import open_storage
from maps import document

from .conftest import Open, Size, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.chromium
MAPS = ("coverage", "hotspot", "patrol", "plan")


@pytest.fixture
def empty(web_assets: Path, tmp_path: Path) -> Iterator[str]:
    """A service on a database into which nothing was ever imported."""
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    storage = open_storage(url)
    storage.upgrade()
    storage.dispose()
    settings = Settings(
        database=DatabaseSettings(database_url=url),
        map=MapSettings(cache_dir=tmp_path / "pages"),
        log_level="error",
    )
    with serving(create_app(settings)) as address:
        yield address


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_figure_leads_to_its_list_and_a_row_to_the_map(
    served: str, visit: Open, size: Size
) -> None:
    seen = visit(served + "/maps/coverage", size=size)
    if size == "phone":
        for _ in range(2):
            seen.page.click(".gs-handle")
            seen.page.wait_for_timeout(300)
    tile = seen.page.locator(".gs-figure", has_text="有具体责任人的点位")
    assert re.search(r"\d+ / 519；只有单位 \d+", tile.inner_text())
    tile.click()
    listed = seen.page.locator("[data-list=unnamed] tr.can-open")
    assert listed.first.is_visible()
    assert listed.count() == 11
    name = listed.nth(2).locator("td").first.inner_text()
    listed.nth(2).click()
    card = seen.page.locator(".leaflet-popup .gs-card")
    card.wait_for()
    assert name in card.inner_text()
    assert "只有单位，没有具体人" in card.inner_text()
    seen.page.wait_for_timeout(400)
    if size == "phone":
        place, panel = seen.box(".leaflet-popup"), seen.box(".gs-panel")
        assert place["y"] + place["height"] <= panel["y"]
    seen.shot(f"coverage-unnamed-{size}")
    seen.clean()


def test_points_can_be_shown_by_who_answers_for_them(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/coverage")
    seen.page.select_option("select[name=theme-points]", label="按责任人")
    legend = seen.page.inner_text(".gs-section:has(.gs-legend)")
    for words in (
        "点位专人",
        "由所在网格的责任人负责",
        "只有单位，没有具体人",
        "此处只画没有具体责任人的",
    ):
        assert words in legend
    boxes = seen.page.locator(".leaflet-points-pane path[stroke='#B7791F']")
    assert boxes.count() == 22  # the points themselves and the ring around each
    seen.clean()


def test_a_vacancy_opens_its_cell(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/coverage")
    row = seen.page.locator("[data-list=vacant] tr.can-open").first
    name = row.locator("td").first.inner_text()
    row.click()
    assert name in seen.page.inner_text(".leaflet-popup")


@pytest.fixture
def crowded(
    web_assets: Path, demo_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The sample city as if it had too many cells to draw."""
    monkeypatch.setattr(document, "MANY_CELLS", 300)
    settings = Settings(
        database=DatabaseSettings(database_url=f"sqlite:///{demo_db}"),
        map=MapSettings(cache_dir=tmp_path / "pages"),
        log_level="error",
    )
    with serving(create_app(settings)) as address:
        yield address


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_a_large_city_is_drawn_by_communities_and_by_cells_close_up(
    crowded: str, visit: Open, size: Size
) -> None:
    seen = visit(crowded + "/maps/coverage", size=size)
    assert "本图按社区汇总绘制（168 个社区）" in seen.page.inner_text(".gs-panel")
    if size == "phone":
        for _ in range(2):
            seen.page.click(".gs-handle")
            seen.page.wait_for_timeout(300)
    row = seen.page.locator("[data-list=vacant] tr.can-open").first
    name = row.locator("td").first.inner_text()
    with seen.page.expect_response(lambda one: "/api/v1/cells?" in one.url) as waiting:
        row.click()
    cells = waiting.value.json()["features"]
    assert name in [one["properties"]["name"] for one in cells]
    card = seen.page.locator(".leaflet-popup .gs-card")
    assert "网格长" in card.inner_text()
    assert name in card.inner_text()
    seen.shot(f"crowded-{size}")
    seen.clean()


def test_the_printed_hotspot_page_has_no_heading_without_content(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/hotspot")
    assert seen.page.is_visible("h2 >> text=清单")
    seen.page.emulate_media(media="print")
    assert not seen.page.is_visible("h2 >> text=清单")
    # The reports are not drawn at this scale, so paper does not explain their sign.
    assert not seen.page.is_visible(".gs-legend-title >> text=案件位置")
    assert seen.page.is_visible(".gs-list-sheet h2 >> text=热点网格排序")
    for words in ("样本量 n", "统计时段", "空间权重", "网格方案"):
        assert words in seen.page.inner_text(".gs-panel")
    seen.clean()


def test_the_sheet_of_a_round_says_what_it_was_made_from(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/patrol")
    seen.page.emulate_media(media="print")
    sheet = seen.page.inner_text(".gs-round-sheet")
    for words in ("谁按什么顺序", "记录", "网格方案", "更新时间", "回到起点"):
        assert words in sheet
    assert not seen.page.is_visible(".gs-round input")


_OGR = """
import json, sys
import pyogrio
layers = {name: pyogrio.read_dataframe(sys.argv[1], layer=name)
          for name in ("waypoints", "route_points", "tracks")}
print(json.dumps({
    "stops": layers["waypoints"]["name"].tolist(), "way": layers["route_points"]["name"].tolist(),
    "metres": layers["tracks"].to_crs(4548).length.tolist(),
}))
"""


def as_gdal_reads(path: Path) -> dict[str, Any]:
    """Read a file with GDAL as it comes, without the drivers' list of this process."""
    done = subprocess.run(
        [sys.executable, "-c", _OGR, str(path)],
        capture_output=True, text=True, check=True,
        env={k: v for k, v in os.environ.items() if not k.startswith(("GDAL_", "OGR_"))},
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def test_gpx_read_by_gdal_keeps_the_order_that_is_shown(
    served: str, visit: Open, tmp_path: Path
) -> None:
    seen = visit(served + "/maps/patrol?inspectors=2")
    for number in range(2):
        part = seen.page.locator("details.gs-round").nth(number)
        part.evaluate("one => { one.open = true; }")
        shown = part.locator(".gs-stops .gs-link").all_inner_texts()
        with seen.page.expect_download() as waiting:
            part.locator(".gs-actions button").click()
        target = tmp_path / f"round{number}.gpx"
        waiting.value.save_as(target)
        read = as_gdal_reads(target)
        assert [re.sub(r"^\d+-\d+ ", "", name) for name in read["stops"]] == shown
        assert [name for name in read["way"] if name in shown] == shown
        stated = part.locator(".gs-round-sum").inner_text().split(" ")[0]
        assert read["metres"][0] / 1000 == pytest.approx(float(stated), abs=0.06)
    seen.clean()


def test_instants_are_those_of_the_city_wherever_the_reader_is(
    served: str, chromium: Browser
) -> None:
    with urllib.request.urlopen(f"{served}/start/cases") as answer:  # noqa: S310 - loopback
        first = json.load(answer)["rows"][0]["reported_at"]
    expected = datetime.fromisoformat(first).astimezone(ZoneInfo("Asia/Shanghai"))
    context = chromium.new_context(locale="zh-CN", timezone_id="America/New_York")
    page = context.new_page()
    page.goto(served + "/")
    page.click("a[data-table=cases]")
    page.wait_for_selector("#sheet:not([hidden]) td")
    assert page.locator("#sheet td").first.inner_text() == f"{expected:%Y-%m-%d %H:%M}"
    context.close()


def test_a_database_without_anything_leads_to_the_first_import(empty: str, visit: Open) -> None:
    seen = visit(empty + "/", ready=False)
    assert "还没有生效的网格方案" in seen.page.inner_text("[role=status]")
    assert seen.page.locator("a[href='#plans']").count() == 0
    seen.page.click("a >> text=在本页导入网格边界")
    assert seen.page.url.endswith("#import")
    seen.page.click("a[data-table=cases]")
    seen.page.wait_for_selector("#sheet:not([hidden])")
    assert "无" in seen.page.inner_text("#sheet")
    seen.clean()
    seen.shot("empty-start")
    for kind in MAPS:
        answer = seen.page.goto(f"{empty}/maps/{kind}")
        assert answer is not None
        assert answer.status == 404
        assert seen.page.is_visible("[role=alert]")
        assert seen.page.is_visible("a >> text=回到首页")
        english = seen.page.goto(f"{empty}/maps/{kind}?language=en")
        assert english is not None
        assert english.status == 404
        assert not re.search(r"[\u4e00-\u9fff]", seen.page.inner_text("main"))
    seen.shot("empty-map")


@pytest.mark.parametrize("kind", MAPS)
def test_the_english_page_says_nothing_in_chinese_of_its_own(
    served: str, visit: Open, kind: str
) -> None:
    seen = visit(f"{served}/maps/{kind}?language=en")
    for part in (".gs-header nav", ".gs-question", ".gs-facts dt", ".gs-legend-label", "h2", "th"):
        for text in seen.page.locator(part).all_inner_texts():
            # Names of the city stay as they are; only those in the question and sheets are names.
            own = re.sub(r"中文", "", text)
            if part == ".gs-question" and kind == "patrol":
                own = own.split(":", 1)[1]
            assert not re.search(r"[\u4e00-\u9fff]", own), (part, text)
    seen.shot(f"english-{kind}")
    seen.clean()


def test_a_running_import_can_be_cancelled_in_the_browser(
    empty: str, visit: Open, sample_city: SampleCity, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def slow(storage: Any, raw: Any, layer: Any, options: Any, progress: Any) -> Any:
        for step in range(600):
            progress("clean", step / 600)
            time.sleep(0.1)
        raise AssertionError("never cancelled")

    monkeypatch.setattr(api.imports.routes, "import_layer", slow)
    path = tmp_path / "cells.geojson"
    sample_city.cells.reset_index().to_file(path, driver="GeoJSON")
    seen = visit(empty + "/", ready=False)
    seen.page.set_input_files("#import input[name=file]", str(path))
    seen.page.click("#import button[type=submit]")
    seen.page.wait_for_selector("#report progress", timeout=60_000)
    seen.page.locator("#report .stage", has_text="进行中 修复边界").wait_for(timeout=60_000)
    assert "cells.geojson → 网格" in seen.page.inner_text("#report")
    seen.shot("import-running")
    seen.page.click("#report button.quiet")
    seen.page.wait_for_selector("#report[data-kind=note]", timeout=60_000)
    assert "已取消，未保存任何内容" in seen.page.inner_text("#report")
    assert seen.page.is_enabled("#import button[type=submit]")
    seen.page.click("a[data-table=jobs]")
    seen.page.locator("#sheet td", has_text="已取消").wait_for()
    seen.clean()


def test_the_start_page_fits_a_wall_and_a_phone(served: str, visit: Open) -> None:
    seen = visit(served + "/", ready=False)
    for width, height in ((3840, 2160), (1440, 900), (768, 1024), (390, 844)):
        seen.page.set_viewport_size({"width": width, "height": height})
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = [seen.box(f".card >> nth={i}") for i in range(4)]
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                apart = (
                    a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
                    or a["y"] + a["height"] <= b["y"] or b["y"] + b["height"] <= a["y"]
                )  # fmt: skip
                assert apart
    seen.clean()
