"""Coordinates out of the bodies of bulk locating: column JSON, CSV, Arrow IPC stream, GeoParquet.

Bodies come from anywhere. What is read here is proven to be whole before anything looks into it:
Arrow trusts offsets and indices, so that one wrong number reads foreign memory.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from api.locate.columns import (
    Columns,
    Wish,
    from_arrays,
    from_table,
    require_known,
    unreadable,
)
from api.locate.geoparquet import point_column, wkb_points
from api.problems import TABLE, Kind
from gridsvc.errors import Fault, InputError, RejectedRows, UnreadableSource
from gridsvc.types import FloatArray

MAX_ROWS = 5_000_000
MAX_COLUMNS = 256
MAX_BYTES = 2**30
_ALIASES = {
    "lon": ("lon", "lng", "longitude", "x", "经度"),
    "lat": ("lat", "latitude", "y", "纬度"),
}


class TooManyRows(InputError):
    """A bulk question has more rows than one request may have."""

    zh = "共 {count} 行,超过每次 {limit} 行的上限;请分批提交"
    en = "{count} rows are more than the {limit} of one request; send them in parts"


class UnequalColumns(InputError):
    """lon and lat do not have the same number of values."""

    zh = "lon 有 {lon_count} 个值,lat 有 {lat_count} 个值,应相等"
    en = "lon has {lon_count} values and lat {lat_count}; they must be as many"


class TooWide(InputError):
    """A bulk question has more or larger columns than one request may carry through."""

    zh = "共 {columns} 列、{size_mb} MiB,超过上限 {limit} 列、{limit_mb} MiB;请只提交需要的列"
    en = (
        "the table has {columns} columns and {size_mb} MiB unpacked, more than {limit} columns or "
        "{limit_mb} MiB; send only the columns that are needed"
    )


TABLE[TooManyRows] = Kind(413, "too-many-rows", "行数过多", "Too many rows")
TABLE[TooWide] = Kind(413, "too-wide", "列过多或过大", "Too many or too large columns")

# What Arrow raises for bodies that are not what they say: all of its own errors, and those of
# Python for names and metadata that are no text or no JSON.
_BROKEN = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError)


@dataclass(frozen=True, slots=True)
class Question:
    """Coordinates of a bulk question; NaN where there are none, ``table`` where there is one."""

    lon: FloatArray
    lat: FloatArray
    table: pa.Table | None = None
    columns: Columns = field(default_factory=dict)


def _limit_table(columns: int, size: int) -> None:
    if columns > MAX_COLUMNS or size > MAX_BYTES:
        raise TooWide(
            columns=columns, limit=MAX_COLUMNS, size_mb=size >> 20, limit_mb=MAX_BYTES >> 20
        )


def _proven(table: pa.Table) -> pa.Table:
    """Return the table when every offset, index and text of it is what it should be.

    Raises
    ------
    ArrowInvalid
    TooWide
        If its columns, dictionaries unfolded, are larger than can be carried through.
    """
    table.validate(full=True)
    _limit_table(table.num_columns, table.nbytes)
    _limit_table(table.num_columns, sum(_unfolded(c) for c in table.columns))
    return table


def _unfolded(column: Any) -> int:
    """Return the bytes of a column of dictionary-encoded texts when written out."""
    kind = column.type
    if not (pa.types.is_dictionary(kind) and _is_text(kind.value_type)):
        return 0
    total = 0
    for chunk in column.chunks:
        lengths = pc.binary_length(chunk.dictionary)
        total += pc.sum(pc.take(lengths, chunk.indices).cast(pa.int64())).as_py() or 0
    return total


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _limit(count: int) -> None:
    if count > MAX_ROWS:
        raise TooManyRows(count=count, limit=MAX_ROWS)


_COORDINATES_ONLY = Wish()


def read_json(body: bytes, keep: bool = False, wish: Wish = _COORDINATES_ONLY) -> Question:
    """Return the arrays lon and lat and those wished for; others are refused, not kept."""
    hint_zh = '应为 {"lon": [..], "lat": [..]}'
    hint_en = 'it must be {"lon": [..], "lat": [..]}'
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise unreadable("JSON", error, hint_zh, hint_en) from None
    if not isinstance(document, dict) or not all(
        isinstance(document.get(n), list) for n in ("lon", "lat")
    ):
        raise UnreadableSource(
            source="JSON",
            reason_zh="缺少数组 lon 和 lat",
            reason_en="the arrays lon and lat are missing",
            hint_zh=hint_zh,
            hint_en=hint_en,
        )
    require_known(document, wish)
    found = wish.find(list(document), "JSON")
    lon, lat = document["lon"], document["lat"]
    if len(lon) != len(lat):
        raise UnequalColumns(lon_count=len(lon), lat_count=len(lat))
    _limit(len(lon))
    faults = [*_json_faults("lon", lon), *_json_faults("lat", lat)]
    if faults:
        raise RejectedRows(source="JSON", faults=sorted(faults, key=lambda f: f.row or 0))
    columns = from_arrays(document, found, len(lon))
    x, y = np.array(lon, dtype=np.float64), np.array(lat, dtype=np.float64)
    return Question(x, y, None, columns)


def _json_faults(field: str, values: list[Any]) -> list[Fault]:
    """Return a fault for each value that is neither a number nor null."""
    if set(map(type, values)) <= {float, int, type(None)}:
        return []
    return [
        _not_a_number(row, field, value)
        for row, value in enumerate(values, start=1)
        if type(value) not in (float, int, type(None))
    ]


def _not_a_number(row: int, field: str, value: Any) -> Fault:
    return Fault(
        row, field, str(value)[:80], "不是数字", "not a number",
        "请改为以度为单位的小数,没有坐标则留空", "give decimal degrees, or leave it empty",
    )  # fmt: skip


def read_csv(body: bytes, keep: bool = True, wish: Wish = _COORDINATES_ONLY) -> Question:
    """Return the columns of coordinates of a table in UTF-8; otherwise as ``read_arrow``."""
    hint_zh, hint_en = (
        "应为 UTF-8 编码,首行含 lon 和 lat",
        "UTF-8 with lon and lat in the first line",
    )
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    try:
        head = body.split(b"\n", 1)[0].decode("utf-8-sig")
        names = [n.strip().strip('"') for n in head.rstrip("\r").split(",")]
        lon, lat = _coordinate_columns(names, "CSV", keep)
        found = wish.find(names, "CSV")
        options.column_types = dict.fromkeys(names, pa.string())
        if not keep:
            options.include_columns = list(dict.fromkeys([lon, lat, *found.values()]))
        table = pyarrow.csv.read_csv(
            io.BytesIO(body),
            read_options=pyarrow.csv.ReadOptions(column_names=names, skip_rows=1),
            convert_options=options,
        )
    except _BROKEN as error:
        raise unreadable("CSV", error, hint_zh, hint_en) from None
    _limit(table.num_rows)
    columns = from_table(table, found, "CSV")
    return Question(_numbers(table, lon), _numbers(table, lat), table, columns)


def _numbers(table: pa.Table, name: str) -> FloatArray:
    texts = pc.utf8_trim_whitespace(table.column(name).fill_null(""))
    texts = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    try:
        numbers = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        faults = [
            _not_a_number(row, name, text)
            for row, text in enumerate(texts.to_pylist(), start=1)
            if text is not None and not _is_number(text)
        ]
        raise RejectedRows(source="CSV", faults=faults) from None
    return _floats(numbers)


def _is_number(text: str) -> bool:
    try:
        pa.scalar(text).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _floats(column: Any) -> FloatArray:
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if values.null_count:
        values = values.fill_null(math.nan)
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _coordinate_columns(names: list[str], source: str, keep: bool) -> tuple[str, str]:
    """Return the names of the columns of longitude and latitude.

    Raises
    ------
    UnreadableSource
        If one is missing, or a name that is looked at (all when they are kept) stands twice.
    TooWide
    """
    lower = {n.lower(): n for n in names}
    found = [next((lower[a] for a in _ALIASES[f] if a in lower), None) for f in ("lon", "lat")]
    lon, lat = found
    if lon is None or lat is None:
        listing = ", ".join(names)[:120]
        raise UnreadableSource(
            source=source,
            reason_zh=f"没有经纬度列(现有:{listing})",
            reason_en=f"no columns with longitude and latitude (there are: {listing})",
            hint_zh="请命名为 lon 和 lat",
            hint_en="name them lon and lat",
        )
    seen = Counter(names)
    twice = next((n for n in (names if keep else (lon, lat)) if seen[n] > 1), None)
    if twice is not None:
        raise UnreadableSource(
            source=source,
            reason_zh=f"列名 {twice[:80]} 出现了 {seen[twice]} 次",
            reason_en=f"the column {twice[:80]} is there {seen[twice]} times",
            hint_zh="列名不能重复",
            hint_en="give each column a name of its own",
        )
    if keep:
        _limit_table(len(names), 0)
    return lon, lat


def read_arrow(body: bytes, keep: bool = True, wish: Wish = _COORDINATES_ONLY) -> Question:
    """Return the columns of coordinates of an Arrow IPC stream.

    Parameters
    ----------
    body : bytes
    keep : bool
        Also keep the other columns, to be carried through; otherwise they are not even read.
    wish : Wish
        Columns besides the coordinates.

    Raises
    ------
    UnreadableSource, TooManyRows, TooWide
    """
    try:
        with pa.ipc.open_stream(body) as stream:
            lon, lat = _coordinate_columns(stream.schema.names, "Arrow", keep)
            found = wish.find(stream.schema.names, "Arrow")
            wanted = {stream.schema.get_field_index(n) for n in (lon, lat, *found.values())}
        options = pa.ipc.IpcReadOptions(included_fields=None if keep else sorted(wanted))
        batches, rows, size = [], 0, 0
        with pa.ipc.open_stream(body, options=options) as stream:
            for batch in stream:
                rows += batch.num_rows
                _limit(rows)
                batch.validate(full=True)
                size += batch.nbytes
                _limit_table(batch.num_columns, size)
                batches.append(batch)
            table = _proven(pa.Table.from_batches(batches, stream.schema))
        return _from_table(table, "Arrow", lon, lat, found)
    except _BROKEN as error:
        raise unreadable(
            "Arrow", error, "应为 Arrow IPC 流", "an Arrow IPC stream is expected"
        ) from None


def _from_table(
    table: pa.Table, source: str, lon: str, lat: str, found: dict[str, str]
) -> Question:
    for name in (lon, lat):
        kind = table.schema.field(name).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise UnreadableSource(
                source=source,
                reason_zh=f"列 {name} 的类型是 {kind}",
                reason_en=f"column {name} has type {kind}",
                hint_zh="应为 float64",
                hint_en="float64 is expected",
            )
    # Integers beyond 2^53 lose digits, which no coordinate on earth has.
    columns = (table.column(name).cast(pa.float64(), safe=False) for name in (lon, lat))
    x, y = (_floats(column) for column in columns)
    return Question(x, y, table, from_table(table, found, source))


def read_parquet(body: bytes, keep: bool = True, wish: Wish = _COORDINATES_ONLY) -> Question:
    """Return the points of GeoParquet, or the columns of coordinates of plain Parquet.

    Parameters and errors as those of ``read_arrow``; further

    Raises
    ------
    CrsMismatch
        If the points are not in longitude and latitude.
    RejectedRows
        If a geometry is no point.
    """
    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(body))
        _limit(file.metadata.num_rows)
        names = file.schema_arrow.names
        raw = (file.schema_arrow.metadata or {}).get(b"geo")
        wanted = (
            _coordinate_columns(names, "Parquet", keep)
            if raw is None
            else (point_column(raw, names),)
        )
        found = wish.find(names, "Parquet")
        if keep:
            _limit_table(len(names), _unpacked(file))
        read = list(dict.fromkeys([*wanted, *found.values()]))
        table = _proven(file.read(columns=None if keep else read))
        if len(wanted) == 2:
            return _from_table(table, "Parquet", wanted[0], wanted[1], found)
        lon, lat = wkb_points(table.column(wanted[0]))
        return Question(lon, lat, table, from_table(table, found, "Parquet"))
    except _BROKEN as error:
        raise unreadable(
            "GeoParquet", error, "应为 Parquet 文件", "a Parquet file is expected"
        ) from None


def _unpacked(file: Any) -> int:
    groups = range(file.metadata.num_row_groups)
    return sum(max(0, file.metadata.row_group(i).total_byte_size) for i in groups)
