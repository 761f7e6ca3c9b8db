"""What holds for every field, every set of reports, every town."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from gridsvc import crs
from gridsvc.analysis import benjamini_hochberg, contiguity, find_hotspots, gi_star
from gridsvc.analysis.kde import density
from gridsvc.patrol import WalkNetwork, one_tree_bound, plan_point_rounds
from gridsvc.types import FloatArray
from tests.unit.gridsvc.analysis_data import NOON, Brute, lattice, reports
from tests.unit.gridsvc.patrol_data import EAST, EPSG, NORTH, line, points, spot, streets

CELLS = lattice(5, 6)
WEIGHTS = contiguity(CELLS.geometry)
fields = hnp.arrays(np.float64, 30, elements=st.integers(0, 40).map(float))
quick = settings(max_examples=60, deadline=None)


@quick
@given(fields, st.integers(0, 2**16))
def test_gi_star_does_not_depend_on_the_order_of_cells(values: FloatArray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(30)
    z = gi_star(values, WEIGHTS)
    shuffled = gi_star(values[order], sparse.csr_array(WEIGHTS)[order][:, order])
    assert np.allclose(shuffled, z[order], atol=1e-10, equal_nan=True)


@quick
@given(fields, st.floats(0.01, 100), st.floats(-50, 50))
def test_gi_star_does_not_depend_on_the_unit(
    values: FloatArray, factor: float, shift: float
) -> None:
    z = gi_star(values, WEIGHTS)
    assert np.allclose(gi_star(values * factor + shift, WEIGHTS), z, atol=1e-7, equal_nan=True)
    assert np.allclose(gi_star(-values, WEIGHTS), -z, atol=1e-9, equal_nan=True)


@quick
@given(hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1)))
def test_adjusted_p_is_monotonic_and_never_below_p(p: FloatArray) -> None:
    adjusted = benjamini_hochberg(p)
    assert (adjusted >= p - 1e-15).all()
    assert (adjusted <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= -1e-15).all()


@settings(max_examples=25, deadline=None)
@given(
    hnp.arrays(np.float64, (40, 2), elements=st.floats(-0.2, 1.2)),
    st.lists(st.booleans(), min_size=40, max_size=40),
    st.booleans(),
)
def test_no_report_is_lost(share: FloatArray, known: list[bool], aside: bool) -> None:
    xy = np.array([117.6, 26.2]) + share * np.array([0.024, 0.02])
    xy[~np.array(known)] = np.nan
    result = find_hotspots(
        reports(xy, [f"{i % 3:02d}001" for i in range(40)]), CELLS, plan_id="p", updated_at=NOON,
        locator=Brute(CELLS), set_aside=aside, bandwidth_m=None,
    )  # fmt: skip
    assert result.n + result.n_set_aside + result.n_unplaced == 40
    assert result.cells["count"].sum() == result.n


@quick
@given(hnp.arrays(np.float64, (25, 2), elements=st.floats(-3000, 3000)), st.floats(30, 400))
def test_density_keeps_its_mass(xy: FloatArray, bandwidth: float) -> None:
    step = bandwidth / 3
    values, _ = density(xy[:, 0], xy[:, 1], bandwidth_m=bandwidth, cell_m=step)
    assert values.sum() * step**2 / 1e6 == pytest.approx(25, rel=1e-6)
    assert (values >= 0).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**20))
def test_contiguity_equals_geos(seed: int) -> None:
    rng = np.random.default_rng(seed)
    xy = np.round(rng.random((int(rng.integers(3, 40)), 2)), 3)
    shapes = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(xy)))
    found = sparse.coo_array(contiguity(shapes))
    a, b = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    expected = {(i, j) for i, j in zip(a, b, strict=True) if i != j}
    if shapely.coverage_is_valid(shapes):
        assert set(zip(*found.coords, strict=True)) == expected


@st.composite
def towns(draw: st.DrawFn) -> WalkNetwork:
    """Streets between random corners: crossings without junction, loops, parts and all."""
    corners = [
        (x * 100.0, y * 100.0)
        for x, y in draw(
            st.lists(
                st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=4, max_size=12,
                unique=True,
            )
        )
    ]  # fmt: skip
    pairs = draw(
        st.lists(
            st.lists(st.sampled_from(corners), min_size=2, max_size=4, unique=True),
            min_size=3, max_size=14,
        )
    )  # fmt: skip
    return WalkNetwork.from_streets(streets([line(*p) for p in pairs]), EPSG)


places = st.lists(
    st.tuples(st.floats(0, 600), st.floats(0, 600)).map(lambda p: (round(p[0]), round(p[1]))),
    min_size=1,
    max_size=7,
)


@settings(max_examples=40, deadline=None)
@given(towns(), places)
def test_walking_distance_is_a_metric_no_shorter_than_the_crow_flies(
    net: WalkNetwork, where: list[tuple[int, int]]
) -> None:
    snaps = net.snap([spot(*p) for p in where], max_m=1000)
    matrix = net.matrix(snaps)
    assert np.array_equal(matrix, matrix.T)
    xy = np.array(where) + np.array([EAST, NORTH])
    crow = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    assert (matrix >= crow - 1e-3).all()
    finite = np.where(np.isfinite(matrix), matrix, 1e12)
    assert (finite <= (finite[:, :, None] + finite[None]).min(axis=1) + 1e-6).all()


@settings(max_examples=40, deadline=None)
@given(towns(), places, st.integers(1, 3), st.integers(0, 99))
def test_every_plan_passes_the_independent_check(
    net: WalkNetwork, where: list[tuple[int, int]], walkers: int, seed: int
) -> None:
    frame = points(where)
    middle = shapely.line_interpolate_point(net.lines[0], 1.0)
    plan = plan_point_rounds(
        frame, net, plan_id="p", created_at=datetime(2024, 1, 1, tzinfo=UTC),
        start=shapely.Point(*crs.to_storage(middle, EPSG).coords[0]), inspectors=walkers,
        iterations=30, seed=seed, max_snap_m=300.0,
    )  # fmt: skip
    assert plan.verified == ()
    assert sum(len(r.stops) for r in plan.rounds) + len(plan.dropped) == len(frame)


@quick
@given(hnp.arrays(np.float64, (6, 2), elements=st.floats(0, 1000)))
def test_the_bound_never_exceeds_a_tour(xy: FloatArray) -> None:
    d = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    tour = sum(d[i, (i + 1) % 6] for i in range(6))
    assert one_tree_bound(d, iterations=50) <= tour
