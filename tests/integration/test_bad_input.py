"""Bad input says row, field and way out in both languages, and nothing of it is kept."""

from __future__ import annotations

import difflib
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from api.surfaces import cli, http, page
from geodata.reference import point_category_names
from geodata.sources import open_source
from gridsvc.errors import (
    EmptySource,
    GridsvcError,
    InputError,
    NoPlanInForce,
    RejectedRows,
    UnreadableSource,
    WrongCrs,
)
from gridsvc.services.ports import Storage
from tests.integration.importing import contents, database, published, run, save, squares

CASES = "案件编号,小类代码,上报时间,经度,纬度\n"


@pytest.fixture
def city(tmp_path: Path) -> Storage:
    """A published plan of four cells and a catalogue of two classes."""
    storage = database(tmp_path)
    published(storage, tmp_path)
    path = tmp_path / "classes.csv"
    path.write_text(
        "小类代码,目录,部件事件,大类代码,大类名称,小类名称\n"
        "06010,2018,matter,06,市容环境,暴露垃圾\n06011,2018,matter,06,市容环境,积存渣土\n"
    )
    run(storage, path, "classes")
    return storage


def refused(
    storage: Storage, act: Callable[[], object], kind: type[GridsvcError], *words: str
) -> GridsvcError:
    """Run, expect the error, its words in both languages, and an unchanged database."""
    before = contents(storage)
    with pytest.raises(kind) as caught:
        act()
    for language in ("zh", "en"):
        text = caught.value.text(language, cli)
        for word in words:
            assert word in text, (word, text)
        for speak in (cli, http, page):
            assert "{way" not in caught.value.text(language, speak)
    assert contents(storage) == before
    return caught.value


def text(tmp_path: Path, content: str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_text(content)
    return path


def test_wrong_crs_of_cells(city: Storage, tmp_path: Path) -> None:
    path = save(squares().to_crs(4527), tmp_path / "zone.gpkg")
    refused(city, lambda: open_source(path, crs="EPSG:4548"), WrongCrs, "EPSG:4527", "39")


def test_wrong_crs_of_points(city: Storage, tmp_path: Path) -> None:
    path = text(tmp_path, CASES + "1,06010,2018-05-01,120.69,27.99\n2,06010,2018-05-01,120.7,28\n")
    refused(city, lambda: run(city, path, "cases"), WrongCrs, "--crs", "--datum", "117.6")


def test_empty_file(city: Storage, tmp_path: Path) -> None:
    for name, content in (("a.csv", ""), ("b.csv", CASES), ("c.geojson", "")):
        path = text(tmp_path, content, name)
        refused(city, partial(run, city, path, "cases"), EmptySource, name)


def test_points_given_for_cells(city: Storage, tmp_path: Path) -> None:
    frame = squares().set_geometry(squares().representative_point())
    path = save(frame, tmp_path / "points.gpkg")
    error = refused(city, lambda: run(city, path, "cells"), RejectedRows, "--as points")
    assert error.faults[0].field == "geometry"


def test_polygons_given_for_points(city: Storage, tmp_path: Path) -> None:
    path = save(squares().assign(类别="park"), tmp_path / "areas.gpkg")
    refused(city, lambda: run(city, path, "points"), RejectedRows, "--as", "geometry")


def test_duplicate_codes(city: Storage, tmp_path: Path) -> None:
    frame = squares()
    frame.loc[3, "网格编码"] = frame.loc[1, "网格编码"]
    path = save(frame, tmp_path / "twice.gpkg")
    error = refused(
        city, lambda: run(city, path, "cells"), RejectedRows,
        "350404001001002", "网格编码", "--decide 350404001001002=merge",
    )  # fmt: skip
    assert [f.row for f in error.faults] == [4]
    assert "2" in error.faults[0].problem_zh


def test_a_cell_of_zero_area(city: Storage, tmp_path: Path) -> None:
    frame = squares()
    frame.loc[2, "geometry"] = shapely.Polygon([(117.7, 26.2), (117.71, 26.2), (117.7, 26.2)])
    path = save(frame, tmp_path / "flat.gpkg")
    error = refused(
        city, lambda: run(city, path, "cells"), RejectedRows,
        "geometry", "--decide 350404001001003=drop",
    )  # fmt: skip
    assert [f.row for f in error.faults] == [3]


def test_zero_area_dropped_by_decision(tmp_path: Path) -> None:
    storage = database(tmp_path)
    frame = squares(5)
    frame.loc[4, "geometry"] = shapely.Polygon([(117.7, 26.2), (117.71, 26.2), (117.7, 26.2)])
    path = save(frame, tmp_path / "flat.gpkg")
    report = run(storage, path, "cells", decisions={"350404001001005": "drop"})
    assert (report.rows, report.imported, report.dropped) == (5, 4, ("350404001001005",))


def test_nan_coordinates(city: Storage, tmp_path: Path) -> None:
    path = tmp_path / "nan.geojson"
    squares().to_file(path, driver="GeoJSON")
    path.write_text(path.read_text("utf-8").replace("[ 117.62, 26.21 ]", "[ NaN, 26.21 ]", 1))
    error = refused(city, lambda: run(city, path, "cells"), RejectedRows, "NaN", "geometry")
    assert [f.row for f in error.faults] == [2]
    table = text(tmp_path, CASES + "1,06010,2018-05-01,NaN,26.2\n")
    error = refused(city, lambda: run(city, table, "cases"), RejectedRows, "NaN", "经度")
    assert error.faults[0].row == 1


def test_two_gigabytes_promised_by_a_zip(city: Storage, tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cells.geojson", "{}")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = (2 * 2**30).to_bytes(4, "little")
    path.write_bytes(data)
    refused(city, lambda: run(city, path, "cells"), UnreadableSource, "2,048 MiB",
            "GRIDSVC_MAX_UNPACKED_MB")  # fmt: skip


def test_a_real_bomb_and_paths_that_leave(city: Storage, tmp_path: Path) -> None:
    bomb, escape = tmp_path / "bomb.zip", tmp_path / "escape.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b/c/cells.csv", b"0" * (64 * 2**20))
    refused(city, lambda: run(city, bomb, "cells"), UnreadableSource, "bomb.zip")
    with zipfile.ZipFile(escape, "w") as archive:
        archive.writestr("a/../../cells.csv", "x")
    refused(city, lambda: run(city, escape, "cells"), UnreadableSource, "../")
    assert not (tmp_path.parent / "cells.csv").exists()


def test_a_table_without_coordinates(city: Storage, tmp_path: Path) -> None:
    path = text(tmp_path, "案件编号,小类代码,上报时间\n1,06010,2018-05-01\n")
    error = refused(
        city, lambda: run(city, path, "cases"), RejectedRows, "--map lon=", "--datum", "小类代码"
    )
    assert error.faults[0].row is None
    cells = text(tmp_path, "网格编码,名称\n350404001001001,x\n", "cells.csv")
    refused(city, lambda: run(city, cells, "cells"), RejectedRows, "--map wkt=")


def test_unknown_class_with_near_ones(city: Storage, tmp_path: Path) -> None:
    rows = "1,暴露垃圾,2018-05-01,117.605,26.205\n2,暴露的垃圾,2018-05-01,117.605,26.205\n"
    path = text(tmp_path, CASES + rows)
    error = refused(
        city, lambda: run(city, path, "cases"), RejectedRows, "小类代码", "06010 暴露垃圾"
    )
    assert [f.row for f in error.faults] == [2]


def test_dates_in_three_forms(city: Storage, tmp_path: Path) -> None:
    place = ",117.605,26.205\n"
    forms = ["2018-05-01 04:40", "2018/5/1 4:40", "01/05/2018 04:40:58 AM"]
    path = text(tmp_path, CASES + "".join(f"{i},06010,{d}{place}" for i, d in enumerate(forms)))
    error = refused(
        city,
        lambda: run(city, path, "cases"),
        RejectedRows,
        "上报时间",
        "--date-order",
        "01/05/2018",
    )
    assert [f.row for f in error.faults] == [3]
    report = run(city, path, "cases", date_order="dmy")
    assert report.imported == 3
    with city.unit_of_work() as work:
        when = work.records("cases").frame()["reported_at"]
    assert when.dt.floor("min").nunique() == 1
    assert str(when.iloc[0]) == "2018-04-30 20:40:00+00:00"


def test_every_fault_of_a_file_is_listed_at_once(city: Storage, tmp_path: Path) -> None:
    rows = ["1,06010,2018-05-01,117.605,26.205", "1,99999,gestern,117.605,26.205",
            ",06011,,117.605,26.205"]  # fmt: skip
    path = text(tmp_path, CASES + "\n".join(rows) + "\n")
    error = refused(city, lambda: run(city, path, "cases"), RejectedRows, "99999", "GESTERN")
    assert {(f.row, f.field) for f in error.faults} == {
        (2, "案件编号"), (2, "小类代码"), (2, "上报时间"), (3, "案件编号"), (3, "上报时间"),
    }  # fmt: skip
    assert "表格第 3 行" in error.text("zh")
    assert "与表格第 2 行重复" in error.text("zh")
    assert "repeats sheet row 2" in error.text("en")
    fixed = text(tmp_path, CASES + "\n".join([rows[0], rows[0], rows[2]]) + "\n")
    error = refused(city, lambda: run(city, fixed, "cases"), RejectedRows, "案件编号")
    assert [(f.row, f.field) for f in error.faults] == [
        (2, "案件编号"), (3, "案件编号"), (3, "上报时间"),
    ]  # fmt: skip


def test_codes_that_are_none(city: Storage, tmp_path: Path) -> None:
    frame = squares()
    frame["网格编码"] = ["350404001001001", "350404001001", "3504040010010X3", "3.50404E+14"]
    path = save(frame, tmp_path / "codes.gpkg")
    error = refused(city, lambda: run(city, path, "cells"), RejectedRows, "网格编码", "12")
    assert [f.row for f in error.faults] == [2, 3, 4]


def test_cells_without_a_way_to_their_parents(tmp_path: Path) -> None:
    storage = database(tmp_path)
    frame = squares()
    frame["网格编码"] = ["a", "b", "c", "d"]
    path = save(frame, tmp_path / "free.gpkg")
    refused(storage, lambda: run(storage, path, "cells"), RejectedRows, "--parent", "--set")
    report = run(storage, path, "cells",
                 constants={"community_code": "c1", "subdistrict_code": "s1"})  # fmt: skip
    assert report.imported == 4


def test_points_before_any_plan(tmp_path: Path) -> None:
    storage = database(tmp_path)
    path = text(tmp_path, CASES + "1,06010,2018-05-01,117.605,26.205\n")
    refused(storage, lambda: run(storage, path, "cases"), NoPlanInForce)


def test_unknown_layer_and_field(city: Storage, tmp_path: Path) -> None:
    path = text(tmp_path, CASES + "1,06010,2018-05-01,117.605,26.205\n")
    refused(city, lambda: run(city, path, "cell"), InputError, "cells")
    refused(
        city, lambda: run(city, path, "cases", mapping={"titel": "案件编号"}), RejectedRows, "titel"
    )
    refused(city, lambda: run(city, path, "cases", mapping={"title": "标题"}), RejectedRows, "标题")


def test_gap_too_wide_to_fill_unasked(tmp_path: Path) -> None:
    storage = database(tmp_path)
    ring = shapely.box(117.6, 26.2, 117.63, 26.23)
    hole = shapely.box(117.611, 26.211, 117.612, 26.212)
    frame = gpd.GeoDataFrame(
        {"网格编码": ["350404001001001", "350404001001002"]},
        geometry=[
            shapely.intersection(ring.difference(hole), shapely.box(117.6, 26.2, 117.6115, 26.23)),
            shapely.intersection(ring.difference(hole), shapely.box(117.6115, 26.2, 117.63, 26.23)),
        ],
        crs=4490,
    )
    path = save(frame, tmp_path / "gap.gpkg")
    refused(storage, lambda: run(storage, path, "cells"), InputError, "gap@")
    filled = run(storage, path, "cells", wide_gaps="fill").certificate
    assert filled is not None
    assert filled.ok


def test_staff_may_lack_a_post_but_not_a_name(city: Storage, tmp_path: Path) -> None:
    path = text(tmp_path, "工号,姓名,角色\n007,王一,cell_leader\n008,,cell_leader\n")
    error = refused(city, lambda: run(city, path, "staff"), RejectedRows, "姓名")
    assert [f.row for f in error.faults] == [2]
    path = text(tmp_path, "工号,姓名,角色\n007,王一,cell_leader\n")
    report = run(city, path, "staff")
    assert report.placements["no_coordinates"] == 1
    with city.unit_of_work() as work:
        assert work.records("staff").get("007")["name"] == "王一"


def test_numbers_are_read_or_named(city: Storage, tmp_path: Path) -> None:
    head = "点位编号,名称,类别,每周次数,经度,纬度\n"
    path = text(tmp_path, head + "1,a,park,两次,117.605,26.205\n")
    refused(city, lambda: run(city, path, "points"), RejectedRows, "每周次数", "两次")
    frame = pd.DataFrame({"点位编号": ["1"], "名称": ["a"], "类别": ["park"], "每周次数": [2.5],
                          "经度": [117.605], "纬度": [26.205]})  # fmt: skip
    frame.to_excel(tmp_path / "p.xlsx", index=False)
    assert run(city, tmp_path / "p.xlsx", "points").imported == 1
    with city.unit_of_work() as work:
        assert work.records("points").get("1")["visits_per_week"] == 2.5


def test_rows_outside_are_kept_with_the_reason(city: Storage, tmp_path: Path) -> None:
    rows = [
        "1,06010,2018-05-01,117.605,26.205", "2,06010,2018-05-01,117.61,26.205",
        "3,06010,2018-05-01,118.6,26.2", "4,06010,2018-05-01,,", "5,06010,2018-05-01,0,0",
        "6,06010,2018-05-01,217.6,26.2",
    ]  # fmt: skip
    report = run(city, text(tmp_path, CASES + "\n".join(rows) + "\n"), "cases")
    assert report.placements == {
        "placed": 1, "on_border": 1, "outside": 1, "no_coordinates": 1, "invalid_coordinates": 2,
    }  # fmt: skip
    assert sum(report.placements.values()) == report.rows == report.imported == 6
    with city.unit_of_work() as work:
        cases = work.records("cases").frame()
    # A point on the border belongs to the cell with the lowest code.
    assert cases.loc["2", "cell_code"] == "350404001001001"
    assert cases["source_x"].isna()["4"]
    assert cases.loc["6", "source_x"] == 217.6


def test_kinds_of_points_by_code_or_name_and_none_else(city: Storage, tmp_path: Path) -> None:
    head = "点位编号,名称,类别,经度,纬度\n"
    known = point_category_names()
    rows = ["1,甲,菜市场,117.605,26.205", "", "2,乙,外星人,117.605,26.205"]
    path = text(tmp_path, head + "\n".join(rows) + "\n")
    error = refused(
        city,
        lambda: run(city, path, "points", point_categories=known),
        RejectedRows, "外星人", "--allow-unknown",
    )  # fmt: skip
    # The blank line counts: the row is the fourth of the sheet, the second record.
    assert [(f.row, f.sheet_row, f.field) for f in error.faults] == [(2, 4, "类别")]
    run(city, path, "points", point_categories=known, allow_unknown=True)
    with city.unit_of_work() as work:
        assert list(work.records("points").frame()["category"]) == ["market", "外星人"]
    # What the city has allowed once is known from then on.
    again = text(tmp_path, head + "3,丙,外星人,117.605,26.205\n", "b.csv")
    assert run(city, again, "points", point_categories=known).imported == 1


def test_near_ones_are_searched_once_for_a_value(
    city: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []
    real = difflib.get_close_matches

    def counted(word: str, *args: Any, **options: Any) -> list[str]:
        searched.append(word)
        return real(word, *args, **options)

    monkeypatch.setattr("difflib.get_close_matches", counted)
    rows = "".join(
        f"{i},暴露垃{i % 3},2018年5月1日 8时,117.605,26.205,飞走{i % 2}\n" for i in range(60)
    )
    path = text(tmp_path, CASES.replace("\n", ",状态\n") + rows)
    error = refused(city, lambda: run(city, path, "cases"), RejectedRows, "飞走1")
    assert len(error.faults) == 120
    assert all("暴露垃圾" in f.way_out_zh for f in error.faults if f.field == "小类代码")
    assert [f.row for f in error.faults if f.field == "状态"] == list(range(1, 61))
    assert sorted(searched) == ["暴露垃0", "暴露垃1", "暴露垃2", "飞走0", "飞走1"]


def test_status_and_lost_zeros(city: Storage, tmp_path: Path) -> None:
    head = CASES.replace("\n", ",状态\n")
    place = "2018年5月1日 8时,117.605,26.205"
    path = text(tmp_path, f"{head}1,6010,{place},已结案\n2,06010,{place},飞走了\n")
    error = refused(city, lambda: run(city, path, "cases"), RejectedRows, "飞走了")
    assert [(f.row, f.field) for f in error.faults] == [(1, "小类代码"), (2, "状态")]
    assert error.faults[0].way_out_zh.startswith("相近的类别:06010 暴露垃圾")
    fixed = text(tmp_path, f"{head}1,06010,{place},已结案\n")
    run(city, fixed, "cases")
    with city.unit_of_work() as work:
        case = work.records("cases").get("1")
    assert case["status"] == "closed"
    assert str(case["reported_at"]) == "2018-05-01 00:00:00+00:00"
