"""What becomes of duties when plans take effect and are withdrawn, on both back ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest

from gridsvc.duties.book import DutyBook, duties_in_force
from gridsvc.duties.takeover import Choice
from gridsvc.errors import ConflictError, InputError, NotScheduled, StaleVersion
from gridsvc.layers import DUTIES, POINTS, normalize
from gridsvc.plan.version import PlanVersion, Standing
from gridsvc.services import planning
from gridsvc.services.joining import place
from gridsvc.services.locating import LocatorCache
from gridsvc.services.ports import Storage
from gridsvc.services.takeover import examine
from gridsvc.services.withdrawing import withdraw
from tests.unit.gridsvc.quality_data import metric
from tests.unit.gridsvc.test_planning import SCHEME, SHAPES, cells

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NOW, START = T0 + 5 * DAY, T0 + 10 * DAY
A, B, C, D = SHAPES
S1, S2, M1 = "350404001001003", "350404001001004", "350404003001001"
GROWN = "350404001001005"


def changed() -> gpd.GeoDataFrame:
    """Return the second version: A is split into two, C and D are merged, B is renamed."""
    return cells(
        {
            S1: metric([(0, 0), (100, 0), (100, 50), (0, 50)]),
            S2: metric([(0, 50), (100, 50), (100, 100), (0, 100)]),
            GROWN: metric([(100, 0), (200, 0), (200, 100), (100, 100), (100, 50)]),
            M1: metric([(0, 100), (100, 100), (200, 100), (200, 200), (100, 200), (0, 200)]),
        }
    )


def duty(key: str, person: str, target: str, **more: Any) -> dict[str, Any]:
    base = {"duty_id": key, "person_id": person, "role": "cell_leader", "target_kind": "cell"}
    times = {"valid_from": T0.isoformat(), "recorded_at": T0.isoformat()}
    return base | times | {"target_code": target} | more


ROWS = [
    duty("DA", "anna", A),
    duty("DB", "bela", B),
    duty("DC", "carl", C),
    duty("DD", "dora", D),
    duty("DE", "emil", A, role="collector", valid_to=(T0 + DAY).isoformat()),
    duty("DF", "fritz", C, role="police", valid_from=(START + 3 * DAY).isoformat()),
    duty("DG", "gert", D[:12], target_kind="community", role="community_leader"),
    duty("DP", "paul", "P1", target_kind="point", role="sponsor_leader"),
]


@pytest.fixture
def city(storage: Storage) -> Storage:
    first = planning.create_draft(storage, SCHEME, cells(), at=T0)
    planning.publish(storage, first.id, T0, T0)
    second = planning.create_draft(storage, SCHEME, changed(), at=T0, base_id=first.id)
    assert (first.id, second.id) == ("main-v1", "main-v2")
    middle = cells().geometry.representative_point()
    points = gpd.GeoDataFrame(
        {"point_id": ["P1", "P2"], "name": ["甲", "乙"], "category": "park"},
        geometry=[middle[A], middle[D]], crs=4490,
    )  # fmt: skip
    locators = LocatorCache(storage, scheme_id="main")
    placed = place(points.set_index("point_id"), locators.of(first.id), first.id)
    with storage.unit_of_work() as work:
        work.records("duties").append(normalize(pd.DataFrame(ROWS), DUTIES))
        work.records("points").append(normalize(placed, POINTS))
        work.commit()
    return storage


def duties(storage: Storage) -> pd.DataFrame:
    with storage.unit_of_work() as work:
        return pd.DataFrame(work.records("duties").frame())


def held(storage: Storage, at: datetime, known_at: datetime | None = None) -> set[tuple[str, str]]:
    """Return who holds something where at an instant."""
    valid = duties_in_force(duties(storage), at, known_at=known_at)
    return set(zip(valid["person_id"], valid["target_code"], strict=True))


def plan(storage: Storage, plan_id: str) -> PlanVersion:
    with storage.unit_of_work() as work:
        return work.plans.get(plan_id)


def publish(storage: Storage, plan_id: str = "main-v2", start: datetime = START,
            **choice: Any) -> PlanVersion:  # fmt: skip
    return planning.publish(storage, plan_id, start, NOW, choice=Choice(**choice))


LASTING = {("paul", "P1")}
BEFORE = {("anna", A), ("bela", B), ("carl", C), ("dora", D), ("gert", D[:12]), *LASTING}
MERGED = {("bela", GROWN), ("carl", M1), ("dora", M1), *LASTING}


@pytest.mark.parametrize(
    ("choice", "after"),
    [
        ({}, LASTING),
        ({"carry": "merged"}, MERGED),
        ({"carry": "all"}, MERGED | {("anna", S1), ("anna", S2)}),
        ({"carry": "merged", "successors": {A: (S2,), B: ()}},
         MERGED - {("bela", GROWN)} | {("anna", S2)}),
    ],
)  # fmt: skip
def test_duties_end_and_begin_with_the_plan(
    city: Storage, choice: dict[str, Any], after: set[tuple[str, str]]
) -> None:
    kept = duties(city)
    publish(city, **choice)
    merged_up = {("gert", M1[:12])} if choice.get("carry") else set()
    assert held(city, START - DAY) == BEFORE
    assert held(city, START) == after | merged_up
    assert (("fritz", M1) in held(city, START + 4 * DAY)) is bool(choice.get("carry"))
    assert not {t for _, t in held(city, START + 4 * DAY)} & {A, B, C, D, D[:12]}
    # Nothing that was written is changed except that it is known to be over.
    now = duties(city)
    fixed = [c for c in kept.columns if c != "recorded_to"]
    pd.testing.assert_frame_equal(now.loc[kept.index, fixed], kept[fixed])
    closed = now["recorded_to"].notna()
    assert set(now.index[closed]) == {"DA", "DB", "DC", "DD", "DF", "DG"}
    assert held(city, START, known_at=NOW - DAY) == BEFORE
    made = now.drop(index=kept.index)
    assert set(made["cause_plan"]) == {"main-v2"}
    assert set(made["recorded_at"]) == {pd.Timestamp(NOW)}


def test_a_new_cell_has_the_persons_of_its_ground_in_the_answer(city: Storage) -> None:
    publish(city, carry="merged")
    book = DutyBook.from_frame(duties(city), START)
    assert [d.person_id for d in book.of("cell", M1)] == ["carl", "dora"]
    assert book.of("cell", S1) == ()


def test_what_hangs_on_codes_that_go_is_said_before_and_after(city: Storage) -> None:
    def told(choice: Choice) -> tuple[dict[str, Any], pd.DataFrame]:
        with city.unit_of_work() as work:
            old, new = work.plans.get("main-v1"), work.plans.get("main-v2")
            found = examine(work, old, new, choice, now=NOW)
        return found.counts(), found.table()

    counts, table = told(Choice())
    assert counts["duties"] == counts["duties_ended"] == 6
    assert counts["duties_by_kind"] == {"U": 1, "S": 1, "M": 4, "X": 0}
    assert (counts["points"], counts["staff"], counts["facilities"]) == (2, 0, 0)
    moved = table[table["what"] == "point"].set_index("key")
    assert (moved.at["P2", "old_code"], moved.at["P2", "new_codes"]) == (D, M1)
    vacant = table[table["becomes"] == "vacant"]
    assert set(zip(vacant["key"], vacant["role"], strict=True)) == {
        *((code, "cell_leader") for code in (S1, S2, GROWN, M1)), (M1, "community_leader"),
    }  # fmt: skip
    counts, _ = told(Choice("merged"))
    assert (counts["duties_carried"], counts["duties_ended"], counts["cells_vacant"]) == (5, 1, 2)
    publish(city, carry="merged")
    assert told(Choice())[0] == counts  # as it was published


def test_successors_have_to_exist(city: Storage) -> None:
    before = duties(city)
    with pytest.raises(InputError, match="has no 350404999001001"):
        publish(city, successors={A: ("350404999001001",)})
    assert plan(city, "main-v2").effective_from is None
    pd.testing.assert_frame_equal(duties(city), before)


def test_a_scheduled_version_is_withdrawn_and_everything_is_as_before(city: Storage) -> None:
    published = publish(city, carry="all")
    withdrawn = withdraw(city, "main-v2", NOW + DAY, reason="年份有误", by="规划员")
    assert plan(city, "main-v2") == withdrawn
    assert (withdrawn.status.value, withdrawn.effective_from) == ("draft", None)
    assert withdrawn.certificate == published.certificate
    (record,) = withdrawn.provenance["withdrawals"]
    assert (record["reason"], record["by"]) == ("年份有误", "规划员")
    assert record["effective_from"] == START.isoformat()
    assert plan(city, "main-v1").effective_to is None
    assert held(city, START) == BEFORE
    assert held(city, START, known_at=NOW + DAY / 2) == MERGED | {
        ("anna", S1), ("anna", S2), ("gert", M1[:12]),
    }  # fmt: skip
    with city.unit_of_work() as work:
        assert work.plans.lineage("main-v1", "main-v2").empty
        assert work.plans.areas("main-v2").empty
    publish(city, carry="merged", start=START - DAY)
    assert held(city, START - DAY) == MERGED | {("gert", M1[:12])}
    with pytest.raises(NotScheduled, match="is in force"):
        withdraw(city, "main-v2", START, reason="too late")
    with pytest.raises(NotScheduled, match="is a draft"):
        with city.unit_of_work() as work:
            pass
        withdraw(city, planning.create_draft(city, SCHEME, cells(), at=T0).id, NOW, reason="x")


def test_only_the_revision_that_was_seen_is_withdrawn(city: Storage) -> None:
    published = publish(city)
    with pytest.raises(StaleVersion):
        withdraw(city, "main-v2", NOW, reason="x", expected_revision=published.revision - 1)
    withdraw(city, "main-v2", NOW, reason="x", expected_revision=published.revision)


def test_a_version_may_come_before_a_scheduled_one(city: Storage) -> None:
    publish(city, carry="all")
    third = planning.create_draft(city, SCHEME, cells(), at=T0)
    early = START - 2 * DAY
    with pytest.raises(ConflictError, match="main-v2 is scheduled"):
        publish(city, third.id, START)
    with pytest.raises(ConflictError, match="since when main-v1 is in force"):
        publish(city, third.id, T0)
    publish(city, third.id, early, carry="all")
    stands = [plan(city, p) for p in ("main-v1", third.id, "main-v2")]
    assert [p.effective_from for p in stands] == [T0, early, START]
    assert [p.effective_to for p in stands] == [early, START, None]
    assert stands[0].standing(NOW) is Standing.IN_FORCE
    everybody = MERGED | {("anna", S1), ("anna", S2), ("gert", M1[:12])}
    assert (held(city, early), held(city, START)) == (BEFORE, everybody)
    with city.unit_of_work() as work:
        assert set(work.plans.lineage(third.id, "main-v2")["kind"]) == {"S", "M", "U"}
    withdraw(city, third.id, NOW, reason="not needed")
    assert plan(city, "main-v1").effective_to == START
    assert (held(city, early), held(city, START)) == (BEFORE, everybody)
    withdraw(city, "main-v2", NOW, reason="not needed")
    assert held(city, START + 90 * DAY) == BEFORE | {("fritz", C)}
