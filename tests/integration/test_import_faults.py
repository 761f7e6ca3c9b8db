"""A refused import tells all that can be known: places, codes, values, each with its way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from api.importing_choices import ImportChoices
from api.problems import SHOWN_FAULTS, problem_document
from api.settings import Settings
from api.surfaces import cli, http, page
from gridsvc.errors import Language, RejectedRows
from gridsvc.services.importing import import_layer
from gridsvc.services.ports import Storage
from tests.integration.importing import NOW, contents, database, published, save, squares

HEAD = "案件编号,小类代码,上报时间,经度,纬度\n"


@pytest.fixture
def city(tmp_path: Path) -> Storage:
    """A published plan and a catalogue of one class."""
    storage = database(tmp_path)
    published(storage, tmp_path)
    path = tmp_path / "classes.csv"
    path.write_text(
        "小类代码,目录,部件事件,大类代码,大类名称,小类名称\n06010,2018,matter,06,市容环境,暴露垃圾\n"
    )
    take(storage, path, "classes")
    return storage


def take(storage: Storage, path: Path, as_layer: str, **choices: Any) -> None:
    """Import as the command and the upload do."""
    settings = Settings()
    made = ImportChoices(**choices)
    options = made.options(settings)
    import_layer(storage, made.open(path, settings), as_layer, options, clock=lambda: NOW)


def refusal(storage: Storage, path: Path, as_layer: str, **choices: Any) -> RejectedRows:
    """Expect a refusal that keeps nothing and reads in both languages on every surface."""
    before = contents(storage)
    with pytest.raises(RejectedRows) as caught:
        take(storage, path, as_layer, **choices)
    assert contents(storage) == before
    for language in ("zh", "en"):
        for fault in caught.value.faults:
            for speak in (cli, http, page):
                said = fault.text(language, speak)
                assert "{way" not in said
                assert (fault.way_out_zh if language == "zh" else fault.way_out_en) != ""
    return caught.value


def places(error: RejectedRows) -> list[tuple[int | None, str | None]]:
    return [(f.sheet_row or f.row, f.field) for f in error.faults]


def test_places_classes_dates_and_keys_of_one_table_are_told_together(
    city: Storage, tmp_path: Path
) -> None:
    table = tmp_path / "cases.csv"
    table.write_text(
        HEAD
        + "1,06010,2018-05-01,abc,26.205\n"
        + "2,99999,2018-05-01,117.605,26.205\n"
        + "3,06010,never,NaN,26.205\n"
        + "4,06010,2018-05-01,117.605,\n"
        + "4,06010,2018-05-01,26.205,117.605\n"
        + "6,06010,2018-05-01,117.606,26.206\n"
        + "7,06010,2018-05-01,117.607,26.207\n"
        + "8,06010,2018-05-01,117.608,26.208\n"
    )
    error = refusal(city, table, "cases", datum="wgs84")
    assert places(error) == [
        (2, "经度"),
        (3, "小类代码"),
        (4, "经度"),
        (4, "上报时间"),
        (5, "纬度"),
        (6, "经度"),
        (6, "案件编号"),
    ]
    assert error.count == 7
    zh, en = error.text("zh", cli), error.text("en", cli)
    for words in (("坐标不是数字", "the coordinate is no number"), ("未知类别", "unknown class"),
                  ("坐标不是有限的数", "not a finite number"), ("颠倒", "swapped"),
                  ("--swap rows", "--swap rows")):  # fmt: skip
        assert words[0] in zh
        assert words[1] in en
    assert "“交换两个坐标轴”(只交换颠倒的行)" in error.text("zh", page)


def test_a_missing_system_is_told_with_the_rows(city: Storage, tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text(HEAD + "1,06010,2018-05-01,abc,26.2\n2,99999,2018-05-01,117.6,26.2\n")
    error = refusal(city, table, "cases")
    assert places(error) == [(None, None), (2, "经度"), (3, "小类代码")]
    assert "整个文件:没有坐标系信息;请用 --crs 或 --datum 指明" in error.text("zh", cli)
    assert "whole file: it carries no coordinate system" in error.text("en", cli)


def test_shapes_codes_and_parents_of_cells_are_told_together(tmp_path: Path) -> None:
    storage = database(tmp_path)
    frame = squares(6)
    frame.loc[0, "网格编码"] = "12"
    frame.loc[2, "网格编码"] = frame.loc[1, "网格编码"]
    frame.loc[3, "geometry"] = shapely.Point(117.635, 26.205)
    frame.loc[4, "geometry"] = shapely.Polygon([(117.7, 26.2), (117.71, 26.2), (117.7, 26.2)])
    path = tmp_path / "cells.geojson"
    frame.to_file(path, driver="GeoJSON")
    written = path.read_text("utf-8")
    last = frame.geometry.iloc[5].exterior.coords[1]
    path.write_text(written.replace(f"[ {last[0]}, {last[1]} ]", f"[ NaN, {last[1]} ]"))
    error = refusal(storage, path, "cells", code_system="cn")
    assert places(error) == [
        (1, "网格编码"), (3, "网格编码"), (4, "geometry"), (5, "geometry"), (6, "geometry"),
    ]  # fmt: skip
    said = {
        error.text("zh"): ("重复", "不是面", "面积为零", "坐标不是有限的数"),
        error.text("en"): ("repeats", "not a polygon", "zero area", "not a finite number"),
    }
    for text, words in said.items():
        assert all(word in text for word in words)


def test_a_wrong_column_is_told_with_the_rows(city: Storage, tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text(HEAD + "1,06010,2018-05-01,abc,26.2\n2,06010,2018-05-01,117.6,26.2\n")
    error = refusal(city, table, "cases", datum="wgs84", mapping={"class_code": "类"})
    assert places(error) == [(None, "class_code"), (2, "经度")]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_many_faults_are_counted_and_the_first_listed(
    city: Storage, tmp_path: Path, language: Language
) -> None:
    count = SHOWN_FAULTS + 50
    rows = "".join(f"{i},06010,2018-05-01,x{i},26.2\n" for i in range(count))
    table = tmp_path / "cases.csv"
    table.write_text(HEAD + rows)
    error = refusal(city, table, "cases", datum="wgs84")
    document = problem_document(error, language)
    assert (document["count"], len(document["errors"])) == (count, SHOWN_FAULTS)
    assert len(error.text(language).splitlines()) == 22
    assert str(count - 20) in error.text(language).splitlines()[-1]
    first = document["errors"][0]
    assert (first["row"], first["field"], first["value"]) == (2, "经度", "x0")
    assert first["message"]
    assert first["way_out"]


def test_whole_layers_that_fit_are_not_refused(city: Storage, tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text(HEAD + "1,06010,2018-05-01,117.605,26.205\n2,06010,2018-05-02,,\n")
    take(city, table, "cases", datum="wgs84")
    save(squares(), tmp_path / "again.gpkg")
    with city.unit_of_work() as work:
        assert work.records("cases").count() == 2


def test_streets_tell_wrong_shapes_and_repeated_keys_at_once(city: Storage, tmp_path: Path) -> None:
    line = shapely.LineString([(117.6, 26.2), (117.61, 26.21)])
    streets = gpd.GeoDataFrame(
        {"编号": ["s1", "s2", "s2"], "名称": ["东街", "西街", "南街"]},
        geometry=[shapely.Point(117.6, 26.2), line, line],
        crs=4490,
    )
    path = tmp_path / "streets.geojson"
    streets.to_crs(4326).to_file(path, driver="GeoJSON")
    error = refusal(city, path, "streets", datum="wgs84")
    assert places(error) == [(1, "geometry"), (3, "编号")]


@pytest.mark.parametrize(("count", "rows"), [(2, "2、3"), (7, "2、3、4、5、6")])
def test_a_required_column_without_values_is_told_as_empty(
    city: Storage, tmp_path: Path, count: int, rows: str
) -> None:
    path = tmp_path / "cases.csv"
    lines = [f"K{i},06010,,117.605,26.205\n" for i in range(count)]
    path.write_text(HEAD + "".join(lines), encoding="utf-8")
    error = refusal(city, path, "cases", datum="wgs84")
    assert [f.field for f in error.faults] == ["上报时间"]
    zh, en = (error.faults[0].text(language, cli) for language in ("zh", "en"))
    assert "找不到" not in zh and "no column holds" not in en
    more = count > 5
    assert f"有「上报时间」列,但 {count} 行都是空的:第 {rows} 行{'…' if more else ''}" in zh
    listed = rows.replace("、", ", ") + (", …" if more else "")
    assert f"column 上报时间 is there but empty in {count} rows: rows {listed}" in en
    assert "--map reported_at=COLUMN" in en


def test_cells_without_any_code_say_that_the_column_is_empty(city: Storage, tmp_path: Path) -> None:
    path = save(squares().assign(网格编码=""), tmp_path / "cells.gpkg")
    error = refusal(city, path, "cells")
    assert "is there but empty in 4 rows: rows 1, 2, 3, 4" in error.faults[0].text("en", cli)
