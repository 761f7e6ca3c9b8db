"""What the address and the headers of a request make of a map page."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.maps.cache import PageCache
from api.maps.routes import PARAMETERS, takes_gzip
from api.settings import Settings


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


def test_parameters_that_a_map_does_not_read_draw_nothing_anew(
    app_client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    real = PageCache.get

    def watched(self: PageCache, key: str, build: Any) -> Any:
        keys.append(key)
        return real(self, key, build)

    monkeypatch.setattr(PageCache, "get", watched)
    for query in ("", "?x=1", "?x=2", "?seed=3", "?x=1&x=2", "?download=0&y="):
        assert app_client.get(f"/maps/plan{query}").status_code == 200
    assert len(keys) == 6
    assert len(set(keys)) == 1
    assert app_client.get("/maps/plan?datum=gcj02").status_code == 200
    assert len(set(keys)) == 2


def test_the_parameters_of_maps_are_those_that_are_declared() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    for kind, names in PARAMETERS.items():
        declared = {p["name"] for p in paths[f"/maps/{kind}"]["get"]["parameters"]}
        declared -= {"download"}
        assert declared <= set(names), kind
        assert set(names) - declared <= {"lang", "at", "datum"}, kind
