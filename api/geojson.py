"""Frames as GeoJSON and CSV bytes, fast, without private columns, with weak ETags."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import shapely
from fastapi import Request, Response

GEOJSON = "application/geo+json"
CSV = "text/csv; charset=utf-8"
_NEVER_RUN = ("=", "+", "-", "@", "\t", "\r")


def plain_records(frame: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return rows as JSON-ready values: instants as ISO 8601 UTC, missing ones as ``None``."""
    lists = {name: _plain(frame[name]) for name in columns if name in frame.columns}
    names = list(lists)
    return [dict(zip(names, row, strict=True)) for row in zip(*lists.values(), strict=True)] or [
        {} for _ in range(len(frame) if not names else 0)
    ]


def _plain(column: pd.Series) -> list[Any]:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        texts = column.dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        return [None if pd.isna(t) else t for t in texts]
    if pd.api.types.is_datetime64_dtype(column.dtype):
        return [None if pd.isna(t) else t.strftime("%Y-%m-%d") for t in column]
    values = column.astype(object).where(column.notna(), None).tolist()
    return [v.item() if isinstance(v, np.generic) else v for v in values]


def feature_collection(
    frame: gpd.GeoDataFrame,
    columns: Sequence[str],
    *,
    extra: dict[str, Any] | None = None,
) -> bytes:
    """Return an RFC 7946 FeatureCollection as bytes.

    Coordinates are written with all their digits: what is served is what was certified.

    Parameters
    ----------
    frame : GeoDataFrame
        EPSG:4490 or 4326; the index becomes ``id``, and a property when it has a name.
    columns : sequence of str
        Properties; give ``Layer.public_columns`` where the frame has private ones.
    extra : dict, optional
        Foreign members of the collection: links, counts.
    """
    shapes = np.asarray(frame.geometry.array, dtype=object)
    absent = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    texts = np.full(len(shapes), "null", dtype=object)
    # RFC 7946 §3.1.6: outer rings counterclockwise. Vertices stay as they are.
    texts[~absent] = shapely.to_geojson(shapely.orient_polygons(shapes[~absent]))
    records = plain_records(pd.DataFrame(frame.drop(columns=frame.geometry.name)), columns)
    if frame.index.name is not None:
        # Many readers drop a feature's id; the key among the properties survives them.
        name = str(frame.index.name)
        records = [{name: str(k)} | r for k, r in zip(frame.index, records, strict=True)]
    features = [
        b'{"type":"Feature","id":'
        + orjson.dumps(str(key))
        + b',"geometry":'
        + text.encode()
        + b',"properties":'
        + orjson.dumps(record)
        + b"}"
        for key, text, record in zip(frame.index, texts, records, strict=True)
    ]
    members = b"".join(
        b"," + orjson.dumps(name) + b":" + orjson.dumps(value)
        for name, value in (extra or {}).items()
    )
    return b'{"type":"FeatureCollection"' + members + b',"features":[' + b",".join(features) + b"]}"


def feature(frame: gpd.GeoDataFrame, columns: Sequence[str]) -> bytes:
    """Return the only row of a frame as a Feature."""
    collection: dict[str, Any] = orjson.loads(feature_collection(frame.iloc[:1], columns))
    return orjson.dumps(collection["features"][0])


def csv_bytes(frame: pd.DataFrame, columns: Sequence[str]) -> bytes:
    """Return rows as CSV (RFC 4180, UTF-8): key, columns, and ``lon, lat`` or ``wkt``.

    Texts that a spreadsheet would run as a formula get an apostrophe in front.
    """
    table = pd.DataFrame(
        plain_records(frame, columns),
        index=frame.index,
        columns=[c for c in columns if c in frame.columns],
        dtype=object,
    )
    if isinstance(frame, gpd.GeoDataFrame):
        shapes = np.asarray(frame.geometry.array, dtype=object)
        kinds = set(shapely.get_type_id(shapes[~shapely.is_missing(shapes)]).tolist())
        if kinds <= {int(shapely.GeometryType.POINT)}:
            table["lon"], table["lat"] = shapely.get_x(shapes), shapely.get_y(shapes)
        else:
            table["wkt"] = shapely.to_wkt(shapes, rounding_precision=-1)
    for name in table.columns:
        table[name] = [_harmless(v) for v in table[name]]
    table.index = pd.Index([_harmless(str(k)) for k in table.index], name=frame.index.name)
    return table.to_csv(lineterminator="\r\n").encode()


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_NEVER_RUN):
        return "'" + value
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def etag_of(*parts: Any) -> str:
    """Return a weak ETag of whatever determines a representation."""
    digest = hashlib.sha256(orjson.dumps([str(p) for p in parts])).hexdigest()
    return f'W/"{digest[:24]}"'


def request_etag(request: Request, stamp: str, *more: Any) -> str:
    """Return the ETag of an answer that follows from the database's state and the address."""
    query = sorted(request.query_params.multi_items())
    accept = request.headers.get("accept", "")
    language = request.headers.get("accept-language", "")
    return etag_of(stamp, request.url.path, query, accept, language, *more)


def matches(header: str | None, etag: str) -> bool:
    """Return whether ``If-None-Match`` or ``If-Match`` names an ETag (weak comparison)."""
    if header is None:
        return False
    names = [part.strip() for part in header.split(",")]
    return "*" in names or etag.removeprefix("W/") in {n.removeprefix("W/") for n in names}


def not_modified(request: Request, etag: str) -> Response | None:
    """Return a 304 when the client has this representation already."""
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=_cache_headers(etag))
    return None


def answer(
    body: bytes, media_type: str, etag: str, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """Return bytes with their ETag; the client has to ask again before using them."""
    return Response(body, media_type=media_type, headers={**_cache_headers(etag), **dict(headers)})


def _cache_headers(etag: str) -> dict[str, str]:
    return {
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Accept-Language",
    }
