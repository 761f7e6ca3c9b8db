"""Single rows of the repair log, each from a drawing that has exactly that defect."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridsvc.crs import canonical_geometry, to_metric
from gridsvc.quality import repair
from gridsvc.quality.repair_log import RepairLog, summary
from gridsvc.quality.true_areas import true_areas
from tests.unit.gridsvc.quality_data import EPSG, four, frame, metric, square, stored


def rows(shapes: dict[str, Any], action: str, **options: Any) -> gpd.GeoDataFrame:
    log = repair(frame(shapes), **options).log
    return log[log["action"] == action]


def test_areas_do_not_depend_on_where_an_edge_is_cut() -> None:
    long = shapely.box(117.6, 26.2, 117.65, 26.21)
    cut = shapely.segmentize(long, 0.0007)
    pieces = np.array([shapely.box(117.6 + k / 100, 26.2, 117.61 + k / 100, 26.21)
                       for k in range(5)], dtype=object)  # fmt: skip
    whole, same = true_areas(np.array([long, cut], dtype=object), EPSG)
    assert same == pytest.approx(whole, abs=1e-3)
    assert true_areas(pieces, EPSG).sum() == pytest.approx(whole, abs=1e-3)
    # The chords between projected corners miss it, though the bends of two sides cancel out.
    assert abs(to_metric(long, EPSG).area - whole) > 0.1


def test_areas_of_holes_parts_and_nothing() -> None:
    ring = metric([(0, 0), (100, 0), (100, 100), (0, 100)],
                  [(20, 20), (20, 30), (30, 30), (30, 20)])  # fmt: skip
    two = shapely.MultiPolygon([square(0, 0), square(300, 0, 50)])
    shapes = canonical_geometry(np.array([stored(ring), stored(two)], dtype=object))
    found = true_areas(np.array([*shapes, None, shapely.Polygon()], dtype=object), EPSG)
    assert found == pytest.approx([9900, 12_500, 0, 0], rel=1e-5)


def test_a_corner_that_a_neighbour_lacks_is_a_node_with_its_place() -> None:
    shapes = {"a": square(0, 0), "b": square(100, 0, 100, 50), "c": square(100, 50, 100, 50)}
    found = rows(shapes, "node_inserted")
    assert list(found["code"]) == ["a"]
    node = found.geometry.iloc[0]
    assert node.geom_type == "Point"
    assert node.equals_exact(stored(metric([(100, 50), (0, 0), (0, 1)])).exterior.interpolate(0))
    assert found["vertices"].iloc[0] == 1
    assert found["shift_m"].iloc[0] < 2e-4
    assert found["area_m2"].iloc[0] < 0.01


def test_pieces_below_a_hundredth_of_a_square_metre_have_rows() -> None:
    bump = metric([(0, 0), (100, 0), (100, 50), (100.02, 50.1), (100, 50.2), (100, 100), (0, 100)])
    log = repair(frame({"a": bump, "b": square(100, 0)}), snap_m=0.001).log
    tiny = log[(log["lost_m2"] > 0) & (log["area_m2"] < 0.01)]
    assert len(tiny) >= 1
    assert set(tiny["action"]) <= {"overlap_resolved", "snapped", "node_inserted"}
    assert (tiny["width_m"].dropna() > 0).all()


def test_ground_of_three_cells_is_lost_by_two_and_gained_by_nobody() -> None:
    # All three drew the strip between 100 and 101; one of them keeps it.
    a = metric([(0, 0), (101, 0), (101, 100), (0, 100)])
    b = metric([(100, 0), (200, 0), (200, 100), (100, 100)])
    c = metric([(100, 0), (101, 0), (101, 100), (101, 200), (0, 200), (0, 100), (100, 100)])
    log = repair(frame({"a": a, "b": b, "c": c}), snap_m=0.01).log
    strip = log[log["action"] == "overlap_resolved"]
    assert strip["gained_m2"].sum() == 0.0
    assert strip["lost_m2"].sum() == pytest.approx(200, rel=0.02)
    assert strip["code"].nunique() == 2


def test_a_moved_vertex_is_a_line_from_its_old_place() -> None:
    shapes = four() | {
        "b": metric([(100.3, 0), (200, 0), (200, 100), (100, 100)]),
        "a": metric([(0, 0), (100, 0), (100, 100), (0, 100)]),
    }
    layer = frame(shapes)
    result = repair(layer, snap_m=0.001)
    moved = result.log[result.log["action"] == "vertices_moved"]
    assert len(moved) == 1
    row = moved.iloc[0]
    assert row["shift_m"] == pytest.approx(0.3, rel=0.01)
    assert row["vertices"] >= 1
    ends = {tuple(p) for p in shapely.get_coordinates(row["geometry"])}
    old = {tuple(p) for p in shapely.get_coordinates(layer.geometry[row["code"]])}
    new = {tuple(p) for p in shapely.get_coordinates(result.cells.geometry[row["code"]])}
    nodes = result.log[
        (result.log["action"] == "node_inserted") & (result.log["code"] == row["code"])
    ]
    placed = {tuple(p) for p in shapely.get_coordinates(nodes.geometry.to_numpy())}
    assert len(ends) >= 2
    assert (old ^ new) - placed <= ends


def test_a_spike_a_repetition_and_an_empty_ring_are_rows() -> None:
    spiked = metric([(0, 0), (100, 0), (100, 100), (50, 100), (50, 130), (50, 100), (0, 100)])
    found = rows({"a": spiked, "b": square(100, 0)}, "spike_removed")
    assert list(found["code"]) == ["a"]
    twice = metric([(0, 0), (100, 0), (100, 0), (100, 100), (0, 100)])
    shifted = metric([(100.2, 0), (200, 0), (200, 100), (100, 100)])
    found = rows({"a": twice, "b": shifted}, "duplicate_removed")
    assert list(found["code"]) == ["a"]
    flat = metric(
        [(0, 0), (100, 0), (100, 100), (0, 100)], [(20, 20), (40, 20), (20, 20), (40, 20)]
    )
    found = rows({"a": flat, "b": square(100, 0)}, "ring_removed")
    assert list(found["code"]) == ["a"]
    assert found.geometry.iloc[0].geom_type == "LineString"


def test_making_a_shape_valid_keeps_the_lattice_and_states_both_areas() -> None:
    bow = metric([(0, 0), (100, 71), (100, 0), (0, 100)])
    result = repair(frame({"a": bow, "b": square(100, 0)}))
    shapes = result.cells.geometry.to_numpy()
    assert shapely.equals_exact(canonical_geometry(shapes), shapes).all()
    row = result.log[result.log["action"] == "made_valid"].iloc[0]
    change = row["area_after_m2"] - row["area_before_m2"]
    assert row["gained_m2"] - row["lost_m2"] == pytest.approx(change, abs=1e-9)


def test_the_summary_counts_rows_cells_and_extremes() -> None:
    log = RepairLog()
    log.add("gap_filled", "a", shapely.Point(0, 0), area=2.0, gained=2.0, width=0.5, gained_by="a")
    log.add("gap_filled", "a", shapely.Point(0, 0), area=1.0, gained=1.0, width=0.7, gained_by="a")
    log.add("vertices_moved", "b", shapely.Point(0, 0), shift=0.2, vertices=4)
    told = summary(log.frame())
    assert [t["action"] for t in told] == ["gap_filled", "vertices_moved"]
    assert (told[0]["rows"], told[0]["cells"], told[0]["area_m2"], told[0]["width_m"]) == (
        2, 1, 3.0, 0.7,
    )  # fmt: skip
    assert told[0]["shift_m"] is None
    assert (told[1]["vertices"], told[1]["shift_m"]) == (4, 0.2)
    assert summary(RepairLog().frame()) == []
    older = log.frame().drop(columns=["vertices", "shift_m"])
    assert summary(older)[1]["vertices"] == 0


def test_cells_drawn_twice_are_asked_about_with_one_tree_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def trees(columns: int) -> int:
        built: list[int] = []

        class Counted(shapely.STRtree):
            def __init__(self, geometries: Any, *options: Any) -> None:
                built.append(1)
                super().__init__(geometries, *options)

        cells = {f"c{i}": square(100 * i, 0) for i in range(columns)}
        twice = cells | {f"d{i}": square(100 * i, 0) for i in range(columns)}
        with monkeypatch.context() as patched:
            patched.setattr(shapely, "STRtree", Counted)
            asked = repair(frame(twice)).decisions_needed
        assert [d.kind for d in asked] == ["vanished"] * columns
        assert all(d.key.replace("d", "c") in d.en for d in asked)
        return len(built)

    assert trees(12) == trees(6)
