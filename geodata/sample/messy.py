"""The same city as a careless office delivers it, with a list of every planted defect.

The boundaries are a shapefile in GBK and GCJ-02 with slivers, overlaps, gaps, duplicate codes,
one bow-tie, a few rows with swapped axes and names with full-width blanks; a second copy lacks
its .prj and .cpg. The cases are a CSV in GB18030 with dates in three forms, unknown classes and
coordinates of (0, 0).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from shapely.geometry import Polygon
from shapely.ops import substring

from geodata.sample.city import SampleCity
from geodata.sample.terrain import generator
from gridsvc.crs import STORAGE_EPSG, to_metric, to_storage
from gridsvc.datum import convert
from gridsvc.types import FloatArray, ObjectArray

_SHAPE_COLUMNS = {
    "code": "网格编码", "name": "网格名称", "kind": "网格类型", "community_code": "社区编码",
    "community_name": "社区名称", "subdistrict_code": "街道编码", "subdistrict_name": "街道名称",
    "population": "人口数", "households": "户数",
}  # fmt: skip
_SLIVER_WIDTHS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
_WIDE_WIDTHS = (6.0, 11.0, 18.0)
_FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
_LANGUAGE_BYTE = 29
_PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")

Renamed = Callable[[SampleCity, str], pd.DataFrame]
WriteCsv = Callable[..., Path]


def write_messy(
    city: SampleCity, folder: Path, *, renamed: Renamed, write_csv: WriteCsv
) -> list[Path]:
    """Write the messy files; return them with ``truth.json`` last.

    Parameters
    ----------
    city : SampleCity
    folder : Path
        Exists.
    renamed, write_csv : callable
        Helpers of ``geodata.sample.write``.

    Returns
    -------
    list of Path
    """
    rng = generator(city.seed, "messy")
    defects: list[dict[str, Any]] = []
    cells = _spoil_cells(city, rng, defects)
    first = _shapefile(cells, folder / "cells.shp", keep_prj=True)
    second = _shapefile(cells, folder / "cells_noprj.shp", keep_prj=False)
    cases = _spoil_cases(renamed(city, "cases"), rng, defects)
    files = [
        first,
        second,
        write_csv(cases, folder / "cases.csv", encoding="gb18030"),
        write_csv(_spoil_staff(renamed(city, "staff"), rng, defects), folder / "staff.csv"),
    ]
    truth = {
        **city.truth,
        "files": {
            "cells.shp": {"encoding": "gbk", "datum": "gcj02", "prj": True, "cpg": True},
            "cells_noprj.shp": {"encoding": "gbk", "datum": "gcj02", "prj": False, "cpg": False},
            "cases.csv": {"encoding": "gb18030", "datum": "gcj02"},
            "staff.csv": {"encoding": "utf-8-sig", "datum": "wgs84"},
        },
        "defects": defects,
    }
    path = folder / "truth.json"
    path.write_text(json.dumps(truth, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return [*files, path]


def _spoil_cells(
    city: SampleCity, rng: np.random.Generator, defects: list[dict[str, Any]]
) -> gpd.GeoDataFrame:
    frame = city.cells.copy()
    codes = frame.index.to_numpy(dtype=object)
    shapes = np.asarray(to_metric(frame.geometry.to_numpy(), city.metric_epsg), dtype=object)
    pairs = _neighbours(shapes)
    pairs = pairs[rng.permutation(len(pairs))]
    used: set[int] = set()
    plan = [
        (kind, width)
        for width_set in (_SLIVER_WIDTHS, _WIDE_WIDTHS)
        for width in width_set
        for kind in ("gap", "overlap")
    ]
    for a, b in pairs:
        if not plan:
            break
        if a in used or b in used:
            continue
        changed = _spoil_edge(shapes[a], shapes[b], *plan[0])
        if changed is None:
            continue
        kind, width = plan.pop(0)
        area = float(abs(changed.area - shapes[a].area))
        shapes[a] = changed
        used |= {int(a), int(b)}
        defects.append(
            {"file": "cells.shp", "kind": kind, "code": str(codes[a]), "neighbour": str(codes[b]),
             "width_m": width, "area_m2": round(area, 3)}
        )  # fmt: skip
    free = np.array([i for i in rng.permutation(len(codes)) if i not in used])
    shapes[free[0]] = _bow_tie(shapes[free[0]])
    defects.append({"file": "cells.shp", "kind": "self_intersection", "code": str(codes[free[0]])})
    stored = np.asarray(to_storage(shapes, city.metric_epsg), dtype=object)
    shifted = shapely.transform(stored, _to_gcj)
    for i in free[1:4]:
        shifted[i] = shapely.transform(shifted[i], lambda xy: xy[:, ::-1])
        defects.append({"file": "cells.shp", "kind": "swapped_axes", "code": str(codes[i])})
    given = codes.copy()
    for i, j in ((free[4], free[5]), (free[6], free[7])):
        given[i] = codes[j]
        defects.append(
            {"file": "cells.shp", "kind": "duplicate_code", "code": str(codes[j]),
             "row": int(i) + 1, "true_code": str(codes[i])}
        )  # fmt: skip
    for i in free[8:10]:
        given[i] = str(codes[i]).translate(_FULL_WIDTH)
        defects.append({"file": "cells.shp", "kind": "full_width_code", "code": str(codes[i])})
    names = frame["community_name"].to_numpy(dtype=object).copy()
    for i in free[10:16]:
        text = str(names[i])
        names[i] = f"{text[:1]}\u3000{text[1:]}"
        defects.append({"file": "cells.shp", "kind": "full_width_blank", "code": str(codes[i])})
    for i in np.flatnonzero(["台" in str(n) for n in names])[:3]:
        names[i] = str(names[i]).replace("台", "臺")
        defects.append({"file": "cells.shp", "kind": "variant_character", "code": str(codes[i])})
    table = frame.reset_index().assign(code=given, community_name=names)
    return gpd.GeoDataFrame(
        {zh: table[name] for name, zh in _SHAPE_COLUMNS.items()},
        geometry=list(shifted),
        crs=STORAGE_EPSG,
    )


def _neighbours(shapes: ObjectArray) -> FloatArray:
    a, b = shapely.STRtree(shapes).query(shapes, predicate="touches")
    pairs = np.column_stack([a, b])
    return np.asarray(pairs[a < b])


def _spoil_edge(shape: Polygon, other: Polygon, kind: str, width: float) -> Polygon | None:
    """Return the shape with a strip less (gap) or more (overlap) along the common edge."""
    shared = shapely.line_merge(shape.boundary.intersection(other.boundary))
    if shared.length < 60.0 or shared.geom_type != "LineString":
        return None
    inner = substring(shared, 0.2, 0.8, normalized=True)
    strip = inner.buffer(width, cap_style="flat")
    changed = shape.difference(strip) if kind == "gap" else shape.union(strip.intersection(other))
    if not isinstance(changed, Polygon) or not changed.is_valid or changed.interiors:
        return None
    return changed


def _bow_tie(shape: Polygon) -> Polygon:
    """Swap two neighbouring vertices, so that the ring crosses itself."""
    ring = shapely.get_coordinates(shape.exterior)
    for k in range(1, len(ring) - 2):
        bent = ring.copy()
        bent[[k, k + 1]] = bent[[k + 1, k]]
        if not Polygon(bent).is_valid:
            return Polygon(bent)
    return shape


def _to_gcj(xy: FloatArray) -> FloatArray:
    return np.column_stack(convert(xy[:, 0], xy[:, 1], "cgcs2000", "gcj02"))


def _shapefile(frame: gpd.GeoDataFrame, path: Path, *, keep_prj: bool) -> Path:
    for suffix in _PARTS:
        path.with_suffix(suffix).unlink(missing_ok=True)
    # A fixed date in the table's header keeps the bytes equal from day to day.
    pyogrio.write_dataframe(
        frame, path, driver="ESRI Shapefile", encoding="GBK", DBF_DATE_LAST_UPDATE="2026-11-20"
    )
    if keep_prj:
        path.with_suffix(".cpg").write_text("GBK", encoding="ascii")
    else:
        path.with_suffix(".prj").unlink()
        path.with_suffix(".cpg").unlink()
        table = bytearray(path.with_suffix(".dbf").read_bytes())
        table[_LANGUAGE_BYTE] = 0
        path.with_suffix(".dbf").write_bytes(table)
    return path


def _spoil_cases(
    table: pd.DataFrame, rng: np.random.Generator, defects: list[dict[str, Any]]
) -> pd.DataFrame:
    table = table.drop(columns="坐标基准").astype({"小类代码": object, "标题": object})
    form = rng.integers(0, 3, len(table))
    for column in ("上报时间", "截止时间", "结案时间"):
        table[column] = [_date(text, k) for text, k in zip(table[column], form, strict=True)]
    defects.append(
        {"file": "cases.csv", "kind": "date_forms", "count": len(table),
         "forms": ["2026-03-05 14:05:00", "2026/3/5 14:05", "2026年3月5日 14时05分"],
         "zone": "Asia/Shanghai"}
    )  # fmt: skip
    lon, lat = convert(table["经度"].to_numpy(), table["纬度"].to_numpy(), "cgcs2000", "gcj02")
    x, y = np.round(lon, 6), np.round(lat, 6)
    placed = rng.permutation(np.flatnonzero(~np.isnan(x)))
    swapped, zero, unknown, named = np.split(placed[:46], [6, 14, 26])
    x[swapped], y[swapped] = y[swapped], x[swapped].copy()
    x[zero], y[zero] = 0.0, 0.0
    table["经度"], table["纬度"] = x, y
    bad = ("99001", "其它问题", "07099", "不详")
    codes = table["小类代码"].to_numpy(dtype=object).copy()
    for n, i in enumerate(unknown):
        codes[i] = bad[n % len(bad)]
    titles = table["标题"].to_numpy(dtype=object).copy()
    for i in named:
        titles[i] = f"\u3000{titles[i]} "
    table["小类代码"], table["标题"] = codes, titles
    ids = table["案件编号"].to_numpy(dtype=object)
    for kind, rows in (
        ("swapped_axes", swapped),
        ("zero_coordinates", zero),
        ("unknown_class", unknown),
        ("full_width_blank", named),
    ):
        defects.append(
            {"file": "cases.csv", "kind": kind, "case_ids": sorted(str(ids[i]) for i in rows)}
        )
    return table


def _date(text: str | None, form: int) -> str | None:
    if text is None or pd.isna(text):
        return None
    t = pd.Timestamp(text)
    if form == 0:
        return t.strftime("%Y-%m-%d %H:%M:%S")
    if form == 1:
        return f"{t.year}/{t.month}/{t.day} {t.hour}:{t.minute:02d}"
    return f"{t.year}年{t.month}月{t.day}日 {t.hour}时{t.minute:02d}分"


def _spoil_staff(
    table: pd.DataFrame, rng: np.random.Generator, defects: list[dict[str, Any]]
) -> pd.DataFrame:
    rows = rng.permutation(len(table))[:9]
    names = table["姓名"].to_numpy(dtype=object).copy()
    for i in rows[:6]:
        names[i] = "\u3000".join(str(names[i]))
    units = table["所属单位编号"].to_numpy(dtype=object).copy()
    for i in rows[6:]:
        units[i] = "U-没有这个单位"
    people = table["人员编号"].to_numpy(dtype=object)
    defects.append({"file": "staff.csv", "kind": "full_width_blank",
                    "person_ids": sorted(str(people[i]) for i in rows[:6])})  # fmt: skip
    defects.append({"file": "staff.csv", "kind": "unknown_unit",
                    "person_ids": sorted(str(people[i]) for i in rows[6:])})  # fmt: skip
    return table.assign(姓名=names, 所属单位编号=units)
