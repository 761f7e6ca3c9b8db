"""What the address and the headers of a request make of a map page."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.maps.cache import CachedPage, PageCache
from api.maps.routes import takes_gzip


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("*", True),
        ("deflate, *;q=0.1", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=many", False),
        ("not-gzip", False),
    ],
)
def test_who_takes_gzip(header: str, takes: bool) -> None:
    assert takes_gzip(header) is takes


def test_gzip_that_is_refused_is_not_sent(app_client: TestClient) -> None:
    plain = app_client.get("/maps/plan", headers={"Accept-Encoding": "gzip;q=0"})
    assert plain.status_code == 200
    assert "content-encoding" not in plain.headers
    packed = app_client.get("/maps/plan", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text


def test_the_order_of_parameters_draws_nothing_anew(
    app_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    real = PageCache.get

    def watched(self: PageCache, key: str, build: Any) -> Any:
        keys.append(key)
        return real(self, key, build)

    monkeypatch.setattr(PageCache, "get", watched)
    two = ("?datum=gcj02&language=en", "?language=en&datum=gcj02")
    for query in (*two, f"{two[0]}&download=0", f"{two[1]}&"):
        assert app_client.get(f"/maps/plan{query}").status_code == 200
    assert len(keys) == 4
    assert len(set(keys)) == 1
    # What only the browser reads draws the same page.
    cell = app_client.get("/api/v1/cells?limit=1").json()["features"][0]
    code, community = cell["id"], cell["properties"]["community_code"]
    for query in ("datum=wgs84", f"cell={code}", f"cell=%20{code}", f"community={community}"):
        assert app_client.get(f"/maps/plan?{query}&language=en").status_code == 200
    assert len(set(keys)) == 1


@pytest.mark.parametrize("kind", ["coverage", "hotspot", "plan"])
@pytest.mark.parametrize("name", ["cell", "community"])
def test_a_place_that_is_not_there_is_refused_before_anything_is_drawn(
    app_client: TestClient, monkeypatch: pytest.MonkeyPatch, kind: str, name: str
) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("drawn")

    monkeypatch.setattr(PageCache, "get", never)
    place = "9" * 80 + "<b>"
    answer = app_client.get(f"/maps/{kind}", params={name: place})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert place not in answer.text
    page = app_client.get(f"/maps/{kind}", params={name: place}, headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "<b>" not in page.text.split("<main")[1].split("<ul")[0]


def test_the_same_conditions_written_otherwise_are_one_page(
    app_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []

    def watched(self: PageCache, key: str, build: Any) -> Any:
        keys.append(key)
        return CachedPage(gzip.compress(b"-"), "", "")

    monkeypatch.setattr(PageCache, "get", watched)
    for query in (
        "since=2025-12-01&until=2026-02-01", "until=2026-02-01&since=2025-12-01T00:00:00%2B08:00",
        "since=2025-12-01&until=2026-02-01&denominator=none&set_aside=true&class=",
    ):  # fmt: skip
        assert app_client.get(f"/maps/hotspot?{query}&language=zh").status_code == 200
    assert len(set(keys)) == 1
    assert app_client.get("/maps/hotspot?since=2025-12-02&language=zh").status_code == 200
    assert len(set(keys)) == 2
