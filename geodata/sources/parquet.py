"""GeoParquet and plain Parquet through pyarrow (the GDAL of the wheels has no Parquet)."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError
from shapely.errors import ShapelyError

from geodata.sources.content import Content, refuse
from gridsvc.crs_texts import names_file

SUFFIXES = (".parquet", ".geoparquet")
MAX_ROWS = 50_000_000
_DAMAGES = (
    pa.ArrowException,
    ShapelyError,
    CRSError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    OverflowError,
    NotImplementedError,
)


def read_parquet(path: Path) -> Content:
    """Read a GeoParquet file (any encoding of geometry) or a table in Parquet.

    Raises
    ------
    UnreadableSource
        If it is no Parquet file or its ``geo`` metadata are broken.
    """
    try:
        with pq.ParquetFile(path) as file:
            rows, metadata = file.metadata.num_rows, file.schema_arrow.metadata or {}
        if rows > MAX_ROWS:
            raise refuse(
                path.name,
                f"有 {rows:,} 行,超过上限 {MAX_ROWS:,}",
                f"it has {rows:,} rows, the limit is {MAX_ROWS:,}",
                "请分成几个文件导入",
                "import it in several files",
            )
        if b"geo" not in metadata:
            return Content(_plain(pd.read_parquet(path)), None, None)
        geo = orjson.loads(metadata[b"geo"])
        if any(names_file(column.get("crs", "")) for column in geo["columns"].values()):
            raise refuse(
                path.name,
                "坐标系引用了其他文件(网格或初始化文件)",
                "the coordinate system names another file (a grid or an init file)",
                "请换成有 EPSG 代码的坐标系后重新导出",
                "export it again in a system with an EPSG code",
            )
        found = gpd.read_parquet(path)  # noqa: TID251 - this is the reader
        # Without "crs" GeoParquet means longitude/latitude (OGC:CRS84); null means unknown.
        column = geo["columns"][geo["primary_column"]]
        system = CRS.from_user_input("OGC:CRS84") if "crs" not in column else found.crs
        geometry = np.asarray(found.geometry.array, dtype=object).copy()
        geometry[shapely.is_empty(geometry)] = None
        attributes = pd.DataFrame(found.drop(columns=found.geometry.name))
    except _DAMAGES as error:
        raise refuse(
            path.name,
            "不是有效的 (Geo)Parquet 文件",
            "not a valid (Geo)Parquet file",
            "请重新导出",
            "export it again",
        ) from error
    return Content(_plain(attributes), geometry, system)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with a named index as columns and rows numbered from 0."""
    named = [n for n in frame.index.names if n is not None]
    return frame.reset_index(drop=not named)
