"""Maps of results in which something is missing: names, duties, visits, reports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import maps

from . import builders
from .test_maps import data_of


def test_cells_without_names_are_called_by_their_codes():
    hot = builders.hotspot_result()
    covered = builders.coverage_result()
    drawn: list[dict[str, Any]] = [
        data_of(maps.hotspot_map(replace(hot, cells=hot.cells.drop(columns="name")))),
        data_of(maps.coverage_map(replace(covered, cells=covered.cells.drop(columns="name")))),
    ]
    for data in drawn:
        assert data["cells"]["names"] == builders.CODES
    assert drawn[0]["lists"][0]["rows"][0]["values"][0] == builders.CODES[0]
    assert drawn[1]["lists"][1]["rows"][0]["values"][0] == builders.CODES[5]
