"""Spatial SQL functions for a plain SQLite connection, computed by shapely.

GeoAlchemy2's ``sqlite`` dialect expects the functions of SpatiaLite. These are the ones that it
and the indices of our tables call; names and index layout follow SpatiaLite, the blobs are EWKB.
A program without these functions can read the tables but not write geometry into them.
"""

from __future__ import annotations

import math
import sqlite3
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import shapely

from gridsvc.crs import STORAGE_EPSG, transformer

_POINT = struct.Struct("<dd")
_POINT_HEADS = {
    b"\x01\x01\x00\x00\x00": 5,
    b"\x01\x01\x00\x00\x20": 9,
}
Bounds = tuple[float | None, float | None, float | None, float | None]


def register(connection: sqlite3.Connection) -> None:
    """Give a connection all functions."""
    for name, arguments, function in _functions():
        connection.create_function(name, arguments, function, deterministic=True)


@lru_cache(maxsize=8192)
def _geometry(blob: bytes) -> Any:
    # Not prepared: threads share the cache, and prepared geometry grows while it is used.
    return shapely.from_wkb(blob)


@lru_cache(maxsize=16)
def _bounds(blob: bytes) -> Bounds:
    start = _POINT_HEADS.get(blob[:5])
    if start is not None:
        x, y = _POINT.unpack_from(blob, start)
        return (None, None, None, None) if math.isnan(x) else (x, y, x, y)
    geometry = shapely.from_wkb(blob)
    return (None, None, None, None) if geometry.is_empty else geometry.bounds


def _corner(place: int) -> Callable[[bytes | None], float | None]:
    def value(blob: bytes | None) -> float | None:
        return None if blob is None else _bounds(blob)[place]

    return value


def _ewkb(geometry: Any, srid: int) -> bytes:
    marked = shapely.set_srid(geometry, srid)
    return bytes(shapely.to_wkb(marked, include_srid=True, byte_order=1))


def _from_wkb(blob: Any, srid: int | None = None) -> bytes | None:
    if blob is None:
        return None
    geometry = shapely.from_wkb(blob if isinstance(blob, str) else bytes(blob))
    return _ewkb(geometry, srid if srid is not None else int(shapely.get_srid(geometry)))


def _from_ewkt(text: str | None) -> bytes | None:
    if text is None:
        return None
    head, separator, body = text.partition(";")
    if separator and head.upper().startswith("SRID="):
        return _ewkb(shapely.from_wkt(body), int(head[5:]))
    return _ewkb(shapely.from_wkt(text), STORAGE_EPSG)


def _predicate(test: Callable[[Any, Any], Any]) -> Callable[..., int | None]:
    def function(left: bytes | None, right: bytes | None) -> int | None:
        if left is None or right is None:
            return None
        return int(test(_geometry(left), _geometry(right)))

    return function


def _measure(compute: Callable[[Any], Any]) -> Callable[[bytes | None], Any]:
    def function(blob: bytes | None) -> Any:
        return None if blob is None else compute(_geometry(blob))

    return function


def _transform(blob: bytes | None, srid: int) -> bytes | None:
    if blob is None:
        return None
    geometry = _geometry(blob)
    step = transformer(int(shapely.get_srid(geometry)), srid)
    move: Any = step.transform
    moved = shapely.transform(geometry, move, interleaved=False)
    return _ewkb(moved, srid)


def _functions() -> list[tuple[str, int, Callable[..., Any]]]:
    predicates: dict[str, Callable[[Any, Any], Any]] = {
        "ST_Intersects": shapely.intersects,
        "ST_Contains": shapely.contains,
        "ST_Within": shapely.within,
        "ST_Covers": shapely.covers,
        "ST_CoveredBy": shapely.covered_by,
        "ST_Touches": shapely.touches,
        "ST_Disjoint": shapely.disjoint,
        "ST_Equals": shapely.equals,
    }
    measures: dict[str, Callable[[Any], Any]] = {
        "AsEWKB": lambda g: shapely.to_wkb(g, hex=True, include_srid=True, byte_order=1),
        "AsBinary": lambda g: bytes(shapely.to_wkb(g, byte_order=1)),
        "AsGeoJSON": shapely.to_geojson,
        "ST_AsText": lambda g: shapely.to_wkt(g, rounding_precision=-1),
        "ST_SRID": lambda g: int(shapely.get_srid(g)),
        "ST_IsValid": lambda g: int(shapely.is_valid(g)),
        "ST_GeometryType": lambda g: f"ST_{g.geom_type}",
    }
    found: list[tuple[str, int, Callable[..., Any]]] = [
        ("GeomFromEWKT", 1, _from_ewkt),
        ("GeomFromWKB", -1, _from_wkb),
        ("GeomFromEWKB", -1, _from_wkb),
        ("ST_Transform", 2, _transform),
        ("MbrMinX", 1, _corner(0)),
        ("MbrMinY", 1, _corner(1)),
        ("MbrMaxX", 1, _corner(2)),
        ("MbrMaxY", 1, _corner(3)),
    ]
    found += [(name, 2, _predicate(test)) for name, test in predicates.items()]
    found += [(name, 1, _measure(compute)) for name, compute in measures.items()]
    return found
