"""Record layers on both back ends: what goes in comes out, and filters filter."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridsvc.errors import CrsMismatch, DuplicateKey, InputError, NotFoundError, RejectedRows
from gridsvc.layers import LAYERS, RECORD_LAYERS, normalize
from gridsvc.services.ports import Storage
from gridsvc.types import BoundingBox, Period
from tests.contract import data
from tests.contract.data import DAY, T0, assert_same

CASES = LAYERS["cases"]


@pytest.fixture
def cases() -> gpd.GeoDataFrame:
    return data.spatial_rows(CASES, 300)


@pytest.fixture
def filled(storage: Storage, cases: gpd.GeoDataFrame) -> Storage:
    with storage.unit_of_work() as work:
        assert work.records("cases").append(cases) == 300
        work.commit()
    return storage


@pytest.mark.parametrize("name", RECORD_LAYERS)
def test_every_layer_comes_back_as_it_went_in(storage: Storage, name: str) -> None:
    wanted = data.layer_rows(LAYERS[name], 60)
    with storage.unit_of_work() as work:
        work.records(name).append(wanted.sample(frac=1, random_state=4))
        work.commit()
    with storage.unit_of_work() as work:
        found = work.records(name).frame()
        assert work.records(name).count() == 60
    assert_same(found, wanted)
    assert_same(normalize(found, LAYERS[name]), wanted)


@pytest.mark.parametrize("name", RECORD_LAYERS)
def test_an_empty_layer_is_in_contract_form(storage: Storage, name: str) -> None:
    with storage.unit_of_work() as work:
        records = work.records(name)
        assert_same(records.frame(), data.layer_rows(LAYERS[name], 9).iloc[:0])
        assert records.append(records.frame()) == 0


def test_only_record_layers_have_a_repository(storage: Storage) -> None:
    with storage.unit_of_work() as work:
        for name in ("cells", "areas", "exclusions", "nonsense"):
            with pytest.raises(KeyError):
                work.records(name)


def test_frame_with_few_columns_gets_defaults(storage: Storage) -> None:
    frame = pd.DataFrame({"case_id": ["a"], "class_code": ["0101"], "reported_at": [T0]})
    with storage.unit_of_work() as work:
        work.records("cases").append(frame)
        row = work.records("cases").get("a")
    assert row["channel"] == "patrol"
    assert row["reported_at"] == pd.Timestamp(T0)
    assert row["geometry"] is None
    assert row.name == "a"


def test_rows_that_break_the_contract_are_named(storage: Storage) -> None:
    frame = pd.DataFrame(
        {"case_id": ["a", "b"], "class_code": ["1", None], "reported_at": [T0, T0]}
    )
    with storage.unit_of_work() as work:
        with pytest.raises(RejectedRows, match="row 2, field class_code"):
            work.records("cases").append(frame)
        streets = data.spatial_rows(LAYERS["streets"], 4)
        streets.loc["streets-0002", "geometry"] = None
        with pytest.raises(RejectedRows, match="row 3, field geometry"):
            work.records("streets").append(streets)


def test_other_coordinate_systems_are_refused(storage: Storage) -> None:
    points = data.spatial_rows(LAYERS["points"], 4).to_crs(4548)
    with storage.unit_of_work() as work, pytest.raises(CrsMismatch):
        work.records("points").append(points)


def test_elevation_is_left_out(storage: Storage) -> None:
    points = data.spatial_rows(LAYERS["points"], 4)
    lifted = points.set_geometry(shapely.force_3d(points.geometry.to_numpy(), 9.0), crs=4490)
    with storage.unit_of_work() as work:
        work.records("points").append(lifted)
        assert_same(work.records("points").frame(), points)


def test_empty_geometry_is_kept_and_found_by_no_box(storage: Storage) -> None:
    points = data.spatial_rows(LAYERS["points"], 6)
    points.loc["points-0002", "geometry"] = shapely.Point()
    with storage.unit_of_work() as work:
        work.records("points").append(points)
        assert work.records("points").get("points-0002")["geometry"].is_empty
        world = BoundingBox(-180, -90, 180, 90)
        assert list(work.records("points").frame(bbox=world).index) == [
            "points-0000", "points-0003", "points-0004", "points-0005",
        ]  # fmt: skip


def test_get_names_what_is_missing(filled: Storage, cases: gpd.GeoDataFrame) -> None:
    with filled.unit_of_work() as work:
        found = work.records("cases").get("cases-0007")
        pd.testing.assert_series_equal(found, cases.loc["cases-0007"])
        with pytest.raises(NotFoundError, match="case 'none'"):
            work.records("cases").get("none")


def test_keys_are_unique_and_a_failure_leaves_nothing(
    filled: Storage, cases: gpd.GeoDataFrame
) -> None:
    new = cases.set_axis(cases.index.str.replace("cases", "more"), axis=0).rename_axis("case_id")
    mixed = pd.concat([new, cases.iloc[[17]]])
    with filled.unit_of_work() as work:
        with pytest.raises(DuplicateKey, match="case cases-0017"):
            work.records("cases").append(mixed)
        with pytest.raises(DuplicateKey, match="more-0000"):
            work.records("cases").append(pd.concat([new, new.iloc[:1]]))
        with pytest.raises(DuplicateKey, match="more-0000"):
            work.records("cases").upsert(pd.concat([new, new.iloc[:1]]))
        assert work.records("cases").count() == 300
        work.commit()
    with filled.unit_of_work() as work:
        assert_same(work.records("cases").frame(), cases)


def test_upsert_replaces_and_moves_in_the_index(filled: Storage, cases: gpd.GeoDataFrame) -> None:
    moved = cases.iloc[:3].copy()
    moved["title"] = "新标题"
    moved = moved.set_geometry(list(shapely.points([[1.5, 2.5]] * 3)), crs=4490)
    extra = moved.iloc[:1].set_axis(pd.Index(["zz"], name="case_id", dtype="str"))
    with filled.unit_of_work() as work:
        assert work.records("cases").upsert(pd.concat([moved, extra])) == 4
        work.commit()
    with filled.unit_of_work() as work:
        records = work.records("cases")
        assert records.count() == 301
        there = records.frame(bbox=BoundingBox(1, 2, 2, 3))
        assert_same(there, pd.concat([moved, extra]))
        gone = cases.iloc[0].geometry
        box = BoundingBox(gone.x, gone.y, gone.x, gone.y)
        assert list(records.frame(bbox=box).index) == []


def test_where_with_values_lists_and_null(filled: Storage, cases: gpd.GeoDataFrame) -> None:
    with filled.unit_of_work() as work:
        records = work.records("cases")
        a, b = data.TEXTS[:2]
        questions: list[tuple[dict[str, Any], gpd.GeoDataFrame]] = [
            ({"status": a}, cases[cases.status == a]),
            ({"status": [a, b]}, cases[cases.status.isin([a, b])]),
            ({"cell_code": None}, cases[cases.cell_code.isna()]),
            ({"cell_code": [None, a]}, cases[cases.cell_code.isna() | (cases.cell_code == a)]),
            ({"status": a, "title": b}, cases[(cases.status == a) & (cases.title == b)]),
            ({"status": []}, cases.iloc[:0]),
            ({"source_x": 0.1}, cases[cases.source_x == 0.1]),
            ({"reported_at": T0}, cases[cases.reported_at == T0]),
            ({"reported_at": cases.reported_at.iloc[0]},
             cases[cases.reported_at == cases.reported_at.iloc[0]]),
            ({"case_id": [*cases.index[5:290], "none"]}, cases.iloc[5:290]),
        ]  # fmt: skip
        for where, wanted in questions:
            assert_same(records.frame(where=where), wanted)
            assert records.count(where=where) == len(wanted)
        with pytest.raises(InputError, match="no column 'colour'"):
            records.frame(where={"colour": 1})


def test_where_on_numbers_and_booleans(storage: Storage) -> None:
    streets = data.layer_rows(LAYERS["streets"], 40)
    with storage.unit_of_work() as work:
        work.records("streets").append(streets)
        records = work.records("streets")
        assert_same(records.frame(where={"bridge": True}), streets[streets.bridge])
        large = 2**53 + 1
        assert_same(
            records.frame(where={"layer": np.int64(large)}), streets[streets.layer == large]
        )
        wanted = streets[streets.layer.isin([0, 7])]
        assert_same(records.frame(where={"layer": [0, 7]}), wanted)


def test_period_is_half_open(filled: Storage, cases: gpd.GeoDataFrame) -> None:
    instants = np.sort(cases.reported_at.unique())
    since, until = (pd.Timestamp(instants[i]).to_pydatetime() for i in (2, 5))
    with filled.unit_of_work() as work:
        records = work.records("cases")
        inside = (cases.reported_at >= since) & (cases.reported_at < until)
        assert inside.any()
        assert_same(records.frame(since=since, until=until), cases[inside])
        assert_same(records.frame(since=since), cases[cases.reported_at >= since])
        assert_same(records.frame(until=until), cases[cases.reported_at < until])
        with pytest.raises(InputError, match="time zone"):
            records.frame(since=since.replace(tzinfo=None))
        with pytest.raises(InputError, match="no instant"):
            work.records("points").frame(since=since)
        visits = data.layer_rows(LAYERS["visits"], 30)
        work.records("visits").append(visits)
        wanted = visits[visits.visited_at >= T0 + DAY]
        assert_same(work.records("visits").frame(since=T0 + DAY), wanted)


def test_points_by_when_they_were_visited(storage: Storage) -> None:
    """Days of visits: p0 1, 5 and 5; p1 5; p2 9; p3 never; a visit of no known point."""
    days = {"p0": (1, 5, 5), "p1": (5,), "p2": (9,), "p3": (), "gone": (5,)}
    seen = [(point, day) for point, found in days.items() for day in found]
    visits = pd.DataFrame(
        {
            "visit_id": [f"v{i}" for i in range(len(seen))],
            "point_id": [point for point, _ in seen],
            "visited_at": [T0 + day * DAY for _, day in seen],
        }
    ).set_index("visit_id")
    points = gpd.GeoDataFrame(
        {"name": "n", "category": "c", "cell_code": ["a", "a", "b", "b"]},
        index=pd.Index(["p0", "p1", "p2", "p3"], name="point_id"),
        geometry=list(shapely.points([(117.1, 26.1), (117.2, 26.1), (117.3, 26.1), (117.4, 26.1)])),
        crs=4490,
    )
    with storage.unit_of_work() as work:
        work.records("points").append(normalize(points, LAYERS["points"]))
        work.records("visits").append(normalize(visits, LAYERS["visits"]))
        work.commit()
    with storage.unit_of_work() as work:

        def found(**asked: Any) -> list[str]:
            return list(work.records("points").frame(**asked).index)

        five = Period(T0 + 5 * DAY, T0 + 6 * DAY)
        assert found(visited=five) == ["p0", "p1"]
        assert found(unvisited=five) == ["p2", "p3"]
        assert found(visited=Period(T0 + 5 * DAY)) == ["p0", "p1", "p2"]
        assert found(unvisited=Period(T0 + 5 * DAY)) == ["p3"]
        assert found(visited=Period(until=T0 + 5 * DAY)) == ["p0"], "the end does not count"
        assert found(unvisited=Period()) == ["p3"], "never visited"
        assert found(visited=Period()) == ["p0", "p1", "p2"]
        assert found(visited=Period(until=T0 + 2 * DAY), unvisited=Period(T0 + 6 * DAY)) == ["p0"]
        assert found(visited=five, where={"cell_code": "b"}) == []
        assert found(unvisited=five, where={"cell_code": "b"}, after="p2") == ["p3"]
        assert found(visited=five, limit=1) == ["p0"]
        assert found(visited=five, bbox=BoundingBox(117.15, 26.0, 117.5, 26.2)) == ["p1"]
        with pytest.raises(InputError, match="time zone"):
            found(unvisited=Period(datetime(2020, 1, 1)))  # noqa: DTZ001
        with pytest.raises(InputError, match="no visits"):
            work.records("cases").frame(visited=five)


def test_pages_by_key_cover_everything_once(filled: Storage, cases: gpd.GeoDataFrame) -> None:
    with filled.unit_of_work() as work:
        pages, after = [], None
        while len(page := work.records("cases").frame(after=after, limit=77)):
            pages.append(page)
            after = str(page.index[-1])
    assert [len(p) for p in pages] == [77, 77, 77, 69]
    assert_same(pd.concat(pages), cases)


def test_box_is_closed_and_exact(storage: Storage) -> None:
    x, y = 117.1, 26.3
    eps_x, eps_y = np.nextafter(x, 999), np.nextafter(y, -999)
    places = {
        "corner": (x, y), "edge": (117.05, y), "inside": (117.05, 26.4), "beyond": (eps_x, 26.4),
        "below": (117.05, eps_y), "far": (10.0, 10.0),
    }  # fmt: skip
    frame = gpd.GeoDataFrame(
        {"name": "n", "category": "c"},
        index=pd.Index(list(places), name="point_id"),
        geometry=list(shapely.points(list(places.values()))),
        crs=4490,
    )
    with storage.unit_of_work() as work:
        work.records("points").append(normalize(frame, LAYERS["points"]))
        found = work.records("points").frame(bbox=BoundingBox(117.0, y, x, 26.5))
        assert sorted(found.index) == ["corner", "edge", "inside"]
        point = work.records("points").frame(bbox=BoundingBox(x, y, x, y))
        assert list(point.index) == ["corner"]


def test_box_keeps_lines_that_meet_it_not_their_boxes(storage: Storage) -> None:
    streets = data.spatial_rows(LAYERS["streets"], 2)
    lines = [shapely.LineString([(0, 0), (10, 10)]), shapely.LineString([(0, 10), (9, 10)])]
    streets = streets.set_geometry(lines, crs=4490)
    with storage.unit_of_work() as work:
        work.records("streets").append(streets)
        box = BoundingBox(6, 1, 9, 4)  # within the bounds of the first line, off the line
        assert len(work.records("streets").frame(bbox=box)) == 0
        touching = BoundingBox(6, 1, 9, 6)
        assert list(work.records("streets").frame(bbox=touching).index) == ["streets-0000"]


def test_box_with_other_filters_equals_shapely(filled: Storage, cases: gpd.GeoDataFrame) -> None:
    box = BoundingBox(117.1, 26.02, 117.25, 26.1)
    shape = shapely.box(*box.as_tuple())
    inside = shapely.intersects(shape, cases.geometry.to_numpy()) & (cases.status == "NULL")
    assert inside.any()
    with filled.unit_of_work() as work:
        found = work.records("cases").frame(bbox=box, where={"status": "NULL"})
        assert_same(found, cases[inside])
        with pytest.raises(InputError, match="no geometry"):
            work.records("units").frame(bbox=box)


def test_rows_of_a_batch_can_be_counted(storage: Storage, cases: gpd.GeoDataFrame) -> None:
    batch = {"id": "b1", "layer": "cases", "source": "x.csv", "created_at": T0}
    with storage.unit_of_work() as work:
        work.batches.add(batch)
        work.records("cases").append(cases.iloc[:10], batch_id="b1")
        work.records("cases").upsert(cases.iloc[5:20])
        work.commit()
    with storage.unit_of_work() as work:
        assert work.records("cases").count(where={"batch_id": "b1"}) == 10
        assert work.records("cases").count() == 20


def test_nul_is_in_no_text_that_is_asked_for_or_written(
    filled: Storage, cases: gpd.GeoDataFrame
) -> None:
    with filled.unit_of_work() as work:
        records = work.records("cases")
        for ask in (
            lambda: records.get("x\x00y"),
            lambda: records.frame(where={"cell_code": "\x00"}),
            lambda: records.frame(where={"cell_code": ["a", "b\x00"]}),
            lambda: records.frame(where={"cell_code": [*map(str, range(500)), "\x00"]}),
            lambda: records.frame(after="\x00"),
            lambda: records.count(where={"cell_code": "\x00"}),
            lambda: work.plans.get("\x00"),
            lambda: work.plans.scheme("\x00"),
            lambda: work.plans.cells("p", after="\x00"),
        ):
            with pytest.raises(InputError, match="NUL"):
                ask()
    for column, row in (("cell_code", 3), ("key", 2)):
        hostile = cases.iloc[:5].copy()
        if column == "key":
            hostile = hostile.rename(index={hostile.index[row - 1]: "new\x00"})
        else:
            hostile[column] = [None, None, "a\x00", None, None]
        with filled.unit_of_work() as work, pytest.raises(RejectedRows) as caught:
            work.records("cases").upsert(hostile)
        assert caught.value.faults[0].row == row
        assert "NUL" in caught.value.text("en")
    with filled.unit_of_work() as work:
        assert_same(work.records("cases").frame(), cases)
