"""Imports in the life of a database: cancelled, repeated, replaced, over versions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from geodata.export import write_layer
from geodata.sources import open_source
from geodata.storage import open_storage
from gridsvc.errors import Cancelled, ConflictError, DecisionNeeded, DuplicateKey, RejectedRows
from gridsvc.services import planning
from gridsvc.services.importing import import_layer, import_layers
from gridsvc.services.ports import Storage
from gridsvc.services.raw import ImportOptions
from tests.integration.importing import (
    FIRST_DAY,
    NOW,
    contents,
    database,
    published,
    run,
    save,
    squares,
)

POINTS = "点位编号,名称,类别,经度,纬度\n1,甲,park,117.605,26.205\n2,乙,park,117.615,26.205\n"


@pytest.fixture(params=["embedded", "postgis"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "embedded":
        made = database(tmp_path)
    else:
        url = request.getfixturevalue("new_postgis_database")()
        made = open_storage(url)
        made.upgrade()
    yield made
    made.dispose()


def write(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_cells_and_points_on_both_back_ends(storage: Storage, tmp_path: Path) -> None:
    plan = published(storage, tmp_path)
    report = run(storage, write(tmp_path, POINTS), "points")
    assert report.placements["placed"] == 2
    with storage.unit_of_work() as work:
        points = work.records("points").frame()
        batch = work.batches.get(report.batch_id)
        cells = work.plans.cells(plan)
    assert points["cell_code"].tolist() == ["350404001001001", "350404001001002"]
    assert points["plan_id"].unique().tolist() == [plan]
    assert batch["counts"]["placed"] == 2
    assert (cells["community_code"] == "350404001001").all()
    assert (cells["subdistrict_code"] == "350404001").all()
    # A degree square of 0.01 at 26.2° N: 1108 m by 1000 m, give or take the ellipsoid.
    assert cells["area_m2"].between(1.105e6, 1.112e6).all()


@pytest.mark.parametrize("at", ["read", "check", "repair", "certify", "store"])
def test_a_cancelled_import_keeps_nothing(tmp_path: Path, at: str) -> None:
    made = database(tmp_path)
    raw = open_source(save(squares(), tmp_path / "c.gpkg"))
    seen: list[str] = []

    def stop(stage: str, done: float) -> None:
        assert 0.0 <= done <= 1.0
        seen.append(stage)
        if stage == at or (at == "repair" and len(seen) > 3):
            raise Cancelled

    with pytest.raises(Cancelled):
        import_layer(made, raw, "cells", progress=stop)
    assert set(contents(made).values()) == {0}


def test_progress_never_runs_backwards(tmp_path: Path) -> None:
    made = database(tmp_path)
    raw = open_source(save(squares(), tmp_path / "c.gpkg"))
    steps: list[float] = []

    def note(stage: str, done: float) -> None:
        steps.append(done)

    import_layer(made, raw, "cells", progress=note)
    assert steps == sorted(steps)
    assert steps[-1] == 1.0


def test_dry_run_reports_and_keeps_nothing(tmp_path: Path) -> None:
    made = database(tmp_path)
    report = run(made, save(squares(), tmp_path / "c.gpkg"), "cells", dry_run=True)
    assert report.certificate is not None
    assert report.certificate.ok
    assert report.plan_id is None
    assert set(contents(made).values()) == {0}


def test_same_keys_again(storage: Storage, tmp_path: Path) -> None:
    published(storage, tmp_path)
    path = write(tmp_path, POINTS)
    run(storage, path, "points")
    before = contents(storage)
    for dry_run in (True, False):
        with pytest.raises(RejectedRows) as caught:
            run(storage, path, "points", dry_run=dry_run)
        assert [(f.sheet_row, f.value) for f in caught.value.faults] == [(2, "1"), (3, "2")]
        assert all("{way:replace}" in f.way_out_zh for f in caught.value.faults)
    assert contents(storage) == before
    run(storage, write(tmp_path, POINTS.replace("甲", "丙")), "points", replace=True)
    with storage.unit_of_work() as work:
        assert work.records("points").get("1")["name"] == "丙"
        assert work.records("points").count() == 2


def test_a_case_is_placed_by_the_plan_of_its_day(tmp_path: Path) -> None:
    made = database(tmp_path)
    first = published(made, tmp_path)
    merged = squares()
    merged.loc[0, "geometry"] = shapely.union_all(merged.geometry.to_numpy()[:2])
    report = run(made, save(merged.drop(index=1), tmp_path / "second.gpkg"), "cells")
    assert report.plan_id is not None
    change = FIRST_DAY + timedelta(days=100)
    second = planning.publish(made, report.plan_id, change, NOW).id
    head = "案件编号,小类代码,上报时间,经度,纬度\n"
    rows = [("a", "2018-01-05"), ("b", "2018-06-05"), ("c", "2017-06-05")]
    text = head + "".join(f"{k},x,{day},117.615,26.205\n" for k, day in rows)
    report = run(made, write(tmp_path, text), "cases")
    with made.unit_of_work() as work:
        cases = work.records("cases").frame()
    assert cases["plan_id"].tolist() == [first, second, second]
    assert cases["cell_code"].tolist() == [
        "350404001001002", "350404001001001", "350404001001001",
    ]  # fmt: skip
    assert any("尚无生效方案" in n.zh for n in report.notes)


def test_a_second_version_fills_the_same_territory(tmp_path: Path) -> None:
    made = database(tmp_path)
    published(made, tmp_path)
    drawn = squares()
    # The last cell ends 0.3 m short of the territory: less than a metre, so it is closed.
    drawn.loc[3, "geometry"] = shapely.box(117.63, 26.2, 117.64 - 3e-6, 26.21)
    report = run(made, save(drawn, tmp_path / "second.gpkg"), "cells")
    assert report.certificate is not None
    assert report.certificate.ok
    assert report.repairs is not None
    assert len(report.repairs) > 0
    assert report.moved_area_m2 == pytest.approx(0.3 * 1108, rel=0.02)


def test_exclusions_make_a_new_draft(tmp_path: Path) -> None:
    made = database(tmp_path)
    ring = squares(1)
    hole = shapely.box(117.604, 26.204, 117.606, 26.206)
    left, right = (
        shapely.box(117.6, 26.2, 117.605, 26.21),
        shapely.box(117.605, 26.2, 117.61, 26.21),
    )
    frame = gpd.GeoDataFrame(
        {"网格编码": ["350404001001001", "350404001001002"]},
        geometry=[shapely.difference(left, hole), shapely.difference(right, hole)],
        crs=ring.crs,
    )
    cells = run(made, save(frame, tmp_path / "c.gpkg"), "cells", wide_gaps="leave")
    assert cells.certificate is not None
    assert not cells.certificate.ok
    lake = gpd.GeoDataFrame({"类型": ["lake"], "名称": ["湖"]}, geometry=[hole], crs=4490)
    report = run(made, save(lake, tmp_path / "x.gpkg"), "exclusions")
    assert report.certificate is not None
    assert report.certificate.ok
    with made.unit_of_work() as work:
        plans = {p.id: p.status.value for p in work.plans.list()}
        kept = work.plans.exclusions(str(report.plan_id))
    assert plans == {str(cells.plan_id): "discarded", str(report.plan_id): "draft"}
    assert kept["name"].tolist() == ["湖"]
    with pytest.raises(ConflictError, match="replace"):
        run(made, tmp_path / "x.gpkg", "exclusions")
    # Once in force they stay registered for the next drawing of the same city.
    planning.publish(made, str(report.plan_id), FIRST_DAY, NOW)
    raw = open_source(tmp_path / "c.gpkg")
    again = import_layer(made, raw, "cells", clock=lambda: NOW + timedelta(days=1))
    assert again.certificate is not None
    assert again.certificate.ok
    with made.unit_of_work() as work:
        assert list(work.plans.exclusions(str(again.plan_id)).index) == list(kept.index)
    with pytest.raises(DecisionNeeded):
        run(made, tmp_path / "c.gpkg", "cells", keep_exclusions=False)


def test_parents_by_overlap_and_who_has_none(tmp_path: Path) -> None:
    made = database(tmp_path)
    cells = squares().drop(columns="网格名称")
    cells["网格编码"] = list("abcd")
    path = save(cells, tmp_path / "c.gpkg")
    # The border of the two communities runs through the second cell at three tenths.
    parents = gpd.GeoDataFrame(
        {"社区编码": ["west", "east"], "社区名称": ["西", "东"], "街道编码": ["s", "s"]},
        geometry=[shapely.box(117.5, 26, 117.613, 27), shapely.box(117.613, 26, 117.7, 27)],
        crs=4490,
    )
    parent = open_source(save(parents, tmp_path / "p.gpkg"))
    report = import_layer(made, open_source(path), "cells", ImportOptions(parent=parent))
    assert report.ambiguous is not None
    row = report.ambiguous[report.ambiguous["code"] == "b"].iloc[0]
    assert (row["first"], row["second"]) == ("east", "west")
    # Its long straight edge bends a little in the plane where areas are measured.
    assert row["second_share"] == pytest.approx(0.3, abs=5e-3)
    with made.unit_of_work() as work:
        stored = work.plans.cells(str(report.plan_id))
    assert stored["community_name"].tolist() == ["西", "东", "东", "东"]
    only = open_source(save(parents.iloc[:1], tmp_path / "one.gpkg"))
    with pytest.raises(RejectedRows) as caught:
        import_layer(made, open_source(path), "cells", ImportOptions(parent=only))
    assert [f.value for f in caught.value.faults] == ["c", "d"]


def test_parts_of_one_cell_in_several_rows(tmp_path: Path) -> None:
    made = database(tmp_path)
    frame = squares()
    frame.loc[1, "网格编码"] = "350404001001001"
    path = save(frame, tmp_path / "parts.gpkg")
    report = run(made, path, "cells", decisions={"350404001001001": "merge"})
    assert (report.rows, report.imported) == (4, 3)
    with made.unit_of_work() as work:
        cells = work.plans.cells(str(report.plan_id))
    assert cells.loc["350404001001001", "area_m2"] == pytest.approx(2.217e6, rel=2e-3)


def test_units_from_names_and_ids(tmp_path: Path) -> None:
    made = database(tmp_path)
    published(made, tmp_path)
    run(made, write(tmp_path, "单位编号,名称,类型\nu1,列东分队,team\n"), "units")
    head = POINTS.replace("纬度\n", "纬度,责任单位\n", 1).splitlines()
    text = "\n".join([head[0], head[1] + ",列东分队", head[2] + ",新分队"]) + "\n"
    report = run(made, write(tmp_path, text), "points")
    with made.unit_of_work() as work:
        assert work.records("points").frame()["unit_id"].tolist() == ["u1", "新分队"]
        assert set(work.records("units").frame().index) == {"u1", "新分队"}
    assert any("新分队" in n.zh for n in report.notes)
    strict = text.replace("新分队", "列东支队").replace("\n1,", "\n3,").replace("\n2,", "\n4,")
    with pytest.raises(RejectedRows, match="列东分队"):
        run(made, write(tmp_path, strict), "points", unknown_units="refuse")


def test_records_round_trip_through_every_table_format(tmp_path: Path) -> None:
    made = database(tmp_path)
    published(made, tmp_path)
    run(made, write(tmp_path, POINTS), "points")
    with made.unit_of_work() as work:
        points = work.records("points").frame()
    for suffix in (".csv", ".xlsx", ".parquet", ".gpkg", ".geojson"):
        path = write_layer(points, tmp_path / f"points{suffix}", name="points")
        other = database(tmp_path, f"other{suffix}")
        published(other, tmp_path)
        import_layer(other, open_source(path), "points", clock=lambda: NOW)
        with other.unit_of_work() as work:
            back = work.records("points").frame()
        assert back.geometry.geom_equals_exact(points.geometry, 0.0).all()
        columns: list[str] = ["name", "category", "visits_per_week", "cell_code", "placement"]
        pd.testing.assert_frame_equal(
            pd.DataFrame(back[columns]), pd.DataFrame(points[columns]), check_dtype=False
        )
        other.dispose()


def test_streets_of_several_parts(tmp_path: Path) -> None:
    made = database(tmp_path)
    lines: list[Any] = [
        shapely.LineString([(117.6, 26.2), (117.61, 26.2)]),
        shapely.MultiLineString(
            [[(117.6, 26.21), (117.61, 26.21)], [(117.62, 26.2), (117.63, 26.2)]]
        ),
    ]
    frame = gpd.GeoDataFrame({"编号": ["1", "2"], "道路名称": ["列东街", None],
                              "桥": ["是", "否"]}, geometry=lines, crs=4490)  # fmt: skip
    report = run(made, save(frame, tmp_path / "s.gpkg"), "network")
    assert (report.rows, report.imported) == (2, 3)
    with made.unit_of_work() as work:
        streets = work.records("streets").frame()
    assert list(streets.index) == ["1", "2", "2/2"]
    assert streets["bridge"].tolist() == [True, False, False]
    assert streets["highway"].unique().tolist() == ["residential"]


def test_several_files_are_all_kept_or_none(storage: Storage, tmp_path: Path) -> None:
    published(storage, tmp_path)
    good = open_source(write(tmp_path, POINTS, "one.csv"), datum="cgcs2000")
    head, *rows = POINTS.splitlines()
    later = [rows[0].replace("1,", "3,", 1), rows[1]]
    bad = open_source(write(tmp_path, "\n".join([head, *later]), "two.csv"), datum="cgcs2000")
    before = contents(storage)
    with pytest.raises((DuplicateKey, RejectedRows)) as caught:
        import_layers(storage, [good, bad], "points", clock=lambda: NOW)
    assert "2" in caught.value.text("en")
    assert contents(storage) == before
    with pytest.raises((DuplicateKey, RejectedRows)):
        import_layers(storage, [good, good], "points", clock=lambda: NOW)
    assert contents(storage) == before


def test_several_files_see_what_the_first_brought(storage: Storage, tmp_path: Path) -> None:
    published(storage, tmp_path)
    head, *rows = POINTS.splitlines()
    parts = [
        open_source(write(tmp_path, f"{head}\n{row}\n", f"{i}.csv"), datum="cgcs2000")
        for i, row in enumerate(rows)
    ]
    before = contents(storage)
    dry = ImportOptions(dry_run=True)
    assert [r.imported for r in import_layers(storage, parts, "points", dry)] == [1, 1]
    assert contents(storage) == before
    steps: list[float] = []
    reports = import_layers(
        storage, parts, "points", progress=lambda _, done: steps.append(done), clock=lambda: NOW
    )
    assert [r.imported for r in reports] == [1, 1]
    assert len({r.batch_id for r in reports}) == 2
    assert steps == sorted(steps)
    with storage.unit_of_work() as work:
        assert work.records("points").count() == 2
        assert len(work.batches.list()) == 3
