"""Excel workbooks: one sheet as text, read no further than where values stand."""

from __future__ import annotations

import codecs
import math
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geodata.sources.archives import check_archive
from geodata.sources.content import Content, choose_layer, refuse
from geodata.sources.tables import numbered_table
from gridsvc.errors import EmptySource, UnreadableSource
from gridsvc.services.raw import Note

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

SUFFIXES = (".xlsx", ".xlsm")
MAX_CELLS = 4_000_000
_DIGITS_KEPT = 10**15
_CHUNK = 1 << 20
_CELL = re.compile(rb"<(?:\w+:)?c[ >/]")
_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]*?ref\s*=\s*[\"']([^\"']*)")
_DAMAGES = (
    KeyError,
    ValueError,
    OSError,
    TypeError,
    IndexError,
    AttributeError,
    EOFError,
    OverflowError,
    NotImplementedError,
    SyntaxError,  # XML that does not parse
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)


def read_xlsx(
    path: Path, *, layer: str | None, columns: Mapping[str, str], max_unpacked_mb: int
) -> Content:
    """Read one sheet of a workbook; merged cells give their value to each row they span.

    Raises
    ------
    UnreadableSource, EmptySource, RejectedRows
    """
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    check_archive(path, max_unpacked_mb=max_unpacked_mb)
    try:
        _check_size(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, data_only=True)
    except (InvalidFileException, *_DAMAGES) as error:
        raise refuse(
            path.name,
            "不是有效的 Excel 文件",
            "not a valid Excel workbook",
            "请另存为 .xlsx 或 CSV",
            "save it again as .xlsx or CSV",
        ) from error
    try:
        values = {s.title: _values(s) for s in book.worksheets}
        filled = [title for title, found in values.items() if found]
        name = choose_layer(filled or book.sheetnames[:1], layer, path.name)
        lines, rows = _rows(book[name], values.get(name, {}), path)
    finally:
        book.close()
    notes: list[Note] = []
    width = max((sum(1 for v in r if v) for r in rows), default=0)
    header = next((i for i, r in enumerate(rows) if sum(1 for v in r if v) * 2 > width), 0)
    if rows and lines[header] > 1:
        notes.append(
            Note(
                f"表头在第 {lines[header]} 行,其上的行未读取",
                f"the header is in line {lines[header]}; the lines above were not read",
            )
        )
    kept = list(zip(lines[header:], rows[header:], strict=True))
    if not kept:
        raise EmptySource(source=path.name)
    content = numbered_table(kept, columns, source=path.name)
    content.layer = name
    content.notes += notes
    return content


def _check_size(path: Path) -> None:
    """Refuse a workbook of more cells, or wider merged ones, than fit into memory.

    A merged range of a whole sheet is one short line in the file and 10¹⁰ cells once loaded.

    Raises
    ------
    UnreadableSource
    """
    from openpyxl.utils.cell import range_boundaries

    count = 0
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            with archive.open(info) as stream:
                chunk, rest = stream.read(_CHUNK), b""
                if not chunk.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<"):
                    if info.filename.lower().endswith(".xml"):
                        raise ValueError(info.filename)
                    continue
                while chunk:
                    # A tag that the end of a chunk cuts is looked at with the next one.
                    whole, sign, rest = (rest + chunk).rpartition(b"<")
                    rest = sign + rest
                    if len(rest) > _CHUNK:
                        raise ValueError(info.filename)
                    count += sum(1 for _ in _CELL.finditer(whole))
                    for reference in _MERGED.findall(whole):
                        west, north, east, south = range_boundaries(reference.decode("ascii"))
                        if west is None or north is None or east is None or south is None:
                            raise _too_large(path, reference.decode("ascii"))
                        count += (east - west + 1) * (south - north + 1)
                    if count > MAX_CELLS:
                        raise _too_large(path, None)
                    chunk = stream.read(_CHUNK)


def _values(sheet: Worksheet) -> dict[tuple[int, int], str]:
    """Return the text of the cells that hold a value, by row and column from 1.

    Asked for its rows a sheet yields every cell up to the outermost one, however far that is.
    """
    found = {at: _cell_text(cell.value) for at, cell in sheet._cells.items()}
    return {at: text for at, text in found.items() if text}


def _rows(
    sheet: Worksheet, values: dict[tuple[int, int], str], path: Path
) -> tuple[list[int], list[list[str]]]:
    """Return the lines that hold a value, by number from 1, and their texts from column 1.

    Raises
    ------
    UnreadableSource
        If a value stands so far out that the table would not fit into memory.
    """
    for merged in sheet.merged_cells.ranges:
        value = values.get((merged.min_row, merged.min_col))
        if merged.min_row == merged.max_row or not value:
            continue
        for row in range(merged.min_row, merged.max_row + 1):
            for column in range(merged.min_col, merged.max_col + 1):
                values[row, column] = value
    lines = sorted({row for row, _ in values})
    width = max((column for _, column in values), default=0)
    if len(lines) * width > MAX_CELLS:
        from openpyxl.utils.cell import get_column_letter

        row, column = max(values, key=lambda at: (at[1], at[0]))
        raise _too_large(path, f"{get_column_letter(column)}{row}")
    place = {line: i for i, line in enumerate(lines)}
    rows = [[""] * width for _ in lines]
    for (row, column), text in values.items():
        rows[place[row]][column - 1] = text
    return lines, rows


def _too_large(path: Path, where: str | None) -> UnreadableSource:
    told, tells = (f",最远到 {where}", f", as far as {where}") if where else ("", "")
    return refuse(
        path.name,
        f"工作表超过 {MAX_CELLS:,} 个单元格{told}",
        f"a sheet has more than {MAX_CELLS:,} cells{tells}",
        "请删除表外的单元格和合并,或另存为 CSV",
        "clear cells and merges outside of the table, or save it as CSV",
    )


def _cell_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        # Excel keeps 15 digits; a longer number has lost its end and must not pass for a code.
        return str(int(value)) if abs(value) < _DIGITS_KEPT else f"{value:.14E}"
    if isinstance(value, int) and abs(value) >= _DIGITS_KEPT:
        return f"{value:.14E}"
    return str(value)
