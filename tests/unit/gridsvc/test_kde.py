from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import shapely

from gridsvc import crs
from gridsvc.analysis import kde
from gridsvc.analysis.kde import density, nice_levels
from gridsvc.errors import InputError
from gridsvc.types import FloatArray


def exact(
    x: FloatArray, y: FloatArray, at_x: FloatArray, at_y: FloatArray, bandwidth: float
) -> FloatArray:
    """Gaussian sum per km² by definition."""
    squared = (at_x[:, None] - x) ** 2 + (at_y[:, None] - y) ** 2
    sums: FloatArray = np.exp(-squared / (2 * bandwidth**2)).sum(axis=1)
    return sums / (2 * np.pi * bandwidth**2) * 1e6


def test_equals_the_exact_sum_within_the_binning() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(5000, 800, 3000), rng.normal(3000, 500, 3000)
    values, (west, south, east, north) = density(x, y, bandwidth_m=100, cell_m=10)
    rows, columns = rng.integers(0, values.shape[0], 200), rng.integers(0, values.shape[1], 200)
    at_x, at_y = (np.asarray(i, dtype=float) + 0.5 for i in (columns, rows))
    reference = exact(x, y, west + at_x * 10, south + at_y * 10, 100.0)
    assert np.abs(values[rows, columns] - reference).max() / values.max() < 5e-3
    assert values.shape == (round((north - south) / 10), round((east - west) / 10))


def test_mass_is_conserved() -> None:
    rng = np.random.default_rng(2)
    values, _ = density(rng.random(500) * 2e3, rng.random(500) * 1e3, bandwidth_m=150, cell_m=30)
    assert values.sum() * 30**2 / 1e6 == pytest.approx(500, rel=1e-9)


def test_first_row_is_south_and_first_column_west() -> None:
    values, (west, south, _, _) = density(
        np.array([1005.0]), np.array([2005.0]), bandwidth_m=20, cell_m=10
    )
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert (west + (column + 0.5) * 10, south + (row + 0.5) * 10) == (1005.0, 2005.0)


def test_raster_is_anchored_so_that_periods_compare() -> None:
    _, one = density(np.array([1005.0]), np.array([5.0]), bandwidth_m=20, cell_m=10)
    _, two = density(np.array([1007.0]), np.array([9.0]), bandwidth_m=20, cell_m=10)
    assert one == two


def test_surface_in_metres_with_bands_in_degrees() -> None:
    rng = np.random.default_rng(3)
    lonlat = np.column_stack([rng.normal(117.63, 0.01, 4000), rng.normal(26.26, 0.01, 4000)])
    surface = kde(lonlat, bandwidth_m=200)
    assert (surface.epsg, surface.n, surface.bandwidth_m) == (4548, 4000, 200.0)
    bands = surface.bands
    assert bands.crs.to_epsg() == 4490
    assert bands.geometry.is_valid.all()
    assert (bands["low"] < bands["high"]).all()
    assert bands["low"].tolist() == nice_levels(float(surface.values.max()))
    # Each raster cell centre lies in the band of its value.
    west, south, _, _ = surface.bounds_m
    rows, columns = (
        rng.integers(0, surface.values.shape[0], 300),
        rng.integers(0, surface.values.shape[1], 300),
    )
    x = west + (columns + 0.5) * surface.cell_m
    y = south + (rows + 0.5) * surface.cell_m
    metric = crs.to_metric(bands.geometry.to_numpy(), surface.epsg)
    for low, high, shape in zip(bands["low"], bands["high"], metric, strict=True):
        value = surface.values[rows, columns]
        sure = np.minimum(np.abs(value - low), np.abs(value - high)) > 0.02 * high
        expected = (value > low) & (value < high)
        assert np.array_equal(shapely.contains_xy(shape, x, y)[sure], expected[sure])


def test_bands_do_not_overlap() -> None:
    rng = np.random.default_rng(4)
    surface = kde(np.column_stack([117.6 + rng.random(300) * 0.05, 26.2 + rng.random(300) * 0.05]))
    shapes = surface.bands.geometry.to_numpy()
    together = shapely.area(shapely.union_all(shapes))
    assert together == pytest.approx(shapely.area(shapes).sum(), rel=1e-6)


def test_territory_edge_divides_by_the_share_inside() -> None:
    x, y = np.meshgrid(np.linspace(0, 0.02, 60), np.linspace(0, 0.02, 60))
    lonlat = np.column_stack([117.6 + x.ravel(), 26.2 + y.ravel()])
    box = shapely.box(117.6, 26.2, 117.62, 26.22)
    plain = kde(lonlat, bandwidth_m=200)
    corrected = kde(lonlat, bandwidth_m=200, edge="territory", territory=box)
    inside = ~np.isnan(corrected.values)
    assert 0.05 < inside.mean() < 0.95
    spread = corrected.values[inside].std() / corrected.values[inside].mean()
    assert spread < 0.1 < plain.values[inside].std() / plain.values[inside].mean()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"bandwidth_m": 0}, "bandwidth_m"),
        ({"cell_m": -1.0}, "cell_m"),
        ({"edge": "territory"}, "territory"),
        ({"cell_m": 0.001}, "raster cells"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        kde(np.array([[117.6, 26.2], [117.7, 26.3]]), **options)


def test_no_point_is_refused_and_one_point_works() -> None:
    with pytest.raises(InputError, match="at least one point"):
        kde(np.empty((0, 2)))
    assert kde(np.array([[117.6, 26.2]])).bands["low"].is_monotonic_increasing


def test_nice_levels() -> None:
    assert nice_levels(130.0) == [5.0, 10.0, 20.0, 50.0, 100.0]
    assert nice_levels(0.0) == []
    assert nice_levels(0.5) == [0.01, 0.02, 0.05, 0.1, 0.2]
