"""Metric zones, canonical coordinates, projection round trips."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gridsvc.crs import (
    canonical,
    canonical_geometry,
    metric_epsg_of,
    require_geographic,
    to_metric,
    to_storage,
    transformer,
    zone_epsg,
)
from gridsvc.errors import CrsMismatch


def test_known_place_in_the_zone_of_wenzhou() -> None:
    x, y = transformer(4490, 4549).transform(120.6953127, 27.9971173)
    assert (round(x, 3), round(y, 3)) == (568395.022, 3098317.108)
    x, y = transformer(4490, 4528).transform(120.6953127, 27.9971173)
    assert round(x, 3) == 40568395.022


@pytest.mark.parametrize(
    ("lon", "lat", "epsg"),
    [
        (120.7, 28.0, 4549), (117.63, 26.26, 4548), (114.5, 37.07, 4547),
        (75.1, 39.5, 4534), (135.0, 48.0, 4554),
        (-71.06, 42.36, 32619), (151.2, -33.9, 32756),
    ],
)  # fmt: skip
def test_zone_by_place(lon: float, lat: float, epsg: int) -> None:
    assert zone_epsg(lon, lat) == epsg


def test_zone_of_a_layer_is_that_of_its_centre() -> None:
    assert metric_epsg_of([shapely.box(117.5, 26.1, 117.7, 26.3)]) == 4548


def test_area_is_not_measured_in_web_mercator() -> None:
    # A 1 km square drawn in the zone; EPSG:3857 would make it 1.24 km² at this latitude.
    square = shapely.box(562000, 2904000, 563000, 2905000)
    stored = to_storage(square, 4548)
    assert abs(shapely.area(to_metric(stored, 4548)) - 1e6) < 0.3  # 4 km rim × 0.05 mm
    mercator = gpd.GeoSeries([stored], crs=4490).to_crs(3857).area.iloc[0]
    assert 1.23e6 < mercator < 1.25e6


@given(st.floats(-180, 180))
def test_canonical_is_idempotent_and_near(value: float) -> None:
    once = canonical(value)
    assert canonical(once) == once
    assert abs(float(once) - value) <= 0.5001e-9


@given(st.integers(400_000_000, 600_000_000), st.integers(2_500_000_000, 3_500_000_000))
def test_a_millimetre_grid_comes_back_exactly(x_mm: int, y_mm: int) -> None:
    point = shapely.Point(x_mm / 1000, y_mm / 1000)
    back = to_metric(to_storage(point, 4548), 4548)
    assert round(back.x * 1000) == x_mm
    assert round(back.y * 1000) == y_mm


def test_rounding_is_pointwise_so_shared_edges_stay_shared() -> None:
    a = shapely.Polygon([(117, 26), (117.1, 26), (117.1000000004, 26.1), (117, 26.1)])
    b = shapely.Polygon([(117.1, 26), (117.2, 26), (117.2, 26.1), (117.1000000004, 26.1)])
    rounded = canonical_geometry(np.array([a, b]))
    assert shapely.coverage_is_valid(rounded)
    assert shapely.get_coordinates(rounded).max() == 117.2


def test_frames_without_a_geographic_system_are_refused() -> None:
    with pytest.raises(CrsMismatch):
        require_geographic(None)
    with pytest.raises(CrsMismatch, match="4548"):
        require_geographic(4548)
    for good in (4490, 4326, "OGC:CRS84"):
        require_geographic(good)
