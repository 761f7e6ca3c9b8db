"""Frames as text tables that are safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import re
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geodata.gdal import WRITTEN_ON

FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?\Z")
_INSTANT = re.compile(rb"(<dcterms:\w+[^>]*>)[^<]*")
_EXCEL_ROWS = 1_048_575


def safe_text(value: str) -> str:
    """Return text that a spreadsheet takes for text, never for a formula.

    An apostrophe is put before text that begins with a formula character (OWASP, CSV injection);
    plain signed numbers stay.

    Examples
    --------
    >>> safe_text("=HYPERLINK(1)"), safe_text("-12.5"), safe_text("三明")
    ("'=HYPERLINK(1)", '-12.5', '三明')
    """
    if value.startswith(FORMULA) and not _NUMBER.match(value):
        return "'" + value
    return value


def as_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with its geometry as ``lon``, ``lat``, ``datum`` (points) or ``wkt``.

    Doubles are written by their shortest exact text, so reading them back gives the same bits.
    """
    plain: pd.DataFrame = pd.DataFrame(frame)
    if not isinstance(frame, gpd.GeoDataFrame):
        return plain
    geometry = np.asarray(frame.geometry.array, dtype=object)
    plain = plain.drop(columns=frame.geometry.name)
    kinds = shapely.get_type_id(geometry)
    present = kinds >= 0
    if (kinds[present] == shapely.GeometryType.POINT).all() and present.any():
        plain["lon"] = [repr(float(x)) if p else "" for x, p in
                        zip(shapely.get_x(geometry), present, strict=True)]  # fmt: skip
        plain["lat"] = [repr(float(y)) if p else "" for y, p in
                        zip(shapely.get_y(geometry), present, strict=True)]  # fmt: skip
    else:
        plain["wkt"] = [
            "" if g is None else shapely.to_wkt(g, rounding_precision=-1) for g in geometry
        ]
    plain["datum"] = "cgcs2000"
    return plain


def cell_text(value: Any) -> str:
    """Return one value as text: instants in ISO 8601, whole numbers without a point."""
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else repr(float(value))
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if isinstance(value, int | np.integer):
        return str(int(value))
    return safe_text(str(value))


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write UTF-8 with a byte order mark, which Excel needs to show Chinese."""
    table = as_table(frame)
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow(table.columns)
        for row in table.itertuples(index=False, name=None):
            writer.writerow([cell_text(v) for v in row])


def write_xlsx(frame: pd.DataFrame, path: Path, *, title: str) -> None:
    """Write one sheet; text stays text, also where it looks like a formula or a number.

    Raises
    ------
    ValueError
        For more rows than a sheet holds.
    """
    import openpyxl
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if len(frame) > _EXCEL_ROWS:
        raise ValueError(f"a sheet holds {_EXCEL_ROWS} rows")
    table = as_table(frame)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(re.sub(r"[\[\]:*?/\\]", "_", title)[:31])
    sheet.freeze_panes = "A2"
    sheet.append(list(table.columns))
    for row in table.itertuples(index=False, name=None):
        cells: list[Any] = []
        for value in row:
            if isinstance(value, int | float | np.integer | np.floating) and not isinstance(
                value, bool
            ):
                number = float(value)
                cells.append(None if np.isnan(number) else number)
                continue
            text = ILLEGAL_CHARACTERS_RE.sub("", cell_text(value))
            cell = WriteOnlyCell(sheet, text or None)
            if text:
                cell.data_type = "s"
                cell.number_format = "@"
            cells.append(cell)
        sheet.append(cells)
    book.save(path)
    book.close()
    _without_clock(path)


def _without_clock(path: Path) -> None:
    """Put ``WRITTEN_ON`` for every time that a workbook, which is a zip, was written at."""
    instant = f"{WRITTEN_ON.isoformat()}T00:00:00Z".encode()
    with zipfile.ZipFile(path) as book:
        parts = [(info.filename, book.read(info)) for info in book.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts:
            core = name == "docProps/core.xml"
            kept = _INSTANT.sub(rb"\g<1>" + instant, content) if core else content
            info = zipfile.ZipInfo(name, (*WRITTEN_ON.timetuple()[:3], 0, 0, 0))
            book.writestr(info, kept, zipfile.ZIP_DEFLATED)
