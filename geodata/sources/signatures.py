"""Whether a vector file is what its suffix says, and refers to nothing outside of itself.

Looked at before GDAL opens the file. The suffix is what a person sees; content of another format
under it is a mistake at best.
"""

from __future__ import annotations

import codecs
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from geodata.sources.content import refuse

_HEAD = 1 << 16
_TABLE_TEXT = 1 << 20
_XML_BEFORE_ROOT = re.compile(r"\s*(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*>)", re.DOTALL)
_XML_ROOT = re.compile(r"\s*<(?:[\w.-]+:)?([\w.-]+)")
_SCHEMAS = re.compile(r"""schemaLocation\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_ELSEWHERE = re.compile(r"create\s+view|open\s+table|\\isseamless|type\s+linked", re.IGNORECASE)
_RTREE = re.compile(r"create\s+virtual\s+table\s.*?\susing\s+rtree\w*\s*\(", re.IGNORECASE)


def check_signature(path: Path) -> None:
    """Refuse a vector file whose content is not of its suffix or points to other files.

    Raises
    ------
    UnreadableSource
    """
    suffix = path.suffix.lower()
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    fits = {
        ".shp": lambda: head.startswith(b"\x00\x00\x27\x0a"),
        ".gpkg": lambda: head.startswith(b"SQLite format 3\0"),
        ".fgb": lambda: head.startswith(b"fgb"),
        ".geojson": lambda: _is_json(head),
        ".json": lambda: _is_json(head),
        ".geojsonl": lambda: _is_json(head),
        ".kml": lambda: _root(path, head) == "kml",
        ".gml": lambda: b"opengis.net/gml" in head and not _root(path, head).startswith("OGR"),
        ".tab": lambda: head.lstrip()[:6].lower() == b"!table",
        ".mif": lambda: head.lstrip()[:7].lower() == b"version",
        ".dxf": lambda: _is_dxf(head),
    }.get(suffix)
    if fits is not None and not fits():
        raise refuse(
            path.name,
            f"内容不是 {suffix} 格式",
            f"its content is not of the format {suffix}",
            "请确认文件完整且扩展名正确",
            "check that the file is whole and its suffix right",
        )
    if suffix == ".gpkg":
        _check_database(path)
    elif suffix == ".tab":
        with path.open("rb") as stream:
            if _ELSEWHERE.search(stream.read(_TABLE_TEXT).decode("latin-1")):
                raise _points_elsewhere(path)
    elif suffix == ".gml":
        for double, quoted in _SCHEMAS.findall(_text(head)):
            if any(_is_path(place) for place in (double or quoted).split()):
                raise _points_elsewhere(path)


def _is_path(place: str) -> bool:
    """Return whether a schema is named by a path; addresses are never fetched."""
    return not re.match(r"(?:https?|urn):", place, re.IGNORECASE) and bool(
        re.search(r"[/\\]|\.\.", place)
    )


def _text(head: bytes) -> str:
    for mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        if head.startswith(mark):
            return head.decode("utf-16", "replace")
    return head.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def _is_json(head: bytes) -> bool:
    text = _text(head).lstrip("\x1e \t\r\n")
    return text.startswith(("{", "[")) and "gdal_streamed_alg" not in text


def _is_dxf(head: bytes) -> bool:
    first = head.lstrip().split(None, 1)[:1]
    return head.startswith(b"AutoCAD Binary DXF") or first in ([b"0"], [b"999"])


def _root(path: Path, head: bytes) -> str:
    """Return the local name of the first element, empty if there is none."""
    text = _text(head)
    if "<!ENTITY" in text:
        raise _points_elsewhere(path)
    while before := _XML_BEFORE_ROOT.match(text):
        text = text[before.end() :]
    root = _XML_ROOT.match(text)
    return root.group(1) if root else ""


def _check_database(path: Path) -> None:
    """Refuse tables and views that more than plain SQLite is needed for.

    GDAL's own SQL functions and table modules reach other files and addresses; a name that plain
    SQLite does not know is one of them.
    """
    address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as database:
            listed = database.execute(
                "SELECT name, coalesce(sql, '') FROM sqlite_master WHERE type IN ('table', 'view')"
            ).fetchall()
            for name, sql in listed:
                if re.match(r"create\s+virtual", str(sql), re.IGNORECASE):
                    if not _RTREE.match(str(sql)):
                        raise _points_elsewhere(path)
                    continue
                quoted = str(name).replace('"', '""')
                database.execute(f'SELECT * FROM "{quoted}" LIMIT 0')
    except sqlite3.OperationalError as error:
        if "no such" in str(error):
            raise _points_elsewhere(path) from error
        raise _damaged(path) from error
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise _damaged(path) from error


def _points_elsewhere(path: Path) -> Exception:
    return refuse(
        path.name,
        "内容引用了文件之外的数据",
        "it refers to data outside of the file",
        "请将图层另存为普通数据后导入",
        "save the layer as plain data and import that",
    )


def _damaged(path: Path) -> Exception:
    return refuse(
        path.name,
        "数据库文件已损坏",
        "the database file is damaged",
        "请在源软件中重新导出",
        "export it again from the software it came from",
    )
