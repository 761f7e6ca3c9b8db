from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely

from gridsvc.errors import InputError
from gridsvc.patrol import WalkNetwork
from tests.unit.gridsvc.patrol_data import EPSG, line, spot, streets, town


def network(*lines: Any, **columns: Any) -> WalkNetwork:
    return WalkNetwork.from_streets(streets(list(lines), **columns), EPSG)


def walk_m(
    net: WalkNetwork, a: tuple[float, float], b: tuple[float, float], max_m: float = 100.0
) -> float:
    return float(net.matrix(net.snap([spot(*a), spot(*b)], max_m=max_m))[0, 1])


def test_lines_split_where_they_share_a_vertex_inside_both() -> None:
    net = network(line((0, 0), (50, 0), (100, 0)), line((50, -50), (50, 0), (50, 50)))
    assert (len(net.nodes), len(net.lengths), net.component_count) == (5, 4, 1)
    assert walk_m(net, (0, 0), (50, 50)) == pytest.approx(100, abs=1e-3)


def test_bridge_that_crosses_without_a_shared_vertex_is_no_junction() -> None:
    net = network(line((0, 0), (100, 0)), line((50, -50), (50, 50)))
    assert net.component_count == 2
    assert np.isinf(walk_m(net, (0, 0), (50, 50), max_m=10))


def test_vertex_inside_lines_of_different_layers_is_no_junction() -> None:
    lines = (line((0, 0), (50, 0), (100, 0)), line((50, -50), (50, 0), (50, 50)))
    assert network(*lines, layer=[0, 1]).component_count == 2
    assert network(*lines, layer=[1, 1]).component_count == 1


def test_bridge_is_joined_where_it_ends_whatever_its_layer() -> None:
    net = network(line((0, 0), (50, 0)), line((50, 0), (90, 0)), line((90, 0), (140, 0)),
                  layer=[0, 1, 0])  # fmt: skip
    assert net.component_count == 1
    assert walk_m(net, (0, 0), (140, 0)) == pytest.approx(140, abs=1e-3)


def test_components_are_ordered_by_metres() -> None:
    net = network(line((0, 0), (10, 0)), line((0, 500), (900, 500)), line((0, 900), (50, 900)))
    assert net.component_lengths() == pytest.approx([900, 50, 10], abs=0.01)
    assert net.component[net.tail].tolist() == [2, 0, 1]


def test_repeated_vertices_and_lines_without_length_are_merged_away() -> None:
    point = shapely.LineString([spot(0, 0), spot(0, 0)])
    net = network(line((0, 0), (0, 0), (50, 0), (50, 0), (100, 0)), point)
    assert (net.lengths > 0).all()
    assert net.dropped == ("s1",)
    assert len(net.lengths) == 1


def test_parallel_edges_are_kept_and_the_shorter_one_is_walked() -> None:
    net = network(line((0, 0), (100, 0)), line((0, 0), (50, 200), (100, 0)))
    assert len(net.lengths) == 2
    assert net.graph.nnz == 2
    assert net.graph.data == pytest.approx([100, 100], abs=1e-3)
    assert net.edge_between(0, 1) == 0
    # A point on the longer one still reaches both ends along it.
    assert walk_m(net, (50, 200), (0, 0)) == pytest.approx(np.hypot(50, 200), abs=1e-3)


def test_loop_is_walked_the_shorter_way_round() -> None:
    net = network(line((0, 0), (100, 0), (100, 100), (0, 100), (0, 0)), line((0, 0), (-50, 0)))
    assert walk_m(net, (100, 10), (100, 30)) == pytest.approx(20, abs=1e-3)
    assert walk_m(net, (10, 0), (0, 10)) == pytest.approx(20, abs=1e-3)
    assert walk_m(net, (100, 100), (-50, 0)) == pytest.approx(250, abs=1e-3)


def test_points_snap_to_edges_not_nodes_and_the_leg_counts_on_both_sides() -> None:
    net = network(line((0, 0), (1000, 0)))
    snap = net.snap([spot(500, 30)])[0]
    assert (snap.offset_m, snap.leg_m) == pytest.approx((500, 30), abs=1e-3)
    assert walk_m(net, (500, 30), (700, -20)) == pytest.approx(250, abs=1e-3)


def test_too_far_is_refused_with_the_distance() -> None:
    net = network(line((0, 0), (1000, 0)))
    snap = net.snap([spot(500, 130)], max_m=100)[0]
    assert snap.edge == -1
    assert snap.leg_m == pytest.approx(130, abs=1e-3)
    assert net.snap([spot(500, 130)], max_m=131)[0].edge == 0


def test_main_component_is_preferred_within_the_threshold() -> None:
    net = network(line((0, 0), (1000, 0)), line((400, 60), (500, 60)))
    assert net.snap([spot(450, 50)], max_m=100)[0].edge == 0
    assert net.snap([spot(450, 50)], max_m=20)[0].edge == 1


def test_matrix_equals_brute_force_and_keeps_the_triangle_inequality() -> None:
    net = WalkNetwork.from_streets(town(), EPSG)
    rng = np.random.default_rng(1)
    places = [tuple(p) for p in rng.random((40, 2)) * 400]
    matrix = net.matrix(net.snap([spot(*p) for p in places]))
    assert np.array_equal(matrix, matrix.T)
    assert np.isfinite(matrix).all()
    through = (matrix[:, :, None] + matrix[None]).min(axis=1)
    assert (matrix <= through + 1e-6).all()
    # Floyd–Warshall on the nodes is the second opinion.
    n = len(net.nodes)
    far = np.full((n, n), np.inf)
    np.fill_diagonal(far, 0)
    for u, v, metres in zip(net.tail, net.head, net.lengths, strict=True):
        far[u, v] = far[v, u] = min(far[u, v], metres)
    for k in range(n):
        far = np.minimum(far, far[:, k][:, None] + far[k][None])
    snaps = net.snap([spot(*p) for p in places])
    for i, a in enumerate(snaps):
        for j, b in enumerate(snaps):
            if i == j:
                continue
            ways = [out + far[u, v] + into for u, out in net.ends(a) for v, into in net.ends(b)] + (
                [abs(a.offset_m - b.offset_m)] if a.edge == b.edge else []
            )
            assert matrix[i, j] == pytest.approx(min(ways) + a.leg_m + b.leg_m, abs=1e-6)


def test_multilinestrings_are_taken_apart() -> None:
    both = shapely.MultiLineString([line((0, 0), (50, 0)), line((50, 0), (50, 50))])
    net = network(both)
    assert (len(net.lengths), net.component_count) == (2, 1)
    assert set(net.street.tolist()) == {0}


def test_no_street_is_refused() -> None:
    with pytest.raises(InputError, match="no street"):
        WalkNetwork.from_streets(streets([]), EPSG)


def test_same_streets_give_the_same_network() -> None:
    one, two = (WalkNetwork.from_streets(town(), EPSG) for _ in range(2))
    assert np.array_equal(one.nodes, two.nodes)
    assert np.array_equal(one.tail, two.tail)
    assert np.array_equal(one.lengths, two.lengths)


def test_boston_is_noded_at_shared_vertices(shared_data: Path) -> None:
    import geopandas as gpd

    frame = gpd.read_parquet(shared_data / "boston" / "boston_streets_osm.parquet")  # noqa: TID251
    net = WalkNetwork.from_streets(frame.to_crs(4490))
    assert net.component_count == 73
    assert 0.6 < (net.component == 0).mean() < 0.7
    assert net.lengths.sum() == pytest.approx(1_544_000, rel=0.002)
