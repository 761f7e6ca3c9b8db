"""What the address and the headers of a request make of a map page."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.maps.cache import PageCache
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
    assert app_client.get("/maps/plan?datum=wgs84&language=en").status_code == 200
    assert len(set(keys)) == 2
