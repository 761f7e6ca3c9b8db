"""Frames in contract form to rows of a table and back, column by column, without loss."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa
from pandas.api.types import is_bool_dtype, is_float_dtype

from geodata.storage.schema import GEOMETRY
from geodata.storage.spatial import as_wkb
from geodata.storage.types import from_micros
from gridsvc.crs import STORAGE_EPSG, require_geographic
from gridsvc.errors import DuplicateKey, Fault, RejectedRows
from gridsvc.layers import Layer, normalize
from gridsvc.values import Kind

_NOT_A_TIME = np.iinfo(np.int64).min
Row = tuple[Any, ...]


def conform(frame: pd.DataFrame, layer: Layer) -> gpd.GeoDataFrame | pd.DataFrame:
    """Return the frame in contract form, unchanged if it is so already.

    Raises
    ------
    RejectedRows
        If it cannot be brought there, a required geometry is missing, or a text holds NUL.
    DuplicateKey
        If a key stands twice in it.
    CrsMismatch
        If its coordinates are in another system than EPSG:4490 or an equal one.
    """
    if not _is_in_form(frame, layer):
        frame = normalize(frame, layer, source=layer.name)
    _require_texts(frame, layer)
    if not frame.index.is_unique:
        key = frame.index[frame.index.duplicated()][0]
        raise DuplicateKey(kind=layer.name, key=key)
    if layer.geometry is not None and len(frame):
        if not isinstance(frame, gpd.GeoDataFrame):
            frame = gpd.GeoDataFrame(frame, geometry=[None] * len(frame), crs=STORAGE_EPSG)
        require_geographic(frame.crs)
        if layer.geometry_required:
            _require_geometry(frame, layer)
    return frame


def _is_in_form(frame: pd.DataFrame, layer: Layer) -> bool:
    if frame.index.name != layer.key or not all(isinstance(k, str) for k in frame.index):
        return False
    for column in layer.columns:
        if column.name not in frame.columns:
            return False
        values = frame[column.name]
        kind = values.dtype
        fits = {
            "text": isinstance(kind, pd.StringDtype),
            "integer": kind == "Int64",
            "number": is_float_dtype(kind) and kind == np.float64,
            "boolean": is_bool_dtype(kind) and kind == np.bool_,
            "instant": str(kind) == "datetime64[us, UTC]",
        }
        if not fits[column.kind] or (column.required and bool(values.isna().any())):
            return False
    return True


def _require_texts(frame: pd.DataFrame, layer: Layer) -> None:
    """Refuse NUL, which SQLite keeps and PostgreSQL does not take."""
    columns: dict[str, list[Any]] = {layer.key: list(frame.index)}
    columns |= {c.name: frame[c.name].dropna().tolist() for c in layer.columns if c.kind == "text"}
    if not any("\x00" in "\n".join(values) for values in columns.values()):
        return
    columns |= {name: frame[name].tolist() for name in columns if name != layer.key}
    faults = [
        Fault(
            row, name, repr(value)[:80], "含有空字符(NUL)", "holds the character NUL",
            "请去掉该字符", "leave that character out",
        )
        for name, values in columns.items()
        for row, value in enumerate(values, start=1)
        if isinstance(value, str) and "\x00" in value
    ]  # fmt: skip
    raise RejectedRows(source=layer.name, faults=faults)


def _require_geometry(frame: gpd.GeoDataFrame, layer: Layer) -> None:
    absent = np.flatnonzero(shapely.is_missing(frame.geometry.to_numpy()))
    if len(absent) == 0:
        return
    faults = [
        Fault(
            int(i) + 1, GEOMETRY, str(frame.index[i])[:80],
            "缺少几何图形", "the geometry is missing",
            "请补全图形或删除该行", "draw the geometry or leave the row out",
        )
        for i in absent
    ]  # fmt: skip
    raise RejectedRows(source=layer.name, faults=faults)


# --- to the database ------------------------------------------------------------------------


def encode_geometry(geometries: Any, dialect: str) -> list[Any]:
    """Return EWKB (bytes for SQLite, hexadecimal text for PostgreSQL); elevation is left out."""
    flat = shapely.force_2d(np.asarray(geometries, dtype=object))
    marked = shapely.set_srid(flat, STORAGE_EPSG)
    encoded = shapely.to_wkb(marked, include_srid=True, byte_order=1, hex=dialect != "sqlite")
    found: list[Any] = encoded.tolist()
    return found


def _encode(values: pd.Series, kind: Kind, dialect: str) -> list[Any]:
    if kind == "number":
        numbers = values.to_numpy(dtype=np.float64)
        return [None if math.isnan(n) else n for n in numbers.tolist()]
    if kind == "boolean":
        return values.to_numpy(dtype=bool).tolist()
    if kind == "instant":
        micros = values.to_numpy(dtype="datetime64[us]").astype(np.int64).tolist()
        if dialect == "sqlite":
            return [None if m == _NOT_A_TIME else m for m in micros]
        return [None if m == _NOT_A_TIME else from_micros(m) for m in micros]
    filled: list[Any] = values.astype(object).where(values.notna(), None).tolist()
    return filled


def rows(
    frame: pd.DataFrame, layer: Layer, dialect: str, **constants: str | None
) -> tuple[list[str], Iterator[Row]]:
    """Return the column names and the rows of a frame, as the driver takes them.

    Parameters
    ----------
    frame : DataFrame
        In contract form (``conform``).
    layer : Layer
    dialect : str
        ``sqlite`` or ``postgresql``.
    **constants
        Further columns with one value for all rows.
    """
    names = [layer.key, *layer.column_names, *constants]
    columns: list[Sequence[Any]] = [list(frame.index)]
    columns += [_encode(frame[c.name], c.kind, dialect) for c in layer.columns]
    columns += [[value] * len(frame) for value in constants.values()]
    if layer.geometry is not None:
        names.append(GEOMETRY)
        empty = len(frame) == 0
        columns.append([] if empty else encode_geometry(frame.geometry.to_numpy(), dialect))
    return names, zip(*columns, strict=True)


# --- from the database ----------------------------------------------------------------------


def selection(table: sa.Table, layer: Layer, dialect: str) -> list[sa.ColumnElement[Any]]:
    """Return what to select so that ``build`` can make a frame of it."""
    found: list[sa.ColumnElement[Any]] = [table.c[layer.key]]
    for column in layer.columns:
        stored = table.c[column.name]
        found.append(as_micros(stored, dialect) if column.kind == "instant" else stored)
    if layer.geometry is not None:
        found.append(as_wkb(table.c[GEOMETRY], dialect).label(GEOMETRY))
    return found


def as_micros(column: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any]:
    """Return the expression that reads an instant as microseconds since 1970 (UTC)."""
    if dialect == "sqlite":
        return sa.type_coerce(column, sa.BigInteger()).label(column.key)
    # extract() is exact: PostgreSQL answers in numeric.
    return sa.cast(sa.extract("epoch", column) * 1_000_000, sa.BigInteger()).label(column.key)


def decode_geometry(values: Sequence[Any]) -> Any:
    """Return geometries of WKB as an object array, without an SRID of their own."""
    blobs = np.empty(len(values), dtype=object)
    blobs[:] = [bytes(v) if isinstance(v, memoryview) else v for v in values]
    return shapely.set_srid(shapely.from_wkb(blobs), 0)


def _decode(values: Sequence[Any], kind: Kind) -> Any:
    if kind == "text":
        return pd.array(list(values), dtype="str")
    if kind == "integer":
        return pd.array(list(values), dtype="Int64")
    if kind == "number":
        return np.array([np.nan if v is None else v for v in values], dtype=np.float64)
    if kind == "boolean":
        return np.array(values, dtype=bool)
    micros = np.array([_NOT_A_TIME if v is None else v for v in values], dtype=np.int64)
    return pd.DatetimeIndex(micros.view("datetime64[us]")).tz_localize("UTC").array


def build(found: Sequence[Sequence[Any]], layer: Layer) -> gpd.GeoDataFrame | pd.DataFrame:
    """Return the frame in contract form of rows selected by ``selection``."""
    width = 1 + len(layer.columns) + (layer.geometry is not None)
    columns: list[Sequence[Any]] = list(zip(*found, strict=True)) if found else [()] * width
    index = pd.Index(pd.array(list(columns[0]), dtype="str"), name=layer.key)
    data = {
        c.name: _decode(values, c.kind)
        for c, values in zip(layer.columns, columns[1 : 1 + len(layer.columns)], strict=True)
    }
    table = pd.DataFrame(data, index=index, columns=layer.column_names)
    if layer.geometry is None:
        return table
    return gpd.GeoDataFrame(table, geometry=decode_geometry(columns[-1]), crs=STORAGE_EPSG)
