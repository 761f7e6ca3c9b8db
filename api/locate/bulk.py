"""Bodies of bulk locating: column JSON, CSV, Arrow IPC stream and GeoParquet, in and out."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import shapely
from numpy.typing import NDArray

from api.locate.columns import Wish
from api.locate.readers import (
    Question,
    read_arrow,
    read_csv,
    read_json,
    read_parquet,
)
from api.problems import TABLE, Kind
from gridsvc.datum import convert
from gridsvc.errors import InputError, UnreadableSource
from gridsvc.layers import Placement
from gridsvc.locate import Locator
from gridsvc.services.rows import Asked, added_columns
from gridsvc.services.snapshots import Snapshot
from gridsvc.types import BoolArray, Datum, FloatArray

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
MEDIA_TYPES = (JSON, CSV, ARROW, PARQUET)


class UnknownMediaType(InputError):
    """A body is of none of the kinds that can be read or asked for."""

    zh = "不支持的类型“{media_type}”;可用:{known}"
    en = "'{media_type}' is not supported; use one of {known}"


TABLE[UnknownMediaType] = Kind(415, "unsupported-media-type", "类型不支持", "Unsupported type")


@dataclass(frozen=True, slots=True)
class Answers:
    """Position in ``codes`` (−1 none), border flag and placement of every row.

    ``x, y`` are the coordinates in the storage datum, ``added`` columns that were asked for.
    """

    codes: list[str]
    position: NDArray[np.int32]
    on_border: BoolArray
    placement: NDArray[np.int8]
    x: FloatArray
    y: FloatArray
    added: pd.DataFrame | None = None


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


def read(body: bytes, media_type: str, answer: str = PARQUET, wish: Wish | None = None) -> Question:
    """Return the coordinates of a body, and its other columns where the answer carries them.

    Parameters
    ----------
    body : bytes
    media_type, answer : str
        Kinds of the body and of the answer that will be written.
    wish : Wish, optional
        Columns besides the coordinates; by default the accuracy.

    Raises
    ------
    UnreadableSource, RejectedRows, UnequalColumns, TooManyRows, TooWide, CrsMismatch
    """
    reader: Callable[[bytes, bool, Wish], Question] = {
        JSON: read_json,
        CSV: read_csv,
        ARROW: read_arrow,
        PARQUET: read_parquet,
    }[media_type]
    return reader(body, answer in (CSV, PARQUET), wish or Wish())


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
    # Programs write (0, 0) where they know no place; that is no place in any city.
    placement[(position < 0) & (lon == 0.0) & (lat == 0.0)] = _INVALID
    placement[absent] = _NO_COORDINATES
    return Answers(locator.codes, position, on_border, placement, x, y)


def add(answers: Answers, snapshot: Snapshot, asked: Asked) -> Answers:
    """Return the answers with the columns asked for (see ``gridsvc.services.rows``).

    Raises
    ------
    RejectedRows
    """
    outside = answers.placement == _OUTSIDE
    added = added_columns(
        snapshot, answers.x, answers.y, answers.position, answers.on_border, outside, asked
    )
    return replace(answers, added=added)


_PLACED, _ON_BORDER, _OUTSIDE, _NO_COORDINATES, _INVALID = range(len(Placement.ALL))


def write(answers: Answers, question: Question, media_type: str, plan: dict[str, Any]) -> bytes:
    """Return the answers as a body, row by row aligned with the question.

    Raises
    ------
    UnreadableSource
        If a column that is carried through cannot be written in that kind.
    """
    if media_type == JSON:
        codes = np.array([*answers.codes, None], dtype=object)
        return orjson.dumps(
            {
                "cell_code": codes[answers.position].tolist(),
                "on_border": answers.on_border.tolist(),
                "placement": np.array(Placement.ALL, dtype=object)[answers.placement].tolist(),
                **_lists(answers.added),
                "count": len(answers.position),
                "plan": plan,
            }
        )
    try:
        return _write_table(_answer_table(answers, question, media_type), media_type, plan)
    except (pa.ArrowException, ValueError, OverflowError) as error:
        text = str(error).splitlines()[0][:200]
        raise UnreadableSource(
            source=media_type,
            reason_zh=f"有的列无法写成所要的类型:{text}",
            reason_en=f"a column cannot be written in the kind asked for: {text}",
            hint_zh="请去掉该列,或用 Accept 要求其他类型",
            hint_en="leave that column out, or ask for another kind in Accept",
        ) from None


def _lists(added: pd.DataFrame | None) -> dict[str, list[Any]]:
    if added is None:
        return {}
    return {str(n): pa.array(c, from_pandas=True).to_pylist() for n, c in added.items()}


def _arrays(added: pd.DataFrame | None) -> dict[str, Any]:
    if added is None:
        return {}
    arrays = {str(n): pa.array(c, from_pandas=True) for n, c in added.items()}
    return {n: a.cast(pa.string()) if _is_text(a.type) else a for n, a in arrays.items()}


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _write_table(table: pa.Table, media_type: str, plan: dict[str, Any]) -> bytes:
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
    columns |= _arrays(answers.added)
    return pa.table(columns).replace_schema_metadata(metadata)


def _fits_csv(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        fits(kind)
        for fits in (
            pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_string,
            pa.types.is_large_string, pa.types.is_temporal, pa.types.is_decimal,
        )
    )  # fmt: skip


_GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {"geometry": {"encoding": "WKB", "geometry_types": ["Point"]}},
}
