"""Vector files through GDAL: Shapefile, GeoPackage, GeoJSON, KML, FlatGeobuf and others."""

from __future__ import annotations

import codecs
import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyogrio
import pyogrio.errors
import pyogrio.raw
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

import geodata.gdal  # noqa: F401 - leaves GDAL only the formats below
from geodata.sources.content import Content, choose_layer, refuse
from geodata.sources.encodings import shapefile_encoding, sibling
from geodata.sources.signatures import check_signature
from gridsvc.crs_texts import names_file
from gridsvc.errors import Fault
from gridsvc.services.raw import Note
from gridsvc.types import ObjectArray

SUFFIXES = (
    ".shp",
    ".gpkg",
    ".geojson",
    ".json",
    ".geojsonl",
    ".kml",
    ".fgb",
    ".gml",
    ".tab",
    ".mif",
    ".dxf",
)
_GDAL_ERRORS = (
    pyogrio.errors.DataSourceError,
    pyogrio.errors.DataLayerError,
    pyogrio.errors.FeatureError,
    pyogrio.errors.GeometryError,
    pyogrio.errors.FieldError,
    pyogrio.errors.CRSError,
)


def read_vector(path: Path, *, layer: str | None, encoding: str | None) -> Content:
    """Read one layer of a vector file.

    Raises
    ------
    UnreadableSource
        If parts are missing, GDAL cannot open it, or a layer has to be chosen.
    """
    # GDAL takes a relative path that begins with a scheme for an address.
    path = path.absolute()
    check_signature(path)
    notes: list[Note] = []
    codec: str | None = None
    if path.suffix.lower() == ".shp":
        codec = _check_shapefile(path, encoding, notes)
    try:
        with _left_alone(path) as opened, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            name = choose_layer(_layers(opened), layer, path.name)
            meta, _, wkb, data = pyogrio.raw.read(
                str(opened),
                layer=name,
                # Bytes as they are: names of ten bytes and values that fill their field may be
                # cut inside a character, which only our own decoding survives.
                encoding="ISO-8859-1" if codec else encoding,
                datetime_as_string=True,
            )
    except _GDAL_ERRORS as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise refuse(
            path.name,
            "文字不是有效的 UTF-8",
            "the text is not valid UTF-8",
            "请用 {way:encoding} 指定,例如 GBK",
            "state it with {way:encoding}, for example GBK",
        ) from error
    notes += [Note(f"读取时的提示:{w.message}", f"while reading: {w.message}") for w in caught][:5]
    columns: dict[str, pd.Series] = {}
    for label, values in zip(meta["fields"], data, strict=True):
        text = _decoded(str(label), codec)
        while text in columns:
            text += "_"
        if values.dtype == object:
            columns[text] = pd.Series([_decoded(v, codec) for v in values], dtype=object)
        else:
            columns[text] = pd.Series(values)
    attributes = pd.DataFrame(columns)
    faults: list[Fault] = []
    geometry = None if wkb is None else _geometries(wkb, faults)
    if geometry is not None and len(attributes.columns) == 0:
        attributes = pd.DataFrame(index=pd.RangeIndex(len(geometry)))
    return Content(
        attributes, geometry, _crs(meta.get("crs")), layer=name, encoding=codec, notes=notes,
        faults=faults,
    )  # fmt: skip


@contextlib.contextmanager
def _left_alone(path: Path) -> Iterator[Path]:
    """Give the path by which GDAL may open a file without leaving anything beside it.

    GDAL writes what it learned of a GML file's fields into a file beside it and believes that
    file the next time. So it sees the GML through a link in a folder of its own.
    """
    if path.suffix.lower() != ".gml":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="gridsvc-") as folder:
        for part in (path, sibling(path, ".xsd")):
            if part is not None:
                (Path(folder) / part.name).symlink_to(part)
        yield Path(folder) / path.name


def _decoded(value: Any, codec: str | None) -> Any:
    """Return text that was read byte by byte in its own encoding, without a cut last character."""
    if codec is None or not isinstance(value, str):
        return value
    decoder = codecs.getincrementaldecoder(codec)("strict")
    return decoder.decode(value.encode("iso-8859-1"), final=False)


def _layers(path: Path) -> list[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            listed = pyogrio.list_layers(str(path))
    except _GDAL_ERRORS as error:
        raise _unreadable(path, error) from error
    spatial = [str(n) for n, kind in listed if kind is not None]
    return spatial or [str(n) for n, _ in listed]


def _crs(text: str | None) -> CRS | None:
    # What names further files is as good as nothing: a person states the system then.
    if not text or names_file(text):
        return None
    try:
        return CRS.from_user_input(text)
    except CRSError:
        return None


def _geometries(wkb: ObjectArray, faults: list[Fault]) -> ObjectArray:
    with np.errstate(invalid="ignore"):
        geometry = np.asarray(shapely.from_wkb(wkb, on_invalid="ignore"), dtype=object)
    given = np.array([w is not None for w in wkb], dtype=bool)
    broken = np.flatnonzero(given & shapely.is_missing(geometry))
    faults += [
        Fault(
            int(i) + 1,
            "geometry",
            "",
            "几何图形无法构成(例如环少于四个点)",
            "the geometry cannot be built (for example a ring of fewer than four points)",
            "请在源软件中修复或删除该图形",
            "repair or delete it in the software it came from",
        )
        for i in broken
    ]
    geometry[shapely.is_empty(geometry)] = None
    return geometry


def _check_shapefile(path: Path, encoding: str | None, notes: list[Note]) -> str:
    lost = [s for s in (".shx", ".dbf") if sibling(path, s) is None]
    if lost:
        names = "、".join(lost)
        raise refuse(
            path.name,
            f"缺少 {names} 文件",
            f"the {', '.join(lost)} part is missing",
            "请把 .shp、.shx、.dbf、.prj、.cpg 一起提供",
            "deliver .shp, .shx, .dbf, .prj and .cpg together",
        )
    codec, told = shapefile_encoding(path, encoding)
    notes += told
    if sibling(path, ".prj") is None:
        notes.append(
            Note(
                "缺少 .prj 文件,坐标系以指定为准",
                "the .prj part is missing; the system is the stated one",
            )
        )
    return codec


def _unreadable(path: Path, error: Exception) -> Exception:
    # GDAL names the full path; a person knows the file by its name.
    text = str(error).replace(str(path), path.name).split(";")[0][:200]
    return refuse(
        path.name,
        f"GDAL 无法打开({text})",
        f"GDAL cannot open it ({text})",
        "请确认文件完整且扩展名正确",
        "check that the file is whole and its suffix right",
    )
