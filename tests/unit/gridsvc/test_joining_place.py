"""Rows to cells: nothing lost, each unplaced row with its reason."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import LineString, Point, box

from gridsvc.errors import CrsMismatch
from gridsvc.layers import POINTS, Placement, normalize
from gridsvc.services.joining import place, placement_counts


class BoxLocator:
    """Two unit squares side by side, A on the left and B on the right."""

    codes = ["A", "B"]  # noqa: RUF012

    def locate_many(self, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
        inside = (lon >= 0) & (lon <= 2) & (lat >= 0) & (lat <= 1)
        return np.where(inside, np.where(lon <= 1, 0, 1), -1).astype(np.int32)

    def on_border_many(self, lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
        edge = (lon == 0) | (lon == 1) | (lon == 2) | (lat == 0) | (lat == 1)
        return np.asarray(edge & (self.locate_many(lon, lat) >= 0))


def rows(geometries: list[object]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(
        {"n": range(len(geometries))},
        index=pd.Index([f"r{i}" for i in range(len(geometries))], name="id"),
        geometry=geometries,
        crs=4490,
    )


def test_every_kind_of_row_is_kept_with_its_reason() -> None:
    given = rows(
        [
            Point(0.5, 0.5),
            Point(1, 0.5),
            Point(5, 5),
            None,
            Point(),
            Point(float("nan"), 0.5),
            Point(float("inf"), 0.5),
            Point(500, 0.5),
        ]
    )
    got = place(given, BoxLocator(), "p1")
    assert list(got.index) == list(given.index)
    assert list(got["placement"]) == [
        Placement.PLACED,
        Placement.ON_BORDER,
        Placement.OUTSIDE,
        Placement.NO_COORDINATES,
        Placement.NO_COORDINATES,
        Placement.INVALID_COORDINATES,
        Placement.INVALID_COORDINATES,
        Placement.INVALID_COORDINATES,
    ]
    assert list(got["cell_code"].astype(object).where(got["cell_code"].notna(), None)) == [
        "A", "A", None, None, None, None, None, None,
    ]  # fmt: skip
    assert set(got["plan_id"]) == {"p1"}
    counts = placement_counts(got)
    assert counts.pop("total") == len(given) == sum(counts.values())


def test_lines_and_polygons_by_a_point_of_theirs() -> None:
    line = LineString([(1.2, 0.2), (1.5, 0.5), (1.8, 0.2)])
    partly = box(1.1, 0.1, 1.9, 0.9)
    broken = LineString([(0.1, 0.1), (0.2, 100.0), (0.3, 0.3)])
    got = place(rows([line, partly, broken]), BoxLocator(), "p1")
    assert list(got["cell_code"][:2]) == ["B", "B"]
    assert got["placement"].iloc[2] == Placement.INVALID_COORDINATES


def test_nothing_is_mutated_and_contract_dtypes_stay() -> None:
    given = normalize(
        gpd.GeoDataFrame(
            {"point_id": ["x"], "name": ["甲"], "category": ["market"]},
            geometry=[Point(0.5, 0.5)],
            crs=4490,
        ),
        POINTS,
    )
    before = given.copy()
    got = place(given, BoxLocator(), "p1")
    pd.testing.assert_frame_equal(pd.DataFrame(given), pd.DataFrame(before))
    pd.testing.assert_series_equal(got.dtypes.drop("geometry"), given.dtypes.drop("geometry"))
    assert got.crs == given.crs


def test_a_table_without_geometry_is_kept_whole() -> None:
    got = place(pd.DataFrame({"n": [1, 2]}), BoxLocator(), "p1")
    assert list(got["placement"]) == [Placement.NO_COORDINATES] * 2
    assert got.crs.to_epsg() == 4490


def test_an_empty_table_stays_empty() -> None:
    got = place(rows([]), BoxLocator(), "p1")
    assert len(got) == 0
    assert placement_counts(got)["total"] == 0


def test_metric_coordinates_are_refused() -> None:
    with pytest.raises(CrsMismatch):
        place(rows([Point(500000, 2900000)]).set_crs(4548, allow_override=True), BoxLocator(), "p")


def test_order_of_rows_does_not_matter() -> None:
    rng = np.random.default_rng(7)
    given = rows([Point(place) for place in rng.uniform(-1, 3, (500, 2))])
    shuffled = given.sample(frac=1.0, random_state=3)
    one = place(given, BoxLocator(), "p")
    other = place(shuffled, BoxLocator(), "p").loc[one.index]
    assert one["placement"].equals(other["placement"])
    assert one["cell_code"].equals(other["cell_code"])
