"""Distances by tile against GEOS on the same plane, before and after the tiles are made."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from gridsvc.locate import Locator
from gridsvc.locate.locator import OUTSIDE
from gridsvc.locate.nearest import NearestPoints
from gridsvc.locate.surroundings import metres_per_degree
from tests.benchmarks.coverages import blocks, jittered
from tests.benchmarks.places import places


def plane(shape: BaseGeometry, lat: float) -> BaseGeometry:
    kx, ky = metres_per_degree(lat)
    return shapely.transform(shape, lambda xy: xy * (kx, ky))


def middle(shape: BaseGeometry) -> float:
    return (shape.bounds[1] + shape.bounds[3]) / 2.0


@pytest.mark.parametrize("kind", ["uniform", "near border", "on edge", "on vertex"])
def test_distances_are_those_of_geos(kind: str) -> None:
    cells = jittered(3, 3, seed=8)
    locator = Locator.from_cells(cells)
    x, y = places(cells, kind, 1500, seed=5)
    planes = {code: plane(shape.boundary, middle(shape)) for code, shape in cells.geometry.items()}
    asked = 0
    for lon, lat in zip(x.tolist(), y.tolist(), strict=True):
        found = locator.locate(lon, lat)
        if found.code is None or found.on_border:
            continue
        place = plane(shapely.Point(lon, lat), middle(cells.geometry[found.code]))
        assert found.boundary_distance_m == pytest.approx(
            planes[found.code].distance(place), abs=1e-6
        )
        asked += 1
    assert asked > 100 or kind.startswith("on")


@pytest.mark.parametrize("build", [jittered, blocks])
def test_the_short_way_says_what_the_long_way_says(build: object) -> None:
    cells = jittered(4, 4, seed=2) if build is jittered else blocks(20, seed=2)
    locator = Locator.from_cells(cells)
    ends = set()
    for lon, lat in zip(*(v.tolist() for v in places(cells, "uniform", 3000, seed=3)), strict=True):
        found = locator.locate(lon, lat)
        position, distance, across = locator.find_inside(lon, lat)
        assert (locator.codes[position] if position >= 0 else None) == found.code
        if across == -1:
            continue
        ends.add(across == OUTSIDE)
        assert distance == pytest.approx(found.boundary_distance_m, abs=1e-9)
        expected = () if across == OUTSIDE else (locator.codes[across],)
        assert tuple(n.code for n in found.neighbours) == expected
        # Nobody else is as near, by GEOS.
        others = cells.geometry.drop(index=[found.code, *expected])
        place = plane(shapely.Point(lon, lat), lat)
        bare = shapely.distance(others.to_numpy(), shapely.Point(lon, lat))
        window = others[bare <= distance / 9e4]
        gaps = [plane(shape, lat).distance(place) for shape in window]
        assert min(gaps, default=np.inf) > distance * (1.0 - 2e-4) - 0.002
    # Few blocks share both nodes of a side, and all their corners touch somebody.
    assert ends == ({True, False} if build is jittered else {False})


def test_a_place_far_from_the_box_of_a_cell() -> None:
    shape = shapely.Point(117.6, 26.2).buffer(0.004, quad_segs=16)
    locator = Locator.from_cells(gpd.GeoDataFrame(index=["a"], geometry=[shape], crs=4490))
    for step in range(40):
        lon, lat = 117.6 + 0.006 * np.cos(step), 26.2 + 0.006 * np.sin(step)
        code, distance = locator.nearest(lon, lat)
        band = (np.floor(lat * 100) + 0.5) / 100
        assert code == "a"
        assert distance == pytest.approx(
            plane(shape, band).distance(plane(shapely.Point(lon, lat), band)), abs=1e-6
        )


def test_frames_that_threads_make_twice_use_up_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gridsvc.locate.surroundings._KEEP_TILES", 2)
    cells = jittered(3, 3, seed=8)
    around = Locator.from_cells(cells)._around
    place = cells.geometry.iloc[0].representative_point()

    def ask() -> None:
        for _ in range(40):
            around.boundary(0, place.x, place.y)

    for _ in range(5):
        ask()
        assert around.tiles[0] is not None
        # As when another thread missed the frame at the same time and puts its own in place.
        around._keep(0, around._make_frame(0, place.y, -np.inf, np.inf))
        assert around.tiles[0] is None


@pytest.mark.parametrize("count", [1, 2, 300])
def test_nearest_points_by_tile(count: int) -> None:
    rng = np.random.default_rng(count)
    lon, lat = rng.uniform(117.5, 117.7, count), rng.uniform(26.1, 26.3, count)
    if count > 100:
        lon[7], lat[7] = lon[3], lat[3]  # two at one place: the first counts
    nearest = NearestPoints(lon, lat)
    asked = rng.uniform((117.45, 26.05), (117.75, 26.35), (2000, 2))
    for x, y in [*asked.tolist(), *zip(lon.tolist(), lat.tolist(), strict=True)]:
        kx, ky = metres_per_degree((np.floor(y * 100) + 0.5) / 100)
        gap = np.hypot((lon - x) * kx, (lat - y) * ky)
        found = nearest.nearest(x, y)
        assert found is not None
        assert found[0] == int(gap.argmin())
        assert found[1] == pytest.approx(gap.min(), abs=1e-6)
