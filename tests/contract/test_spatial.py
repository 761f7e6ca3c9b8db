"""Spatial SQL from the one helper answers like shapely, on both back ends."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
import sqlalchemy as sa

from geodata.storage.base import SqlStorage
from geodata.storage.schema import layer_tables
from geodata.storage.spatial import Predicate, meets_box, pairs
from gridsvc.layers import LAYERS
from gridsvc.types import BoundingBox
from tests.contract import data

CELLS, POINTS = layer_tables["cells"], layer_tables["points"]


@pytest.fixture
def city(storage: SqlStorage) -> SqlStorage:
    """64 cells of 0.01° and points inside, on edges, on corners and outside."""
    points = data.spatial_rows(LAYERS["points"], 500)
    rng = np.random.default_rng(5)
    places = np.c_[rng.uniform(117.48, 117.6, 500), rng.uniform(26.18, 26.3, 500)]
    cells = data.cells(8)
    corners = shapely.get_coordinates(cells.geometry.to_numpy())
    places[:100] = corners[rng.integers(0, len(corners), 100)]
    places[100:200, 0] = corners[rng.integers(0, len(corners), 100), 0]
    points = points.set_geometry([shapely.Point(place) for place in places], crs=4490)
    with storage.unit_of_work() as work:
        work.plans.add_scheme(data.scheme())
        work.plans.add(data.plan("p1", 1), cells)
        work.records("points").append(points)
        work.commit()
    return storage


@pytest.mark.parametrize(
    "predicate", ["intersects", "contains", "covers", "touches", "within", "covered_by"]
)
def test_pairs_equal_shapely(city: SqlStorage, predicate: Predicate) -> None:
    dialect = city.engine.dialect.name
    left, right = (CELLS, POINTS) if predicate in ("contains", "covers") else (POINTS, CELLS)
    found_pairs = pairs(left, right, dialect, predicate=predicate).subquery()
    keys = {"cells": "code", "points": "point_id"}
    query = (
        sa.select(left.c[keys[left.name]], right.c[keys[right.name]])
        .join(found_pairs, found_pairs.c.left_fid == left.c.fid)
        .join(right, found_pairs.c.right_fid == right.c.fid)
    )
    with city.engine.connect() as connection:
        found = sorted(tuple(row) for row in connection.execute(query))
    with city.unit_of_work() as work:
        frames = {"cells": work.plans.cells("p1"), "points": work.records("points").frame()}
    one, other = frames[left.name], frames[right.name]
    a, b = one.geometry.to_numpy(), other.geometry.to_numpy()
    fits = getattr(shapely, predicate)(a[:, None], b[None, :])
    wanted = sorted((one.index[i], other.index[j]) for i, j in zip(*np.nonzero(fits), strict=True))
    assert len(wanted) > 100
    assert found == wanted


def test_box_condition_uses_the_index(city: SqlStorage) -> None:
    box = BoundingBox(117.5, 26.2, 117.51, 26.21)
    query = sa.select(POINTS.c.fid).where(meets_box(POINTS, box, city.engine.dialect.name))
    with city.engine.connect() as connection:
        text = query.compile(connection, compile_kwargs={"render_postcompile": True})
        if city.kind == "embedded":
            assert text.positiontup is not None
            plan = connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {text}", tuple(text.params[n] for n in text.positiontup)
            ).fetchall()
            assert any("idx_points_geometry" in row[3] for row in plan)
            assert not any(row[3].startswith("SCAN points") for row in plan)
            return
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql(f"EXPLAIN {text}", text.params).fetchall()
        assert any("idx_points_geometry" in row[0] for row in plan)
