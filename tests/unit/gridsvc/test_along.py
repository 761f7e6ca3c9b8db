"""Road and river chiefs in the answer, and the two times of duties (design D8)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import affinity

from gridsvc import layers
from gridsvc.locate.lines import NearestLines
from gridsvc.locate.surroundings import metres_per_degree
from gridsvc.services.along import RIVER_REACH_M, ROAD_REACH_M
from gridsvc.services.answers import AnswerDesk, assemble
from gridsvc.services.locating import LocatorCache
from gridsvc.services.ports import Storage
from tests.unit.locate_city import FIRST, NOW, code, open_filled

ROAD_LAT = 26.205
RIVER_SOUTH = 26.2
KX, KY = metres_per_degree(26.205)


def duty(number: str, person: str, role: str, kind: str, target: str, recorded: datetime) -> Any:
    return {
        "duty_id": number, "person_id": person, "role": role, "target_kind": kind,
        "target_code": target, "valid_from": FIRST, "recorded_at": recorded,
    }  # fmt: skip


def add_duties(storage: Storage, *rows: dict[str, Any]) -> None:
    frame = pd.DataFrame(list(rows))
    with storage.unit_of_work() as work:
        work.records("duties").append(layers.normalize(frame, layers.DUTIES))
        work.commit()


def add_road(storage: Storage) -> None:
    """Draw a main road along the middle of the southern cells, and a lane that is nearer."""
    lines = [
        shapely.LineString([(117.6, ROAD_LAT), (117.63, ROAD_LAT)]),
        shapely.LineString([(117.6, ROAD_LAT + 0.0001), (117.63, ROAD_LAT + 0.0001)]),
        shapely.LineString([(117.6, 26.215), (117.63, 26.215)]),
    ]
    frame = gpd.GeoDataFrame(
        {"street_id": ["s1", "s2", "s3"], "name": ["江滨路", "小巷", None]},
        geometry=lines,
        crs=4490,
    )
    with storage.unit_of_work() as work:
        work.records("streets").append(layers.normalize(frame, layers.STREETS))
        work.commit()


def desk_of(storage: Storage) -> AnswerDesk:
    locators = LocatorCache(storage, scheme_id="main", clock=lambda: NOW)
    return AnswerDesk(storage, locators)


def test_chief_of_the_road_beside_the_place(tmp_path: Path) -> None:
    storage = open_filled(tmp_path)
    add_road(storage)
    add_duties(storage, duty("R1", "P4", "road_chief", "road", "江滨路", FIRST))
    desk = desk_of(storage)
    near = desk.answer(117.605, ROAD_LAT + 20.0 / KY, NOW)
    assert near["cell_code"] == code(1)
    assert near["beside"] == [
        {
            "kind": "road", "code": "江滨路", "name": "江滨路",
            "distance_m": pytest.approx(20.0, abs=0.01), "within_m": ROAD_REACH_M,
        }
    ]  # fmt: skip
    chief = near["persons"]["road_chief"][0]
    assert (chief["name"], chief["via"], chief["target_code"]) == ("赵六", "road", "江滨路")
    assert near["persons"]["grid_worker"][0]["via"] == "cell"
    far = desk.answer(117.605, ROAD_LAT + (ROAD_REACH_M + 0.5) / KY, NOW)
    assert far["beside"] == []
    assert "road_chief" not in far["persons"]
    storage.dispose()


def test_chief_of_the_river_beside_the_place(tmp_path: Path) -> None:
    storage = open_filled(tmp_path)
    river = shapely.box(117.59, 26.19, 117.64, RIVER_SOUTH)
    barred = layers.normalize(
        gpd.GeoDataFrame(
            {"exclusion_id": ["river-1"], "kind": ["river"], "name": ["沙溪"]},
            geometry=[river], crs=4490,
        ),
        layers.EXCLUSIONS,
    )  # fmt: skip
    add_duties(storage, duty("V1", "P4", "river_chief", "river", "river-1", FIRST))
    desk = desk_of(storage)
    assert desk.snapshot(NOW).along is None  # the plan has no such river
    records = desk.snapshot(NOW).records
    from gridsvc.duties.book import DutyBook
    from gridsvc.services.along import Along

    book = DutyBook.from_frame(records.duties, NOW)
    along = Along.of(book, None, gpd.GeoDataFrame(barred))
    assert along is not None
    snapshot = desk.snapshot(NOW)
    snapshot.along = along
    answer = assemble(snapshot, 117.605, RIVER_SOUTH + 40.0 / KY, NOW)
    assert [(b["kind"], b["name"], b["within_m"]) for b in answer["beside"]] == [
        ("river", "沙溪", RIVER_REACH_M)
    ]
    assert answer["persons"]["river_chief"][0]["via"] == "river"
    beyond = assemble(snapshot, 117.605, RIVER_SOUTH + 51.0 / KY, NOW)
    assert beyond["beside"] == []
    storage.dispose()


def test_cities_without_such_duties_compare_nothing(tmp_path: Path) -> None:
    storage = open_filled(tmp_path)
    add_road(storage)
    snapshot = desk_of(storage).snapshot(NOW)
    assert snapshot.along is None
    assert snapshot.records.roads is None
    storage.dispose()


def test_a_duty_recorded_later_was_not_known_before(tmp_path: Path) -> None:
    storage = open_filled(tmp_path)
    late = datetime(2019, 5, 20, tzinfo=UTC)
    add_duties(storage, duty("L1", "P2", "patrol_officer", "cell", code(1), late))
    desk = desk_of(storage)
    asked = (117.605, 26.206, datetime(2019, 3, 1, tzinfo=UTC))
    now = desk.answer(*asked)
    assert now["persons"]["patrol_officer"][0]["name"] == "李四"
    assert now["known_at"] is None
    before = desk.answer(*asked, known_at=datetime(2019, 5, 19, tzinfo=UTC))
    assert "patrol_officer" not in before["persons"]
    assert before["persons"]["grid_worker"][0]["name"] == "张三"
    assert before["known_at"] == "2019-05-19T00:00:00+00:00"
    after = desk.answer(*asked, known_at=late)
    assert after["persons"]["patrol_officer"][0]["name"] == "李四"
    # What was asked about the past of the records is not served to the next plain question.
    assert "patrol_officer" in desk.answer(*asked)["persons"]
    storage.dispose()


def test_nearest_lines_measure_as_geos() -> None:
    rng = np.random.default_rng(4)
    starts = rng.uniform((117.6, 26.2), (117.62, 26.22), (60, 2))
    shapes = np.array(
        [shapely.LineString(start + rng.normal(0, 0.0004, (4, 2))) for start in starts]
        + [shapely.box(117.611, 26.211, 117.6114, 26.2113)],
        dtype=object,
    )
    finder = NearestLines(shapes, 30.0)
    found = 0
    for lon, lat in rng.uniform((117.598, 26.198), (117.622, 26.222), (1500, 2)).tolist():
        kx, ky = metres_per_degree((np.floor(lat * 1000.0) + 0.5) / 1000.0)
        flat = np.array([affinity.affine_transform(s, (kx, 0, 0, ky, 0, 0)) for s in shapes])
        flat[-1] = flat[-1].exterior
        gaps = shapely.distance(flat, shapely.Point(lon * kx, lat * ky))
        near = finder.nearest(lon, lat)
        if gaps.min() > 30.0:
            assert near is None
            continue
        assert near is not None
        found += 1
        assert near[1] == pytest.approx(float(gaps.min()), abs=1e-5)
        assert gaps[near[0]] == pytest.approx(float(gaps.min()), abs=1e-5)
    assert found > 150
