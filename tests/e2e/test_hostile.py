"""Names that try to run script are shown as text wherever a map shows names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import folium
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import maps
from gridsvc.datum import convert
from maps import OfflineMap, Page, SafeFeatureGroup, TextPopup, TextTooltip, Tiles
from maps.page import Assets
from tests.unit.maps import builders
from tests.unit.maps.test_maps import every_map

from .conftest import Open, Visit, serving

pytestmark = pytest.mark.chromium
KINDS = ("coverage", "hotspot", "patrol", "plan")
H = builders.HOSTILE
# One pixel, transparent.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001000100"
    "05fe02fea7350000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def hostile(web_assets: Path) -> Iterator[str]:
    """Pages full of hostile names: /url/KIND with the policy, /bare/KIND without any."""
    names = {
        "role": {"cell_leader": H},
        "category": {"market": H, "hospital": H},
        "class": {"01": H, "01001": H},
    }
    page = Page(plan_title=H, names=names, links=((H, "/x"),))

    def picture(request: Request) -> Response:
        mode, kind = request.path_params["mode"], request.path_params["kind"]
        assets: Assets = "inline" if mode == "inline" else "url"
        rendered = maps.render(every_map(H, assets=assets, page=page)[kind])
        if mode == "url":
            return HTMLResponse(rendered.html, headers={"Content-Security-Policy": rendered.policy})
        html = rendered.html
        if mode == "bare":
            assert "Content-Security-Policy" not in html
        return HTMLResponse(html)

    def tiles(_: Request) -> Response:
        drawn = maps.coverage_map(
            builders.coverage_result(),
            assets="url",
            page=Page(tiles=Tiles("/tile/{z}/{x}/{y}.png", "gcj02", "底图")),
        )
        return HTMLResponse(maps.render_html(drawn))

    def notebook(_: Request) -> Response:
        drawn = OfflineMap(location=(26.2, 117.6), zoom_start=12, assets="url")
        group = SafeFeatureGroup(H).add_to(drawn)
        marker = folium.CircleMarker((26.2, 117.6), radius=30).add_to(group)
        TextPopup(H).add_to(marker)
        TextTooltip(H).add_to(marker)
        folium.LayerControl(collapsed=False).add_to(drawn)
        return HTMLResponse(maps.render_html(drawn))

    app = Starlette(
        routes=[
            Route("/tile/{path:path}", lambda _: Response(PIXEL, media_type="image/png")),
            Route("/tiles", tiles),
            Route("/notebook", notebook),
            Route("/{mode}/{kind}", picture),
            Mount("/static", StaticFiles(directory=web_assets)),
        ]
    )
    # "/static/…" has to be looked for before "/{mode}/{kind}".
    app.router.routes.reverse()
    with serving(app) as address:
        yield address


def verbatim(seen: Visit, selector: str) -> str:
    return str(
        seen.page.locator(selector).evaluate_all("all => all.map(e => e.textContent).join(' ')")
    )


@pytest.mark.parametrize("mode", ["url", "bare", "inline"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_runs_and_every_place_shows_the_text(
    hostile: str, visit: Open, kind: str, mode: str
) -> None:
    seen = visit(f"{hostile}/{mode}/{kind}")
    page = seen.page
    # legend and facts
    assert H in verbatim(seen, ".gs-panel")
    # search results, then the popup that the first one opens
    page.fill(".gs-search-input", "<img")
    page.wait_for_selector(".gs-results li")
    assert H in verbatim(seen, ".gs-results")
    page.keyboard.press("Enter")
    page.fill(".gs-search-input", builders.CODES[0])
    page.keyboard.press("Enter")
    page.wait_for_selector(".leaflet-popup .gs-card")
    assert H in verbatim(seen, ".leaflet-popup")
    # tooltip of the cell under the pointer
    page.click(".leaflet-popup-close-button")
    page.wait_for_timeout(400)
    box = seen.box(".folium-map")
    x, y = page.evaluate(
        """([lat, lon]) => {
          const map = window[Object.keys(window).find((key) => key.startsWith('map_'))];
          map.setView([lat, lon], 15, { animate: false });
          const at = map.latLngToContainerPoint([lat, lon]);
          return [at.x, at.y];
        }""",
        [builders.SOUTH + 0.008, builders.WEST + 0.008],
    )
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_timeout(100)
    page.mouse.move(box["x"] + x + 3, box["y"] + y + 3)
    page.wait_for_selector(".leaflet-tooltip")
    assert H in verbatim(seen, ".leaflet-tooltip")
    # labels on the map, after zooming out again
    page.click(".gs-language")
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src='x']").count() == 0
    seen.clean()


def test_names_of_points_piles_and_stops_in_tooltips_and_popups(hostile: str, visit: Open) -> None:
    seen = visit(f"{hostile}/bare/coverage")
    marker = seen.page.locator(".leaflet-points-pane path").nth(2)
    marker.hover(force=True)
    marker.click(force=True)
    assert H in verbatim(seen, ".leaflet-popup, .leaflet-tooltip")
    rounds = visit(f"{hostile}/bare/patrol")
    rounds.page.locator(".gs-stops .gs-link").first.click()
    assert H in verbatim(rounds, ".leaflet-popup")
    for one in (seen, rounds):
        assert one.page.evaluate("window.hacked") is None
        one.clean()


def test_folium_layers_in_a_notebook_show_names_as_text(hostile: str, visit: Open) -> None:
    seen = visit(f"{hostile}/notebook", ready=False)
    seen.page.wait_for_selector(".leaflet-control-layers")
    assert H in verbatim(seen, ".leaflet-control-layers")
    box = seen.box(".folium-map")
    seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seen.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seen.page.wait_for_selector(".leaflet-popup")
    assert H in verbatim(seen, ".leaflet-popup")
    assert seen.page.evaluate("window.hacked") is None
    seen.clean()


def test_a_shifted_base_map_shifts_the_overlay_and_not_the_coordinates(
    hostile: str, visit: Open
) -> None:
    seen = visit(f"{hostile}/tiles")
    west, south = builders.WEST, builders.SOUTH
    want = convert(west, south, "wgs84", "gcj02")
    corners = seen.page.evaluate(
        """() => {
          const map = window[Object.keys(window).find((key) => key.startsWith('map_'))];
          const found = [];
          map.eachLayer((layer) => {
            if (layer instanceof L.Polygon) found.push(...layer.getLatLngs().flat(3));
          });
          return found.map((place) => [place.lng, place.lat]);
        }"""
    )

    def nearest(lon: float, lat: float) -> float:
        return float(min(max(abs(x - lon), abs(y - lat)) for x, y in corners))

    assert nearest(float(want[0]), float(want[1])) < 2e-6
    assert nearest(west, south) > 1e-4
    assert "偏移" in verbatim(seen, ".gs-notes")
    seen.clean()
