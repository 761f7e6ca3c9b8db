"""Tables: coordinates found by column, codes kept as text, faults named by row and field."""

from __future__ import annotations

import gzip
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from geodata.sources import open_source
from gridsvc.errors import CrsMissing, EmptySource, RejectedRows, UnreadableSource


def save(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_csv_in_any_dress(tmp_path: Path, encoding: str, separator: str) -> None:
    rows = [
        ["编号", "名称", "经度", "纬度"],
        ["007", "三元区", "117.63", "26.26"],
        ["008", "", "", ""],
    ]
    path = save(tmp_path / "t.csv", "\n".join(separator.join(r) for r in rows), encoding)
    raw = open_source(path, datum="wgs84")
    assert raw.frame["编号"].tolist() == ["007", "008"]
    assert raw.frame["名称"][0] == "三元区"
    assert raw.frame.geometry[0].coords[0] == (117.63, 26.26)
    assert raw.frame.geometry[1] is None
    assert (encoding == "gbk") == bool(raw.notes)


def test_coordinates_carry_a_datum(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", "id,lon,lat\n1,117.6,26.2\n")
    with pytest.raises(CrsMissing, match="crs or datum"):
        open_source(path)
    inside = save(tmp_path / "u.csv", "id,lon,lat,坐标系\n1,117.6,26.2,GCJ-02\n")
    assert open_source(inside).datum == "gcj02"


def test_every_bad_coordinate_is_named(tmp_path: Path) -> None:
    path = save(
        tmp_path / "t.csv", "id,经度,纬度\n1,abc,26\n2,NaN,26\n3,117,\n4,117,26\n5,inf,26\n"
    )
    with pytest.raises(RejectedRows) as caught:
        open_source(path, datum="wgs84")
    assert [(f.row, f.field) for f in caught.value.faults] == [
        (1, "经度"), (2, "经度"), (3, "纬度"), (5, "经度"),
    ]  # fmt: skip


def test_out_of_range_is_kept_without_a_place(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", "id,lon,lat\n1,117,26\n2,117,96\n3,117.1,26\n")
    raw = open_source(path, datum="wgs84")
    assert raw.invalid is not None
    assert raw.invalid.tolist() == [False, True, False]
    assert raw.frame.geometry[1] is None
    assert raw.source_y is not None
    assert raw.source_y[1] == 96


def test_named_columns_win(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", "lon,lat,高德经度,高德纬度\n1,2,117.6,26.2\n")
    raw = open_source(path, datum="wgs84", columns={"lon": "高德经度", "lat": "高德纬度"})
    assert raw.frame.geometry.x[0] == 117.6
    with pytest.raises(RejectedRows, match="no such column"):
        open_source(path, datum="wgs84", columns={"lon": "东"})


def test_degrees_minutes_seconds(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", "id;lon;lat\n1;117°36'36\"E;26°12′N\n2;W 71°30';42.5\n")
    raw = open_source(path, datum="wgs84")
    assert raw.frame.geometry[0].coords[0] == pytest.approx((117.61, 26.2))
    assert raw.frame.geometry[1].coords[0] == pytest.approx((-71.5, 42.5))


def test_wkt(tmp_path: Path) -> None:
    path = save(tmp_path / "t.csv", 'id,wkt\n1,"POLYGON((117 26,118 26,118 27,117 26))"\n2,\n')
    raw = open_source(path, datum="wgs84")
    assert raw.frame.geometry[0].geom_type == "Polygon"
    assert raw.frame.geometry[1] is None
    bad = save(tmp_path / "u.csv", 'id,wkt\n1,"POINT(117 26"\n')
    with pytest.raises(RejectedRows, match="not valid WKT"):
        open_source(bad, datum="wgs84")


def test_table_without_coordinates_is_a_table(tmp_path: Path) -> None:
    raw = open_source(save(tmp_path / "t.csv", "编号,名称\n001,创城办\n"))
    assert not raw.spatial
    assert raw.frame["编号"][0] == "001"


def test_uneven_rows_and_nothing(tmp_path: Path) -> None:
    with pytest.raises(RejectedRows) as caught:
        open_source(save(tmp_path / "t.csv", "a,b\n1,2\n1,2,3\n"))
    assert caught.value.faults[0].row == 2
    with pytest.raises(EmptySource):
        open_source(save(tmp_path / "u.csv", "a,b\n"))


def test_workbook(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["三明市网格点位表"])
    sheet.append(["编号", "社区", "经度", "纬度", "日期", "码"])
    sheet.append(["001", "一路社区", 117.63, 26.26, datetime(2018, 11, 22, 4, 40), 350404001001001])  # noqa: DTZ001
    sheet.append(["002", None, 117.64, 26.27, None, 35040400100100123])
    sheet.merge_cells("B3:B4")
    sheet.merge_cells("A1:F1")
    path = tmp_path / "t.xlsx"
    book.save(path)
    raw = open_source(path, datum="wgs84")
    assert raw.frame["编号"].tolist() == ["001", "002"]
    assert raw.frame["社区"].tolist() == ["一路社区", "一路社区"]
    assert raw.frame["日期"][0] == "2018-11-22 04:40:00"
    assert raw.frame["码"][0] == "350404001001001"
    assert "E+" in raw.frame["码"][1]  # 17 digits do not survive in Excel
    assert any("第 2 行" in n for n in raw.notes_zh)


def test_sheets_ask_for_one(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name in ("一月", "二月"):
        book.create_sheet(name).append(["编号", name])
        book[name].append(["1", "x"])
    path = tmp_path / "t.xlsx"
    book.save(path)
    with pytest.raises(UnreadableSource, match="一月, 二月"):
        open_source(path)
    assert len(open_source(path, layer="二月").frame) == 1


def test_broken_workbook(tmp_path: Path) -> None:
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(UnreadableSource, match="workbook"):
        open_source(path)


@pytest.mark.parametrize(
    ("name", "size", "text"),
    [("a.csv", 40, "ratio"), ("../a.csv", 0, "leaves"), ("b.zip", 0, "inner")],
)
def test_hostile_archives(tmp_path: Path, name: str, size: int, text: str) -> None:
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, b"0" * (size * 2**20))
    with pytest.raises(UnreadableSource, match=text):
        open_source(path)


def test_gzipped_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress("编号,名称\n001,创城办\n".encode()))
    assert open_source(path).frame["名称"].tolist() == ["创城办"]
    path.write_bytes(gzip.compress(b"0" * (3 * 2**20)))
    with pytest.raises(UnreadableSource, match="more than 1 MiB"):
        open_source(path, max_unpacked_mb=1)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableSource, match="valid"):
        open_source(path)


def test_archive_that_promises_too_much(tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "id\n1\n")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = (2**31).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(UnreadableSource, match="2,048 MiB"):
        open_source(path)
