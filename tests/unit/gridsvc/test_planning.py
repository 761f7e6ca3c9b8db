"""Drafts, review, publication and supersession, on a real embedded database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from geodata.storage import open_storage
from gridsvc.errors import (
    ConflictError,
    IllegalTransition,
    InputError,
    PlanNotPublishable,
    StaleVersion,
    UnknownPlan,
)
from gridsvc.plan import GridScheme, PlanStatus, PlanVersion, Standing, in_force_at
from gridsvc.services import planning
from gridsvc.services.ports import Storage, UnitOfWork
from gridsvc.services.withdrawing import withdraw
from tests.databases import Forwarding
from tests.unit.gridsvc.quality_data import EPSG, frame, metric, square, stored

T0 = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SCHEME = GridScheme("main", "三元区网格", EPSG)
SHAPES: dict[str, BaseGeometry] = {
    "350404001001001": square(0, 0),
    "350404001001002": square(100, 0),
    "350404001002001": square(0, 100),
    "350404002001001": square(100, 100),
}


def cells(shapes: dict[str, BaseGeometry] | None = None) -> gpd.GeoDataFrame:
    layer = frame(SHAPES if shapes is None else shapes)
    return layer.assign(
        name=[f"网格{c[-3:]}" for c in layer.index],
        community_code=[c[:12] for c in layer.index],
        subdistrict_code=[c[:9] for c in layer.index],
    )


def split() -> gpd.GeoDataFrame:
    shapes = dict(SHAPES)
    del shapes["350404001001001"]
    shapes["350404001001003"] = metric([(0, 0), (100, 0), (100, 50), (0, 50)])
    shapes["350404001001004"] = metric([(0, 50), (100, 50), (100, 100), (0, 100)])
    shapes["350404001001002"] = metric([(100, 0), (200, 0), (200, 100), (100, 100), (100, 50)])
    return cells(shapes)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    found = open_storage(f"sqlite:///{tmp_path / 'plans.db'}")
    found.upgrade()
    yield found
    found.dispose()


def draft(storage: Storage, layer: gpd.GeoDataFrame, **options: Any) -> PlanVersion:
    return planning.create_draft(storage, SCHEME, layer, at=T0, **options)


def plans(storage: Storage) -> dict[str, PlanVersion]:
    with storage.unit_of_work() as work:
        return {p.id: p for p in work.plans.list("main")}


def test_a_draft_is_stored_with_measured_areas(storage: Storage) -> None:
    plan = draft(storage, cells(), title="初版", provenance={"source": "x.shp"})
    assert (plan.id, plan.number, plan.status) == ("main-v1", 1, PlanStatus.DRAFT)
    with storage.unit_of_work() as work:
        kept = work.plans.cells(plan.id)
        assert work.plans.get(plan.id).provenance == {"source": "x.shp"}
    assert kept["area_m2"].tolist() == pytest.approx([10_000] * 4, rel=1e-5)
    assert draft(storage, cells()).id == "main-v2"


def test_the_first_publication_declares_the_territory_and_materialises_parents(
    storage: Storage,
) -> None:
    plan = draft(storage, cells())
    published = planning.publish(storage, plan.id, T0, T0 + DAY)
    assert published.status is PlanStatus.PUBLISHED
    assert published.effective_from == T0
    assert published.published_at == T0 + DAY
    with storage.unit_of_work() as work:
        stored_plan = work.plans.get(plan.id)
        territory = work.plans.scheme("main").territory
        areas = work.plans.areas(plan.id)
        assert planning.certify_plan(work, plan.id).ok
    assert stored_plan.certificate is not None
    assert stored_plan.certificate["ok"] is True
    assert stored_plan.certificate["at"] == (T0 + DAY).isoformat()
    assert json.dumps(stored_plan.certificate)
    assert territory.area == pytest.approx(stored(square(0, 0, 200)).area)
    assert len(areas) == 1 + 2 + 3


def test_a_blocking_finding_refuses_and_keeps_everything_as_it_was(storage: Storage) -> None:
    shapes = dict(SHAPES)
    shapes["350404001001002"] = metric([(90, 0), (200, 0), (200, 100), (90, 100)])
    plan = draft(storage, cells(shapes))
    with pytest.raises(PlanNotPublishable, match="overlap") as caught:
        planning.publish(storage, plan.id, T0, T0)
    assert not caught.value.certificate.ok
    assert "证书" in caught.value.text("zh")
    assert plans(storage)[plan.id].status is PlanStatus.DRAFT
    with storage.unit_of_work() as work:
        assert work.plans.scheme("main").territory is None
        assert len(work.plans.areas(plan.id)) == 0
        findings = planning.findings_layer(work, plan.id)
    assert "overlap" in set(findings["rule"])
    assert findings.crs.to_epsg() == 4490


def test_a_second_version_supersedes_the_first_with_lineage(storage: Storage) -> None:
    first = planning.publish(storage, draft(storage, cells()).id, T0, T0)
    second = draft(storage, split(), base_id=first.id)
    planning.publish(storage, second.id, T0 + 10 * DAY, T0 + DAY)
    now = plans(storage)
    assert now[first.id].as_of(T0 + 10 * DAY).status is PlanStatus.SUPERSEDED
    assert now[first.id].effective_to == T0 + 10 * DAY
    everything = list(now.values())
    assert in_force_at(everything, T0 + 9 * DAY) == now[first.id]
    assert in_force_at(everything, T0 + 10 * DAY) == now[second.id]
    assert in_force_at(everything, T0 - DAY) is None
    with storage.unit_of_work() as work:
        table = work.plans.lineage(first.id, second.id)
        diff = planning.compare(work, first.id, second.id)
    found = table.groupby("kind").size().to_dict()
    assert found == {"S": 2, "U": 3}
    assert diff.removed == ("350404001001001",)


def test_a_version_cannot_begin_before_the_one_in_force(storage: Storage) -> None:
    planning.publish(storage, draft(storage, cells()).id, T0, T0)
    second = draft(storage, split())
    for start in (T0, T0 - DAY):
        with pytest.raises(ConflictError, match="since when main-v1 is in force"):
            planning.publish(storage, second.id, start, T0)
    assert plans(storage)[second.id].status is PlanStatus.DRAFT


def test_a_version_must_fill_the_declared_territory(storage: Storage) -> None:
    planning.publish(storage, draft(storage, cells()).id, T0, T0)
    shapes = dict(SHAPES)
    del shapes["350404002001001"]
    smaller = draft(storage, cells(shapes))
    with pytest.raises(PlanNotPublishable, match="uncovered_territory"):
        planning.publish(storage, smaller.id, T0 + DAY, T0)
    with storage.unit_of_work() as work:
        remaining = planning.certify_plan(work, smaller.id)
    union = shapely.union_all(cells(shapes).geometry.to_numpy())
    assert not remaining.ok
    planning.declare_territory(storage, "main", union)
    planning.publish(storage, smaller.id, T0 + DAY, T0)


def test_only_the_revision_that_was_seen_is_published(storage: Storage) -> None:
    plan = draft(storage, cells())
    planning.submit(storage, plan.id)
    with pytest.raises(StaleVersion):
        planning.publish(storage, plan.id, T0, T0, expected_revision=plan.revision)
    planning.publish(storage, plan.id, T0, T0, expected_revision=plan.revision + 1)


class RacingStorage(Forwarding):
    """Publishes another plan between the measuring and the writing of ours."""

    def __init__(self, inner: Storage, rival: str) -> None:
        super().__init__(inner)
        self._rival, self._begun = rival, 0

    def unit_of_work(self) -> UnitOfWork:
        self._begun += 1
        if self._begun == 2:
            planning.publish(self.inner, self._rival, T0 + DAY, T0)
        return super().unit_of_work()


@pytest.mark.parametrize("first_published", [True, False])
def test_of_two_concurrent_publications_one_is_told_that_it_is_stale(
    storage: Storage, first_published: bool
) -> None:
    if first_published:
        planning.publish(storage, draft(storage, cells()).id, T0, T0)
    ours, rival = draft(storage, split()), draft(storage, split())
    with pytest.raises(StaleVersion):
        planning.publish(RacingStorage(storage, rival.id), ours.id, T0 + 2 * DAY, T0)
    now = plans(storage)
    assert now[ours.id].status is PlanStatus.DRAFT
    assert now[rival.id].status is PlanStatus.PUBLISHED
    assert sum(p.in_force(T0 + 5 * DAY) for p in now.values()) == 1


class RedrawingStorage(Forwarding):
    """Declares another territory between the measuring and the writing of a publication."""

    def __init__(self, inner: Storage, territory: BaseGeometry) -> None:
        super().__init__(inner)
        self._territory, self._begun = territory, 0

    def unit_of_work(self) -> UnitOfWork:
        self._begun += 1
        if self._begun == 2:
            planning.declare_territory(self.inner, "main", self._territory)
        return super().unit_of_work()


@pytest.mark.parametrize("first_published", [True, False])
def test_a_territory_declared_in_between_is_noticed(
    storage: Storage, first_published: bool
) -> None:
    if first_published:
        planning.publish(storage, draft(storage, cells()).id, T0, T0)
    plan = draft(storage, split())
    larger = shapely.union_all([square(0, 0), square(900, 900)])
    with pytest.raises(StaleVersion) as caught:
        planning.publish(RedrawingStorage(storage, larger), plan.id, T0 + DAY, T0)
    assert caught.value.kind == "scheme"
    assert plans(storage)[plan.id].status is PlanStatus.DRAFT
    with storage.unit_of_work() as work:
        territory = work.plans.scheme("main").territory
    assert territory is not None
    assert territory.equals_exact(larger, 1e-9, normalize=True)


def test_review_and_discard_follow_the_arrows(storage: Storage) -> None:
    plan = draft(storage, cells())
    assert planning.submit(storage, plan.id).status is PlanStatus.IN_REVIEW
    assert planning.take_back(storage, plan.id).status is PlanStatus.DRAFT
    assert planning.discard(storage, plan.id).status is PlanStatus.DISCARDED
    with pytest.raises(IllegalTransition):
        planning.submit(storage, plan.id)
    with pytest.raises(IllegalTransition):
        planning.publish(storage, plan.id, T0, T0)
    with pytest.raises(UnknownPlan):
        planning.publish(storage, "nowhere", T0, T0)


def test_registered_parts_come_from_the_provenance(storage: Storage) -> None:
    shapes = dict(SHAPES)
    code = "350404002001001"
    shapes[code] = shapely.MultiPolygon([square(100, 100), square(900, 900)])
    refused = draft(storage, cells(shapes))
    with pytest.raises(PlanNotPublishable, match="multipart"):
        planning.publish(storage, refused.id, T0, T0)
    accepted = draft(storage, cells(shapes), provenance={"registered_parts": [code]})
    planning.publish(storage, accepted.id, T0, T0)


def test_instants_need_a_zone_and_a_territory_must_be_a_polygon(storage: Storage) -> None:
    plan = draft(storage, cells())
    with pytest.raises(InputError, match="time zone"):
        planning.publish(storage, plan.id, datetime(2026, 1, 1), T0)  # noqa: DTZ001
    with pytest.raises(InputError, match="polygon"):
        planning.declare_territory(storage, "main", shapely.Point(117, 26))
    with pytest.raises(InputError, match="not valid"):
        planning.declare_territory(
            storage, "main", shapely.Polygon([(117, 26), (118, 27), (118, 26), (117, 27)])
        )


def test_a_version_stands_by_the_clock_and_not_by_what_followed_it(storage: Storage) -> None:
    first = planning.publish(storage, draft(storage, cells()).id, T0, T0)
    second = draft(storage, split(), base_id=first.id)
    assert second.standing(T0) is None
    planning.publish(storage, second.id, T0 + 10 * DAY, T0 + DAY)
    now = plans(storage)
    told = [
        [(now[k].as_of(at).status.value, now[k].standing(at)) for k in (first.id, second.id)]
        for at in (T0 + 9 * DAY, T0 + 10 * DAY)
    ]
    assert told == [
        [("published", Standing.IN_FORCE), ("published", Standing.SCHEDULED)],
        [("superseded", Standing.SUPERSEDED), ("published", Standing.IN_FORCE)],
    ]


class WithdrawnMeanwhile(Forwarding):
    """Changes what is scheduled between the reading and the writing of a withdrawal."""

    def __init__(self, inner: Storage, meanwhile: Callable[[Storage], object]) -> None:
        super().__init__(inner)
        self._meanwhile, self._begun = meanwhile, 0

    def unit_of_work(self) -> UnitOfWork:
        self._begun += 1
        if self._begun == 2:
            self._meanwhile(self.inner)
        return super().unit_of_work()


@pytest.mark.parametrize("rival", ["withdraw", "publish"])
def test_of_two_who_change_the_schedule_one_is_told_that_it_is_stale(
    storage: Storage, rival: str
) -> None:
    planning.publish(storage, draft(storage, cells()).id, T0, T0)
    second = draft(storage, split())
    planning.publish(storage, second.id, T0 + 10 * DAY, T0)
    third = draft(storage, cells())

    def other(inner: Storage) -> object:
        if rival == "withdraw":
            return withdraw(inner, second.id, T0 + DAY, reason="theirs")
        return planning.publish(inner, third.id, T0 + 5 * DAY, T0 + DAY)

    with pytest.raises(StaleVersion):
        withdraw(WithdrawnMeanwhile(storage, other), second.id, T0 + DAY, reason="ours")
    now = plans(storage)
    assert (now[second.id].standing(T0 + DAY) is None) is (rival == "withdraw")
    assert sum(p.in_force(T0 + 20 * DAY) for p in now.values()) == 1


def test_a_withdrawal_that_breaks_off_leaves_everything(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    planning.publish(storage, draft(storage, cells()).id, T0, T0)
    second = draft(storage, split())
    planning.publish(storage, second.id, T0 + 10 * DAY, T0)
    before = plans(storage)

    def broken(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gridsvc.services.withdrawing.shift_duties", broken)
    with pytest.raises(KeyboardInterrupt):
        withdraw(storage, second.id, T0 + DAY, reason="x")
    assert plans(storage) == before
    with storage.unit_of_work() as work:
        assert len(work.plans.areas(second.id)) > 0
        assert len(work.plans.lineage("main-v1", second.id)) > 0


def test_a_published_plan_is_not_taken_back_as_if_it_were_in_review(storage: Storage) -> None:
    plan = planning.publish(storage, draft(storage, cells()).id, T0, T0)
    with pytest.raises(IllegalTransition):
        planning.take_back(storage, plan.id)
    with pytest.raises(IllegalTransition):
        planning.discard(storage, plan.id)
