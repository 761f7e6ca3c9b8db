"""Whether coordinates can be in the system they are said to be in, judged from the numbers."""

from __future__ import annotations

import numpy as np
from pyproj import CRS

from gridsvc.crs import STORAGE_EPSG, transformer
from gridsvc.errors import Fault, WrongCrs
from gridsvc.types import BoolArray, FloatArray
from gridsvc.ways import way

_NEAR, _FAR = 2.0, 8.0
_METRES_PER_DEGREE = 111_000.0
_AXES = (",且北坐标在前,请加 {way:swap=all}", "; the northing comes first, add {way:swap=all}")


def crs_name(crs: CRS) -> str:
    """Return ``EPSG:n`` where the system has a code, else its name."""
    code = crs.to_epsg(min_confidence=60)
    return f"EPSG:{code}" if code else str(crs.name)


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
            hint_zh=f"请用 {way('crs')} 指明投影坐标系{options[0]}",
            hint_en=f"state the projected system with {way('crs')}{options[1]}",
        )
    if abs(x) <= 180 and abs(y) <= 90:
        raise WrongCrs(
            crs=name,
            reason_zh=f"x={x:.5f}, y={y:.5f} 是经纬度,不是投影坐标",
            reason_en=f"x={x:.5f}, y={y:.5f} are degrees, not projected coordinates",
            hint_zh="请用 {way:crs=EPSG:4490}(或 EPSG:4326)并视情况加 {way:datum}",
            hint_en="use {way:crs=EPSG:4490} (or EPSG:4326), with {way:datum} where needed",
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
                (
                    ",3 度带不带带号为 EPSG:4534(中央经线 75°)至 EPSG:4554(135°),"
                    "如 117° 为 EPSG:4548、120° 为 EPSG:4549"
                ),
                (
                    "; 3-degree zones without prefix are EPSG:4534 (central meridian 75°) to "
                    "EPSG:4554 (135°), such as EPSG:4548 for 117° and EPSG:4549 for 120°"
                ),
            )
    return ("", "")


def likely_systems(centres: FloatArray) -> tuple[str, str]:
    """Return in which systems coordinates without one may be, as Chinese and English text.

    Empty where the numbers do not tell: they are neither degrees nor of a Gauss-Krüger zone.
    """
    known = centres[np.isfinite(centres).all(axis=1)]
    if len(known) == 0:
        return ("", "")
    x, y = (float(v) for v in np.median(known, axis=0))
    seen = f"x={x:,.0f}, y={y:,.0f}"
    if abs(x) <= 180 and abs(y) <= 90:
        seen = f"x={x:.5f}, y={y:.5f}"
        return (
            (
                f"。{seen} 像是经纬度:{way('crs', 'EPSG:4490')},"
                f"来自互联网地图的用 {way('datum', 'gcj02')} 或 {way('datum', 'bd09')}"
            ),
            (
                f". {seen} look like degrees: {way('crs', 'EPSG:4490')}, or "
                f"{way('datum', 'gcj02')} or {way('datum', 'bd09')} if from a map on the internet"
            ),
        )
    for one, other, axes in ((x, y, ("", "")), (y, x, _AXES)):
        zh, en = zone_hints(one, other)
        if not zh:
            continue
        prefix = int(one // 1_000_000)
        if prefix:
            bare = 4534 + prefix - 25 if prefix >= 25 else 4502 + prefix - 13
            zh += f",去掉带号后为 EPSG:{bare}"
            en += f", EPSG:{bare} once the prefix is taken off"
        return (
            f"。{seen} 像是高斯投影坐标{zh}{axes[0]}",
            f". {seen} look like metres of a zone{en}{axes[1]}",
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
            hint_zh=f"请用 {way('crs')} 指明带带号的坐标系{zh}",
            hint_en=f"state the system with zone prefix with {way('crs')}{en}",
        )
    if prefix_crs >= 13 and 0 < x < 1_000_000:
        code = 4534 + prefix_crs - 25 if prefix_crs >= 25 else 4502 + prefix_crs - 13
        raise WrongCrs(
            crs=name,
            reason_zh=f"东坐标 {x:,.0f} 没有带号,而该坐标系的带号是 {prefix_crs}",
            reason_en=f"easting {x:,.0f} has no zone prefix, the system has {prefix_crs}",
            hint_zh=f"请改用不带带号的坐标系,例如 {way('crs', f'EPSG:{code}')}",
            hint_en=f"use the system without prefix, for example {way('crs', f'EPSG:{code}')}",
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
        hint_zh="请核对 {way:crs}",
        hint_en="check {way:crs}",
    )


def _swapped(name: str, x: float, y: float) -> WrongCrs:
    return WrongCrs(
        crs=name,
        reason_zh=f"x={x:,.5f}, y={y:,.5f} 的两个坐标颠倒了",
        reason_en=f"the axes of x={x:,.5f}, y={y:,.5f} are swapped",
        hint_zh="请用 {way:swap=all} 交换两轴,或在源文件中改正",
        hint_en="use {way:swap=all} to exchange the axes, or correct the file",
    )


def swap_faults(rows: BoolArray, centres: FloatArray, field: str) -> list[Fault]:
    """Return a fault for each row whose two coordinates are exchanged."""
    return [
        Fault(
            int(i) + 1,
            field,
            f"{centres[i, 0]:.6f}, {centres[i, 1]:.6f}",
            "两个坐标颠倒了(交换后与其他行相符)",
            "the two coordinates are swapped (exchanged they fit the other rows)",
            "请改正该行,或用 {way:swap=rows} 自动交换这些行",
            "correct the row, or use {way:swap=rows} to exchange such rows",
        )
        for i in np.flatnonzero(rows)
    ]
