"""Writes the sample city as files, as a planner gets them."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
import shapely
from openpyxl import Workbook

from geodata.sample.city import SampleCity
from geodata.sample.messy import write_messy

COLUMNS: dict[str, dict[str, str]] = {
    "cells": {
        "code": "网格编码", "name": "网格名称", "kind": "网格类型", "community_code": "社区编码",
        "community_name": "社区名称", "subdistrict_code": "街道编码",
        "subdistrict_name": "街道名称",
        "population": "人口数", "households": "户数",
    },
    "points": {
        "point_id": "点位编号", "name": "点位名称", "category": "点位类别", "address": "地址",
        "unit_id": "责任单位编号", "visit_window": "检查时段", "visits_per_week": "每周次数",
        "service_minutes": "停留分钟",
    },
    "staff": {
        "person_id": "人员编号", "name": "姓名", "role": "角色", "source": "人员来源",
        "unit_id": "所属单位编号", "phone": "电话",
    },
    "units": {
        "unit_id": "单位编号", "name": "单位名称", "kind": "单位类型", "parent_id": "上级单位编号",
        "area_code": "区域编码", "phone": "电话",
    },
    "duties": {
        "duty_id": "责任编号", "person_id": "人员编号", "unit_id": "责任单位编号", "role": "角色",
        "target_kind": "对象类型", "target_code": "对象编码", "class_code": "类别代码",
        "valid_from": "生效时间", "valid_to": "失效时间", "recorded_at": "登记时间",
    },
    "cases": {
        "case_id": "案件编号", "class_code": "小类代码", "major_code": "大类代码", "title": "标题",
        "channel": "来源", "status": "状态", "reported_at": "上报时间", "deadline": "截止时间",
        "closed_at": "结案时间", "unit_id": "责任单位编号", "person_id": "人员编号",
        "reporter": "上报人", "phone": "电话",
    },
    "visits": {
        "visit_id": "检查编号", "point_id": "点位编号", "person_id": "人员编号",
        "visited_at": "检查时间", "window": "时段", "kind": "检查类型", "passed": "合格项",
        "observed": "检查项",
    },
}  # fmt: skip
"""Column names in the files; layers that are not here keep the names of the contract."""

_ZONE = "Asia/Shanghai"


def write_city(city: SampleCity, folder: Path | str, *, messy: bool = False) -> list[Path]:
    """Write the city into a folder and return the files.

    Clean files are GPKG, GeoJSON, CSV (UTF-8 with BOM) and XLSX with Chinese column names and
    times with their offset; ``truth.json`` lists what was planted. With ``messy`` the files are
    those of a careless office and ``truth.json`` also lists each defect
    (see ``geodata.sample.messy``).

    Parameters
    ----------
    city : SampleCity
    folder : Path or str
        Made when missing; files of the same names are replaced.
    messy : bool

    Returns
    -------
    list of Path
        In the order in which they should be imported, ``truth.json`` last. The plan has to be
        published after the cells and exclusions, before the records that lie in it.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    if messy:
        return write_messy(city, target, renamed=renamed, write_csv=write_csv)
    files = [
        _vector(_contract(city, "cells"), target / "cells.gpkg"),
        _vector(city.exclusions.reset_index(), target / "exclusions.geojson"),
        _vector(city.streets.reset_index(), target / "streets.gpkg"),
        write_csv(renamed(city, "units"), target / "units.csv"),
        write_csv(renamed(city, "staff"), target / "staff.csv"),
        _xlsx(renamed(city, "points"), target / "points.xlsx"),
        write_csv(city.classes.reset_index(), target / "classes.csv"),
        write_csv(renamed(city, "duties"), target / "duties.csv"),
        _vector(_contract(city, "facilities"), target / "facilities.geojson"),
        write_csv(renamed(city, "visits"), target / "visits.csv"),
        write_csv(renamed(city, "cases"), target / "cases.csv"),
    ]
    truth = target / "truth.json"
    text = json.dumps(city.truth, ensure_ascii=False, indent=1)
    truth.write_text(text + "\n", encoding="utf-8")
    return [*files, truth]


def renamed(city: SampleCity, layer: str) -> pd.DataFrame:
    """Return a layer as a plain table with Chinese column names, places as 经度, 纬度 and 坐标基准.

    Parameters
    ----------
    city : SampleCity
    layer : str
        One of ``COLUMNS``.
    """
    frame = city.frames()[layer].reset_index()
    table = pd.DataFrame({zh: frame[name] for name, zh in COLUMNS[layer].items()})
    if isinstance(frame, gpd.GeoDataFrame) and layer != "cells":
        places = frame.geometry.to_numpy()
        table["经度"] = shapely.get_x(places)
        table["纬度"] = shapely.get_y(places)
        table["坐标基准"] = "cgcs2000"
    for column in table.columns:
        if isinstance(table[column].dtype, pd.DatetimeTZDtype):
            local = table[column].dt.tz_convert(_ZONE)
            table[column] = local.map(lambda t: None if pd.isna(t) else t.isoformat())
    return table


def write_csv(table: pd.DataFrame, path: Path, encoding: str = "utf-8-sig") -> Path:
    """Write a table as CSV with comma, header and line feeds; return the path."""
    table.to_csv(path, index=False, encoding=encoding, lineterminator="\n")
    return path


def _contract(city: SampleCity, layer: str) -> gpd.GeoDataFrame:
    frame = city.frames()[layer].reset_index()
    if layer == "cells":
        names = COLUMNS["cells"]
        return gpd.GeoDataFrame(
            {zh: frame[name] for name, zh in names.items()},
            geometry=frame.geometry,
            crs=frame.crs,
        )
    return gpd.GeoDataFrame(frame[["facility_id", "name", "kind", "geometry"]], crs=frame.crs)


def _vector(frame: gpd.GeoDataFrame, path: Path) -> Path:
    path.unlink(missing_ok=True)
    if path.suffix == ".geojson":
        # GeoJSON is WGS 84 by RFC 7946; CGCS2000 equals it at this precision. The driver's
        # COORDINATE_PRECISION=9 moves single vertices; its default brings all of them back.
        frame = frame.set_crs(4326, allow_override=True)
    pyogrio.write_dataframe(frame, path, layer=path.stem, encoding="utf-8")
    return path


def _xlsx(table: pd.DataFrame, path: Path) -> Path:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("测评点位")
    sheet.append(list(table.columns))
    for row in table.itertuples(index=False):
        sheet.append([None if pd.isna(v) else v for v in row])
    book.save(path)
    return path
