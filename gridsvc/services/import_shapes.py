"""Geometry of imported rows: of the right kind, or a fault that names the row."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.errors import Fault
from gridsvc.layers import Layer
from gridsvc.services.attributes import Reading
from gridsvc.services.raw import ImportOptions, RawLayer
from gridsvc.ways import way

NEEDS_PLACE = ("points", "cases", "facilities")
_POINT, _LINE = {0, 4}, {1, 2, 5}
_SHAPES = {
    "point": (_POINT, "点", "points"),
    "line": (_LINE, "线", "lines"),
    "polygon": ({3, 6}, "面", "polygons"),
}


def polygons_of(raw: RawLayer, reading: Reading, what: str) -> np.ndarray:
    """Return the polygons of a layer; rows without one are noted as faults.

    Raises
    ------
    RejectedRows
        At once if the layer holds no polygon at all.
    """
    if not isinstance(raw.frame, gpd.GeoDataFrame):
        listing = ", ".join(reading.columns)
        reading.faults.append(
            Fault(
                None,
                "geometry",
                "",
                f"表中没有图形(现有列:{listing})",
                f"the table has no geometry (it has: {listing})",
                "请给出 Shapefile、GeoPackage 等面图层,或用 {way:map=wkt=列名} 指明 WKT 列",
                "give a polygon layer, or name a WKT column with {way:map=wkt=COLUMN}",
            )
        )
        reading.refuse()
    geometry = np.asarray(raw.frame.geometry.array, dtype=object).copy()
    kinds = shapely.get_type_id(geometry)
    polygonal = np.isin(kinds, [3, 6, 7])
    if (kinds >= 0).any() and not polygonal.any():
        kind = geometry[np.flatnonzero(kinds >= 0)[0]].geom_type
        zh = "点" if "Point" in kind else "线"
        reading.faults.append(
            Fault(
                None,
                "geometry",
                kind,
                f"文件是{zh},而 {what} 需要面",
                f"the file holds {kind} features, {what} needs polygons",
                "请换用面图层;测评点请用 {way:as=points}",
                "give a polygon layer; for points use {way:as=points}",
            )
        )
        reading.refuse()
    outside = np.zeros(len(geometry), bool) if raw.invalid is None else raw.invalid.to_numpy()
    for i in np.flatnonzero(outside):
        reading.faults.append(
            Fault(
                int(i) + 1,
                "geometry",
                "",
                "坐标超出经纬度范围",
                "coordinates are outside the range of degrees",
                "请改正该图形",
                "correct this feature",
            )
        )
    for i in np.flatnonzero((kinds < 0) & ~outside & ~unread(raw)):
        reading.faults.append(
            Fault(
                int(i) + 1,
                "geometry",
                "",
                "没有图形",
                "no geometry",
                "请补全或删除该行",
                "complete or remove the row",
            )
        )
    for i in np.flatnonzero((kinds >= 0) & ~polygonal):
        kind = geometry[i].geom_type
        reading.faults.append(
            Fault(
                int(i) + 1,
                "geometry",
                kind,
                "不是面",
                "not a polygon",
                "请删除或改正该图形",
                "remove or correct this feature",
            )
        )
    for i in np.flatnonzero(kinds == shapely.GeometryType.GEOMETRYCOLLECTION):
        parts = [p for p in shapely.get_parts(geometry[i]) if p.geom_type.endswith("Polygon")]
        geometry[i] = shapely.union_all(parts) if parts else shapely.Polygon()
    return geometry


def unread(raw: RawLayer) -> np.ndarray:
    """Return the rows without geometry because the reader found a fault in it, as told already."""
    told = {fault.row for fault in raw.faults}
    return np.array([None in told or i in told for i in range(1, len(raw.frame) + 1)], dtype=bool)


def no_area(
    codes: pd.Series, geometry: np.ndarray, reading: Reading, options: ImportOptions
) -> pd.Series:
    """Return rows dropped by decision; other polygons without area are faults."""
    polygons = np.isin(shapely.get_type_id(geometry), [3, 6])
    valid = shapely.is_valid(geometry)
    bad = polygons & valid & (shapely.area(geometry) == 0.0)
    invalid = polygons & ~valid
    for i in np.flatnonzero(invalid):
        whole = shapely.make_valid(geometry[i], method="structure", keep_collapsed=False)
        bad[i] = shapely.area(whole) == 0.0
    drop = np.zeros(len(geometry), dtype=bool)
    for i in np.flatnonzero(bad):
        code = codes.iloc[i]
        if code is not None and options.decisions.get(str(code)) == "drop":
            drop[i] = True
            continue
        key = code or "CODE"
        reading.faults.append(
            Fault(
                int(i) + 1,
                "geometry",
                str(code or ""),
                "网格面积为零",
                "the cell has zero area",
                f"请改正图形,或用 {way('decide', f'{key}=drop')} 舍弃",
                f"correct it, or drop it with {way('decide', f'{key}=drop')}",
            )
        )
    return pd.Series(drop, index=codes.index)


def record_shapes(reading: Reading, raw: RawLayer, layer: Layer) -> np.ndarray | None:
    """Return geometry of the right kind, or note the faults."""
    if layer.geometry is None:
        return None
    rows = len(raw.frame)
    if not isinstance(raw.frame, gpd.GeoDataFrame):
        if layer.name in NEEDS_PLACE or layer.geometry == "line":
            way = "请用 {way:map=lon=列名|lat=列名}(或 wkt=列名)指明坐标列,并给出 {way:datum}"
            out = "name them with {way:map=lon=COLUMN|lat=COLUMN} (or wkt=COLUMN) and {way:datum}"
            listing = ", ".join(reading.columns)
            reading.faults.append(
                Fault(
                    None,
                    "lon/lat",
                    "",
                    f"表中没有坐标列(现有列:{listing})",
                    f"the table has no coordinate columns (it has: {listing})",
                    way,
                    out,
                )
            )
        return np.full(rows, None, dtype=object)
    geometry = np.asarray(raw.frame.geometry.array, dtype=object)
    allowed, zh, en = _SHAPES[layer.geometry]
    kinds = shapely.get_type_id(geometry)
    given = kinds >= 0
    wrong = np.flatnonzero(given & ~np.isin(kinds, list(allowed)))
    if wrong.size == given.sum() and wrong.size:
        found = geometry[wrong[0]].geom_type
        reading.faults.append(
            Fault(
                None,
                "geometry",
                found,
                f"文件是{_shape_zh(found)},而 {layer.name} 需要{zh}",
                f"the file holds {found} features, {layer.name} needs {en}",
                "请确认 {way:as} 的取值或换用正确的文件",
                "check {way:as} or give the right file",
            )
        )
        return geometry
    for i in wrong:
        found = geometry[i].geom_type
        reading.faults.append(
            Fault(
                int(i) + 1,
                "geometry",
                found,
                f"应为{zh}",
                f"{en} are needed",
                "请删除或改正该图形",
                "remove or correct this feature",
            )
        )
    if layer.geometry == "line":
        for i in np.flatnonzero(~given & ~unread(raw)):
            reading.faults.append(
                Fault(
                    int(i) + 1,
                    "geometry",
                    "",
                    "没有图形",
                    "no geometry",
                    "请补全或删除该行",
                    "complete or remove the row",
                )
            )
        return geometry
    multi = np.flatnonzero(kinds == shapely.GeometryType.MULTIPOINT)
    for i in multi:
        if shapely.get_num_geometries(geometry[i]) > 1:
            reading.faults.append(
                Fault(
                    int(i) + 1,
                    "geometry",
                    "MultiPoint",
                    "一行有多个点",
                    "one row holds several points",
                    "请拆成多行",
                    "split it into rows",
                )
            )
        geometry[i] = shapely.get_geometry(geometry[i], 0)
    return geometry


def _shape_zh(kind: str) -> str:
    return "点" if "Point" in kind else "线" if "Line" in kind else "面"


def single_lines(
    table: pd.DataFrame, geometry: np.ndarray | None, layer: Layer
) -> tuple[pd.DataFrame, np.ndarray]:
    """Split multi-part lines; further parts get ``/2``, ``/3`` after the key."""
    assert geometry is not None  # noqa: S101 - lines always carry geometry here
    parts, owner = shapely.get_parts(geometry, return_index=True)
    result = table.iloc[owner].reset_index(drop=True)
    number = pd.Series(owner).groupby(owner).cumcount().to_numpy()
    result[layer.key] = [
        k if n == 0 else f"{k}/{n + 1}" for k, n in zip(result[layer.key], number, strict=True)
    ]
    return result, parts
