"""``open_source``: any file a city delivers, as one ``RawLayer``."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from geodata.sources import parquet, tables, vector, workbooks
from geodata.sources.archives import gunzip, unpack
from geodata.sources.content import Content, choose_layer, refuse
from geodata.sources.encodings import sibling
from geodata.sources.georeference import Swap, georeference
from gridsvc.crs import STORAGE_EPSG
from gridsvc.errors import CrsMissing, EmptySource, Fault, RejectedRows, WrongCrs
from gridsvc.services.raw import RawLayer
from gridsvc.types import Datum

SHAPEFILE_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")
ARCHIVES = (".zip", ".kmz", ".gz")
SUFFIXES = (
    *vector.SUFFIXES,
    *parquet.SUFFIXES,
    *tables.CSV_SUFFIXES,
    *workbooks.SUFFIXES,
    *ARCHIVES,
)
MAX_UNPACKED_MB = 1024


def open_source(
    path: str | Path,
    *,
    layer: str | None = None,
    crs: str | None = None,
    datum: str | Datum | None = None,
    encoding: str | None = None,
    columns: Mapping[str, str] | None = None,
    swap: Swap = "none",
    max_unpacked_mb: int = MAX_UNPACKED_MB,
    collect: bool = False,
) -> RawLayer:
    """Read one layer of a file and bring it to longitude/latitude in EPSG:4490.

    Parameters
    ----------
    path : path
        Shapefile, GeoPackage, GeoJSON, KML/KMZ, FlatGeobuf, GML, MapInfo, DXF, (Geo)Parquet, CSV
        or XLSX, loose or in a ``.zip`` or ``.gz``.
    layer : str, optional
        Layer or sheet; needed when the file has several.
    crs : str, optional
        Coordinate system of the coordinates, for example ``EPSG:4528``; wins over the file's.
    datum : str, optional
        ``wgs84``, ``cgcs2000``, ``gcj02`` or ``bd09``.
    encoding : str, optional
        Text encoding of attributes.
    columns : mapping, optional
        ``lon``, ``lat``, ``wkt``, ``datum`` to the column of a table that holds it.
    swap : {"none", "rows", "all"}
        Exchange x and y of single rows found swapped, or of all rows.
    max_unpacked_mb : int
        Largest size an archive may unpack to, MiB.
    collect : bool
        Leave rows whose place cannot be read to the import, as ``RawLayer.faults``, instead of
        refusing them here.

    Returns
    -------
    RawLayer
        All records in file order.

    Raises
    ------
    UnreadableSource, EmptySource, CrsMissing, WrongCrs, UnknownDatum
    RejectedRows
        Naming rows whose coordinates cannot be used, unless they are collected.
    """
    path = Path(path)
    if not path.is_file():
        raise refuse(
            path.name, "文件不存在", "there is no such file", "请检查路径", "check the path"
        )
    if path.stat().st_size == 0:
        raise EmptySource(source=path.name)
    digest = digest_of(path)
    with tempfile.TemporaryDirectory(prefix="gridsvc-") as folder:
        file, inner = path, layer
        if path.suffix.lower() in (".zip", ".kmz"):
            file, inner = _from_archive(path, Path(folder), layer, max_unpacked_mb)
        elif path.suffix.lower() == ".gz":
            file = gunzip(path, Path(folder), max_unpacked_mb=max_unpacked_mb)
        content = _read(file, inner, encoding, columns or {}, max_unpacked_mb)
    name = path.name if content.layer in (None, path.stem) else f"{path.name}:{content.layer}"
    if len(content.attributes) == 0 and (content.geometry is None or len(content.geometry) == 0):
        raise EmptySource(source=name)
    faults = list(content.faults)
    raw = RawLayer(
        frame=content.attributes.reset_index(drop=True),
        source=name,
        digest=digest,
        encoding=content.encoding,
        layer=content.layer,
        x_field=content.x_field,
        y_field=content.y_field,
        notes=tuple(content.notes),
        sheet_rows=content.sheet_rows,
    )
    if content.geometry is None or not np.any(content.geometry != None):  # noqa: E711 - array
        return _judged(_without_places(raw, content), faults, collect)
    try:
        placed = georeference(
            content.geometry,
            source=name,
            own=content.crs,
            crs=crs,
            datum=datum or content.datum,
            swap=swap,
            field=content.x_field or "geometry",
        )
    except (CrsMissing, WrongCrs) as error:
        if not faults:
            raise
        faults.append(_of_layer(error))
        return _judged(_without_places(raw, content), faults, collect)
    faults += placed.faults
    frame = gpd.GeoDataFrame(raw.frame, geometry=_named(placed.geometry), crs=STORAGE_EPSG)
    raw = replace(
        raw,
        frame=frame,
        crs=placed.crs,
        datum=placed.datum,
        source_x=pd.Series(placed.source_x),
        source_y=pd.Series(placed.source_y),
        invalid=pd.Series(placed.invalid),
        notes=(*raw.notes, *placed.notes),
    )
    return _judged(raw, faults, collect)


def _judged(raw: RawLayer, faults: list[Fault], collect: bool) -> RawLayer:
    """Return the layer with its faults by row; without collecting they are raised."""
    faults.sort(key=lambda f: f.row or 0)
    if faults and not collect:
        raise RejectedRows(source=raw.source, faults=faults).on_sheet(raw.sheet_rows)
    return replace(raw, faults=tuple(faults))


def _of_layer(error: CrsMissing | WrongCrs) -> Fault:
    """Return what is wrong with the system of a layer as one fault among others."""
    if isinstance(error, WrongCrs):
        zh, en = f"坐标系不符:{error.reason_zh}", f"wrong coordinate system: {error.reason_en}"
        return Fault(None, None, "", zh, en, error.hint_zh, error.hint_en)
    return Fault(
        None,
        None,
        "",
        "没有坐标系信息",
        "it carries no coordinate system",
        "请用 {way:crs} 或 {way:datum} 指明",
        "state it with {way:crs} or {way:datum}",
    )


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, for a shapefile of all of its parts in a fixed order."""
    total = hashlib.sha256()
    parts = [path]
    if path.suffix.lower() == ".shp":
        parts = [p for s in SHAPEFILE_PARTS if (p := sibling(path, s)) is not None]
    for part in parts:
        with part.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                total.update(chunk)
    return total.hexdigest()


def _named(geometry: np.ndarray) -> gpd.GeoSeries:
    return gpd.GeoSeries(geometry, crs=STORAGE_EPSG)


def _without_places(raw: RawLayer, content: Content) -> RawLayer:
    if content.geometry is None:
        return raw
    # Columns for coordinates are there, only empty: rows are kept, none has a place.
    empty = gpd.GeoSeries([None] * len(raw.frame), crs=STORAGE_EPSG)
    nothing = pd.Series(np.full(len(raw.frame), np.nan))
    return replace(
        raw,
        frame=gpd.GeoDataFrame(raw.frame, geometry=empty, crs=STORAGE_EPSG),
        source_x=nothing,
        source_y=nothing.copy(),
        invalid=pd.Series(np.zeros(len(raw.frame), dtype=bool)),
    )


def _read(
    path: Path,
    layer: str | None,
    encoding: str | None,
    columns: Mapping[str, str],
    max_unpacked_mb: int,
) -> Content:
    suffix = path.suffix.lower()
    if suffix in vector.SUFFIXES:
        return vector.read_vector(path, layer=layer, encoding=encoding)
    if suffix in parquet.SUFFIXES:
        content = parquet.read_parquet(path)
        if content.geometry is None:
            text = content.attributes.map(_text_of)
            return tables.locate_columns(text, columns, source=path.name)
        return content
    if suffix in tables.CSV_SUFFIXES:
        return tables.read_csv(path, encoding=encoding, columns=columns)
    if suffix in workbooks.SUFFIXES:
        return workbooks.read_xlsx(
            path, layer=layer, columns=columns, max_unpacked_mb=max_unpacked_mb
        )
    hint = {
        ".xls": ("请在 Excel 中另存为 .xlsx", "save it as .xlsx in Excel"),
        ".rar": ("请解压后导入", "unpack it first"),
        ".7z": ("请解压后导入", "unpack it first"),
        ".dwg": ("请另存为 DXF 或导出为 Shapefile", "save it as DXF or export it as Shapefile"),
        ".dbf": ("请给出同名的 .shp 文件", "give the .shp file beside it"),
    }.get(suffix, (f"支持:{' '.join(SUFFIXES)}", f"supported: {' '.join(SUFFIXES)}"))
    raise refuse(path.name, f"不支持的文件类型“{suffix}”", f"unsupported type '{suffix}'", *hint)


def _text_of(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value)  # noqa: PLR0124


def _from_archive(
    path: Path, folder: Path, layer: str | None, max_unpacked_mb: int
) -> tuple[Path, str | None]:
    """Unpack, and return the file to read with the layer inside it."""
    files = unpack(path, folder, max_unpacked_mb=max_unpacked_mb)
    readable = [
        f
        for f in files
        if f.suffix.lower() in SUFFIXES
        and f.suffix.lower() not in ARCHIVES
        and not f.name.startswith(".")
        and "__MACOSX" not in f.parts
    ]
    spatial = [f for f in readable if f.suffix.lower() in (*vector.SUFFIXES, *parquet.SUFFIXES)]
    choice = spatial or readable
    if not choice:
        raise refuse(
            path.name,
            "压缩包中没有可读取的数据文件",
            "the archive holds no readable file",
            f"支持:{' '.join(SUFFIXES)}",
            f"supported: {' '.join(SUFFIXES)}",
        )
    if len(choice) == 1:
        return choice[0], layer
    by_name = {f.stem: f for f in choice}
    if len(by_name) < len(choice):
        by_name = {f.name: f for f in choice}
    return by_name[choose_layer(sorted(by_name), layer, path.name)], None
