"""Points out of the geometry column of GeoParquet."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import shapely

from api.locate.columns import unreadable
from gridsvc.errors import Fault, RejectedRows, UnreadableSource
from gridsvc.types import FloatArray

_WKB_POINT = 21  # one byte of order, four of kind, two doubles


def point_column(raw: bytes, names: list[str]) -> str:
    """Return the column of points that the ``geo`` metadata name.

    Raises
    ------
    UnreadableSource, CrsMismatch
    """
    try:
        geo = json.loads(raw)
        name = geo["primary_column"]
        encoding = geo["columns"][name]["encoding"]
        crs = geo["columns"][name].get("crs", {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise unreadable(
            "GeoParquet", error, "geo 元数据不完整", "its geo metadata are incomplete"
        ) from None
    if names.count(name) != 1:
        raise UnreadableSource(
            source="GeoParquet",
            reason_zh=f"geo 元数据所指的列 {str(name)[:80]} 不存在或重复",
            reason_en=f"the column {str(name)[:80]} of the geo metadata is missing or there twice",
            hint_zh="请重新导出文件",
            hint_en="export the file again",
        )
    if encoding != "WKB":
        raise UnreadableSource(
            source="GeoParquet",
            reason_zh=f"几何编码为 {str(encoding)[:80]}",
            reason_en=f"geometry is encoded as {str(encoding)[:80]}",
            hint_zh="请用 WKB 编码",
            hint_en="encode it as WKB",
        )
    _require_degrees(crs)
    return str(name)


def _require_degrees(crs: Any) -> None:
    """Refuse a CRS that is not longitude/latitude; none means OGC:CRS84."""
    if not crs:
        return
    from pyproj import CRS
    from pyproj.exceptions import ProjError

    from gridsvc.crs import require_geographic
    from gridsvc.crs_texts import names_file

    try:
        if not isinstance(crs, dict | str):
            raise TypeError(f"crs is {str(crs)[:80]}")
        if names_file(crs):
            raise ValueError("crs names a file")
        known = CRS.from_user_input(crs)
    except (ProjError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise unreadable(
            "GeoParquet", error, "crs 应为 PROJJSON,或省略(OGC:CRS84)",
            "crs must be PROJJSON, or left out for OGC:CRS84",
        ) from None  # fmt: skip
    require_geographic(known)


def wkb_points(column: Any) -> tuple[FloatArray, FloatArray]:
    """Return longitudes and latitudes of a column of WKB points, NaN where there is none.

    Raises
    ------
    UnreadableSource
    RejectedRows
        If a geometry is no point.
    """
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        raise UnreadableSource(
            source="GeoParquet",
            reason_zh=f"几何列的类型是 {column.type}",
            reason_en=f"the column of geometry has type {column.type}",
            hint_zh="应为 WKB 二进制",
            hint_en="WKB in a binary column is expected",
        )
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
    values = column.to_pylist()
    faults = [
        Fault(row, "geometry", _wkb_kind(value), "不是点", "not a point",
              "请只提交点", "send points only")
        for row, value in enumerate(values, start=1)
        if value is not None and _wkb_kind(value) != "Point"
    ]  # fmt: skip
    if faults:
        raise RejectedRows(source="GeoParquet", faults=faults[:100])
    try:
        shapes = np.atleast_1d(shapely.from_wkb(np.asarray(values, dtype=object)))
    except shapely.errors.GEOSException as error:
        raise unreadable("GeoParquet", error, "几何数据损坏", "a geometry is damaged") from None
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    lon[there], lat[there] = shapely.get_x(shapes[there]), shapely.get_y(shapes[there])
    return lon, lat


_KINDS = ("Geometry", "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString",
          "MultiPolygon", "GeometryCollection")  # fmt: skip


def _wkb_kind(value: bytes) -> str:
    """Return the kind that a WKB record says it is, without following what is nested in it."""
    number = int.from_bytes(value[1:5], "little" if value[:1] == b"\x01" else "big")
    kind = (number & 0x0FFFFFFF) % 1000  # flags of EWKB, thousands of ISO for Z and M
    return _KINDS[kind] if kind < len(_KINDS) else "Geometry"
