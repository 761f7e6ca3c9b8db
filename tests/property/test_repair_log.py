"""The log of a repair leaves nothing out: ground, vertices, bytes."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridsvc.crs import to_metric
from gridsvc.quality import RepairResult, ground_changes, repair
from gridsvc.quality.repair_log import MOVES
from gridsvc.quality.true_areas import true_areas
from gridsvc.types import FloatArray
from tests.unit.gridsvc.quality_data import EPSG, frame, metric

SIDE = 60.0
CORNERS = np.array([(0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1), (0.5, 1), (0, 1), (0, 0.5)])
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
AT_VERTICES = {
    "node_inserted", "vertices_moved", "vertex_removed", "ring_removed", "spike_removed",
    "duplicate_removed",
}  # fmt: skip
# A projected vertex is exact to about a nanometre, along a border of a kilometre.
ROUNDING_M2 = 1e-4


def left_over(layer: gpd.GeoDataFrame) -> FloatArray:
    """Return what the rows of each cell may miss at most, m² (ADR 5).

    Faces below a mean width of ``NOISE_M`` have no row. The area of one is less than that width
    times half its outline, and half the outlines of those along a border come to its length.
    """
    outlines = shapely.length(to_metric(layer.geometry.to_numpy(), EPSG))
    return np.asarray(ROUNDING_M2 + ground_changes.NOISE_M * outlines)


def residues(layer: gpd.GeoDataFrame, result: RepairResult) -> FloatArray:
    """Return by how much the rows of each cell miss the change of its area, m²."""
    before, after = (true_areas(s, EPSG) for s in shapes_of(layer, result))
    log = result.log
    lost = log.groupby("code")["lost_m2"].sum().reindex(layer.index, fill_value=0.0)
    gained = log.groupby("gained_by")["gained_m2"].sum().reindex(layer.index, fill_value=0.0)
    return np.asarray(np.abs((gained - lost).to_numpy() - (after - before)))


@st.composite
def drawn_layers(draw: st.DrawFn) -> gpd.GeoDataFrame:
    """Squares digitised apart: errors, corners that a neighbour lacks, repeated vertices."""
    rows = draw(st.integers(1, 4))
    columns = draw(st.integers(2, 4))
    error = draw(st.sampled_from([0.0, 1e-4, 0.001, 0.05, 0.4, 1.5]))
    side = draw(st.sampled_from([SIDE, 10 * SIDE]))
    return digitised(rows, columns, error, side, draw(st.integers(0, 2**32 - 1)))


def digitised(rows: int, columns: int, error: float, side: float, seed: int) -> gpd.GeoDataFrame:
    rng = np.random.default_rng(seed)
    shapes = {}
    for r in range(rows):
        for c in range(columns):
            kept = np.ones(len(CORNERS), dtype=bool)
            kept[1::2] = rng.random(4) < 0.6
            ring = side * (CORNERS[kept] + np.array([c, r]))
            ring = ring + rng.uniform(-error, error, ring.shape)
            if rng.random() < 0.2:
                ring = np.insert(ring, 2, ring[2], axis=0)
            shapes[f"{r}{c}"] = metric([tuple(p) for p in ring])
    return frame(shapes)


def vertices(shape: Any) -> set[tuple[float, float]]:
    return {(float(x), float(y)) for x, y in shapely.get_coordinates(shape)}


def shapes_of(layer: gpd.GeoDataFrame, result: RepairResult) -> tuple[Any, Any]:
    return layer.geometry.to_numpy(), result.cells.geometry.reindex(layer.index).to_numpy()


@SLOW
@given(drawn_layers())
def test_rows_sum_up_to_the_change_of_every_cell(layer: gpd.GeoDataFrame) -> None:
    result = repair(layer, metric_epsg=EPSG)
    before, after = (true_areas(s, EPSG) for s in shapes_of(layer, result))
    log = result.log
    assert (residues(layer, result) < left_over(layer)).all()
    assert not log.loc[log["gained_m2"] > 0, "gained_by"].isna().any()
    told = log[log["action"].isin(MOVES)].drop_duplicates("code").set_index("code")
    sizes = dict(zip(layer.index, zip(before, after, strict=True), strict=True))
    for code, row in told.iterrows():
        assert np.allclose(
            [row["area_before_m2"], row["area_after_m2"]], sizes[str(code)], atol=ROUNDING_M2
        )


@pytest.mark.parametrize("error", [1e-4, 0.001])
def test_what_the_rows_miss_are_faces_of_rounding_alone(
    error: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [digitised(3, 4, error, 10 * SIDE, seed) for seed in range(8)]
    for layer in layers:
        assert (residues(layer, repair(layer, metric_epsg=EPSG)) < left_over(layer)).all()
    # With a row for each of them nothing is missed but the rounding of areas.
    monkeypatch.setattr(ground_changes, "NOISE_M", 1e-12)
    for layer in layers:
        assert residues(layer, repair(layer, metric_epsg=EPSG)).max() < ROUNDING_M2


@SLOW
@given(drawn_layers())
def test_every_vertex_that_differs_is_in_a_row_of_its_cell(layer: gpd.GeoDataFrame) -> None:
    result = repair(layer, metric_epsg=EPSG)
    rows = result.log[result.log["action"].isin(AT_VERTICES)]
    fresh = 0
    for code, old, new in zip(layer.index, *shapes_of(layer, result), strict=True):
        mine = rows[rows["code"] == code]
        put = vertices(new) - vertices(old)
        fresh += len(put)
        nodes = mine[mine["action"] == "node_inserted"].geometry.to_numpy()
        moved = mine[mine["action"] == "vertices_moved"].geometry.to_numpy()
        single = vertices(nodes)
        assert len(single) == len(nodes)
        assert single <= put
        ends = {(float(x), float(y)) for x, y in shapely.get_coordinates(moved)}
        assert put <= single | ends
        if not shapely.is_empty(new):
            assert vertices(old) - vertices(new) <= vertices(mine.geometry.to_numpy())
    if not fresh:
        assert "node_inserted" not in set(rows["action"])
    assert (rows["vertices"] >= 1).all()
    assert (rows.loc[rows["action"] == "vertices_moved", "shift_m"] > 0).all()


@SLOW
@given(drawn_layers())
def test_the_moved_area_is_the_sum_of_the_rows_and_every_row_is_real(
    layer: gpd.GeoDataFrame,
) -> None:
    result = repair(layer, metric_epsg=EPSG)
    log = result.log
    moves = log[log["action"].isin(MOVES)]
    assert result.moved_area_m2 == moves["area_m2"].sum()
    ground = moves[~moves["action"].isin(AT_VERTICES)]
    assert (ground["area_m2"] > 0).all()
    sizes = true_areas(ground.geometry.to_numpy(), EPSG)
    assert np.allclose(ground["area_m2"], sizes, rtol=0.0, atol=1e-9)
    assert not shapely.is_empty(log.geometry.to_numpy()).any()
    # Pieces of one loser do not lie on each other: nothing is told twice.
    for _, rows in ground[ground["lost_m2"] > 0].groupby("code"):
        pieces = rows.geometry.to_numpy()
        whole = true_areas(np.array([shapely.union_all(pieces)], dtype=object), EPSG)[0]
        assert abs(whole - rows["lost_m2"].sum()) < ROUNDING_M2


@SLOW
@given(drawn_layers())
def test_the_same_layer_gives_the_same_bytes(layer: gpd.GeoDataFrame) -> None:
    one, two = (repair(layer, metric_epsg=EPSG) for _ in range(2))
    for name in ("cells", "log"):
        first, second = getattr(one, name), getattr(two, name)
        assert first.to_csv() == second.to_csv()
        assert np.array_equal(
            shapely.to_wkb(first.geometry.to_numpy()), shapely.to_wkb(second.geometry.to_numpy())
        )
