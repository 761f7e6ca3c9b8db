"""From a source's coordinates to longitude/latitude in EPSG:4490, with every doubt spoken out.

Wrong zones, missing zone prefixes, degrees taken for metres and swapped axes are the usual
mistakes; each is recognised from the numbers before anything is converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from gridsvc import datum as datums
from gridsvc.crs import STORAGE_EPSG, canonical, transformer
from gridsvc.errors import CrsMissing, Fault, InputError, RejectedRows, WrongCrs
from gridsvc.services.raw import Note
from gridsvc.types import BoolArray, Datum, FloatArray, ObjectArray

Swap = Literal["none", "rows", "all"]
# These equal the storage system at 0.1 mm: no step of PROJ between them.
_SAME = {4490, 4326, 3824, 4979, 4480, 4479}
_NEAR, _FAR = 2.0, 8.0
_METRES_PER_DEGREE = 111_000.0


@dataclass(frozen=True, slots=True)
class Placed:
    """Geometries in EPSG:4490 and how they came there."""

    geometry: ObjectArray
    crs: str
    datum: Datum
    notes: tuple[Note, ...]
    invalid: BoolArray
    source_x: FloatArray
    source_y: FloatArray


def parse_crs(text: Any, *, source: str) -> CRS:
    """Return the coordinate system of a code, a WKT or a PROJ text.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        return CRS.from_user_input(int(text) if str(text).isdigit() else text)
    except CRSError:
        raise InputError(
            reason=f"{source}:无法识别坐标系“{str(text)[:60]}”,请写成 EPSG:4548 的形式 · "
            f"unknown coordinate system '{str(text)[:60]}', write it like EPSG:4548"
        ) from None


def crs_name(crs: CRS) -> str:
    """Return ``EPSG:n`` where the system has a code, else its name."""
    code = crs.to_epsg(min_confidence=60)
    return f"EPSG:{code}" if code else str(crs.name)


def georeference(
    geometry: ObjectArray,
    *,
    source: str,
    own: CRS | None,
    crs: str | None,
    datum: str | Datum | None,
    swap: Swap = "none",
    field: str = "geometry",
) -> Placed:
    """Bring geometries to EPSG:4490 on the canonical lattice.

    Parameters
    ----------
    geometry : array of shapely geometries or None
        In the coordinates of the source, x first.
    source : str
        For messages.
    own : CRS or None
        What the file says.
    crs, datum : str or None
        What the person says; a stated system wins over the file's, which is noted.
    swap : {"none", "rows", "all"}
        Whether to exchange x and y of rows found swapped, or of all.
    field : str
        Column that holds the coordinates, for messages.

    Raises
    ------
    CrsMissing
        If neither the file nor the person names a system or datum.
    WrongCrs
        If the numbers cannot be in that system; the hint names the likely one.
    RejectedRows
        For rows with coordinates that are not finite, or with swapped axes.
    UnknownDatum
    """
    notes: list[Note] = []
    stated = parse_crs(crs, source=source) if crs else None
    chosen_datum = Datum.parse(str(datum)) if datum else None
    if stated is not None and own is not None and stated != own:
        notes.append(
            Note(
                f"文件写的坐标系是 {crs_name(own)},按指定的 {crs_name(stated)} 读取",
                f"the file says {crs_name(own)}; read as {crs_name(stated)}, as stated",
            )
        )
    system = stated or own
    if system is None:
        if chosen_datum is None:
            raise CrsMissing(source=source)
        system = CRS.from_epsg(STORAGE_EPSG if chosen_datum is Datum.CGCS2000 else 4326)
    if chosen_datum is None:
        chosen_datum = Datum.CGCS2000 if "2000" in _datum_name(system) else Datum.WGS84
    geometry = single(_flat(geometry, notes))
    _refuse_not_finite(geometry, source, field)
    centres = _centres(geometry)
    if swap == "all":
        geometry = _exchange(geometry, np.ones(len(geometry), dtype=bool))
        centres = centres[:, ::-1]
        notes.append(Note("已按要求交换全部坐标的 x、y", "x and y of all rows exchanged, as asked"))
    check_plausible(centres, system)
    rows = swapped_rows(centres, system)
    if rows.any() and swap != "rows":
        raise RejectedRows(source=source, faults=_swap_faults(rows, centres, field))
    if rows.any():
        geometry = _exchange(geometry, rows)
        listing = ", ".join(str(i + 1) for i in np.flatnonzero(rows)[:20])
        notes.append(
            Note(
                f"已交换 {int(rows.sum())} 行的 x、y:第 {listing} 行",
                f"x and y of {int(rows.sum())} rows exchanged: {listing}",
            )
        )
    source_x, source_y = _point_coordinates(geometry)
    moved, invalid = _to_storage(geometry, system, chosen_datum, notes)
    return Placed(moved, crs_name(system), chosen_datum, tuple(notes), invalid, source_x, source_y)


def check_plausible(centres: FloatArray, system: CRS) -> None:
    """Raise ``WrongCrs`` if most rows cannot be in that system."""
    known = centres[np.isfinite(centres).all(axis=1)]
    if len(known) == 0:
        return
    x, y = (float(v) for v in np.median(known, axis=0))
    name = crs_name(system)
    if system.is_geographic:
        if abs(x) <= 180 and abs(y) <= 90:
            _check_area(x, y, x, y, system, name)
            return
        if abs(y) <= 180 and abs(x) <= 90:
            raise _swapped(name, x, y)
        options = zone_hints(x, y)
        raise WrongCrs(
            crs=name,
            reason_zh=f"x={x:,.0f}, y={y:,.0f} 是米制坐标,不是经纬度",
            reason_en=f"x={x:,.0f}, y={y:,.0f} are metres, not degrees",
            hint_zh=f"请用 --crs 指明投影坐标系{options[0]}",
            hint_en=f"state the projected system with --crs{options[1]}",
        )
    if abs(x) <= 180 and abs(y) <= 90:
        raise WrongCrs(
            crs=name,
            reason_zh=f"x={x:.5f}, y={y:.5f} 是经纬度,不是投影坐标",
            reason_en=f"x={x:.5f}, y={y:.5f} are degrees, not projected coordinates",
            hint_zh="请用 --crs EPSG:4490(或 EPSG:4326)并视情况加 --datum",
            hint_en="use --crs EPSG:4490 (or EPSG:4326), with --datum where needed",
        )
    _check_prefix(x, y, system, name)
    lon, lat = transformer(system.to_wkt(), STORAGE_EPSG).transform(x, y)
    _check_area(float(lon), float(lat), x, y, system, name)


def zone_hints(x: float, y: float) -> tuple[str, str]:
    """Return which CGCS2000 zone an easting with prefix names, as Chinese and English text."""
    prefix = int(x // 1_000_000)
    if 1e6 < abs(y) < 6.5e6:
        if 25 <= prefix <= 45:
            code = 4513 + prefix - 25
            return (f",带号 {prefix} 对应 EPSG:{code}", f"; prefix {prefix} means EPSG:{code}")
        if 13 <= prefix <= 23:
            code = 4491 + prefix - 13
            return (
                f",带号 {prefix} 对应 EPSG:{code}(6 度带)",
                f"; prefix {prefix} means EPSG:{code} (6-degree)",
            )
        if 1e5 < x < 9e5:
            return (
                ",例如 EPSG:4534–4554(3 度带,不带带号)",
                ", for example EPSG:4534–4554 (3-degree, no prefix)",
            )
    return ("", "")


def swapped_rows(centres: FloatArray, system: CRS) -> BoolArray:
    """Return the rows that lie far from the others but near them after exchanging x and y."""
    result = np.zeros(len(centres), dtype=bool)
    known = np.isfinite(centres).all(axis=1)
    if known.sum() < 3:
        return result
    middle = np.median(centres[known], axis=0)
    scale = 1.0 if system.is_geographic else _METRES_PER_DEGREE
    with np.errstate(invalid="ignore"):
        away = np.abs(centres - middle).max(axis=1) > _FAR * scale
        fits = np.abs(centres[:, ::-1] - middle).max(axis=1) < _NEAR * scale
    return np.asarray(known & away & fits, dtype=bool)


def _datum_name(system: CRS) -> str:
    geodetic = system.geodetic_crs
    return "" if geodetic is None else str(geodetic.name)


def _check_prefix(x: float, y: float, system: CRS, name: str) -> None:
    operation = system.coordinate_operation
    if operation is None or "Transverse Mercator" not in operation.method_name:
        return
    easting = {p.name: p.value for p in operation.params}.get("False easting")
    if easting is None:
        return
    prefix_crs, prefix_data = int(float(easting) // 1_000_000), int(x // 1_000_000)
    if prefix_crs == 0 and 13 <= prefix_data <= 45:
        zh, en = zone_hints(x, y)
        raise WrongCrs(
            crs=name,
            reason_zh=f"东坐标 {x:,.0f} 带有带号 {prefix_data},而该坐标系不带带号",
            reason_en=f"easting {x:,.0f} carries zone prefix {prefix_data}, the system has none",
            hint_zh=f"请用 --crs 指明带带号的坐标系{zh}",
            hint_en=f"state the system with zone prefix with --crs{en}",
        )
    if prefix_crs >= 13 and 0 < x < 1_000_000:
        code = 4534 + prefix_crs - 25 if prefix_crs >= 25 else 4502 + prefix_crs - 13
        raise WrongCrs(
            crs=name,
            reason_zh=f"东坐标 {x:,.0f} 没有带号,而该坐标系的带号是 {prefix_crs}",
            reason_en=f"easting {x:,.0f} has no zone prefix, the system has {prefix_crs}",
            hint_zh=f"请改用不带带号的坐标系,例如 --crs EPSG:{code}",
            hint_en=f"use the system without prefix, for example --crs EPSG:{code}",
        )


def _check_area(lon: float, lat: float, x: float, y: float, system: CRS, name: str) -> None:
    """Compare with where the system is used, generously: three degrees around."""
    area = system.area_of_use
    if area is None or area.west > area.east:
        return

    def within(a: float, b: float) -> bool:
        return bool(
            np.isfinite([a, b]).all()
            and area.west - 3 <= a <= area.east + 3
            and area.south - 3 <= b <= area.north + 3
        )

    if within(lon, lat):
        return
    if system.is_geographic:
        swapped = within(lat, lon)
    else:
        other = transformer(system.to_wkt(), STORAGE_EPSG).transform(y, x)
        swapped = within(float(other[0]), float(other[1]))
    if swapped:
        raise _swapped(name, x, y)
    raise WrongCrs(
        crs=name,
        reason_zh=f"坐标落在 {lon:.3f}, {lat:.3f},不在该坐标系的适用范围({area.name})",
        reason_en=f"they fall at {lon:.3f}, {lat:.3f}, outside its area of use ({area.name})",
        hint_zh="请核对 --crs",
        hint_en="check --crs",
    )


def _swapped(name: str, x: float, y: float) -> WrongCrs:
    return WrongCrs(
        crs=name,
        reason_zh=f"x={x:,.5f}, y={y:,.5f} 的两个坐标颠倒了",
        reason_en=f"the axes of x={x:,.5f}, y={y:,.5f} are swapped",
        hint_zh="请用 --swap all 交换两轴,或在源文件中改正",
        hint_en="use --swap all to exchange the axes, or correct the file",
    )


def _swap_faults(rows: BoolArray, centres: FloatArray, field: str) -> list[Fault]:
    return [
        Fault(
            int(i) + 1,
            field,
            f"{centres[i, 0]:.6f}, {centres[i, 1]:.6f}",
            "两个坐标颠倒了(交换后与其他行相符)",
            "the two coordinates are swapped (exchanged they fit the other rows)",
            "请改正该行,或用 --swap rows 自动交换这些行",
            "correct the row, or use --swap rows to exchange such rows",
        )
        for i in np.flatnonzero(rows)
    ]


def _flat(geometry: ObjectArray, notes: list[Note]) -> ObjectArray:
    if not shapely.has_z(geometry).any():
        return geometry
    notes.append(Note("高程坐标已去掉", "vertical coordinates were dropped"))
    return np.asarray(shapely.force_2d(geometry), dtype=object)


def single(geometry: ObjectArray) -> ObjectArray:
    """Return multi-part geometries of one part as that part, as formats promote them."""
    kinds = shapely.get_type_id(geometry)
    wrapped = (kinds >= shapely.GeometryType.MULTIPOINT) & (
        kinds <= shapely.GeometryType.MULTIPOLYGON
    )
    alone = wrapped & (shapely.get_num_geometries(geometry) == 1)
    result = geometry.copy()
    result[alone] = shapely.get_geometry(geometry[alone], 0)
    return result


def _refuse_not_finite(geometry: ObjectArray, source: str, field: str) -> None:
    coordinates, owner = shapely.get_coordinates(geometry, return_index=True)
    bad = np.unique(owner[~np.isfinite(coordinates).all(axis=1)])
    if bad.size:
        raise RejectedRows(
            source=source,
            faults=[
                Fault(
                    int(i) + 1,
                    field,
                    "NaN",
                    "坐标不是有限的数(NaN 或无穷大)",
                    "a coordinate is not a finite number (NaN or infinite)",
                    "请在源文件中改正该行的坐标",
                    "correct the coordinates of this row in the file",
                )
                for i in bad
            ],
        )


def _centres(geometry: ObjectArray) -> FloatArray:
    bounds = shapely.bounds(geometry)
    return np.column_stack([bounds[:, [0, 2]].mean(axis=1), bounds[:, [1, 3]].mean(axis=1)])


def _exchange(geometry: ObjectArray, rows: BoolArray) -> ObjectArray:
    result = geometry.copy()
    result[rows] = shapely.transform(geometry[rows], lambda xy: xy[:, ::-1])
    return result


def _point_coordinates(geometry: ObjectArray) -> tuple[FloatArray, FloatArray]:
    points = shapely.get_type_id(geometry) == shapely.GeometryType.POINT
    x = np.full(len(geometry), np.nan)
    y = np.full(len(geometry), np.nan)
    x[points], y[points] = shapely.get_x(geometry[points]), shapely.get_y(geometry[points])
    return x, y


def _to_storage(
    geometry: ObjectArray, system: CRS, datum: Datum, notes: list[Note]
) -> tuple[ObjectArray, BoolArray]:
    same = system.is_geographic and (
        system.to_epsg() in _SAME or "CRS84" in system.to_string() or "CRS 84" in system.name
    )
    step = None
    if not same:
        # Vendors' datums are shifted WGS-84; the shift itself is undone below.
        step = transformer(system.to_wkt(), STORAGE_EPSG)
        accuracy = step.accuracy
        if accuracy is not None and (accuracy < 0 or accuracy > 1.0):
            told = "未知" if accuracy < 0 else f"约 {accuracy:g} 米"
            tells = "unknown" if accuracy < 0 else f"about {accuracy:g} m"
            notes.append(
                Note(
                    f"从 {crs_name(system)} 到 CGCS2000 的转换精度{told}",
                    f"the conversion from {crs_name(system)} is of accuracy {tells}",
                )
            )

    def move(xy: FloatArray) -> FloatArray:
        lon, lat = xy[:, 0], xy[:, 1]
        if step is not None:
            lon, lat = step.transform(lon, lat)
        if datum in (Datum.GCJ02, Datum.BD09):
            lon, lat = datums.convert(lon, lat, datum, Datum.CGCS2000)
        return canonical(np.column_stack([lon, lat]))

    # A point outside the range of degrees is no place; it is kept as a row without one.
    moved = np.asarray(shapely.transform(geometry, move), dtype=object)
    coordinates, owner = shapely.get_coordinates(moved, return_index=True)
    with np.errstate(invalid="ignore"):
        good = (
            np.isfinite(coordinates).all(axis=1)
            & (np.abs(coordinates[:, 0]) <= 180)
            & (np.abs(coordinates[:, 1]) <= 90)
        )
    invalid = np.zeros(len(moved), dtype=bool)
    invalid[owner[~good]] = True
    # Programs write (0, 0) where they know no place; that is no place in any city.
    origin = (coordinates == 0.0).all(axis=1)
    points = shapely.get_type_id(moved) == shapely.GeometryType.POINT
    invalid[owner[origin]] |= points[owner[origin]]
    moved[invalid] = None
    return moved, invalid
