from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Geod

from gridsvc.errors import (
    CrsMismatch,
    DuplicateKey,
    EmptySource,
    InputError,
    InvalidCoordinate,
    OverlappingCells,
)
from gridsvc.locate import BadShape, Locator
from tests.benchmarks.coverages import blocks, jittered
from tests.benchmarks.places import places
from tests.unit.locate_city import SIZE, SOUTH, WEST, cells, code, square

GEOD = Geod(ellps="GRS80")


@pytest.fixture(scope="module")
def locator() -> Locator:
    return Locator.from_cells(cells())


def frame(**shapes: shapely.Geometry) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(index=list(shapes), geometry=list(shapes.values()), crs=4490)


def metres(lon: float, lat: float, lon2: float, lat2: float) -> float:
    return float(GEOD.inv(lon, lat, lon2, lat2)[2])


# --- one place -----------------------------------------------------------------------------------


def test_inside_a_cell(locator: Locator) -> None:
    found = locator.locate(117.602, 26.203)
    assert found.code == code(1)
    assert found.covering == (code(1),)
    assert not found.on_border
    # The western side of the cell is 0.002° away, and nothing lies across it.
    assert found.boundary_distance_m == pytest.approx(
        metres(117.602, 26.203, 117.6, 26.203), rel=5e-5
    )
    assert found.neighbours == ()
    assert not found.ambiguous
    assert (found.nearest_code, found.nearest_distance_m) == (code(1), 0.0)


def test_neighbour_across_the_nearest_boundary(locator: Locator) -> None:
    found = locator.locate(117.609, 26.205)
    (neighbour,) = found.neighbours
    assert neighbour.code == code(2)
    assert neighbour.distance_m == found.boundary_distance_m
    assert neighbour.distance_m == pytest.approx(metres(117.609, 26.205, 117.61, 26.205), abs=1e-3)


def test_border_belongs_to_the_lowest_code(locator: Locator) -> None:
    side = locator.locate(117.61, 26.205)
    assert (side.code, side.on_border) == (code(1), True)
    assert side.covering == (code(1), code(2))
    assert side.boundary_distance_m == 0.0
    assert [n.code for n in side.neighbours] == [code(2)]
    corner = locator.locate(117.61, 26.21)
    assert corner.covering == (code(1), code(2), code(4), code(5))
    assert corner.code == code(1)
    assert {n.code for n in corner.neighbours} == {code(2), code(4), code(5)}


def test_lowest_code_does_not_depend_on_the_order_of_rows() -> None:
    shuffled = cells().sample(frac=1.0, random_state=3)
    found = Locator.from_cells(shuffled)
    assert found.codes == sorted(found.codes)
    assert found.locate(117.61, 26.21).code == code(1)


def test_outer_border_is_a_border_of_one_cell(locator: Locator) -> None:
    found = locator.locate(117.6, 26.205)
    assert (found.code, found.on_border, found.covering) == (code(1), True, (code(1),))
    assert found.neighbours == ()


def test_a_place_on_a_border_is_ambiguous_whatever_the_accuracy(locator: Locator) -> None:
    for lon, lat in ((117.61, 26.205), (117.61, 26.21), (117.6, 26.205)):
        assert locator.locate(lon, lat).ambiguous
        assert locator.locate(lon, lat, accuracy_m=0.0).ambiguous
        assert pickle.loads(pickle.dumps(locator.locate(lon, lat))).ambiguous  # noqa: S301
    assert not locator.locate(117.605, 26.205).ambiguous


def test_outside_names_the_nearest_cell(locator: Locator) -> None:
    found = locator.locate(117.65, 26.205)
    assert found.code is None
    assert found.covering == ()
    assert found.boundary_distance_m is None
    assert found.nearest_code == code(3)
    assert found.nearest_distance_m == pytest.approx(
        metres(117.65, 26.205, 117.63, 26.205), rel=1e-5
    )


def test_accuracy_makes_ambiguous_and_lists_all_within(locator: Locator) -> None:
    lon, lat = 117.6095, 26.2095
    distance = locator.locate(lon, lat).boundary_distance_m
    assert distance == pytest.approx(49.97, abs=0.05)
    assert not locator.locate(lon, lat, accuracy_m=49.0).ambiguous
    wide = locator.locate(lon, lat, accuracy_m=80.0)
    assert wide.ambiguous
    # 50 m to the east, 55 m to the north, 74 m to the corner.
    assert [n.code for n in wide.neighbours] == [code(2), code(4), code(5)]
    assert wide.neighbours[2].distance_m == pytest.approx(metres(lon, lat, 117.61, 26.21), abs=0.01)


def test_accuracy_equal_to_the_distance_is_not_ambiguous(locator: Locator) -> None:
    distance = locator.locate(117.602, 26.203).boundary_distance_m
    assert distance is not None
    assert not locator.locate(117.602, 26.203, accuracy_m=distance).ambiguous
    assert locator.locate(117.602, 26.203, accuracy_m=distance + 0.001).ambiguous


def test_outside_near_the_border_is_ambiguous_too(locator: Locator) -> None:
    assert locator.locate(117.5999, 26.205, accuracy_m=50.0).ambiguous
    assert not locator.locate(117.5999, 26.205, accuracy_m=5.0).ambiguous


@pytest.mark.parametrize(
    ("lon", "lat"),
    [(float("nan"), 26.2), (117.6, float("inf")), (181.0, 0.0), (117.6, 91.0)],
)
def test_impossible_coordinates(locator: Locator, lon: float, lat: float) -> None:
    with pytest.raises(InvalidCoordinate):
        locator.locate(lon, lat)
    assert locator.position(lon, lat) == -1
    assert locator.locate_many([lon], [lat]).tolist() == [-1]


def test_swapped_coordinates_get_a_hint(locator: Locator) -> None:
    with pytest.raises(InvalidCoordinate) as caught:
        locator.locate(26.2, 117.6)
    assert "颠倒" in caught.value.text("zh")


@pytest.mark.parametrize("accuracy", [-1.0, float("nan"), float("inf")])
def test_impossible_accuracy(locator: Locator, accuracy: float) -> None:
    with pytest.raises(InvalidCoordinate) as caught:
        locator.locate(117.6, 26.2, accuracy_m=accuracy)
    assert "精度" in caught.value.text("zh")


def test_location_is_frozen_and_pickles_without_the_locator(locator: Locator) -> None:
    found = locator.locate(117.6095, 26.2095, accuracy_m=80.0)
    with pytest.raises(FrozenInstanceError):
        found.code = "x"  # type: ignore[misc]
    data = pickle.dumps(found)
    assert len(data) < 2000
    again = pickle.loads(data)  # noqa: S301
    assert again == found
    assert again.neighbours == found.neighbours
    assert again.boundary_distance_m == found.boundary_distance_m


# --- many ----------------------------------------------------------------------------------------


def test_many_keeps_shape_and_type(locator: Locator) -> None:
    lon = np.array([[117.605, 117.615], [117.625, 118.0]])
    found = locator.locate_many(lon, np.full((2, 2), 26.205))
    assert found.dtype == np.int32
    assert found.tolist() == [[0, 1], [2, -1]]
    assert locator.locate_many([], []).tolist() == []
    assert int(locator.locate_many(117.605, 26.205)) == 0
    for x, y in (([117.605], [26.2, 26.205]), ([117, 118], 26.205), ([117.0], [])):
        for ask in (locator.locate_many, locator.on_border_many, locator.locate_with_border):
            with pytest.raises(BadShape, match="pair up") as caught:
                ask(x, y)
            assert "成对" in caught.value.text("zh")


def test_many_survives_every_float() -> None:
    locator = Locator.from_cells(cells())
    odd = np.array([np.nan, -np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0, -0.0, 117.605])
    x, y = (a.ravel() for a in np.meshgrid(odd, np.append(odd, 26.205)))
    expected = np.where((x == 117.605) & (y == 26.205), 0, -1)
    assert (locator.locate_many(x, y) == expected).all()
    assert not locator.on_border_many(x, y).any()


def test_many_equals_one_by_one() -> None:
    coverage = jittered(5, 6, seed=2)
    locator = Locator.from_cells(coverage)
    for kind in ("uniform", "near border", "on edge", "on vertex"):
        x, y = places(coverage, kind, 400, seed=5)
        many, border = locator.locate_with_border(x, y)
        for a, b, position, edge in zip(
            x.tolist(), y.tolist(), many.tolist(), border.tolist(), strict=True
        ):
            one = locator.locate(a, b)
            assert (-1 if one.code is None else locator.position_of(one.code)) == position
            assert one.on_border == edge


def test_strided_and_integer_input(locator: Locator) -> None:
    table = np.column_stack([np.full(10, 117.605), np.full(10, 26.205)])
    assert (locator.locate_many(table[:, 0], table[:, 1]) == 0).all()
    assert locator.locate_many(np.array([117]), np.array([26])).tolist() == [-1]


def test_distances_agree_with_geos_in_a_metric_system() -> None:
    """The local frame against distances in the 3-degree zone, whose scale is off by up to 1e-4."""
    coverage = jittered(6, 6, seed=4)
    locator = Locator.from_cells(coverage)
    metric = coverage.to_crs(4548)
    x, y = places(coverage, "uniform", 300, seed=6)
    points = gpd.GeoSeries(gpd.points_from_xy(x, y), crs=4490).to_crs(4548)
    for lon, lat, point in zip(x.tolist(), y.tolist(), points, strict=True):
        found = locator.locate(lon, lat, accuracy_m=60.0)
        if found.code is None:
            distances = metric.distance(point)
            assert found.nearest_distance_m == pytest.approx(distances.min(), rel=2e-4, abs=0.002)
            continue
        expected = metric.geometry[found.code].boundary.distance(point)
        assert found.boundary_distance_m == pytest.approx(expected, rel=2e-4, abs=0.002)
        others = metric.drop(index=found.code).distance(point)
        inside = others[others < 59.9]
        listed = {n.code: n.distance_m for n in found.neighbours}
        assert set(inside.index) <= set(listed)
        for name, distance in inside.items():
            assert listed[name] == pytest.approx(distance, rel=2e-4, abs=0.002)


def test_neighbours_across_a_border_without_common_nodes() -> None:
    locator = Locator.from_cells(
        frame(a=square(0, 0), b=square(1, 0).intersection(shapely.box(117, 26, 118, 26.206)),
              c=square(1, 0).intersection(shapely.box(117, 26.206, 118, 27)))
    )  # fmt: skip
    assert [n.code for n in locator.locate(117.6095, 26.202).neighbours] == ["b"]
    assert [n.code for n in locator.locate(117.6095, 26.208).neighbours] == ["c"]


# --- building ------------------------------------------------------------------------------------


def test_multipolygons_holes_and_enclaves() -> None:
    hole = square(0.4, 0.2, 0.2).intersection(square(0, 0))
    holed = square(0, 0).difference(hole)
    assert isinstance(holed, shapely.Polygon)
    locator = Locator.from_cells(
        frame(a=shapely.MultiPolygon([holed, square(5, 0)]), b=hole, c=square(1, 0))
    )
    inside = hole.representative_point()
    assert locator.locate(inside.x, inside.y).code == "b"
    assert locator.locate(WEST + 5.5 * SIZE, SOUTH + 0.5 * SIZE).code == "a"
    assert locator.locate(WEST + 0.1 * SIZE, SOUTH + 0.1 * SIZE).code == "a"
    assert locator.locate(WEST + 3.0 * SIZE, SOUTH + 0.5 * SIZE).code is None


def test_overlap_is_refused_and_named() -> None:
    grown = shapely.box(117.605, 26.2, 117.62, 26.21)
    with pytest.raises(OverlappingCells) as caught:
        Locator.from_cells(frame(a=square(0, 0), b=grown, c=square(3, 0)))
    assert (caught.value.first, caught.value.second) == ("a", "b")


@pytest.mark.parametrize(
    "shapes",
    [
        {"a": square(0, 0), "b": square(0, 0)},
        {"a": square(0, 0), "b": square(0, 0).buffer(-0.002, join_style="mitre")},
        {"a": square(0, 0, 3.0), "b": square(1, 0)},
        {"a": square(0, 0), "b": shapely.affinity.translate(square(0, 0), 0.0, 0.004)},
    ],
    ids=["twins", "one within the other", "strip", "shifted along"],
)
def test_every_kind_of_overlap_is_refused(shapes: dict[str, shapely.Geometry]) -> None:
    with pytest.raises(OverlappingCells):
        Locator.from_cells(frame(**shapes))


@pytest.mark.parametrize("seed", range(6))
def test_a_cell_grown_by_three_metres_is_found(seed: int) -> None:
    coverage = jittered(5, 5, seed=seed)
    name = coverage.index[seed * 3]
    coverage.loc[name, "geometry"] = shapely.buffer(coverage.geometry[name], 3e-5)
    with pytest.raises(OverlappingCells) as caught:
        Locator.from_cells(coverage)
    assert caught.value.count >= 1


def test_t_junctions_without_node_are_no_overlap() -> None:
    assert len(Locator.from_cells(blocks(40, seed=1))) == 40


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (cells().iloc[:0], EmptySource),
        (cells().set_crs(3857, allow_override=True), CrsMismatch),
        (cells().set_crs(None, allow_override=True), CrsMismatch),
        (cells().iloc[[0, 0]], DuplicateKey),
        (frame(a=shapely.Point(117.6, 26.2)), InputError),
        (frame(a=shapely.Polygon()), InputError),
        (frame(a=shapely.Polygon([(117, 26), (118, 27), (118, 26), (117, 27)])), InputError),
    ],
    ids=["empty", "metres", "no CRS", "twice", "point", "hollow", "bow tie"],
)
def test_unusable_cells_are_refused(broken: gpd.GeoDataFrame, error: type[Exception]) -> None:
    with pytest.raises(error):
        Locator.from_cells(broken)


def test_input_is_not_changed() -> None:
    given = cells()
    before = copy.deepcopy(given)
    Locator.from_cells(given)
    assert given.equals(before)
    assert given.index.equals(before.index)


def test_pickle_gives_the_same_answers() -> None:
    coverage = jittered(4, 4, seed=9)
    locator = Locator.from_cells(coverage)
    again: Locator = pickle.loads(pickle.dumps(locator))  # noqa: S301
    x, y = places(coverage, "near border", 2000, seed=1)
    assert (again.locate_many(x, y) == locator.locate_many(x, y)).all()
    lon, lat = float(x[0]), float(y[0])
    assert again.locate(lon, lat) == locator.locate(lon, lat)
    assert again.locate(lon, lat).neighbours == locator.locate(lon, lat).neighbours


def test_pickle_of_a_locator_around_zero_degrees() -> None:
    coverage = jittered(3, 3, seed=9, west=-0.006, south=51.0)
    locator = Locator.from_cells(coverage)
    assert not locator.exact_arithmetic
    again: Locator = pickle.loads(pickle.dumps(locator))  # noqa: S301
    x, y = places(coverage, "on edge", 500, seed=1)
    assert (again.locate_many(x, y) == locator.locate_many(x, y)).all()
    for a, b in zip(x[:50].tolist(), y[:50].tolist(), strict=True):
        assert again.locate(a, b).covering == locator.locate(a, b).covering


def test_many_threads_read_the_same_locator() -> None:
    coverage = jittered(6, 6, seed=11)
    locator = Locator.from_cells(coverage)
    x, y = places(coverage, "near border", 3000, seed=2)
    expected = locator.locate_many(x, y)

    def read(start: int) -> bool:
        part = slice(start, None)
        same = bool((locator.locate_many(x[part], y[part]) == expected[part]).all())
        for i in range(start, len(x), 50):
            found = locator.locate(float(x[i]), float(y[i]))
            same &= (-1 if found.code is None else locator.position_of(found.code)) == expected[i]
            same &= found.code is None or (found.boundary_distance_m or 0.0) < 3.0
        return same

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(16)))


def test_building_twice_gives_the_same_index() -> None:
    coverage = jittered(4, 5, seed=3)
    one, two = Locator.from_cells(coverage), Locator.from_cells(coverage.iloc[::-1])
    assert one.nbytes == two.nbytes
    x, y = places(coverage, "on vertex", 500, seed=3)
    assert (one.locate_many(x, y) == two.locate_many(x, y)).all()


def test_far_apart_cells_do_not_ask_for_a_huge_raster() -> None:
    far = shapely.affinity.translate(square(0, 0), 50.0, -20.0)
    locator = Locator.from_cells(frame(a=square(0, 0), b=far))
    assert locator.nbytes < 20e6
    assert locator.locate(117.605, 26.205).code == "a"
    assert locator.locate(167.605, 6.205).code == "b"
    assert locator.locate(140.0, 15.0).code is None
