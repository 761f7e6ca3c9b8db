"""Every page and map in a real browser: nothing from elsewhere, no error, Chinese drawn."""

from __future__ import annotations

import pytest

from .conftest import Open, Size

pytestmark = pytest.mark.chromium

PAGES = {
    "start": ("/", False),
    "start-en": ("/?language=en", False),
    "docs": ("/docs", False),
    "coverage": ("/maps/coverage", True),
    "hotspot": ("/maps/hotspot", True),
    "patrol": ("/maps/patrol?inspectors=2", True),
    "plan": ("/maps/plan", True),
}

# Two Chinese letters drawn as the same box would have equal pixels.
DRAWN = """() => {
  const draw = (letter) => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 40;
    const pen = canvas.getContext('2d');
    pen.font = '32px ' + getComputedStyle(document.body).fontFamily;
    pen.fillText(letter, 2, 34);
    return Array.from(pen.getImageData(0, 0, 40, 40).data).filter((_, i) => i % 4 === 3);
  };
  const letters = ['网', '格', '巡', '查', '\\uFFFE'].map(draw);
  const same = (a, b) => a.every((v, i) => v === b[i]);
  const ink = letters.slice(0, 4).every((one) => one.filter((v) => v > 0).length > 60);
  const all = letters.every((a, i) => letters.every((b, j) => i === j || !same(a, b)));
  return ink && all;
}"""


@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("name", sorted(PAGES))
def test_page_is_clean_and_chinese_is_drawn(
    served: str, visit: Open, name: str, size: Size
) -> None:
    path, ready = PAGES[name]
    seen = visit(served + path, size=size, ready=ready)
    if name == "docs":
        seen.page.wait_for_selector(".swagger-ui .info .title", timeout=30_000)
    seen.page.wait_for_timeout(300)
    picture = seen.shot(f"{name}-{size}")
    assert len(picture) > 10_000
    seen.clean()
    assert seen.page.evaluate(DRAWN)
    if name != "docs":
        overflow = seen.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0
        text = seen.page.inner_text("body")
        assert ("Dispatcher" if name == "start-en" else "网格") in text


@pytest.mark.parametrize("name", ["coverage", "hotspot", "patrol", "plan"])
def test_the_map_is_not_empty(served: str, visit: Open, name: str) -> None:
    seen = visit(served + PAGES[name][0])
    drawn = seen.page.evaluate(
        """() => Array.from(document.querySelectorAll('canvas')).map((canvas) => {
          const data = canvas.getContext('2d').getImageData(
            0, 0, canvas.width, canvas.height).data;
          let ink = 0;
          for (let i = 3; i < data.length; i += 4) if (data[i]) ink++;
          return ink;
        })"""
    )
    assert max(drawn) > 20_000
    assert seen.page.locator(".gs-label").count() > 3


@pytest.mark.parametrize("width", [768, 1920, 3840])
def test_nothing_overlaps_at_other_widths(served: str, visit: Open, width: int) -> None:
    seen = visit(served + "/maps/coverage")
    seen.page.set_viewport_size({"width": width, "height": 1000})
    seen.page.wait_for_timeout(200)
    boxes = seen.page.evaluate(
        """() => ['.gs-header', '.folium-map', '.gs-panel'].map((name) => {
          const box = document.querySelector(name).getBoundingClientRect();
          return [box.left, box.top, box.right, box.bottom];
        })"""
    )
    header, drawn, panel = boxes
    assert header[3] <= drawn[1] + 1
    assert drawn[2] <= panel[0] + 1
    assert panel[2] <= width + 1


def test_a_bad_condition_is_a_page_that_says_what_to_do(served: str, visit: Open) -> None:
    seen = visit(served + "/maps/hotspot?since=yesterday", ready=False)
    text = seen.page.inner_text("main")
    assert "yesterday" in text
    assert "2018-11-22" in text
    assert seen.outside == []
    seen.page.click("main a")
    seen.page.wait_for_selector("#locate")
