"""Rows in the cells of the plan that is asked about, on both back ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridsvc.layers import LAYERS, normalize
from gridsvc.plan.version import PlanVersion
from gridsvc.services import planning
from gridsvc.services.joining import place
from gridsvc.services.locating import LocatorCache
from gridsvc.services.placing import PLACED_LAYERS, in_plan, rows_in_plan
from gridsvc.services.ports import Storage
from gridsvc.types import BoundingBox
from tests.unit.gridsvc.test_planning import SCHEME, cells, split

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RETIRED = "350404001001001"
REQUIRED = {"points": {"category": "park"}, "staff": {"role": "grid_worker"},
            "facilities": {"kind": "market"}}  # fmt: skip


def two_versions(storage: Storage) -> tuple[PlanVersion, PlanVersion]:
    first = planning.create_draft(storage, SCHEME, cells(), at=T0)
    planning.publish(storage, first.id, T0, T0)
    second = planning.create_draft(storage, SCHEME, split(), at=T0)
    planning.publish(storage, second.id, T0 + 10 * DAY, T0)
    with storage.unit_of_work() as work:
        return work.plans.get(first.id), work.plans.get(second.id)


def rows(layer: str, locators: LocatorCache, plan: PlanVersion) -> gpd.GeoDataFrame:
    """Return 60 rows placed in a plan as an import does, some beside it, some nowhere."""
    west, south, east, north = cells().total_bounds
    rng = np.random.default_rng(7)
    x = rng.uniform(west - 0.0003, east + 0.0003, 60)
    y = rng.uniform(south - 0.0003, north + 0.0003, 60)
    spots: Any = shapely.points(x, y)
    shapes = [None if i % 15 == 0 else p for i, p in enumerate(spots)]
    names = {"name": [f"r{i}" for i in range(60)], **REQUIRED[layer]}
    table = gpd.GeoDataFrame(names, geometry=shapes, crs=4490)
    table.index = pd.Index([f"r{i:02d}" for i in range(60)], name=LAYERS[layer].key)
    return gpd.GeoDataFrame(normalize(place(table, locators.of(plan.id), plan.id), LAYERS[layer]))


@pytest.mark.parametrize("layer", PLACED_LAYERS)
def test_rows_are_in_the_cells_of_the_plan_asked_about(storage: Storage, layer: str) -> None:
    first, second = two_versions(storage)
    locators = LocatorCache(storage, scheme_id="main")
    with storage.unit_of_work() as work:
        work.records(layer).append(rows(layer, locators, first))
        work.commit()
    with storage.unit_of_work() as work:
        stored = gpd.GeoDataFrame(work.records(layer).frame())
        for plan in (first, second):
            expected = place(stored, locators.of(plan.id), plan.id)
            found = in_plan(stored, plan, locators.of)
            pd.testing.assert_frame_equal(found, expected)
            for code in [*work.plans.cells(plan.id).index, RETIRED, "no such cell"]:
                mine = expected.index[expected["cell_code"] == code]
                asked = rows_in_plan(work, layer, plan, locators.of, cell=code)
                assert list(asked.index) == list(mine), (plan.id, code)
            for community in expected["cell_code"].dropna().str[:12].unique():
                mine = expected.index[expected["cell_code"].str[:12] == community]
                asked = rows_in_plan(work, layer, plan, locators.of, community=community)
                assert list(asked.index) == list(mine)
        moved = in_plan(stored, first, locators.of)["cell_code"] == RETIRED
        assert moved.sum() > 3
        assert not in_plan(stored, second, locators.of)["cell_code"].eq(RETIRED).any()


def test_pages_of_a_filter_hold_every_row_once(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gridsvc.services.placing._CHUNK", 7)
    first, second = two_versions(storage)
    locators = LocatorCache(storage, scheme_id="main")
    with storage.unit_of_work() as work:
        work.records("points").append(rows("points", locators, first))
        work.commit()
    with storage.unit_of_work() as work:
        whole = rows_in_plan(work, "points", second, locators.of, placement="outside")
        assert len(whole) > 5
        paged: list[str] = []
        while True:
            after = paged[-1] if paged else None
            page = rows_in_plan(
                work, "points", second, locators.of, placement="outside", after=after, limit=2
            )
            paged += [str(key) for key in page.index]
            if len(page) < 2:
                break
        assert paged == list(whole.index)
        box = BoundingBox(*(float(v) for v in work.plans.cells(second.id).total_bounds))
        beyond = BoundingBox(box.east + 1, box.south, box.east + 2, box.north)
        inside = rows_in_plan(work, "points", second, locators.of, bbox=box)
        assert 0 < len(inside) < 60
        assert rows_in_plan(
            work, "points", second, locators.of, bbox=beyond, community="350404001001"
        ).empty


def test_without_a_plan_no_row_has_a_cell(storage: Storage) -> None:
    first, _ = two_versions(storage)
    locators = LocatorCache(storage, scheme_id="main")
    with storage.unit_of_work() as work:
        work.records("points").append(rows("points", locators, first))
        found = rows_in_plan(work, "points", None, locators.of)
        assert len(found) == 60
        assert found["cell_code"].isna().all()
        assert set(found["placement"].dropna()) == {"no_coordinates"}
        assert rows_in_plan(work, "points", None, locators.of, cell=RETIRED).empty


def test_an_unchanged_plan_asks_for_no_locator(storage: Storage) -> None:
    first, _ = two_versions(storage)
    locators = LocatorCache(storage, scheme_id="main")
    table = rows("points", locators, first)

    def never(plan_id: str) -> None:
        pytest.fail(f"asked for {plan_id}")

    pd.testing.assert_frame_equal(in_plan(table, first, never), table)  # type: ignore[arg-type]
