"""Served pages compared with recorded ones; ``pytest --update-golden`` rewrites them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import maps

from .test_maps import every_map

FOLDER = Path(__file__).resolve().parents[2] / "golden" / "maps"


def normalised(page: str) -> str:
    """The page without what changes with the build of the assets and with the catalogue."""
    page = re.sub(r"\?v=\w+", "?v=BUILD", page)
    page = re.sub(r'"messages":\{.*?\}\}', '"messages":{}', page, flags=re.DOTALL)
    return re.sub(r"[ \t]+$", "", page, flags=re.MULTILINE).replace('},{"', '},\n{"')


@pytest.mark.parametrize("kind", ["coverage", "hotspot", "patrol", "plan"])
def test_page_is_as_recorded(kind: str, request: pytest.FixtureRequest) -> None:
    page = normalised(maps.render_html(every_map(assets="url")[kind]))
    path = FOLDER / f"{kind}.html"
    if request.config.getoption("--update-golden"):
        FOLDER.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    assert page == path.read_text(encoding="utf-8")
