"""Transactions, batches and the version stamp, on both back ends."""

from __future__ import annotations

import threading
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridsvc.errors import DuplicateKey, NotFoundError, StaleVersion, StorageError
from gridsvc.layers import LAYERS
from gridsvc.services.ports import Storage
from gridsvc.types import BoundingBox
from tests.contract import data
from tests.contract.data import DAY, T0, assert_same

UNITS = data.layer_rows(LAYERS["units"], 20)


def test_nothing_is_kept_without_commit(storage: Storage) -> None:
    stamp = storage.version_stamp()
    with storage.unit_of_work() as work:
        work.plans.add_scheme(data.scheme())
        work.plans.add(data.plan("p1", 1), data.cells())
        work.records("units").append(UNITS)
    with storage.unit_of_work() as work:
        assert work.plans.schemes() == []
        assert work.plans.list() == []
        assert work.records("units").count() == 0
    assert storage.version_stamp() == stamp


def test_nothing_is_kept_after_an_error_or_a_rollback(storage: Storage) -> None:
    with pytest.raises(RuntimeError, match="power"), storage.unit_of_work() as work:
        work.records("units").append(UNITS)
        raise RuntimeError("power")
    with storage.unit_of_work() as work:
        work.records("units").append(UNITS)
        work.rollback()
        work.records("units").append(UNITS.iloc[:1])
        work.commit()
    with storage.unit_of_work() as work:
        assert work.records("units").count() == 1


def test_work_goes_on_after_commit(storage: Storage) -> None:
    with storage.unit_of_work() as work:
        work.records("units").append(UNITS.iloc[:5])
        work.commit()
        work.records("units").append(UNITS.iloc[5:7])
        work.commit()
        work.records("units").append(UNITS.iloc[7:])
    with storage.unit_of_work() as work:
        assert work.records("units").count() == 7


def test_commit_belongs_inside(storage: Storage) -> None:
    work = storage.unit_of_work()
    with pytest.raises(StorageError):
        work.commit()


def test_others_see_nothing_before_commit(storage: Storage) -> None:
    with storage.unit_of_work() as writer:
        writer.records("units").append(UNITS)
        with storage.unit_of_work() as reader:
            assert reader.records("units").count() == 0
        writer.commit()
        with storage.unit_of_work() as reader:
            assert reader.records("units").count() == 20


def test_stamp_moves_with_writes_only(storage: Storage) -> None:
    seen = [storage.version_stamp()]
    with storage.unit_of_work() as work:
        work.records("units").count()
        work.commit()
    assert storage.version_stamp() == seen[0]
    for i in range(3):
        with storage.unit_of_work() as work:
            work.records("units").append(UNITS.iloc[i : i + 1])
            assert storage.version_stamp() == seen[-1]
            work.commit()
        seen.append(storage.version_stamp())
    assert len(set(seen)) == 4


def test_writer_that_read_first_sees_what_others_committed(storage: Storage) -> None:
    with storage.unit_of_work() as slow:
        assert slow.records("units").count() == 0
        with storage.unit_of_work() as quick:
            quick.records("units").append(UNITS.iloc[:1])
            quick.commit()
        with pytest.raises(DuplicateKey):
            slow.records("units").append(UNITS)
        slow.records("units").append(UNITS.iloc[1:])
        slow.commit()
    with storage.unit_of_work() as work:
        assert work.records("units").count() == 20


def test_concurrent_writers_wait_for_each_other(storage: Storage) -> None:
    threads, rows = 6, 200
    start = threading.Barrier(threads)
    failures: list[BaseException] = []

    def write(number: int) -> None:
        frame = data.layer_rows(LAYERS["visits"], rows, seed=number)
        frame.index = pd.Index([f"{number}-{k}" for k in frame.index], name="visit_id", dtype="str")
        try:
            start.wait(30)
            for part in np.array_split(np.arange(rows), 4):
                with storage.unit_of_work() as work:
                    work.records("visits").count()
                    work.records("visits").append(frame.iloc[part])
                    work.commit()
        except BaseException as error:  # handed to the test's own thread
            failures.append(error)
            raise

    running = [threading.Thread(target=write, args=(n,)) for n in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(120)
    assert failures == []
    with storage.unit_of_work() as work:
        assert work.records("visits").count() == threads * rows


def test_of_concurrent_saves_one_wins(storage: Storage) -> None:
    with storage.unit_of_work() as work:
        work.plans.add_scheme(data.scheme())
        work.plans.add(data.plan("p1", 1), data.cells())
        work.commit()
    start = threading.Barrier(5)
    outcome: list[str] = []

    def save(title: str) -> None:
        with storage.unit_of_work() as work:
            plan = work.plans.get("p1")
            start.wait(30)
            try:
                work.plans.save(plan, expected_revision=plan.revision)
                work.commit()
                outcome.append("saved")
            except StaleVersion:
                outcome.append("stale")

    running = [threading.Thread(target=save, args=(str(n),)) for n in range(5)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(120)
    assert sorted(outcome) == ["saved", *["stale"] * 4]


def test_batches_newest_first_with_all_they_were_given(storage: Storage) -> None:
    batch = {
        "id": "b1", "layer": "cells", "source": "网格.shp", "digest": "ab" * 32,
        "options": {"encoding": "gbk", "snap_m": None}, "counts": {"rows": np.int64(702)},
        "created_at": T0, "notes": ["缺少 .prj"],
    }  # fmt: skip
    with storage.unit_of_work() as work:
        work.batches.add(batch)
        work.batches.add({**batch, "id": "b2", "created_at": T0 + DAY})
        work.batches.add({**batch, "id": "b0", "created_at": T0 + DAY})
        with pytest.raises(DuplicateKey, match="b1"):
            work.batches.add(batch)
        work.commit()
    with storage.unit_of_work() as work:
        assert work.batches.get("b1") == {**batch, "counts": {"rows": 702}}
        assert [b["id"] for b in work.batches.list()] == ["b0", "b2", "b1"]
        assert len(work.batches.log("b1")) == 0
        for ask in (work.batches.get, work.batches.log):
            with pytest.raises(NotFoundError, match="b9"):
                ask("b9")


def test_repair_log_comes_back_in_order_and_form(storage: Storage) -> None:
    log = gpd.GeoDataFrame(
        {
            "action": ["snap", "fill_gap", "drop"],
            "code": pd.array(["c1", None, "网"], dtype="str"),
            "where": [shapely.box(w, 0, e, 1) for w, e in ((1, 1.1 + 1e-13), (2, 2.2), (3, 3.3))],
            "area_before_m2": [0.1 + 0.2, np.nan, 5e-324],
            "count": pd.array([1, None, 2**53 + 1], dtype="Int64"),
            "decided": [True, False, True],
            "at": pd.array([T0, None, T0 + DAY], dtype="datetime64[us, UTC]"),
        },
        geometry="where",
        crs=4490,
    )
    with storage.unit_of_work() as work:
        work.batches.add({"id": "b", "layer": "cells", "created_at": T0}, log)
        work.commit()
    with storage.unit_of_work() as work:
        found = work.batches.log("b")
    assert found.active_geometry_name == "where"
    assert sorted(found.columns) == sorted(log.columns)
    found = found[log.columns].rename_geometry("geometry")
    assert_same(found, log.rename_geometry("geometry"))


def test_a_log_of_many_thousand_rows_of_mixed_kinds_comes_back(storage: Storage) -> None:
    count = 12_000
    kinds = [shapely.Point(1, 2), shapely.LineString([(0, 0), (1, 1)]), shapely.box(0, 0, 1, 1),
             shapely.MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3)]])]  # fmt: skip
    log = gpd.GeoDataFrame(
        {
            "action": pd.Series(["node_inserted", "snapped"] * (count // 2), dtype="str"),
            "area_m2": np.arange(count) / 7.0,
            "vertices": np.arange(count),
        },
        geometry=kinds * (count // 4),
        crs=4490,
    )
    with storage.unit_of_work() as work:
        work.batches.add({"id": "many", "layer": "cells", "created_at": T0}, log)
        work.commit()
    with storage.unit_of_work() as work:
        assert_same(work.batches.log("many"), log)


def test_a_log_is_read_by_page_kind_cell_and_place(storage: Storage) -> None:
    log = gpd.GeoDataFrame(
        {
            "vertices": range(6),
            "action": ["snapped", "trimmed"] * 3,
            "gained_by": pd.array(["c2", None, "网", None, "c1", "c3"], dtype="str"),
            "code": ["c1", "c2", "c3", "c1", "c2", 'a"c'],
        },
        geometry=[*(shapely.box(i, 0, i + 0.5, 1) for i in range(4)),
                  shapely.LineString([(4, 0), (5, 1)]), shapely.Point(5, 0)],
        crs=4490,
    )  # fmt: skip
    with storage.unit_of_work() as work:
        # Another log beside it: neither its rows nor their numbers are to be mixed in.
        work.batches.add({"id": "other", "layer": "cells", "created_at": T0}, log)
        work.batches.add({"id": "b", "layer": "cells", "created_at": T0}, log)
        work.batches.add({"id": "old", "layer": "cells", "created_at": T0}, log[["geometry"]])
        work.commit()
    with storage.unit_of_work() as work:

        def numbers(**asked: Any) -> list[int]:
            found = work.batches.log("b", **asked)
            assert found["vertices"].tolist() == found.index.tolist()
            return [int(n) for n in found.index]

        assert numbers(limit=2) == [0, 1]
        assert numbers(after=1, limit=2) == [2, 3]
        assert numbers(after=5) == numbers(limit=0) == []
        assert numbers(action="trimmed") == [1, 3, 5]
        assert numbers(action="trim") == []
        assert numbers(cell="c1") == [0, 3, 4]
        assert numbers(cell="网") == [2]
        assert numbers(cell='a"c') == [5]
        assert numbers(cell="c1", action="snapped", after=0, limit=1) == [4]
        # The box ends on the edge of row 2; the line of row 4 passes by the corner of the other.
        assert numbers(bbox=BoundingBox(0.7, 0.2, 2.0, 0.3)) == [1, 2]
        assert numbers(bbox=BoundingBox(4.0, 0.8, 4.1, 1.0)) == []
        assert numbers(bbox=BoundingBox(0.7, 0.2, 9.0, 1.0), cell="c1") == [3, 4]
        assert len(work.batches.log("old", limit=4)) == 4
        assert len(work.batches.log("old", action="snapped")) == 0
        assert len(work.batches.log("old", cell="c1")) == 0


def test_batch_of_rows_must_exist_at_commit(storage: Storage) -> None:
    with storage.unit_of_work() as work:
        work.records("units").append(UNITS, batch_id="later")
        work.batches.add({"id": "later", "layer": "units", "created_at": T0})
        work.commit()
    with storage.unit_of_work() as work:
        work.records("units").upsert(UNITS, batch_id="never")
        with pytest.raises(StorageError):
            work.commit()
    with storage.unit_of_work() as work:
        assert work.records("units").count(where={"batch_id": "later"}) == 20
