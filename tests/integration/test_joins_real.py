"""Real reports joined to real cells: as geopandas counts them, and none lost."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from geodata.sources import open_source
from gridsvc.layers import Placement
from gridsvc.locate import Locator
from gridsvc.services.joining import place, placement_counts

pytestmark = pytest.mark.shared_data


def test_requests_in_block_groups_equal_sjoin(shared_data: Path) -> None:
    groups = open_source(shared_data / "boston/boston_area_block_groups_2020.parquet").frame
    requests = open_source(shared_data / "boston/boston_311_2015_q1_q3.parquet").frame
    cells = gpd.GeoDataFrame(
        # Some groups come in several rows, so the row is the cell.
        index=pd.Index([f"{row:04d}" for row in range(len(groups))], name="code"),
        geometry=groups.geometry.to_numpy(),
        crs=4490,
    )
    points = gpd.GeoDataFrame(index=requests.index, geometry=requests["geometry"], crs=4490)
    placed = place(points, Locator.from_cells(cells), "boston")
    counts = placement_counts(placed)
    assert counts["total"] == len(requests) == 93_963
    assert sum(v for k, v in counts.items() if k != "total") == 93_963

    # GEOS is the judge of every point that lies inside a cell, and of which lie in none.
    joined = points.sjoin(cells, predicate="within")
    assert joined.index.is_unique
    inside = placed["placement"] == Placement.PLACED
    assert set(joined.index) == set(placed.index[inside])
    theirs = joined["code"].value_counts().sort_index()
    ours = placed.loc[inside, "cell_code"].value_counts().sort_index()
    assert ours.to_dict() == theirs.to_dict()
    touching = points.sjoin(cells, predicate="intersects")
    assert set(touching.index) == set(placed.index[placed["cell_code"].notna()])
    border = placed.index[placed["placement"] == Placement.ON_BORDER]
    lowest = touching.loc[touching.index.isin(border)].groupby(level=0)["code"].min()
    assert placed.loc[lowest.index, "cell_code"].tolist() == lowest.tolist()
    assert (placed.loc[placed["placement"] == Placement.OUTSIDE, "cell_code"].isna()).all()


def test_rows_without_coordinates_are_kept(shared_data: Path) -> None:
    villages = open_source(shared_data / "tainan/tainan_l3a_code2.parquet").frame
    cases = open_source(shared_data / "tainan/tainan_dengue_cases_2015_points.parquet").frame
    west, south, east, north = villages.total_bounds
    half = (west + east) / 2
    cells = gpd.GeoDataFrame(
        index=["east", "west"],
        geometry=[shapely.box(half, south, east, north), shapely.box(west, south, half, north)],
        crs=4490,
    )
    placed = place(cases, Locator.from_cells(cells), "halves")
    counts = placement_counts(placed)
    assert counts["no_coordinates"] == 36
    assert counts["total"] == len(cases) == 2706
    shapes = cases.geometry.to_numpy()
    given = np.asarray(shapely.is_empty(shapes) | shapely.is_missing(shapes))
    assert (placed["placement"].to_numpy() == Placement.NO_COORDINATES).tolist() == given.tolist()
