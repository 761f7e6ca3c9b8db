"""What people bring along: frames without all columns, days instead of instants.

Analyses take any frame with the geometry they need. A column that is not there takes the default
of its layer, a day or an instant without zone is one of the city's zone, and what cannot be
guessed is refused with the way out.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import geopandas as gpd
import pandas as pd
import shapely

from gridsvc.crs import require_geographic
from gridsvc.errors import BadOption, CrsMismatch, DuplicateKey, InputError
from gridsvc.layers import Layer
from gridsvc.values import DTYPES

DEFAULT_TIMEZONE = "Asia/Shanghai"
Instant = datetime | date | str


class NotLonLat(CrsMismatch):
    """A frame for an analysis is not in longitude and latitude."""

    zh = "{frame} 的坐标系为 {found},应为 EPSG:4490 经纬度;请先 {way_out}"
    en = "{frame} is in {found}, not in longitude and latitude (EPSG:4490); call {way_out} first"


class MissingColumn(InputError):
    """A frame lacks a column without which the question cannot be answered."""

    zh = "{frame} 缺少列 {column}:{reason_zh}"
    en = "{frame} has no column {column}: {reason_en}"


class BadColumn(InputError):
    """A column holds values that cannot be read as what it should be."""

    zh = "{frame} 的列 {column} 无法使用:{reason_zh}"
    en = "column {column} of {frame} cannot be used: {reason_en}"


def require_lonlat(frame: Any, name: str) -> None:
    """Check that a GeoDataFrame or GeoSeries is in longitude and latitude.

    Raises
    ------
    NotLonLat
        Naming the call that brings it there.
    """
    if isinstance(frame, gpd.GeoDataFrame) and frame.active_geometry_name is None:
        raise MissingColumn(
            frame=name, column="geometry",
            reason_zh="需要几何列,可用 geopandas.points_from_xy(lon, lat)",
            reason_en="make it with geopandas.points_from_xy(lon, lat)",
        )  # fmt: skip
    if not isinstance(frame, gpd.GeoDataFrame | gpd.GeoSeries):
        return
    if frame.crs is None:
        shapes = frame.geometry.to_numpy()
        if bool((shapely.is_missing(shapes) | shapely.is_empty(shapes)).all()):
            return
        raise NotLonLat(frame=name, found="no CRS", expected="EPSG:4490", way_out=".set_crs(...)")
    try:
        require_geographic(frame.crs)
    except CrsMismatch as error:
        raise NotLonLat(
            frame=name, found=error.found, expected="EPSG:4490", way_out=".to_crs(4490)"
        ) from None


def zone_of(timezone: str) -> ZoneInfo:
    """Return the IANA zone of that name.

    Raises
    ------
    BadOption
    """
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadOption(
            option="timezone", value=timezone,
            reason_zh="应为 IANA 时区名,例如 Asia/Shanghai",
            reason_en="give the name of an IANA zone, such as Asia/Shanghai",
        ) from None  # fmt: skip


def instant_of(
    value: Instant | None, option: str, timezone: str = DEFAULT_TIMEZONE
) -> datetime | None:
    """Return an aware instant.

    Parameters
    ----------
    value : datetime, date or str, optional
        A day is its midnight; days and instants without zone are of ``timezone``; texts follow
        ISO 8601.
    option : str
        How the value is called in messages.
    timezone : str

    Raises
    ------
    BadOption
    """
    if value is None or pd.isna(value):
        return None
    found: Any = value
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value.strip())
        except ValueError:
            found = None
    if isinstance(found, pd.Timestamp):
        found = found.to_pydatetime(warn=False)
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime.combine(found, time())
    if not isinstance(found, datetime):
        raise BadOption(
            option=option, value=str(value)[:40],
            reason_zh="应为日期或时间,例如 2024-05-01 或 2024-05-01T08:00",
            reason_en="give a day or an instant, such as 2024-05-01 or 2024-05-01T08:00",
        )  # fmt: skip
    return found if found.tzinfo is not None else found.replace(tzinfo=zone_of(timezone))


def instants_of(
    frame: pd.DataFrame, column: str, name: str, timezone: str = DEFAULT_TIMEZONE
) -> pd.Series:
    """Return a column of a frame as instants in UTC; values without zone are of ``timezone``.

    Raises
    ------
    MissingColumn
        If there is none, because a period was asked for.
    BadColumn
        If the values are no instants.
    """
    if column not in frame.columns:
        raise MissingColumn(
            frame=name, column=column,
            reason_zh="按时段筛选时需要该列;请补上,或不给 since/until",
            reason_en="a period needs it; add it, or leave out since and until",
        )  # fmt: skip
    values = frame[column]
    try:
        if not pd.api.types.is_datetime64_any_dtype(values.dtype):
            if pd.api.types.is_numeric_dtype(values.dtype):
                raise ValueError
            values = pd.to_datetime(values, format="ISO8601")
        if values.dt.tz is None:
            values = values.dt.tz_localize(
                zone_of(timezone), ambiguous=True, nonexistent="shift_forward"
            )
        return values.astype(DTYPES["instant"])
    except (ValueError, TypeError, AttributeError):
        raise BadColumn(
            frame=name, column=column,
            reason_zh="不是时间;请用 pandas.to_datetime 转换",
            reason_en="it holds no instants; convert it with pandas.to_datetime",
        ) from None  # fmt: skip


def completed(frame: Any, layer: Layer) -> Any:
    """Return a frame with the columns of a layer that it lacks, at their defaults.

    Columns that are there stay as they are. A column named like the key becomes the index, the
    index is made of texts.

    Raises
    ------
    DuplicateKey
        If two rows have one key.
    """
    if frame.index.name != layer.key and layer.key in frame.columns:
        frame = frame.set_index(layer.key)
    if not pd.api.types.is_string_dtype(frame.index.dtype) or frame.index.name != layer.key:
        frame = frame.set_axis(
            pd.Index([str(k) for k in frame.index], name=layer.key, dtype="str"), axis=0
        )
    if not frame.index.is_unique:
        twice = frame.index[frame.index.duplicated()][0]
        raise DuplicateKey(kind=layer.name, key=twice)
    absent = {
        c.name: pd.Series([c.default] * len(frame), index=frame.index, dtype=object).astype(
            DTYPES[c.kind]
        )
        for c in layer.columns
        if c.name not in frame.columns
    }
    return frame.assign(**absent) if absent else frame


def keyed(cells: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return cells indexed by their code as text, without adding columns.

    Raises
    ------
    DuplicateKey, NotLonLat
    """
    require_lonlat(cells, "cells")
    if cells.index.name != "code" and "code" in cells.columns:
        cells = cells.set_index("code")
    if not cells.index.is_unique:
        raise DuplicateKey(kind="cell", key=cells.index[cells.index.duplicated()][0])
    return cells


def was_placed(frame: pd.DataFrame) -> bool:
    """Tell whether rows were put into cells before, be it in vain."""
    known = [c for c in ("cell_code", "placement") if c in frame.columns]
    return "cell_code" in known and bool(frame[known].notna().any(axis=None))
