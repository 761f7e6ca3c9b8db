"""Geometry survives its way to the browser within half a step."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from maps import encoding

degrees = st.floats(-179.0, 179.0, allow_nan=False)


def decode(flat: list[int]) -> np.ndarray[Any, Any]:
    return np.cumsum(np.asarray(flat).reshape(-1, 2), axis=0) / encoding.SCALE


@given(st.lists(st.tuples(degrees, st.floats(-89.0, 89.0)), min_size=1, max_size=40))
def test_steps_read_back_within_half_a_step(places: list[tuple[float, float]]) -> None:
    given_xy = np.asarray(places)
    grid = np.rint(given_xy * encoding.SCALE)
    kept = [grid[0]] + [b for a, b in itertools.pairwise(grid) if (a != b).any()]
    read = decode(encoding.steps(given_xy))
    assert np.array_equal(np.rint(read * encoding.SCALE), np.asarray(kept))


def test_areas_keep_parts_and_holes_and_drop_the_rest() -> None:
    holed = Polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [[(1, 1), (2, 1), (2, 2), (1, 2)]])
    shape = GeometryCollection([MultiPolygon([holed, box(6, 6, 7, 7)]), Point(9, 9)])
    encoded = encoding.area(shape)
    assert [len(rings) for rings in encoded] == [2, 1]
    assert sorted(decode(encoded[0][1]).tolist()) == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert encoding.area(None) == []
    assert encoding.area(Polygon()) == []


def test_a_sliver_below_one_step_vanishes_but_its_outline_stays() -> None:
    sliver = box(117.0, 26.0, 117.01, 26.0000002)
    assert encoding.area(sliver) == []
    assert encoding.lines(sliver)


def test_lines_of_lines_and_of_polygons() -> None:
    assert encoding.lines(LineString([(0, 0), (0, 1)])) == [[0, 0, 0, 1_000_000]]
    assert len(encoding.lines(box(0, 0, 1, 1))) == 1
    assert encoding.lines(Point(1, 1)) == []


def test_inner_points_lie_inside() -> None:
    hollow = Point(0, 0).buffer(2).difference(Point(0.1, 0).buffer(1.5))
    x, y = encoding.inner_points([hollow])
    assert shapely.covers(hollow, Point(x / encoding.SCALE, y / encoding.SCALE))


def test_bounds_of_nothing_show_the_country() -> None:
    assert encoding.bounds([]) == [73.0, 18.0, 135.0, 54.0]
    assert encoding.bounds([Point(1, 2)], [box(3, 4, 5, 6)]) == [1.0, 2.0, 5.0, 6.0]
