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

from geodata.sources.plausibility import (
    check_plausible,
    crs_name,
    likely_systems,
    swap_faults,
    swapped_rows,
)
from gridsvc import datum as datums
from gridsvc.crs import STORAGE_EPSG, canonical, transformer
from gridsvc.crs_texts import names_file
from gridsvc.errors import CrsMissing, DatumNeedsDegrees, Fault, InputError, WrongCrs
from gridsvc.services.raw import Note
from gridsvc.types import BoolArray, Datum, FloatArray, ObjectArray

Swap = Literal["none", "rows", "all"]
# These equal the storage system at 0.1 mm: no step of PROJ between them.
_SAME = {4490, 4326, 3824, 4979, 4480, 4479}


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
    faults: tuple[Fault, ...] = ()


def parse_crs(text: Any, *, source: str) -> CRS:
    """Return the coordinate system of a code, a WKT or a PROJ text.

    Raises
    ------
    InputError
        If it is none, or names a file (a grid, an init file), which is never opened.
    """
    if names_file(text):
        raise InputError(
            reason_zh=f"{source}:坐标系“{str(text)[:60]}”引用了其他文件(网格或初始化文件),不支持;"
            "请写成 EPSG:4548 的形式",
            reason_en=f"{source}: the coordinate system '{str(text)[:60]}' names another file "
            "(a grid or an init file), which is not supported; write it like EPSG:4548",
        )
    try:
        return CRS.from_user_input(int(text) if str(text).isdigit() else text)
    except CRSError:
        raise InputError(
            reason_zh=f"{source}:无法识别坐标系“{str(text)[:60]}”,请写成 EPSG:4548 的形式",
            reason_en=f"{source}: unknown coordinate system '{str(text)[:60]}', "
            "write it like EPSG:4548",
        ) from None


# Damaged files hold numbers like 1e308; what comes of them is found not to be finite below.
@np.errstate(over="ignore", invalid="ignore")
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
    UnknownDatum

    Returns
    -------
    Placed
        Rows with coordinates that are not finite, or with swapped axes, are its ``faults`` and
        have no geometry.
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
            zh, en = likely_systems(_centres(_without_infinite(single(geometry), field)[0]))
            raise CrsMissing(source=source, hint_zh=zh, hint_en=en)
        system = CRS.from_epsg(STORAGE_EPSG if chosen_datum is Datum.CGCS2000 else 4326)
    if chosen_datum is None:
        chosen_datum = Datum.CGCS2000 if "2000" in _datum_name(system) else Datum.WGS84
    geometry = single(_flat(geometry, notes))
    geometry, faults = _without_infinite(geometry, field)
    centres = _centres(geometry)
    if swap == "all":
        geometry = _exchange(geometry, np.ones(len(geometry), dtype=bool))
        centres = centres[:, ::-1]
        notes.append(Note("已按要求交换全部坐标的 x、y", "x and y of all rows exchanged, as asked"))
    try:
        check_plausible(centres, system)
    except WrongCrs as error:
        if not datum or stated is not None or not _metres(centres):
            raise
        # Nobody stated the system that the numbers were compared with: the datum implied it.
        raise DatumNeedsDegrees(
            crs="", datum=chosen_datum.value,
            **{k: v for k, v in error.fields.items() if k != "crs"},
        ) from None  # fmt: skip
    rows = swapped_rows(centres, system)
    if rows.any() and swap != "rows":
        faults += swap_faults(rows, centres, field)
        geometry[rows] = None
    elif rows.any():
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
    return Placed(
        moved, crs_name(system), chosen_datum, tuple(notes), invalid, source_x, source_y,
        tuple(faults),
    )  # fmt: skip


def _metres(centres: FloatArray) -> bool:
    known = centres[np.isfinite(centres).all(axis=1)]
    return bool((np.abs(np.median(known, axis=0)) > 180).any())


def _datum_name(system: CRS) -> str:
    geodetic = system.geodetic_crs
    return "" if geodetic is None else str(geodetic.name)


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


def _without_infinite(geometry: ObjectArray, field: str) -> tuple[ObjectArray, list[Fault]]:
    """Return the geometries without those of infinite coordinates, which are faults."""
    coordinates, owner = shapely.get_coordinates(geometry, return_index=True)
    bad = np.unique(owner[~np.isfinite(coordinates).all(axis=1)])
    faults = [
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
    ]
    result = geometry.copy()
    result[bad] = None
    return result, faults


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
