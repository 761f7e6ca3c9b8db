"""What people do on the pages, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from gridsvc.datum import convert

from .conftest import RESULTS, Open, Size, Visit

pytestmark = pytest.mark.chromium


def panel(seen: Visit) -> str:
    return seen.page.inner_text(".gs-panel")


def test_language_switches_in_place_and_is_kept_on_reload(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/coverage")
    assert "图例" in panel(seen)
    seen.page.click(".gs-language")
    assert "Legend" in panel(seen)
    assert "Cell leader per cell" in panel(seen)
    assert seen.page.locator("html").get_attribute("lang") == "en"
    seen.page.reload(wait_until="load")
    seen.page.wait_for_selector("html[data-ready=true]", state="attached")
    assert "Legend" in panel(seen)
    seen.clean()


def test_search_by_code_and_by_name_opens_the_cell(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/coverage")
    code = seen.page.evaluate(
        "JSON.parse(document.getElementById('gridsvc-document').textContent).cells.codes[123]"
    )
    seen.page.fill(".gs-search-input", code)
    assert code in seen.page.inner_text(".gs-results li >> nth=0")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_selector(".leaflet-popup .gs-card")
    assert code in seen.page.inner_text(".leaflet-popup")
    name = seen.page.inner_text(".leaflet-popup .gs-card-title")
    seen.page.fill(".gs-search-input", name)
    assert name in seen.page.inner_text(".gs-results")
    seen.page.fill(".gs-search-input", "没有这个地方")
    assert "没有找到" in seen.page.inner_text(".gs-results")
    seen.clean()


def test_the_address_opens_a_cell_and_a_datum(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/coverage")
    code = seen.page.evaluate(
        "JSON.parse(document.getElementById('gridsvc-document').textContent).cells.codes[7]"
    )
    focused = visit(served + f"/maps/coverage?cell={code}&datum=gcj02")
    assert code in focused.page.inner_text(".leaflet-popup")
    assert focused.page.input_value(".gs-datum") == "gcj02"


def test_fill_layers_and_patterns_change_map_and_legend(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/coverage")
    seen.page.select_option("select[name=fill]", label="每格人口")
    assert seen.page.inner_text(".gs-legend-title >> nth=0").startswith("每格人口")
    seen.page.select_option("select[name=theme-points]", label="按类型")
    assert "集贸市场" in panel(seen)
    before = seen.page.locator(".leaflet-points-pane path").count()
    seen.page.uncheck("input[data-layer=points]")
    assert seen.page.locator(".leaflet-points-pane path").count() < before
    seen.page.check("input[data-layer=patterns]")
    seen.shot("coverage-patterns")
    seen.clean()


def test_a_row_of_a_list_opens_its_cell(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/hotspot")
    row = seen.page.locator(".gs-table tr.can-open").first
    name = row.locator("td").first.inner_text()
    row.click()
    assert name in seen.page.inner_text(".leaflet-popup")
    assert "z 值" in seen.page.inner_text(".leaflet-popup")


def test_hotspot_conditions_reload_the_page_with_them(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/hotspot")
    facts = panel(seen)
    whole = re.search(r"([\d,]+) 件", facts)
    seen.page.fill("input[name=since]", "2026-06-01")
    seen.page.fill("input[name=until]", "2026-09-01")
    with seen.page.expect_navigation(wait_until="load"):
        seen.page.click(".gs-form button[type=submit]")
    seen.page.wait_for_selector("html[data-ready=true]", state="attached")
    assert "since=2026-06-01" in seen.page.url
    assert "class=" not in seen.page.url
    after = panel(seen)
    assert "2026-06-01 至 2026-09-01" in after
    part = re.search(r"([\d,]+) 件", after)
    assert whole is not None
    assert part is not None
    assert int(part[1].replace(",", "")) < int(whole[1].replace(",", ""))
    seen.clean()


def test_density_can_be_laid_over_and_reports_appear_when_few_are_in_view(
    served: str, visit: Open
) -> None:
    seen = visit(served + "/maps/hotspot")
    assert "件/km²" not in seen.page.inner_text(".gs-section:has(.gs-legend)")
    seen.page.check("input[data-layer=density]")
    assert "件/km²" in seen.page.inner_text(".gs-section:has(.gs-legend)")
    seen.page.wait_for_timeout(200)
    seen.shot("hotspot-density")
    far = seen.page.locator(".leaflet-points-pane path").count()
    row = seen.page.locator(".gs-table tr.can-open").first
    row.click()
    for _ in range(8):
        seen.page.click(".leaflet-control-zoom-in")
        seen.page.wait_for_timeout(350)
    near = seen.page.locator(".leaflet-points-pane path").count()
    assert far < near < 200 + far
    seen.clean()


def test_patrol_gives_gpx_and_a_printed_sheet(served: str, visit: Open, tmp_path: Path) -> None:
    seen = visit(served + "/maps/patrol?inspectors=2")
    with seen.page.expect_download() as waiting:
        seen.page.locator(".gs-round[open] .gs-actions button").first.click()
    target = tmp_path / "round.gpx"
    waiting.value.save_as(target)
    text = target.read_text(encoding="utf-8")
    assert text.startswith("<?xml")
    assert "<trkpt" in text
    document = seen.page.pdf(prefer_css_page_size=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "patrol.pdf").write_bytes(document)
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", document)
    assert len(boxes) == 3  # the map and a sheet for each of two rounds
    sizes = [(round(float(w)), round(float(h))) for w, h in boxes]
    assert sizes == [(1191, 842), (595, 842), (595, 842)]  # A3 for the wall, A4 for the pocket
    seen.clean()


def test_the_sheet_has_three_heights_on_a_phone(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/coverage", size="phone")

    def height() -> float:
        seen.page.wait_for_timeout(300)
        return seen.box(".gs-panel")["height"]

    heights = [height()]
    for _ in range(2):
        seen.page.click(".gs-handle")
        heights.append(height())
    seen.shot("coverage-phone-full")
    assert heights[0] < heights[1] < heights[2]
    seen.page.click(".gs-handle")
    assert height() == pytest.approx(heights[0])
    seen.clean()


def test_coordinates_follow_the_pointer_in_the_chosen_datum(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/coverage")
    seen.page.mouse.move(500, 400)

    def shown() -> list[float]:
        return [float(part) for part in seen.page.inner_text(".gs-coords").split(",")]

    lon, lat = shown()
    for datum in ("gcj02", "bd09"):
        seen.page.select_option(".gs-datum", datum)
        want = convert(lon, lat, "wgs84", datum)
        assert shown() == pytest.approx([float(want[0]), float(want[1])], abs=3e-6)


def test_the_browser_converts_datums_as_the_domain_does(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/plan")
    rng = np.random.default_rng(20181122)
    lon = np.append(rng.uniform(70, 140, 300), [116.404, 0.0, 137.8347])
    lat = np.append(rng.uniform(-5, 58, 300), [39.915, 0.0, 55.8271])
    datums = ("wgs84", "cgcs2000", "gcj02", "bd09")
    for source in datums:
        for target in datums:
            x, y = convert(lon, lat, source, target)
            found = np.asarray(
                seen.page.evaluate(
                    "([p, s, t]) => p.map(([x, y]) => gridsvc.datum.convert(x, y, s, t))",
                    [np.column_stack([lon, lat]).tolist(), source, target],
                )
            )
            assert np.abs(found - np.column_stack([x, y])).max() < 1e-9


def test_one_file_export_opens_without_a_server(served: str, visit: Open, tmp_path: Path) -> None:
    seen = visit(served + "/maps/hotspot")
    with seen.page.expect_download() as waiting:
        seen.page.click("a[download]")
    target = tmp_path / "hotspot.html"
    waiting.value.save_as(target)
    alone = visit(target.as_uri())
    assert alone.page.locator(".gs-form input[name=since]").is_disabled()
    assert "导出的单个文件" in panel(alone)
    assert alone.page.locator(".gs-header a").count() == 0
    alone.page.click(".gs-language")
    assert "Legend" in panel(alone)
    alone.clean()


def test_the_dispatcher_gets_an_answer_on_the_start_page(served: str, visit: Open) -> None:
    seen = visit(served + "/", ready=False)
    example = seen.attribute("input[name=at]", "placeholder")
    seen.page.fill("input[name=at]", example.replace(", ", "，"))
    seen.page.click("#locate button")
    seen.page.wait_for_selector("#answer[data-kind=good], #answer[data-kind=note]")
    text = seen.page.inner_text("#answer")
    assert re.search(r"\d{15}", text)
    assert "网格长" in text
    seen.shot("start-located")
    seen.page.fill("input[name=at]", "117")
    seen.page.click("#locate button")
    seen.page.wait_for_selector("#answer[data-kind=bad]")
    assert "两个数" in seen.page.inner_text("#answer")
    seen.clean()
    seen.page.fill("input[name=at]", "100, 30")
    seen.page.click("#locate button")
    seen.page.get_by_text("不在任何网格内").first.wait_for()


def test_a_phone_has_a_menu_that_leads_home_and_to_the_other_maps(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/coverage", size="phone")
    assert seen.page.is_visible(".gs-header h1")
    seen.page.click(".gs-more summary")
    links = seen.page.locator(".gs-menu a")
    assert {"首页", "热点图", "下载单文件"} <= set(links.all_inner_texts())
    seen.page.mouse.click(40, 300)
    assert not seen.page.is_visible(".gs-menu")
    seen.page.click(".gs-more summary")
    seen.page.click(".gs-menu a >> text=首页")
    seen.page.wait_for_selector("#locate")
    seen.clean()


@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_the_card_of_a_found_cell_leaves_the_cell_in_view(
    served: str, visit: Open, size: Size
) -> None:
    seen = visit(served + "/maps/coverage", size=size)
    code = seen.page.evaluate(
        "JSON.parse(document.getElementById('gridsvc-document').textContent).cells.codes[300]"
    )
    seen.page.fill(".gs-search-input", code)
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_selector(".leaflet-popup .gs-card")
    seen.page.wait_for_timeout(500)
    card = seen.box(".leaflet-popup-content-wrapper")
    sub = seen.box(".leaflet-popup .gs-card-sub")
    header = seen.box(".gs-header")
    panel = seen.box(".gs-panel")
    assert card["width"] >= 220
    assert sub["height"] < 20
    assert card["y"] >= header["y"] + header["height"]
    if size == "phone":
        assert card["y"] + card["height"] < panel["y"]
    seen.clean()
