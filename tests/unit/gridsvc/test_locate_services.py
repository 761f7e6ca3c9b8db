from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridsvc.errors import NoPlanInForce, OutsideCoverage, UnknownClass
from gridsvc.locate import Locator
from gridsvc.locate.nearest import NearestPoints
from gridsvc.services.answers import AnswerDesk
from gridsvc.services.locating import LocatorCache
from gridsvc.services.ports import Storage
from tests.databases import Forwarding
from tests.unit.locate_city import (
    COMMUNITY,
    FIRST,
    HANDOVER,
    NOW,
    SECOND,
    SUBDISTRICT,
    cells,
    code,
    open_filled,
    plan,
)


class Counted(Forwarding):
    """A storage that counts how often it is asked for its stamp."""

    def __init__(self, inner: Storage) -> None:
        super().__init__(inner)
        self.asked = 0

    def version_stamp(self) -> str:
        self.asked += 1
        return super().version_stamp()


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Counted]:
    opened = open_filled(tmp_path)
    yield Counted(opened)
    opened.dispose()


@pytest.fixture
def cache(storage: Counted) -> LocatorCache:
    return LocatorCache(storage, scheme_id="main", recheck_s=5.0, tick=lambda: 100.0)


@pytest.fixture
def desk(storage: Counted, cache: LocatorCache) -> AnswerDesk:
    return AnswerDesk(storage, cache)


def publish_third(storage: Storage, since: datetime) -> None:
    with storage.unit_of_work() as work:
        second = work.plans.get("main-2")
        work.plans.save(replace(second, effective_to=since, revision=2), expected_revision=1)
        work.plans.add(plan(3, effective_from=since, cell_count=5), cells(merged=True))
        work.commit()


# --- which plan ----------------------------------------------------------------------------------


def test_past_instants_get_the_plan_of_their_time(cache: LocatorCache) -> None:
    old, locator = cache.at(datetime(2018, 6, 1, tzinfo=UTC))
    assert old.id == "main-1"
    assert locator.locate(117.615, 26.205).code == code(1)
    new, locator = cache.at(NOW)
    assert new.id == "main-2"
    assert locator.locate(117.615, 26.205).code == code(2)
    assert cache.plan_at(SECOND).id == "main-2"
    assert cache.plan_at(SECOND - timedelta(microseconds=1)).id == "main-1"


def test_before_the_first_plan(cache: LocatorCache) -> None:
    with pytest.raises(NoPlanInForce, match=FIRST.date().isoformat()):
        cache.at(FIRST - timedelta(seconds=1))


def test_plan_at_sees_a_publication_at_once(cache: LocatorCache, storage: Counted) -> None:
    assert cache.plan_at(NOW).id == "main-2"
    publish_third(storage, SECOND + timedelta(days=1))
    assert cache.plan_at(NOW).id == "main-3"


def test_the_stamp_is_trusted_for_a_while_and_one_caller_renews_it(storage: Counted) -> None:
    clock = [0.0]
    cache = LocatorCache(storage, scheme_id="main", recheck_s=5.0, tick=lambda: clock[0])
    assert cache.known_stamp() is None
    stamp = cache.refresh()
    assert storage.asked == 1
    clock[0] = 4.9
    assert cache.known_stamp() == stamp
    clock[0] = 5.0
    assert cache.known_stamp() is None  # this caller is to refresh
    assert cache.known_stamp() == stamp  # the others go on
    assert storage.asked == 1
    cache.expire()
    assert cache.known_stamp() is None
    assert cache.known_stamp() is None
    cache.refresh()
    assert cache.known_stamp() == stamp


def test_least_recently_used_locators_are_dropped(storage: Counted) -> None:
    cache = LocatorCache(storage, scheme_id="main", keep=1)
    first = cache.of("main-1")
    assert cache.of("main-1") is first
    cache.of("main-2")
    assert cache.of("main-1") is not first


def test_many_who_ask_at_once_build_once(storage: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = LocatorCache(storage, scheme_id="main")
    built: list[int] = []
    gate = threading.Barrier(6)
    original = Locator.from_cells

    def counted(*args: Any, **options: Any) -> Locator:
        built.append(1)
        return original(*args, **options)

    monkeypatch.setattr(Locator, "from_cells", counted)

    def ask(_: int) -> Locator:
        gate.wait()
        return cache.of("main-2")

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(ask, range(6)))
    assert len(built) == 1
    assert all(locator is found[0] for locator in found)


# --- the answer ----------------------------------------------------------------------------------


def test_full_answer(desk: AnswerDesk) -> None:
    answer = desk.answer(117.6095, 26.205, NOW, accuracy_m=100.0)
    assert answer["cell_code"] == code(1)
    assert [(a["level"], a["code"]) for a in answer["chain"]] == [
        ("cell", code(1)),
        ("community", COMMUNITY),
        ("subdistrict", SUBDISTRICT),
    ]
    assert answer["chain"][1]["name"] == "东街社区"
    persons = {role: [p["name"] for p in people] for role, people in answer["persons"].items()}
    assert persons == {"grid_worker": ["张三"], "community_leader": ["王五"]}
    assert answer["persons"]["community_leader"][0]["via"] == "community"
    assert answer["persons"]["grid_worker"][0]["unit_name"] == "列东街道办"
    assert answer["responsible_unit"]["unit_id"] == "U2"
    assert answer["responsible_unit"]["rule"] == "territory"
    assert answer["ambiguous"] is True
    assert [n["code"] for n in answer["neighbours"]] == [code(2)]
    assert answer["neighbours"][0]["name"] == "网格2"
    assert answer["plan"]["id"] == "main-2"
    assert answer["plan"]["effective_from"] == SECOND.isoformat()
    assert answer["nearest_point"]["point_id"] == "T2"
    assert answer["nearest_point"]["persons"]["sponsor_leader"][0]["name"] == "赵六"
    assert answer["nearest_point"]["unit"] == {"unit_id": "U2", "name": "列东街道办"}
    assert desk.answer(117.625, 26.205, NOW)["nearest_point"]["unit"] == {
        "unit_id": "49 分队",
        "name": None,
    }
    assert "13800000000" not in str(answer)
    assert "0598" not in str(answer)


def test_category_decides_the_unit(desk: AnswerDesk) -> None:
    answer = desk.answer(117.605, 26.205, NOW, category="0101")
    assert answer["category"]["name"] == "占道经营"
    assert answer["responsible_unit"]["unit_id"] == "U1"
    assert answer["responsible_unit"]["rule"] == "unit_kind"
    with pytest.raises(UnknownClass):
        desk.answer(117.605, 26.205, NOW, category="9999")


def test_persons_are_those_of_the_instant(desk: AnswerDesk) -> None:
    before = desk.answer(117.605, 26.205, HANDOVER - timedelta(microseconds=1))
    after = desk.answer(117.605, 26.205, HANDOVER)
    assert before["persons"]["grid_worker"][0]["name"] == "张三"
    assert after["persons"]["grid_worker"][0]["name"] == "李四"


def test_outside_coverage_names_the_nearest_cell(desk: AnswerDesk) -> None:
    with pytest.raises(OutsideCoverage) as caught:
        desk.answer(117.7, 26.205, NOW)
    assert caught.value.nearest_cell == code(3)
    assert caught.value.distance_m == pytest.approx(6996.0, abs=1.0)


def test_a_snapshot_lasts_until_the_next_change(desk: AnswerDesk) -> None:
    snapshot = desk.snapshot(NOW)
    assert (snapshot.since, snapshot.until) == (SECOND, HANDOVER)
    assert desk.ready(NOW) is snapshot
    assert desk.ready(HANDOVER - timedelta(seconds=1)) is snapshot
    assert desk.ready(HANDOVER) is None
    later = desk.snapshot(HANDOVER)
    assert later is not snapshot
    assert desk.ready(NOW) is snapshot
    assert desk.ready(HANDOVER + timedelta(days=9999)) is later


def test_a_change_of_records_makes_a_new_snapshot(desk: AnswerDesk, storage: Counted) -> None:
    first = desk.snapshot(NOW)
    with storage.unit_of_work() as work:
        staff = work.records("staff").frame(where={"name": "张三"})
        staff["name"] = "张三丰"
        work.records("staff").upsert(staff)
        work.commit()
    again = desk.snapshot(NOW)
    assert again is not first
    assert again.cell(code(1))["persons"]["grid_worker"][0]["name"] == "张三丰"
    assert again.locator is first.locator


# --- nearest points ------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 50, 9000])
def test_nearest_point_agrees_with_a_full_search(count: int) -> None:
    from pyproj import Geod

    rng = np.random.default_rng(count)
    lon, lat = rng.uniform(117.5, 117.7, count), rng.uniform(26.1, 26.3, count)
    nearest = NearestPoints(lon, lat)
    assert len(nearest) == count
    for x, y in rng.uniform((117.45, 26.05), (117.75, 26.35), (40, 2)).tolist():
        found = nearest.nearest(x, y)
        assert found is not None
        _, _, distances = Geod(ellps="GRS80").inv(np.full(count, x), np.full(count, y), lon, lat)
        assert found[1] == pytest.approx(distances.min(), rel=5e-4, abs=0.01)
        assert distances[found[0]] == pytest.approx(distances.min(), rel=5e-4, abs=0.01)


def test_no_points_no_nearest() -> None:
    assert NearestPoints(np.empty(0), np.empty(0)).nearest(117.6, 26.2) is None
