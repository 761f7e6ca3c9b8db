from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import shapely
from scipy import sparse, stats

from gridsvc.analysis import (
    TooFewPermutations,
    benjamini_hochberg,
    contiguity,
    gi_star,
    permutation_p,
)
from gridsvc.analysis.gi_star import needed_permutations, two_sided_p, with_self
from gridsvc.errors import InputError
from tests.unit.gridsvc.analysis_data import lattice

# Six points of Getis and Ord; the neighbours lie within 15.
POINTS = np.array([(10, 10), (20, 10), (40, 10), (15, 20), (30, 20), (30, 30)], dtype=float)
VALUES = np.array([2, 3, 3.2, 5, 8, 7])


def band(distance: float) -> sparse.csr_array:
    away = np.hypot(*(POINTS[:, None] - POINTS[None]).transpose(2, 0, 1))
    return sparse.csr_array(((away <= distance) & (away > 0)).astype(float))


def test_six_points_binary_equals_the_published_values() -> None:
    z = gi_star(VALUES, band(15))
    expected = [-1.39727626, -0.28917762, 0.65064964, -0.28917762, 1.23452088, 2.02424331]
    assert np.allclose(z, expected, atol=5e-9, rtol=0)


def reference(shared_data: Path, transform: str) -> np.ndarray:
    text = (shared_data / "hotspot_reference" / "expected_values.json").read_text()
    cases = [c for c in json.loads(text)["cases"] if "local Gi*" in c["name"]]
    return next(
        np.array(c["recomputed"]["Zs"]) for c in cases if c["inputs"]["transform"] == transform
    )


def test_reference_values_of_binary_weights(shared_data: Path) -> None:
    assert np.abs(gi_star(VALUES, band(15)) - reference(shared_data, "B")).max() < 1e-12


def test_reference_values_of_row_standardised_weights(shared_data: Path) -> None:
    # Scaling a row cannot change Gi* of Ord and Getis: numerator and denominator scale alike.
    binary = with_self(band(15)).toarray()
    neighbours = binary.sum(axis=1)
    scaled = gi_star(VALUES, sparse.csr_array(binary / neighbours[:, None]), include_self=False)
    assert np.abs(scaled - gi_star(VALUES, band(15))).max() < 1e-12
    # The reference takes the variance of binary weights there (W_i for S_i); that factor apart
    # the values are equal.
    n = len(VALUES)
    factor = np.sqrt((n / neighbours - 1) / (n - 1))
    assert np.abs(scaled * factor - reference(shared_data, "R")).max() < 1e-12


@pytest.mark.parametrize("side", [8, 40])
def test_equals_esda(side: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import esda
        from libpysal.weights import lat2W

        y = np.random.default_rng(3).poisson(4, side * side).astype(float)
        theirs = esda.G_Local(
            y, lat2W(side, side, rook=False), transform="B", star=True, permutations=0
        )
    z = gi_star(y, contiguity(lattice(side, side).geometry))
    assert np.abs(z - np.asarray(theirs.Zs, dtype=float)).max() < 1e-12


def test_island_and_nan_are_not_tested() -> None:
    weights = sparse.csr_array(np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0.0]]))
    z = gi_star(np.array([1.0, 5.0, 2.0, np.nan]), weights)
    assert np.isnan(z).tolist() == [False, False, True, True]


def test_constant_field_is_not_tested() -> None:
    weights = contiguity(lattice(4, 4).geometry)
    assert np.isnan(gi_star(np.full(16, 0.1), weights)).all()


def test_cell_beside_every_other_has_no_z() -> None:
    weights = contiguity(lattice(3, 3).geometry)
    z = gi_star(np.arange(9.0), weights)
    assert np.isnan(z[4])
    assert not np.isnan(np.delete(z, 4)).any()


def test_bad_input_is_refused() -> None:
    weights = contiguity(lattice(2, 2).geometry)
    with pytest.raises(InputError, match="neighbour matrix"):
        gi_star(np.arange(3.0), weights)
    with pytest.raises(InputError, match="infinite"):
        gi_star(np.array([1, 2, 3, np.inf]), weights)


def test_two_sided_p_is_the_normal_one() -> None:
    z = np.array([-3.0, 0.0, 1.96, 8.0, np.nan])
    assert np.allclose(two_sided_p(z)[:4], 2 * stats.norm.sf(np.abs(z[:4])), rtol=1e-12)
    assert np.isnan(two_sided_p(z)[4])


def test_benjamini_hochberg_equals_scipy_and_skips_nan() -> None:
    p = np.random.default_rng(5).random(500) ** 3
    assert np.allclose(benjamini_hochberg(p), stats.false_discovery_control(p), rtol=1e-14)
    holes = np.insert(p, [0, 100, 500], np.nan)
    kept = benjamini_hochberg(holes)
    assert np.array_equal(kept[~np.isnan(kept)], benjamini_hochberg(p))
    assert np.isnan(kept).sum() == 3


def test_needed_permutations_follows_the_formula() -> None:
    assert needed_permutations(10_000, 100, 0.05) == 3999
    assert needed_permutations(1, 1, 0.05) == 39


def test_permutations_find_the_planted_cells_and_repeat() -> None:
    cells = lattice(20, 20)
    weights = contiguity(cells.geometry)
    y = np.random.default_rng(7).poisson(20, 400).astype(float)
    y[[105, 106, 125, 126]] = 60
    first = permutation_p(y, weights, permutations=4000, seed=1)
    assert np.array_equal(first, permutation_p(y, weights, permutations=4000, seed=1))
    assert not np.array_equal(first, permutation_p(y, weights, permutations=4000, seed=2))
    assert set(np.flatnonzero(benjamini_hochberg(first) <= 0.05)) >= {105, 106, 125, 126}


def test_permutations_agree_with_the_analytic_p_where_counts_are_near_normal() -> None:
    weights = contiguity(lattice(20, 20).geometry)
    y = np.random.default_rng(7).normal(100, 10, 400)
    p = permutation_p(y, weights, permutations=4000, seed=1)
    assert np.abs(p - two_sided_p(gi_star(y, weights))).max() < 0.05


def test_too_few_permutations_are_refused_with_the_number_needed() -> None:
    weights = contiguity(lattice(20, 20).geometry)
    y = np.random.default_rng(7).poisson(20, 400).astype(float)
    y[[105, 106, 125, 126]] = 90
    with pytest.raises(TooFewPermutations) as caught:
        permutation_p(y, weights, permutations=99, seed=1)
    hits = caught.value.hits
    assert hits > 0
    assert caught.value.needed == needed_permutations(400, hits, 0.05)
    assert str(caught.value.needed) in caught.value.text("zh")


@pytest.mark.parametrize("kind", ["queen", "rook"])
def test_contiguity_equals_the_predicates_of_geos(kind: Literal["queen", "rook"]) -> None:
    rng = np.random.default_rng(11)
    shapes = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(rng.random((300, 2)))))
    shapes = np.array([*shapes, shapely.box(9, 9, 10, 10)])
    found = contiguity(shapes, kind)
    tree = shapely.STRtree(shapes)
    a, b = tree.query(shapes, predicate="intersects")
    if kind == "rook":
        line = shapely.length(shapely.intersection(shapes[a], shapes[b])) > 0
        a, b = a[line], b[line]
    expected = {(i, j) for i, j in zip(a, b, strict=True) if i != j}
    assert set(zip(*sparse.coo_array(found).coords, strict=True)) == expected
    assert found.diagonal().sum() == 0
    assert found.sum(axis=1)[-1] == 0


def test_contiguity_of_multipolygons_and_holes() -> None:
    ring = shapely.Polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [[(1, 1), (1, 3), (3, 3), (3, 1)]])
    hole = shapely.Polygon([(1, 1), (1, 3), (3, 3), (3, 1)])
    parts = shapely.MultiPolygon([shapely.box(4, 4, 5, 5), shapely.box(8, 0, 9, 1)])
    queen = contiguity([ring, hole, parts]).toarray()
    assert queen.tolist() == [[0, 1, 1], [1, 0, 0], [1, 0, 0]]
    rook = contiguity([ring, hole, parts], "rook").toarray()
    assert rook.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
