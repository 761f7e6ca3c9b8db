"""Bodies of bulk locating: column JSON, CSV, Arrow IPC stream and GeoParquet, in and out."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
import shapely
from numpy.typing import NDArray

from api.problems import TABLE, Kind
from gridsvc.datum import convert
from gridsvc.errors import Fault, InputError, RejectedRows, UnreadableSource
from gridsvc.layers import Placement
from gridsvc.locate import Locator
from gridsvc.types import BoolArray, Datum, FloatArray

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
MEDIA_TYPES = (JSON, CSV, ARROW, PARQUET)
MAX_ROWS = 5_000_000
_ALIASES = {
    "lon": ("lon", "lng", "longitude", "x", "经度"),
    "lat": ("lat", "latitude", "y", "纬度"),
}
_WKB_POINT = 21  # one byte of order, four of kind, two doubles


class TooManyRows(InputError):
    """A bulk question has more rows than one request may have."""

    zh = "共 {count} 行,超过每次 {limit} 行的上限;请分批提交"
    en = "{count} rows are more than the {limit} of one request; send them in parts"


class UnknownMediaType(InputError):
    """A body is of none of the kinds that can be read or asked for."""

    zh = "不支持的类型“{media_type}”;可用:{known}"
    en = "'{media_type}' is not supported; use one of {known}"


class UnequalColumns(InputError):
    """lon and lat do not have the same number of values."""

    zh = "lon 有 {lon_count} 个值,lat 有 {lat_count} 个值,应相等"
    en = "lon has {lon_count} values and lat {lat_count}; they must be as many"


TABLE[UnknownMediaType] = Kind(415, "unsupported-media-type", "类型不支持", "Unsupported type")
TABLE[TooManyRows] = Kind(413, "too-many-rows", "行数过多", "Too many rows")


@dataclass(frozen=True, slots=True)
class Question:
    """Coordinates of a bulk question; NaN where there are none, ``table`` where there is one."""

    lon: FloatArray
    lat: FloatArray
    table: pa.Table | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """Position in ``codes`` (−1 none), border flag and placement of every row."""

    codes: list[str]
    position: NDArray[np.int32]
    on_border: BoolArray
    placement: NDArray[np.int8]


def media_type_of(header: str | None, default: str) -> str:
    """Return the kind of body that a Content-Type or Accept header names.

    Raises
    ------
    UnknownMediaType
    """
    if not header:
        return default
    ranked: list[tuple[float, int, str]] = []
    for order, part in enumerate(header.split(",")[:20]):
        name, *parameters = (p.strip().lower() for p in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        ranked.append((-quality, order, name))
    for quality, _, name in sorted(ranked):
        if quality == 0.0:
            continue
        if name in ("*/*", "application/*"):
            return default
        found = _SPELLINGS.get(name, name)
        if found in MEDIA_TYPES:
            return found
    raise UnknownMediaType(media_type=header[:80], known=", ".join(MEDIA_TYPES))


_SPELLINGS = {
    "text/json": JSON,
    "application/csv": CSV,
    "application/vnd.apache.arrow.file": ARROW,
    "application/x-parquet": PARQUET,
    "application/geoparquet": PARQUET,
}


def read(body: bytes, media_type: str) -> Question:
    """Return the coordinates of a body.

    Raises
    ------
    UnreadableSource, RejectedRows, UnequalColumns, TooManyRows
    """
    reader: Callable[[bytes], Question] = {
        JSON: _read_json,
        CSV: _read_csv,
        ARROW: _read_arrow,
        PARQUET: _read_parquet,
    }[media_type]
    question = reader(body)
    _limit(len(question.lon))
    return question


def solve(question: Question, locator: Locator, datum: str) -> Answers:
    """Locate all rows of a question.

    Parameters
    ----------
    question : Question
        Degrees in ``datum``.
    locator : Locator
    datum : str
    """
    lon, lat = question.lon, question.lat
    absent = np.isnan(lon) | np.isnan(lat)
    with np.errstate(invalid="ignore"):
        good = (np.abs(lon) <= 180.0) & (np.abs(lat) <= 90.0)
    x, y = lon, lat
    if datum not in (Datum.WGS84, Datum.CGCS2000):
        x, y = np.full(len(lon), math.nan), np.full(len(lat), math.nan)
        x[good], y[good] = convert(lon[good], lat[good], datum, Datum.WGS84)
    position, on_border = locator.locate_with_border(x, y)
    # A cell beyond the range of coordinates cannot exist, so that bad rows have no cell.
    placement = np.where(position >= 0, _PLACED, _OUTSIDE).astype(np.int8)
    placement[on_border] = _ON_BORDER
    placement[~good] = _INVALID
    placement[absent] = _NO_COORDINATES
    return Answers(locator.codes, position, on_border, placement)


_PLACED, _ON_BORDER, _OUTSIDE, _NO_COORDINATES, _INVALID = range(len(Placement.ALL))


def write(answers: Answers, question: Question, media_type: str, plan: dict[str, Any]) -> bytes:
    """Return the answers as a body, row by row aligned with the question."""
    if media_type == JSON:
        codes = np.array([*answers.codes, None], dtype=object)
        return orjson.dumps(
            {
                "cell_code": codes[answers.position].tolist(),
                "on_border": answers.on_border.tolist(),
                "placement": np.array(Placement.ALL, dtype=object)[answers.placement].tolist(),
                "count": len(answers.position),
                "plan": plan,
            }
        )
    table = _answer_table(answers, question, media_type)
    sink = io.BytesIO()
    if media_type == CSV:
        pyarrow.csv.write_csv(table, sink)
    elif media_type == ARROW:
        meta = {b"gridsvc": json.dumps({"plan": plan}).encode()}
        table = table.replace_schema_metadata({**(table.schema.metadata or {}), **meta})
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        pyarrow.parquet.write_table(table, sink)
    return sink.getvalue()


def _answer_table(answers: Answers, question: Question, media_type: str) -> pa.Table:
    placed = answers.position >= 0
    index = pa.array(np.where(placed, answers.position, 0), pa.int32(), mask=~placed)
    code: Any = pa.DictionaryArray.from_arrays(index, pa.array(answers.codes, pa.string()))
    how: Any = pa.DictionaryArray.from_arrays(
        pa.array(answers.placement), pa.array(Placement.ALL, pa.string())
    )
    if media_type != ARROW:
        code, how = code.cast(pa.string()), how.cast(pa.string())
    columns: dict[str, Any] = {}
    metadata = None
    if question.table is not None and media_type != ARROW:
        columns = dict(zip(question.table.column_names, question.table.columns, strict=True))
        metadata = question.table.schema.metadata
        if media_type == CSV:
            columns = {n: c for n, c in columns.items() if _fits_csv(c.type)}
            if len(columns) < question.table.num_columns:  # geometry goes, coordinates come
                columns |= {"lon": pa.array(question.lon), "lat": pa.array(question.lat)}
    elif media_type != ARROW:
        columns = {"lon": pa.array(question.lon), "lat": pa.array(question.lat)}
    if media_type == PARQUET and not (metadata and b"geo" in metadata):
        absent = np.isnan(question.lon) | np.isnan(question.lat)
        points = np.asarray(shapely.to_wkb(shapely.points(question.lon, question.lat)))
        columns["geometry"] = pa.array(points, pa.binary(), mask=absent)
        metadata = {b"geo": json.dumps(_GEO).encode()}
    columns |= {"cell_code": code, "on_border": pa.array(answers.on_border), "placement": how}
    return pa.table(columns).replace_schema_metadata(metadata)


def _fits_csv(kind: Any) -> bool:
    return not (
        pa.types.is_nested(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


_GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point"]}},
}


# --- readers --------------------------------------------------------------------------------------


def _limit(count: int) -> None:
    if count > MAX_ROWS:
        raise TooManyRows(count=count, limit=MAX_ROWS)


def _unreadable(kind: str, error: Exception, hint_zh: str, hint_en: str) -> UnreadableSource:
    text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return UnreadableSource(
        source=kind, reason_zh=text, reason_en=text, hint_zh=hint_zh, hint_en=hint_en
    )


def _read_json(body: bytes) -> Question:
    hint_zh = '应为 {"lon": [..], "lat": [..]}'
    hint_en = 'it must be {"lon": [..], "lat": [..]}'
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _unreadable("JSON", error, hint_zh, hint_en) from None
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
    lon, lat = document["lon"], document["lat"]
    if len(lon) != len(lat):
        raise UnequalColumns(lon_count=len(lon), lat_count=len(lat))
    _limit(len(lon))
    faults = [*_json_faults("lon", lon), *_json_faults("lat", lat)]
    if faults:
        raise RejectedRows(source="JSON", faults=sorted(faults, key=lambda f: f.row or 0))
    return Question(np.array(lon, dtype=np.float64), np.array(lat, dtype=np.float64))


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


def _read_csv(body: bytes) -> Question:
    hint_zh, hint_en = (
        "应为 UTF-8 编码,首行含 lon 和 lat",
        "UTF-8 with lon and lat in the first line",
    )
    options = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
    try:
        head = body.split(b"\n", 1)[0].decode("utf-8-sig")
        names = [n.strip().strip('"') for n in head.rstrip("\r").split(",")]
        lon, lat = _coordinate_columns(names, "CSV")
        options.column_types = dict.fromkeys(names, pa.string())
        table = pyarrow.csv.read_csv(
            io.BytesIO(body),
            read_options=pyarrow.csv.ReadOptions(column_names=names, skip_rows=1),
            convert_options=options,
        )
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise _unreadable("CSV", error, hint_zh, hint_en) from None
    _limit(table.num_rows)
    return Question(_numbers(table, lon), _numbers(table, lat), table)


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


def _coordinate_columns(names: list[str], source: str) -> tuple[str, str]:
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
    return lon, lat


def _read_arrow(body: bytes) -> Question:
    try:
        batches, rows = [], 0
        with pa.ipc.open_stream(body) as stream:
            schema = stream.schema
            for batch in stream:
                rows += batch.num_rows
                _limit(rows)
                batches.append(batch)
        table = pa.Table.from_batches(batches, schema)
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(
            "Arrow", error, "应为 Arrow IPC 流", "an Arrow IPC stream is expected"
        ) from None
    return _from_table(table, "Arrow")


def _from_table(table: pa.Table, source: str) -> Question:
    lon, lat = _coordinate_columns(table.column_names, source)
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
    columns = (table.column(name).cast(pa.float64()) for name in (lon, lat))
    x, y = (_floats(column) for column in columns)
    return Question(x, y, table)


def _read_parquet(body: bytes) -> Question:
    try:
        file = pyarrow.parquet.ParquetFile(pa.BufferReader(body))
        _limit(file.metadata.num_rows)
        table = file.read()
    except (pa.ArrowInvalid, OSError) as error:
        raise _unreadable(
            "GeoParquet", error, "应为 Parquet 文件", "a Parquet file is expected"
        ) from None
    raw = (table.schema.metadata or {}).get(b"geo")
    if raw is None:
        return _from_table(table, "Parquet")
    try:
        geo = json.loads(raw)
        name = geo["primary_column"]
        column = table.column(name)
        encoding = geo["columns"][name]["encoding"]
        crs = geo["columns"][name].get("crs", {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(
            "GeoParquet", error, "geo 元数据不完整", "its geo metadata are incomplete"
        ) from None
    if encoding != "WKB":
        raise UnreadableSource(
            source="GeoParquet",
            reason_zh=f"几何编码为 {encoding}",
            reason_en=f"geometry is encoded as {encoding}",
            hint_zh="请用 WKB 编码",
            hint_en="encode it as WKB",
        )
    _require_degrees(crs)
    lon, lat = _wkb_points(column.combine_chunks())
    return Question(lon, lat, table)


def _require_degrees(crs: Any) -> None:
    """Refuse a CRS that is not longitude/latitude; none means OGC:CRS84."""
    if not crs:
        return
    from pyproj import CRS

    from gridsvc.crs import require_geographic

    require_geographic(CRS.from_user_input(crs))


def _wkb_points(column: Any) -> tuple[FloatArray, FloatArray]:
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.binary())
    lon, lat = np.full(len(column), math.nan), np.full(len(column), math.nan)
    if column.null_count == 0 and pa.types.is_binary(column.type) and len(column):
        # Little-endian points of 21 bytes each are read as records, much faster than one by one.
        offsets = np.frombuffer(column.buffers()[1], dtype=np.int32)
        offsets = offsets[column.offset : column.offset + len(column) + 1]
        if bool((np.diff(offsets) == _WKB_POINT).all()):
            kind = np.dtype([("order", "u1"), ("kind", "<u4"), ("x", "<f8"), ("y", "<f8")])
            data = np.frombuffer(column.buffers()[2], dtype=np.uint8)
            records = data[offsets[0] : offsets[-1]].view(kind)
            if bool(((records["order"] == 1) & (records["kind"] == 1)).all()):
                return records["x"].astype(np.float64), records["y"].astype(np.float64)
    try:
        shapes = shapely.from_wkb(np.asarray(column.to_pylist(), dtype=object))
    except shapely.errors.GEOSException as error:
        raise _unreadable("GeoParquet", error, "几何数据损坏", "a geometry is damaged") from None
    shapes = np.atleast_1d(shapes)
    kinds = shapely.get_type_id(shapes)
    other = np.flatnonzero((kinds != 0) & (kinds != -1))
    if len(other):
        faults = [
            Fault(int(i) + 1, "geometry", shapes[i].geom_type, "不是点", "not a point",
                  "请只提交点", "send points only")
            for i in other[:100]
        ]  # fmt: skip
        raise RejectedRows(source="GeoParquet", faults=faults)
    there = (kinds == 0) & ~shapely.is_empty(shapes)
    lon[there], lat[there] = shapely.get_x(shapes[there]), shapely.get_y(shapes[there])
    return lon, lat
