"""``write_layer``: a frame of a contract as a file, written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pyogrio.errors
import shapely

from geodata.export.tables import write_csv, write_xlsx
from geodata.gdal import WRITTEN_ON
from gridsvc import datum as datums
from gridsvc.crs import STORAGE_EPSG, transformer
from gridsvc.errors import BadOption, InputError, NothingToWorkOn
from gridsvc.layers import LAYERS, Layer
from gridsvc.types import Datum, FloatArray

DRIVERS = {
    ".geojson": "GeoJSON", ".json": "GeoJSON", ".gpkg": "GPKG", ".shp": "ESRI Shapefile",
    ".fgb": "FlatGeobuf", ".kml": "KML",
}  # fmt: skip
SUFFIXES = (*DRIVERS, ".parquet", ".csv", ".xlsx")
# Ten bytes are all a shapefile gives a name; these are known to the import.
SHORT_NAMES = {
    "community_code": "comm_code", "community_name": "comm_name", "subdistrict_code": "sub_code",
    "subdistrict_name": "sub_name", "population": "popul", "households": "househ",
    "visit_window": "visit_win", "visits_per_week": "visits_wk", "service_minutes": "service_mi",
    "exclusion_id": "excl_id", "target_kind": "target_ki", "target_code": "target_co",
    "source_datum": "src_datum", "reported_at": "reported", "class_code": "class_code",
    "facility_id": "facil_id", "parent_code": "parent_cod",
}  # fmt: skip


def write_layer(
    frame: pd.DataFrame,
    path: str | Path,
    *,
    name: str | None = None,
    crs: str | None = None,
    datum: str | Datum = Datum.CGCS2000,
    encoding: str = "UTF-8",
    private: bool = False,
) -> Path:
    """Write a frame in the format that the file's suffix names.

    Coordinates are written as stored (EPSG:4490); every format but KML gives back the same
    doubles. Equal frames give equal files, byte for byte: none holds the time of writing. Columns
    with personal data are left out unless ``private``.

    Parameters
    ----------
    frame : DataFrame or GeoDataFrame
        In contract form, or any frame with geometry in EPSG:4490; the index is written too.
    path : path
        ``.geojson .gpkg .shp .fgb .kml .parquet .csv .xlsx``; an existing file is replaced.
    name : str, optional
        Layer name; the file's stem by default.
    crs : str, optional
        Another system for the coordinates, for example ``EPSG:4548``.
    datum : str
        ``gcj02`` or ``bd09`` shift the coordinates for use in maps of those vendors.
    encoding : str
        Of shapefile attributes, ``UTF-8`` or ``GBK``.
    private : bool

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        For an unknown suffix or impossible choice.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        listing = " ".join(SUFFIXES)
        raise BadOption(
            option="output",
            value=path.name,
            reason_zh=f"可写格式 {listing}",
            reason_en=f"formats: {listing}",
        )
    if not path.parent.is_dir():
        raise BadOption(
            option="output",
            value=str(path.parent),
            reason_zh="文件夹不存在",
            reason_en="there is no such folder",
        )
    layer = LAYERS.get(name or path.stem)
    ready = _moved(_flat(frame, layer, private), crs, datum)
    with tempfile.TemporaryDirectory(prefix=".gridsvc-", dir=path.parent) as folder:
        draft = Path(folder) / path.name
        try:
            _write(ready, draft, suffix, name or path.stem, encoding)
        except (pyogrio.errors.DataSourceError, pyogrio.errors.FeatureError, ValueError) as error:
            raise InputError(reason=f"{path.name}:{error}") from error
        for part in sorted(Path(folder).iterdir()):
            shutil.move(part, path.parent / part.name)
    return path


def _flat(frame: pd.DataFrame, layer: Layer | None, private: bool) -> pd.DataFrame:
    hidden = [] if private or layer is None else [c.name for c in layer.columns if c.private]
    kept = frame.drop(columns=[c for c in hidden if c in frame.columns])
    if kept.index.name is None and isinstance(kept.index, pd.RangeIndex):
        return pd.DataFrame.reset_index(kept, drop=True)
    return pd.DataFrame.reset_index(kept)


def _moved(frame: pd.DataFrame, crs: str | None, datum: str | Datum) -> pd.DataFrame:
    """Return the frame in another datum or system; as it is when neither is asked."""
    if not isinstance(frame, gpd.GeoDataFrame):
        return frame
    same: pd.DataFrame = frame
    target = Datum.parse(str(datum))
    if crs is not None and target in (Datum.GCJ02, Datum.BD09):
        raise BadOption(
            option="crs",
            value=str(crs),
            reason_zh="不能与 {way:datum} 的 gcj02、bd09 同用",
            reason_en="it cannot go with gcj02 or bd09 for {way:datum}",
        )
    if crs is None and target in (Datum.WGS84, Datum.CGCS2000):
        return same
    if crs is not None:
        step = transformer(STORAGE_EPSG, crs)

    def move(xy: FloatArray) -> FloatArray:
        if crs is None:
            return np.column_stack(datums.convert(xy[:, 0], xy[:, 1], Datum.CGCS2000, target))
        return np.column_stack(step.transform(xy[:, 0], xy[:, 1]))

    moved = shapely.transform(np.asarray(frame.geometry.array, dtype=object), move)
    result: pd.DataFrame = frame.set_geometry(
        gpd.GeoSeries(moved, crs=crs or 4326, index=frame.index)
    )
    return result


def _write(frame: pd.DataFrame, path: Path, suffix: str, name: str, encoding: str) -> None:
    if suffix == ".csv":
        write_csv(frame, path)
    elif suffix == ".xlsx":
        write_xlsx(frame, path, title=name)
    elif suffix == ".parquet":
        # Statistics and metadata depend on the content only, so equal layers are equal files.
        frame.to_parquet(path, index=False)
    else:
        _write_vector(frame, path, suffix, name, encoding)


def _write_vector(frame: pd.DataFrame, path: Path, suffix: str, name: str, encoding: str) -> None:
    if not isinstance(frame, gpd.GeoDataFrame):
        raise NothingToWorkOn(
            reason_zh=f"{name} 没有图形,不能写成 {suffix};请导出为 CSV、XLSX 或 Parquet",
            reason_en=f"{name} has no geometry and cannot be a {suffix} file; "
            "export it as CSV, XLSX or Parquet",
        )
    plain = frame.copy()
    geometry = plain.geometry.name
    for column in plain.columns:
        if column == geometry:
            continue
        values = plain[column]
        if isinstance(values.dtype, pd.DatetimeTZDtype) and suffix in (".shp", ".kml"):
            plain[column] = [None if pd.isna(v) else v.isoformat() for v in values]
        elif str(values.dtype) == "Int64":
            plain[column] = (
                values.astype("float64") if values.isna().any() else values.astype("int64")
            )
    options: dict[str, str] = {}
    if suffix == ".shp":
        _refuse_mixed(plain, path)
        options["DBF_DATE_LAST_UPDATE"] = WRITTEN_ON.isoformat()
        plain = plain.rename(columns=SHORT_NAMES)
    if suffix == ".fgb" and plain.geometry.isna().any():
        options["SPATIAL_INDEX"] = "NO"
    if suffix in (".geojson", ".json"):
        options["COORDINATE_PRECISION"] = "17"
    with warnings.catch_warnings():
        # GDAL tells of renamed or widened fields; both are what is wanted here.
        warnings.simplefilter("ignore", RuntimeWarning)
        pyogrio.write_dataframe(
            plain, path, layer=None if suffix in (".shp", ".geojson", ".json") else name,
            driver=DRIVERS[suffix], layer_options=options or None,
            encoding=encoding if suffix == ".shp" else None,
        )  # fmt: skip


def _refuse_mixed(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Raise ``BadOption`` where points, lines and areas would go into one shapefile."""
    shapes = np.asarray(frame.geometry.array, dtype=object)
    kinds = set(shapely.get_dimensions(shapes[~shapely.is_missing(shapes)]).tolist()) - {-1}
    if len(kinds) > 1:
        raise BadOption(
            option="-o",
            value=path.name,
            reason_zh="该图层既有点也有线或面,Shapefile 只能存一种;请用 .gpkg、.geojson 或 .fgb",
            reason_en="the layer mixes points, lines and areas and a shapefile holds one kind; "
            "use .gpkg, .geojson or .fgb",
        )
