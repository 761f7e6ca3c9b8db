"""Schemes, versions, cells, areas and lineage, on both back ends."""

from __future__ import annotations

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridsvc.errors import (
    ConflictError,
    DuplicateKey,
    NotFoundError,
    RejectedRows,
    StaleVersion,
    StorageError,
    UnknownPlan,
)
from gridsvc.layers import LAYERS, normalize
from gridsvc.plan.version import PlanStatus
from gridsvc.services.ports import Storage
from gridsvc.types import BoundingBox
from tests.contract import data
from tests.contract.data import DAY, T0, assert_same

PUBLISHED, SUPERSEDED = PlanStatus.PUBLISHED, PlanStatus.SUPERSEDED


@pytest.fixture
def city(storage: Storage) -> Storage:
    """A storage with the scheme and a draft ``p1`` of 5 × 5 cells."""
    with storage.unit_of_work() as work:
        work.plans.add_scheme(data.scheme())
        work.plans.add(data.plan("p1", 1, cell_count=25), data.cells(5))
        work.commit()
    return storage


def test_scheme_comes_back_with_its_territory_bit_by_bit(storage: Storage) -> None:
    bare = replace(data.scheme("bare"), territory=None, timezone="Asia/Taipei", code_system="free")
    with storage.unit_of_work() as work:
        work.plans.add_scheme(data.scheme())
        work.plans.add_scheme(bare)
        work.commit()
    with storage.unit_of_work() as work:
        found = work.plans.scheme("main")
        assert [s.id for s in work.plans.schemes()] == ["bare", "main"]
        assert work.plans.scheme("bare") == bare
    assert replace(found, territory=None) == replace(data.scheme(), territory=None)
    assert shapely.to_wkb(found.territory) == shapely.to_wkb(data.scheme().territory)


def test_scheme_can_be_changed_but_not_added_twice(city: Storage) -> None:
    with city.unit_of_work() as work:
        work.plans.save_scheme(replace(data.scheme(), name="新名", territory=None))
        with pytest.raises(DuplicateKey, match="main"):
            work.plans.add_scheme(data.scheme())
        with pytest.raises(NotFoundError):
            work.plans.save_scheme(data.scheme("other"))
        with pytest.raises(NotFoundError):
            work.plans.scheme("other")
        work.commit()
    with city.unit_of_work() as work:
        assert work.plans.scheme("main").name == "新名"
        assert work.plans.scheme("main").territory is None


def test_plan_comes_back_with_its_documents(city: Storage) -> None:
    wanted = data.plan(
        "p2", 2, base_id="p1", effective_from=T0, effective_to=T0 + DAY, published_at=T0,
        certificate={"ok": False, "tests": [{"b": 1, "a": "网格"}], "π": 0.1},
        provenance={"z": None, "a": [1, 2.5, "x"]},
    )  # fmt: skip
    with city.unit_of_work() as work:
        work.plans.add(wanted, data.cells())
        work.commit()
    with city.unit_of_work() as work:
        found = work.plans.get("p2")
        assert found == wanted
        assert list(found.provenance) == ["z", "a"]
        assert [p.id for p in work.plans.list()] == ["p1", "p2"]
        assert [p.id for p in work.plans.list("main")] == ["p1", "p2"]
        assert work.plans.list("other") == []


def test_numpy_values_in_a_certificate_become_plain_json(city: Storage) -> None:
    with city.unit_of_work() as work:
        certificate = {"n": np.int64(3), "x": np.float64(0.5), "list": np.arange(2)}
        work.plans.add(data.plan("p2", 2, certificate=certificate), data.cells())
        work.commit()
        assert work.plans.get("p2").certificate == {"n": 3, "x": 0.5, "list": [0, 1]}


def test_cells_come_back_bit_by_bit(city: Storage) -> None:
    cells = data.cells(5)
    shapes = shapely.transform(cells.geometry.to_numpy(), lambda xy: xy + np.sin(1e6 * xy) * 1e-9)
    shapes[3] = shapely.MultiPolygon([shapes[3]])
    cells = cells.set_geometry(shapes, crs=4490)
    with city.unit_of_work() as work:
        work.plans.add(data.plan("p2", 2), cells.sample(frac=1, random_state=1))
        work.commit()
    with city.unit_of_work() as work:
        assert_same(work.plans.cells("p2"), cells)
        assert_same(work.plans.cells("p1"), data.cells(5))


def test_cells_are_ordered_by_code_point(city: Storage) -> None:
    codes = ["10", "9", "A", "a", "B", "é", "z", "网", "-", "_", "350402001001"]
    cells = data.cells(4).iloc[: len(codes)].set_axis(pd.Index(codes, name="code", dtype="str"))
    with city.unit_of_work() as work:
        work.plans.add(data.plan("p2", 2), cells)
        assert list(work.plans.cells("p2").index) == sorted(codes)
        paged: list[str] = []
        while len(page := work.plans.cells("p2", after=paged[-1] if paged else None, limit=3)):
            paged += list(page.index)
        assert paged == sorted(codes)


def test_filters_of_cells(city: Storage) -> None:
    with city.unit_of_work() as work:
        everything = data.cells(5)
        assert list(work.plans.cells("p1", codes=["c003", "c001", "none"]).index) == [
            "c001", "c003",
        ]  # fmt: skip
        many = [f"c{i:03d}" for i in range(3, 400)]
        assert list(work.plans.cells("p1", codes=many).index) == list(everything.index[3:])
        assert len(work.plans.cells("p1", codes=[])) == 0
        wanted = everything[everything.community_code == "m1"]
        assert_same(work.plans.cells("p1", community="m1"), wanted)
        assert len(work.plans.cells("p1", subdistrict="s1")) == 25
        assert len(work.plans.cells("p1", subdistrict="s2")) == 0


@pytest.mark.parametrize(
    "box",
    [
        BoundingBox(117.505, 26.205, 117.515, 26.215),
        BoundingBox(117.51, 26.21, 117.51, 26.21),
        BoundingBox(117.51, 26.2, 117.51, 26.25),
        BoundingBox(0, 0, 1, 1),
        BoundingBox(-180, -90, 180, 90),
        BoundingBox(117.4, 26.0, np.nextafter(117.5, 0), 27.0),
        BoundingBox(117.4, 26.0, 117.5, 27.0),
    ],
)
def test_box_keeps_exactly_the_cells_that_it_meets(city: Storage, box: BoundingBox) -> None:
    cells = data.cells(5)
    west, south, east, north = box.as_tuple()
    bounds = cells.bounds
    meets = (
        (bounds.minx <= east) & (bounds.maxx >= west)
        & (bounds.miny <= north) & (bounds.maxy >= south)
    )  # fmt: skip
    with city.unit_of_work() as work:
        assert_same(work.plans.cells("p1", bbox=box), cells[meets])


def test_empty_answers_are_in_contract_form(city: Storage) -> None:
    with city.unit_of_work() as work:
        assert_same(work.plans.cells("p1", codes=[]), data.cells(5).iloc[:0])
        assert len(work.plans.exclusions("p1")) == 0
        assert list(work.plans.areas("p1").columns)[:2] == ["level", "code"]
        for ask in (work.plans.cells, work.plans.exclusions, work.plans.areas, work.plans.get):
            with pytest.raises(UnknownPlan, match="p9"):
                ask("p9")


def test_cells_without_geometry_are_refused_by_row(city: Storage) -> None:
    cells = data.cells(5)
    cells.loc["c002", "geometry"] = None
    with city.unit_of_work() as work:
        with pytest.raises(RejectedRows, match="row 3, field geometry"):
            work.plans.add(data.plan("p2", 2), cells)
        assert [p.id for p in work.plans.list()] == ["p1"]


def test_codes_twice_are_refused(city: Storage) -> None:
    cells = pd.concat([data.cells(2), data.cells(2)])
    with city.unit_of_work() as work, pytest.raises(DuplicateKey, match="c000"):
        work.plans.add(data.plan("p2", 2), cells)


def test_id_and_number_are_unique(city: Storage) -> None:
    with city.unit_of_work() as work:
        with pytest.raises(DuplicateKey, match="p1"):
            work.plans.add(data.plan("p1", 2), data.cells())
        with pytest.raises(DuplicateKey, match="p2"):
            work.plans.add(data.plan("p2", 1), data.cells())
        work.plans.add(data.plan("p3", 3), data.cells())  # the failures undid only themselves
        work.commit()
    with city.unit_of_work() as work:
        assert [p.id for p in work.plans.list()] == ["p1", "p3"]


def test_plan_of_an_unknown_scheme_is_refused(storage: Storage) -> None:
    with storage.unit_of_work() as work, pytest.raises(StorageError):
        work.plans.add(data.plan("p1", 1), data.cells())
        work.commit()


def test_exclusions_and_areas(city: Storage) -> None:
    exclusions = data.layer_rows(LAYERS["exclusions"], 6)
    areas = gpd.GeoDataFrame(
        {
            "area_key": ["subdistrict:s1", "community:m1", "community:m0", "city:x"],
            "level": ["subdistrict", "community", "community", "city"],
            "code": ["s1", "m1", "m0", "x"],
            "cell_count": [25, 12, 13, 25],
        },
        geometry=[shapely.box(west, 0, west + 1, 1) for west in (1, 2, 3, 4)],
        crs=4490,
    )
    areas = normalize(areas, LAYERS["areas"])
    ordered = areas.loc[["city:x", "community:m0", "community:m1", "subdistrict:s1"]]
    with city.unit_of_work() as work:
        work.plans.add(data.plan("p2", 2), data.cells(), exclusions)
        work.plans.put_areas("p2", areas.iloc[:1])
        work.plans.put_areas("p2", areas)
        with pytest.raises(UnknownPlan):
            work.plans.put_areas("p9", areas)
        work.commit()
    with city.unit_of_work() as work:
        assert_same(work.plans.exclusions("p2"), exclusions)
        assert_same(work.plans.areas("p2"), ordered)
        assert_same(work.plans.areas("p2", "community"), ordered.iloc[1:3])
        assert len(work.plans.areas("p1")) == 0


def test_lineage_is_replaced_and_ordered(city: Storage) -> None:
    rows = pd.DataFrame(
        {
            "old_code": ["c001", "c000", "c000", None, "c002"],
            "new_code": ["d1", "d1", "d0", "d9", None],
            "kind": ["M", "M", "S", "X", "X"],
            "share": [1.0, 0.1 + 0.2, 1 / 3, np.nan, np.nan],
        }
    )
    with city.unit_of_work() as work:
        work.plans.add(data.plan("p2", 2), data.cells())
        work.plans.put_lineage("p1", "p2", rows.iloc[:2])
        work.plans.put_lineage("p1", "p2", rows)
        with pytest.raises(UnknownPlan):
            work.plans.put_lineage("p1", "p9", rows)
        work.commit()
    with city.unit_of_work() as work:
        found = work.plans.lineage("p1", "p2")
        wanted = rows.iloc[[2, 1, 0, 4, 3]].reset_index(drop=True)
        wanted = wanted.astype({"old_code": "str", "new_code": "str", "kind": "str"})
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
        assert len(work.plans.lineage("p2", "p1")) == 0


def test_saving_twice_from_one_revision_is_stale(city: Storage) -> None:
    with city.unit_of_work() as first:
        mine = first.plans.get("p1")
    with city.unit_of_work() as second:
        second.plans.save(replace(mine, title="他人的", revision=2), expected_revision=1)
        second.commit()
    with city.unit_of_work() as work:
        with pytest.raises(StaleVersion) as caught:
            work.plans.save(replace(mine, title="我的", revision=2), expected_revision=1)
        assert (caught.value.current, caught.value.given) == (2, 1)
        with pytest.raises(UnknownPlan):
            work.plans.save(data.plan("p9", 9), expected_revision=1)
        assert work.plans.get("p1").title == "他人的"


def test_revision_moves_on_even_if_the_caller_forgot(city: Storage) -> None:
    with city.unit_of_work() as work:
        plan = work.plans.get("p1")
        work.plans.save(replace(plan, title="a"), expected_revision=1)
        with pytest.raises(StaleVersion):
            work.plans.save(replace(plan, title="b"), expected_revision=1)
        assert work.plans.get("p1").revision == 2


def test_one_version_in_force_at_any_time(city: Storage) -> None:
    with city.unit_of_work() as work:
        work.plans.add(data.plan("a", 2, SUPERSEDED, effective_from=T0, effective_to=T0 + DAY),
                       data.cells())  # fmt: skip
        work.plans.add(data.plan("b", 3, PUBLISHED, effective_from=T0 + DAY), data.cells())
        for key, start, end in [
            ("open again", T0 + 3 * DAY, None),
            ("same", T0, T0 + DAY),
            ("inside", T0 + DAY / 4, T0 + DAY / 2),
            ("across", T0 + DAY / 2, T0 + 2 * DAY),
            ("around", T0 - DAY, T0 + 9 * DAY),
        ]:
            clash = data.plan(key, 9, PUBLISHED, effective_from=start, effective_to=end)
            with pytest.raises(ConflictError, match="in force") as caught:
                work.plans.add(clash, data.cells())
            assert not isinstance(caught.value, DuplicateKey)
        before = data.plan("c", 4, SUPERSEDED, effective_from=T0 - DAY, effective_to=T0)
        work.plans.add(before, data.cells())
        work.plans.add(data.plan("draft", 5, effective_from=T0), data.cells())
        work.commit()
    with city.unit_of_work() as work:
        assert [p.id for p in work.plans.list()] == ["p1", "a", "b", "c", "draft"]


def test_in_force_is_checked_on_saving_too(city: Storage) -> None:
    with city.unit_of_work() as work:
        work.plans.add(data.plan("a", 2, PUBLISHED, effective_from=T0), data.cells())
        draft = work.plans.get("p1")
        clash = draft.to(PUBLISHED, effective_from=T0 + DAY)
        with pytest.raises(ConflictError, match="in force"):
            work.plans.save(clash, expected_revision=1)
        old = work.plans.get("a").to(SUPERSEDED, effective_to=T0 + DAY)
        work.plans.save(old, expected_revision=1)
        work.plans.save(clash, expected_revision=1)
        work.commit()


def test_period_that_ends_before_it_begins_is_refused(city: Storage) -> None:
    wrong = data.plan("a", 2, SUPERSEDED, effective_from=T0, effective_to=T0 - DAY)
    with city.unit_of_work() as work, pytest.raises(StorageError):
        work.plans.add(wrong, data.cells())


def test_two_schemes_have_their_own_version_in_force(city: Storage) -> None:
    with city.unit_of_work() as work:
        work.plans.add_scheme(data.scheme("other"))
        work.plans.add(data.plan("a", 2, PUBLISHED, effective_from=T0), data.cells())
        elsewhere = data.plan("b", 2, PUBLISHED, effective_from=T0, scheme_id="other")
        work.plans.add(elsewhere, data.cells())
        work.commit()
        assert [p.id for p in work.plans.list("other")] == ["b"]
