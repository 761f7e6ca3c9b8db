"""Locate on real boundaries: 687 block groups of Boston, and the sample city."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

from geodata.sample import SampleCity
from geodata.sources import open_source
from gridsvc.errors import OverlappingCells
from gridsvc.locate import Locator
from tests.benchmarks.places import KINDS, lowest_covering, places

PER_KIND = 20_000


def agree(cells: gpd.GeoDataFrame) -> None:
    locator = Locator.from_cells(cells)
    assert locator.exact_arithmetic
    codes = np.array([*locator.codes, ""], dtype=object)
    for kind in KINDS:
        x, y = places(cells, kind, PER_KIND, seed=8)
        expected, on_border = lowest_covering(cells, x, y)
        positions, border = locator.locate_with_border(x, y)
        assert (codes[positions] == expected).all(), kind
        assert (border == on_border).all(), kind


def layer(path: Path) -> gpd.GeoDataFrame:
    frame = open_source(path).frame[["geometry"]]
    return frame.set_axis([f"{i:06d}" for i in range(len(frame))])


@pytest.mark.shared_data
def test_block_groups_agree_with_geos(shared_data: Path) -> None:
    agree(layer(shared_data / "boston" / "boston_area_block_groups_2020.parquet"))


@pytest.mark.shared_data
def test_overlapping_neighbourhoods_are_refused(shared_data: Path) -> None:
    cells = layer(shared_data / "boston" / "boston_neighborhoods.parquet")
    with pytest.raises(OverlappingCells) as caught:
        Locator.from_cells(cells)
    one, two = (cells.geometry[c] for c in (caught.value.first, caught.value.second))
    assert shapely.relate_pattern(one, two, "T********")


def test_sample_city_agrees_with_geos(sample_city: SampleCity) -> None:
    agree(sample_city.cells)
