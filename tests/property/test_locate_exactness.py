"""Locate against GEOS: lowest code among the cells that cover the place, on every kind of place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridsvc.locate import Locator
from gridsvc.locate.nearest import NearestPoints
from gridsvc.locate.surroundings import metres_per_degree
from tests.benchmarks.coverages import SOUTH, WEST, blocks, jittered
from tests.benchmarks.places import KINDS, lowest_covering, places

PER_KIND = 4000


def holes_and_enclaves() -> gpd.GeoDataFrame:
    """One cell with two holes: one filled by an enclave that has a hole itself, one a lake."""
    west, south = 117.6, 26.2
    outer = [(0, 0), (10, 0), (10, 10), (0, 10)]
    hole = [(2, 2), (5, 2), (5, 5), (2, 5)]
    lake = [(6, 6), (8, 6.5), (7, 8)]
    pond = [(3, 3), (4, 3), (4, 4), (3, 4)]

    def ring(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(round(west + x * 1e-3, 9), round(south + y * 1e-3, 9)) for x, y in points]

    shapes = {
        "b": shapely.Polygon(ring(outer), [ring(hole), ring(lake)]),
        "a": shapely.Polygon(ring(hole), [ring(pond)]),
        "c": shapely.MultiPolygon(
            [
                shapely.Polygon(ring([(10, 0), (14, 3), (10, 6)])),
                shapely.Polygon(ring([(10, 6), (14, 9), (10, 10)])),
            ]
        ),
    }
    return gpd.GeoDataFrame(index=list(shapes), geometry=list(shapes.values()), crs=4490)


COVERAGES: dict[str, Any] = {
    "noisy with lakes, enclaves, exclaves": lambda: jittered(9, 11, seed=3),
    "noisy, all 17 digits": lambda: jittered(6, 7, seed=4, digits=None),
    "noisy, 6 digits": lambda: jittered(6, 7, seed=5, digits=6, points_per_side=7),
    "straight sides": lambda: jittered(8, 8, seed=6, noise=0.0, points_per_side=1, extras=False),
    "axis-aligned, T-junctions without node": lambda: blocks(60, seed=7),
    "one cell": lambda: jittered(1, 1, seed=8, extras=False),
    "holes in holes": holes_and_enclaves,
    "southern and western hemisphere": lambda: jittered(
        6, 6, seed=9, west=-71.2, south=-42.4, digits=9
    ),
    "metres": lambda: jittered(
        6, 6, seed=10, west=480_000.0, south=2_900_000.0, size=450.0, digits=3
    ).set_crs(4490, allow_override=True),
    "around 0 degrees": lambda: jittered(6, 6, seed=11, west=-0.0135, south=51.4),
    "around 0, 0": lambda: jittered(6, 6, seed=12, west=-0.0135, south=-0.0135, digits=None),
}


@pytest.mark.parametrize("name", COVERAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_place_agrees_with_geos(name: str, kind: str) -> None:
    cells = COVERAGES[name]()
    locator = Locator.from_cells(cells)
    x, y = places(cells, kind, PER_KIND, seed=21)
    expected, on_border = lowest_covering(cells, x, y)
    positions, border = locator.locate_with_border(x, y)
    codes = np.array([*locator.codes, ""], dtype=object)
    wrong = np.flatnonzero(codes[positions] != expected)
    assert len(wrong) == 0, (x[wrong[:3]], y[wrong[:3]], codes[positions[wrong[:3]]])
    assert (border == on_border).all()
    one = [locator.position(a, b) for a, b in zip(x[:500].tolist(), y[:500].tolist(), strict=True)]
    assert one == positions[:500].tolist()


@pytest.mark.parametrize("name", ["around 0 degrees", "around 0, 0"])
def test_data_around_zero_degrees_is_left_to_geos(name: str) -> None:
    assert not Locator.from_cells(COVERAGES[name]()).exact_arithmetic


@pytest.mark.parametrize("name", ["one cell", "southern and western hemisphere", "metres"])
def test_other_data_needs_no_geos(name: str) -> None:
    assert Locator.from_cells(COVERAGES[name]()).exact_arithmetic


def test_the_kinds_of_places_are_what_they_say() -> None:
    """The comparison above would prove little if no place lay on a border."""
    cells = COVERAGES["noisy with lakes, enclaves, exclaves"]()
    share = {}
    for kind in KINDS:
        x, y = places(cells, kind, PER_KIND, seed=21)
        share[kind] = lowest_covering(cells, x, y)[1].mean()
    assert share["on vertex"] == 1.0
    assert share["on edge"] > 0.05
    assert share["uniform"] == share["outside"] == 0.0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    seed=st.integers(0, 10_000),
    points=st.sampled_from([1, 2, 5, 13]),
    noise=st.sampled_from([0.0, 0.1, 0.3]),
    digits=st.sampled_from([5, 6, 9, None]),
    west=st.sampled_from([WEST, -71.1, 2.3, 127.999, -180.0]),
    pixels=st.sampled_from([3, 10, 40]),
)
def test_random_coverages_agree_with_geos(
    rows: int, columns: int, seed: int, points: int, noise: float, digits: int | None,
    west: float, pixels: int,
) -> None:  # fmt: skip
    cells = jittered(
        rows, columns, seed=seed, points_per_side=points, noise=noise, digits=digits, west=west,
        south=SOUTH,
    )  # fmt: skip
    cells = cells[cells.geometry.is_valid & (shapely.area(cells.geometry.to_numpy()) > 0)]
    if not shapely.coverage_is_valid(cells.geometry.to_numpy()):
        cells = cells.iloc[:1]  # rounding to few digits may tangle a coverage; one cell remains
    locator = Locator.from_cells(cells, pixels=pixels)
    for kind in KINDS:
        x, y = places(cells, kind, 150, seed=seed)
        expected, on_border = lowest_covering(cells, x, y)
        positions, border = locator.locate_with_border(x, y)
        codes = np.array([*locator.codes, ""], dtype=object)
        assert (codes[positions] == expected).all(), kind
        assert (border == on_border).all(), kind


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    south=st.floats(-70, 70),
    tall=st.floats(0.001, 12),
    away=st.tuples(st.floats(-3, 3), st.floats(-12, 12)),
)
def test_the_nearest_of_many_points_is_that_of_a_full_search(
    seed: int, south: float, tall: float, away: tuple[float, float]
) -> None:
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(117.0, 119.0, 4100), rng.uniform(south, south + tall, 4100)
    lon[9], lat[9] = lon[4], lat[4]  # two at one place: the first counts
    nearest = NearestPoints(lon, lat)
    inside = rng.uniform((117.0, south), (119.0, south + tall), (20, 2))
    middle = (118.0 + away[0], south + tall / 2 + away[1])
    for x, y in [*inside.tolist(), middle, (float(lon[9]), float(lat[9]))]:
        kx, ky = metres_per_degree(y)
        gap = np.hypot((lon - x) * kx, (lat - y) * ky)
        assert nearest.nearest(x, y) == (int(gap.argmin()), float(gap.min()))


def test_the_nearest_on_a_ring_far_north_of_the_other_points() -> None:
    turn = np.linspace(0.0, 2.0 * np.pi, 300, endpoint=False)
    # Half of the points far south make the tree's degree of longitude longer than it is here.
    lon = np.concatenate([118.0 + 0.010 * np.cos(turn), np.full(4000, 118.0)])
    lat = np.concatenate([50.0 + 0.0068 * np.sin(turn), np.linspace(20.0, 21.0, 4000)])
    kx, ky = metres_per_degree(50.0)
    gap = np.hypot((lon - 118.0) * kx, (lat - 50.0) * ky)
    assert NearestPoints(lon, lat).nearest(118.0, 50.0) == (int(gap.argmin()), float(gap.min()))
