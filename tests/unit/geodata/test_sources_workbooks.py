"""Workbooks whose sheets reach further than their tables."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from geodata.sources import open_source, workbooks
from gridsvc.errors import UnreadableSource


def book(path: Path, rows: int = 3) -> openpyxl.Workbook:
    made = openpyxl.Workbook()
    sheet = made.active
    assert sheet is not None
    sheet.append(["编码", "lon", "lat"])
    for i in range(rows):
        sheet.append([f"00{i}", 117.6 + i / 1000, 26.2])
    made.save(path)
    return made


def test_a_cell_in_the_last_corner_does_not_stretch_the_table(tmp_path: Path) -> None:
    path = tmp_path / "corner.xlsx"
    made = book(path)
    made.worksheets[0]["XFD1048576"].number_format = "0.00"
    made.save(path)
    frame = open_source(path, datum="wgs84").frame
    assert list(frame["编码"]) == ["000", "001", "002"]
    assert list(frame.columns) == ["编码", "lon", "lat", "geometry"]


def test_a_value_in_the_last_corner_of_a_long_table_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbooks, "MAX_CELLS", 100_000)
    path = tmp_path / "corner.xlsx"
    made = book(path, rows=10)
    made.worksheets[0]["XFD1048576"] = "x"
    made.save(path)
    with pytest.raises(UnreadableSource, match="XFD1048576"):
        open_source(path, datum="wgs84")


@pytest.mark.parametrize("reference", ["F1:XFD1048576", "A:XFD"])
def test_a_merge_of_the_whole_sheet_is_refused(reference: str, tmp_path: Path) -> None:
    import zipfile

    path, whole = tmp_path / "a.xlsx", tmp_path / "merged.xlsx"
    book(path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(whole, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if "worksheets/" in name:
                merged = f'</sheetData><mergeCells><mergeCell ref="{reference}"/></mergeCells>'
                data = data.replace(b"</sheetData>", merged.encode())
                assert reference.encode() in data
            new.writestr(name, data)
    with pytest.raises(UnreadableSource):
        open_source(whole, datum="wgs84")


def test_more_cells_than_fit_are_refused_before_they_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.xlsx"
    book(path, rows=50)
    assert len(open_source(path, datum="wgs84").frame) == 50
    monkeypatch.setattr(workbooks, "MAX_CELLS", 100)
    monkeypatch.setattr(openpyxl, "load_workbook", None)
    with pytest.raises(UnreadableSource, match="100"):
        open_source(path, datum="wgs84")
