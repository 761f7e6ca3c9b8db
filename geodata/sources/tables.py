"""Text tables: CSV, and what all tables share: coordinates in columns, WKT, or none at all.

Values stay the text that stands in the file: codes keep their leading zeros.
"""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import shapely

from geodata.sources.content import Content, refuse
from geodata.sources.encodings import text_encoding
from gridsvc.errors import EmptySource, Fault, RejectedRows
from gridsvc.services.fields import DATUM, LAT, LON, WKT, find_column
from gridsvc.types import ObjectArray

CSV_SUFFIXES = (".csv", ".tsv", ".txt")
_DMS = re.compile(
    r"^([EWNS东西南北]?)(\d{1,3})[°度](\d{1,2}(?:\.\d+)?)['′分](?:(\d{1,2}(?:\.\d+)?)(?:[\"″秒]|''))?([EWNS]?)$"
)


def read_csv(path: Path, *, encoding: str | None, columns: Mapping[str, str]) -> Content:
    """Read a delimited text file; separator and encoding are found from its content.

    Raises
    ------
    UnreadableSource, EmptySource, RejectedRows
    """
    data = path.read_bytes()
    codec, note = text_encoding(data, encoding, source=path.name)
    text = data.decode(codec)
    if "\0" in text:
        raise refuse(
            path.name,
            "不是文本表格",
            "it is no text table",
            "请确认文件类型",
            "check the type of the file",
        )
    head = "\n".join(text.splitlines()[:20])
    try:
        separator = csv.Sniffer().sniff(head, delimiters=",\t;|").delimiter
    except csv.Error:
        separator = ","
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    numbered = [(i, r) for i, r in enumerate(reader, start=1) if r]
    if not numbered:
        raise EmptySource(source=path.name)
    content = numbered_table(numbered, columns, source=path.name)
    content.encoding = codec
    if note is not None:
        content.notes.append(note)
    return content


def numbered_table(
    numbered: list[tuple[int, list[str]]], columns: Mapping[str, str], *, source: str
) -> Content:
    """Return the content of rows with their numbers in the sheet, the header first.

    Raises
    ------
    EmptySource
    RejectedRows
        For stated columns that are not there.
    """
    sheet_rows = [i for i, _ in numbered[1:]]
    table, faults = text_table([r for _, r in numbered], source)
    content = locate_columns(table, columns, source=source)
    content.sheet_rows = sheet_rows
    content.faults = [*faults, *content.faults]
    return content


def locate_columns(table: pd.DataFrame, columns: Mapping[str, str], *, source: str) -> Content:
    """Find WKT or longitude/latitude columns of a text table and build the geometry.

    Parameters
    ----------
    table : DataFrame of text
    columns : mapping
        ``lon``, ``lat``, ``wkt``, ``datum`` to a column, as a person stated them.
    source : str

    Raises
    ------
    RejectedRows
        For stated columns that are not there.

    Returns
    -------
    Content
        Values that are no number, no WKT, or half a coordinate are its ``faults``.
    """
    names = list(table.columns)
    faults: list[Fault] = []

    def column(field: str, known: tuple[str, ...]) -> str | None:
        stated = columns.get(field)
        if stated is None:
            return find_column(names, known)
        found = stated if stated in names else find_column(names, (stated,))
        if found is None:
            raise RejectedRows(
                source=source,
                faults=[
                    Fault(
                        None,
                        field,
                        stated,
                        "文件中没有这一列",
                        "the file has no such column",
                        f"文件的列:{'、'.join(names)}",
                        f"columns of the file: {', '.join(names)}",
                    )
                ],
            )
        return found

    datum = _one_datum(table, column("datum", DATUM))
    wkt = column("wkt", WKT)
    x, y = column("lon", LON), column("lat", LAT)
    if "wkt" in columns or (wkt is not None and (x is None or y is None)):
        assert wkt is not None  # noqa: S101 - stated columns exist
        geometry = _from_wkt(table[wkt], wkt, faults)
        rest = table.drop(columns=wkt)
        return Content(rest, geometry, None, datum=datum, x_field=wkt, faults=faults)
    if x is None or y is None:
        return Content(table, None, None, datum=datum)
    geometry = _from_numbers(table[x], table[y], x, y, faults)
    return Content(table, geometry, None, datum=datum, x_field=x, y_field=y, faults=faults)


def text_table(rows: list[list[str]], source: str) -> tuple[pd.DataFrame, list[Fault]]:
    """Return rows of text under the first of them as column names, which are made unique.

    Rows with more fields than the header are cut, and faults.

    Raises
    ------
    EmptySource
        If there is nothing below the header.
    """
    header = [unicodedata.normalize("NFKC", h).strip().lstrip("\ufeff") for h in rows[0]]
    names: list[str] = []
    for i, name in enumerate(header):
        base = name or f"column_{i + 1}"
        names.append(base if base not in names else f"{base}_{i + 1}")
    body = rows[1:]
    if not body:
        raise EmptySource(source=source)
    faults = [
        Fault(
            i + 1,
            None,
            "",
            f"有 {len(r)} 列,表头有 {len(names)} 列",
            f"it has {len(r)} fields, the header has {len(names)}",
            "请检查分隔符和引号",
            "check separators and quotes",
        )
        for i, r in enumerate(body)
        if len(r) > len(names) and any(v.strip() for v in r[len(names) :])
    ]
    padded = [(r + [""] * len(names))[: len(names)] for r in body]
    return pd.DataFrame(padded, columns=names, dtype=object), faults


def degrees(text: str) -> float | None:
    """Return a coordinate as degrees or metres; ``None`` where the field is empty.

    Degrees may be decimal or degrees, minutes and seconds with a letter of the hemisphere.

    Raises
    ------
    ValueError
    """
    plain = unicodedata.normalize("NFKC", text).strip().replace(",", "")
    if not plain:
        return None
    parts = _DMS.match(plain.replace(" ", "").upper())
    if parts:
        before, degrees, minutes, seconds, after = parts.groups()
        value = int(degrees) + float(minutes) / 60 + float(seconds or 0) / 3600
        return -value if (before or after or "E") in "WS西南" else value
    return float(plain)


def _from_numbers(
    x: pd.Series, y: pd.Series, x_name: str, y_name: str, faults: list[Fault]
) -> ObjectArray:
    values = np.full((len(x), 2), np.nan)
    for axis, (series, name) in enumerate(((x, x_name), (y, y_name))):
        for row, text in enumerate(series):
            try:
                number = degrees(str(text))
            except ValueError:
                faults.append(
                    Fault(
                        row + 1,
                        name,
                        str(text)[:80],
                        "坐标不是数字",
                        "the coordinate is no number",
                        "请改正;未知请留空",
                        "correct it; leave it empty when unknown",
                    )
                )
                continue
            if number is None:
                continue
            if not math.isfinite(number):
                faults.append(
                    Fault(
                        row + 1,
                        name,
                        str(text)[:80],
                        "坐标不是有限的数(NaN 或无穷大)",
                        "the coordinate is not a finite number (NaN or infinite)",
                        "请改正;未知请留空",
                        "correct it; leave it empty when unknown",
                    )
                )
                continue
            values[row, axis] = number
    half = np.isnan(values).sum(axis=1) == 1
    seen = {f.row for f in faults}
    for at in np.flatnonzero(half):
        row = int(at)
        if row + 1 not in seen:
            blank = x_name if np.isnan(values[row, 0]) else y_name
            faults.append(
                Fault(
                    row + 1,
                    blank,
                    "",
                    "只有一个坐标",
                    "only one of two coordinates",
                    "请补全或两个都留空",
                    "complete it or leave both empty",
                )
            )
    faults.sort(key=lambda f: f.row or 0)
    geometry = np.full(len(values), None, dtype=object)
    known = ~np.isnan(values).any(axis=1)
    geometry[known] = shapely.points(values[known])
    return geometry


def _from_wkt(texts: pd.Series, name: str, faults: list[Fault]) -> ObjectArray:
    plain = [re.sub(r"^SRID=\d+;", "", str(t).strip()) or None for t in texts]
    geometry = np.asarray(shapely.from_wkt(plain, on_invalid="ignore"), dtype=object)
    faults += [
        Fault(
            i + 1,
            name,
            str(t)[:80],
            "不是有效的 WKT",
            "not valid WKT",
            "请改正该图形的文字",
            "correct the text of this geometry",
        )
        for i, (t, g) in enumerate(zip(plain, geometry, strict=True))
        if t is not None and g is None
    ]
    geometry[shapely.is_empty(geometry)] = None
    return geometry


def _one_datum(table: pd.DataFrame, name: str | None) -> str | None:
    if name is None:
        return None
    values = {v.strip().lower() for v in table[name] if v.strip()}
    plain = {re.sub(r"[^a-z0-9]", "", v) for v in values}
    known = plain & {"wgs84", "cgcs2000", "gcj02", "bd09"}
    return known.pop() if len(plain) == 1 and known else None
