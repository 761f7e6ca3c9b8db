"""Distances of many places equal those of each place asked for alone, to a micrometre."""

from __future__ import annotations

import numpy as np
import pytest

from gridsvc.locate import BadShape, Locator, distances
from gridsvc.locate.distances import boundary_many, nearest_many
from gridsvc.types import FloatArray
from tests.benchmarks.coverages import jittered
from tests.benchmarks.places import KINDS, places
from tests.property.test_locate_exactness import COVERAGES

PER_KIND = 150
ON_EARTH = [name for name in COVERAGES if name != "metres"]


def compare(locator: Locator, x: FloatArray, y: FloatArray) -> int:
    """Compare all places of the two ways, return how many lay outside."""
    position, _ = locator.locate_with_border(x, y)
    metres = boundary_many(locator, position, x, y)
    outside = np.flatnonzero(position < 0)
    near, far = nearest_many(locator, x[outside], y[outside])
    assert np.isnan(metres[outside]).all()
    for row, (a, b) in enumerate(zip(x.tolist(), y.tolist(), strict=True)):
        one = locator.locate(a, b)
        if one.code is not None:
            assert metres[row] == pytest.approx(one.boundary_distance_m, abs=1e-6, rel=0)
            continue
        at = int(np.searchsorted(outside, row))
        assert far[at] == pytest.approx(one.nearest_distance_m, abs=1e-6, rel=1e-12)
        code = locator.codes[near[at]]
        if code != one.nearest_code:  # two cells as near: the bulk way names the lower code
            assert one.nearest_code is not None
            assert code < one.nearest_code
    return len(outside)


@pytest.mark.parametrize("name", ON_EARTH)
def test_bulk_agrees_with_one_by_one(name: str) -> None:
    cells = COVERAGES[name]()
    locator = Locator.from_cells(cells)
    for kind in KINDS:
        x, y = places(cells, kind, PER_KIND, seed=5)
        compare(locator, np.asarray(x), np.asarray(y))


def test_far_places_and_piles() -> None:
    locator = Locator.from_cells(jittered(5, 6, seed=3))
    x = np.array([0.0, 0.0, 180.0, -180.0, 117.0, 117.7, 10.0, 0.0])
    y = np.array([0.0, 0.0, 90.0, -90.0, -89.9, 26.0, 70.0, 0.0])
    assert compare(locator, x, y) == len(x)


def test_cells_higher_than_a_band_and_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "_PAIRS", 700)  # many chunks, some of a single place
    cells = jittered(4, 4, seed=9, size=0.03)
    locator = Locator.from_cells(cells)
    for kind in KINDS:
        x, y = places(cells, kind, 60, seed=8)
        compare(locator, np.asarray(x), np.asarray(y))


def test_shapes() -> None:
    locator = Locator.from_cells(jittered(3, 3, seed=3))
    assert boundary_many(locator, np.zeros((2, 0), int), *np.zeros((2, 2, 0))).shape == (2, 0)
    assert nearest_many(locator, [], [])[1].shape == (0,)
    with pytest.raises(BadShape):
        boundary_many(locator, [0], [117.6, 117.7], [26.2, 26.2])
    with pytest.raises(BadShape):
        nearest_many(locator, [1.0], [1.0, 2.0])
