"""Records of a file: typed, referenced, and put into the cells of the plan in force."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.codes import normalize_name
from gridsvc.crs import STORAGE_EPSG
from gridsvc.errors import Fault, InputError, NoPlanInForce, WrongCrs
from gridsvc.layers import LAYERS, UNITS, Layer, Placement, normalize
from gridsvc.locate import Locator
from gridsvc.plan.version import PlanVersion, in_force_at
from gridsvc.services.attributes import Reading, in_contract, read_attributes, require
from gridsvc.services.fields import UNIT_ID, column_key
from gridsvc.services.joining import place
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.raw import ImportOptions, Note, RawLayer
from gridsvc.types import Progress

# Layers whose rows belong into a cell, and those that cannot do without coordinates.
PLACED = ("points", "cases", "staff", "facilities")
NEEDS_PLACE = ("points", "cases", "facilities")
_POINT, _LINE = {0, 4}, {1, 2, 5}
_SHAPES = {
    "point": (_POINT, "点", "points"),
    "line": (_LINE, "线", "lines"),
    "polygon": ({3, 6}, "面", "polygons"),
}


@dataclass(slots=True)
class Records:
    """Rows ready to be stored, with units to be created before them."""

    frame: pd.DataFrame
    notes: list[Note]
    placements: dict[str, int] = field(default_factory=dict)
    new_units: pd.DataFrame | None = None


def read_records(
    work: UnitOfWork,
    raw: RawLayer,
    as_layer: str,
    options: ImportOptions,
    at: datetime,
    progress: Progress,
) -> Records:
    """Turn a source into rows of a record layer; nothing is stored.

    Raises
    ------
    RejectedRows
        Naming every row and field that cannot be used.
    NoPlanInForce
        If rows have to be placed and there is no plan.
    WrongCrs
        If not one row lies near the plan.
    """
    layer = LAYERS[as_layer]
    reading = read_attributes(raw, as_layer, options, layer=layer)
    progress("check", 0.2)
    _keys(reading, raw, layer)
    geometry = _geometry(reading, raw, layer)
    wanted = [c.name for c in layer.columns if c.required and c.default is None]
    if as_layer == "duties":
        _default(reading, "recorded_at", at)
        _target_kind(reading)
    if as_layer == "points":
        _default_name(reading)
    require(reading, layer, *wanted)
    new_units = None
    if as_layer in ("points", "staff", "cases") and "unit_id" in reading.table:
        new_units = _units(work, reading, options)
    if as_layer == "cases" and "class_code" in reading.table:
        _classes(work, reading)
    if as_layer == "visits" and "point_id" in reading.table:
        known = work.records("points").frame()
        _references(
            reading, "point_id", [str(k) for k in known.index], "测评点", "evaluation point"
        )
    reading.refuse()
    table = reading.table
    if as_layer == "units":
        table = _distinct(table, reading)
    if layer.geometry == "line":
        table, geometry = _single_lines(table, geometry, layer)
    frame = _with_source(table, geometry, raw, layer)
    frame = in_contract(frame, layer, reading)
    placements: dict[str, int] = {}
    if as_layer in PLACED:
        progress("place", 0.5)
        frame = _placed(work, frame, raw, as_layer, options, at, reading)
        counts = frame["placement"].value_counts()
        placements = {kind: int(counts.get(kind, 0)) for kind in Placement.ALL}
    return Records(frame, [*raw.notes, *reading.notes], placements, new_units)


def _default(reading: Reading, name: str, value: Any) -> None:
    given = reading.table.get(name)
    fill = pd.Series([value] * len(reading.table), index=reading.table.index, dtype=object)
    reading.table[name] = fill if given is None else given.where(given.notna(), fill)


def _default_name(reading: Reading) -> None:
    if "name" not in reading.table and "address" in reading.table:
        reading.table["name"] = reading.table["address"]


def _target_kind(reading: Reading) -> None:
    """Let the length of the code tell what a duty is for, where the file does not say."""
    table = reading.table
    if "target_kind" in table or "target_code" not in table:
        return
    kinds = {9: "subdistrict", 12: "community", 14: "cell", 15: "cell"}
    table["target_kind"] = [kinds.get(len(c or "")) for c in table["target_code"]]


def _keys(reading: Reading, raw: RawLayer, layer: Layer) -> None:
    if layer.key in reading.table.columns:
        return
    reading.table[layer.key] = [f"{raw.digest[:8]}-{i:06d}" for i in range(1, len(raw.frame) + 1)]
    reading.notes.append(
        Note(
            f"没有编号列,已按行号生成 {layer.key}({raw.digest[:8]}-000001 起)",
            f"no key column; {layer.key} is the row number (from {raw.digest[:8]}-000001)",
        )
    )


def _geometry(reading: Reading, raw: RawLayer, layer: Layer) -> np.ndarray | None:
    """Return geometry of the right kind, or note the faults."""
    if layer.geometry is None:
        return None
    rows = len(raw.frame)
    if not isinstance(raw.frame, gpd.GeoDataFrame):
        if layer.name in NEEDS_PLACE or layer.geometry == "line":
            way = "请用 --map lon=列名 --map lat=列名(或 wkt=列名)指明坐标列,并给出 --datum"
            out = "name them with --map lon=COLUMN --map lat=COLUMN (or wkt=COLUMN) and --datum"
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
                "请确认 --as 的取值或换用正确的文件",
                "check --as or give the right file",
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
        for i in np.flatnonzero(~given):
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


def _single_lines(
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


def _distinct(table: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Keep one of several rows that say the same, as when units are taken from a list of points."""
    same = table.drop_duplicates(ignore_index=True)
    if len(same) < len(table):
        reading.notes.append(
            Note(
                f"{len(table) - len(same)} 行内容重复,已合并",
                f"{len(table) - len(same)} repeated rows were merged",
            )
        )
    return same


def _with_source(
    table: pd.DataFrame, geometry: np.ndarray | None, raw: RawLayer, layer: Layer
) -> pd.DataFrame:
    if layer.geometry is None:
        return table
    frame = gpd.GeoDataFrame(table.copy(), geometry=geometry, crs=STORAGE_EPSG)
    names = layer.column_names
    if "source_x" in names and raw.source_x is not None and raw.source_y is not None:
        frame["source_x"], frame["source_y"] = raw.source_x, raw.source_y
        degrees = raw.crs in ("EPSG:4490", "EPSG:4326") or raw.datum in ("gcj02", "bd09")
        told = str(raw.datum) if degrees else raw.crs
        frame["source_datum"] = np.where(raw.source_x.notna(), told, None)
    return frame


def _units(work: UnitOfWork, reading: Reading, options: ImportOptions) -> pd.DataFrame | None:
    """Replace unit names by ids.

    Unknown names are created as units unless refused; an unknown id is always a fault, because
    nothing but a typing error can be meant.
    """
    known = work.records("units").frame()
    shown = reading.shown("unit_id")
    by_id = column_key(shown) in {column_key(n) for n in ("unit_id", *UNIT_ID)}
    if by_id and known.empty:
        reading.notes.append(
            Note(
                "尚未导入责任单位,单位编号未核对", "no units are loaded; unit ids were not checked"
            )
        )
        return None
    by_name = {normalize_name(str(n)): str(k) for k, n in known["name"].items()}
    ids = {str(k) for k in known.index}
    strict = by_id or options.unknown_units == "refuse"
    created: dict[str, str] = {}
    result: list[str | None] = []
    for row, value in enumerate(reading.table["unit_id"], start=1):
        text = None if value is None else str(value)
        found = text if text is None or text in ids else by_name.get(normalize_name(text))
        if text is not None and found is None:
            if strict:
                labels = [*ids, *map(str, known["name"])]
                reading.faults.append(_unknown(row, shown, text, labels, "责任单位", "unit"))
            else:
                found = created.setdefault(normalize_name(text), text)
        result.append(found)
    reading.table["unit_id"] = pd.Series(result, index=reading.table.index, dtype=object)
    if not created:
        return None
    names = list(created.values())
    listing = "、".join(names[:10]) + ("…" if len(names) > 10 else "")
    reading.notes.append(
        Note(
            f"新建了 {len(names)} 个责任单位:{listing}",
            f"{len(names)} units were created: {listing}",
        )
    )
    return normalize(
        pd.DataFrame({"unit_id": names, "name": names, "kind": "team"}), UNITS, source="units"
    )


def _classes(work: UnitOfWork, reading: Reading) -> None:
    """Replace class names by codes; unknown ones are faults with near suggestions."""
    catalogue = work.records("classes").frame()
    if catalogue.empty:
        reading.notes.append(
            Note(
                "尚未导入问题类别目录,类别未核对",
                "no class catalogue is loaded; classes were not checked",
            )
        )
        return
    codes = {str(c): str(c) for c in catalogue.index}
    names: dict[str, str] = {}
    twice: set[str] = set()
    for code, name in catalogue["name"].items():
        key = normalize_name(str(name))
        if key in names:
            twice.add(key)
        names[key] = str(code)
    labels = [f"{c} {n}" for c, n in catalogue["name"].items()]
    major = dict(zip(catalogue.index, catalogue["major_code"], strict=True))
    result: list[str | None] = []
    for row, value in enumerate(reading.table["class_code"], start=1):
        text = None if value is None else str(value)
        if text is None:
            result.append(None)
            continue
        key = normalize_name(text)
        found = codes.get(text) or (None if key in twice else names.get(key))
        if found is None:
            near = _near(text, [*codes, *[str(n) for n in catalogue["name"]]])
            shown = [x for x in labels if x.split(" ")[0] in near or x.split(" ", 1)[1] in near]
            tip_zh = "请用类别代码" if key in twice else "请核对类别代码"
            reading.faults.append(
                Fault(
                    row,
                    reading.shown("class_code"),
                    text[:80],
                    "未知类别",
                    "unknown class",
                    f"相近的类别:{'、'.join(shown[:3])}"
                    if shown
                    else f"{tip_zh}(gridsvc export classes)",
                    f"near ones: {', '.join(shown[:3])}"
                    if shown
                    else "check the class code (gridsvc export classes)",
                )
            )
        result.append(found)
    reading.table["class_code"] = pd.Series(result, index=reading.table.index, dtype=object)
    told = reading.table.get("major_code")
    majors = pd.Series([major.get(c) for c in result], index=reading.table.index, dtype=object)
    reading.table["major_code"] = majors if told is None else majors.where(majors.notna(), told)


def _references(reading: Reading, name: str, known: list[str], zh: str, en: str) -> None:
    present = set(known)
    for row, value in enumerate(reading.table[name], start=1):
        if value is not None and str(value) not in present:
            reading.faults.append(_unknown(row, reading.shown(name), str(value), known, zh, en))


def _near(text: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(text, sorted(set(known)), n=3, cutoff=0.5)


def _unknown(row: int, name: str, text: str, known: Iterable[str], zh: str, en: str) -> Fault:
    near = _near(text, map(str, known))
    return Fault(
        row,
        name,
        text[:80],
        f"未知的{zh}",
        f"unknown {en}",
        f"相近的:{'、'.join(near)}" if near else f"请先导入{zh}或改正该值",
        f"near ones: {', '.join(near)}" if near else f"import the {en}s first or correct the value",
    )


def _placed(
    work: UnitOfWork,
    frame: pd.DataFrame,
    raw: RawLayer,
    as_layer: str,
    options: ImportOptions,
    at: datetime,
    reading: Reading,
) -> gpd.GeoDataFrame:
    assert isinstance(frame, gpd.GeoDataFrame)  # noqa: S101 - placed layers have geometry
    plans = work.plans.list(options.scheme)
    now = in_force_at(plans, at)
    given = frame.geometry.notna()
    if now is None:
        if as_layer == "staff" and not given.any():
            frame["placement"] = Placement.NO_COORDINATES
            return frame
        raise NoPlanInForce(at=at.isoformat())
    locator_of = _locators(work)
    chosen = _plan_per_row(frame, plans, now, as_layer, reading)
    pieces = [
        place(frame[(chosen == plan.id).to_numpy()], locator_of(plan), plan.id)
        for plan in plans
        if (chosen == plan.id).any()
    ]
    placed = gpd.GeoDataFrame(pd.concat(pieces), crs=STORAGE_EPSG).loc[frame.index]
    if raw.invalid is not None:
        bad = raw.invalid.to_numpy()
        placed.loc[bad, "placement"] = Placement.INVALID_COORDINATES
    found = placed["cell_code"].notna()
    if given.sum() and not found.any():
        west, south, east, north = (float(v) for v in frame.total_bounds)
        cells = work.plans.cells(now.id).total_bounds
        raise WrongCrs(
            crs=f"{raw.crs}/{raw.datum}",
            reason_zh=f"{int(given.sum())} 行都不在方案 {now.id} 之内:"
            f"数据范围 {west:.3f}, {south:.3f} 至 {east:.3f}, {north:.3f}",
            reason_en=f"none of {int(given.sum())} rows lies in plan {now.id}: "
            f"they span {west:.3f}, {south:.3f} to {east:.3f}, {north:.3f}",
            hint_zh="方案范围 {:.3f}, {:.3f} 至 {:.3f}, {:.3f};请核对 --crs、--datum 和文件".format(
                *cells
            ),
            hint_en="the plan spans {:.3f}, {:.3f} to {:.3f}, {:.3f}; check --crs, --datum "
            "and the file".format(*cells),
        )
    return placed


def _locators(work: UnitOfWork) -> Callable[[PlanVersion], Locator]:
    made: dict[str, Locator] = {}

    def of(plan: PlanVersion) -> Locator:
        if plan.id not in made:
            made[plan.id] = Locator.from_cells(work.plans.cells(plan.id))
        return made[plan.id]

    return of


def _plan_per_row(
    frame: pd.DataFrame,
    plans: list[PlanVersion],
    now: PlanVersion,
    as_layer: str,
    reading: Reading,
) -> pd.Series:
    """Return the plan of each row: for cases that of filing time, else that in force now."""
    chosen = pd.Series([now.id] * len(frame), index=frame.index, dtype=object)
    if as_layer != "cases":
        return chosen
    when = frame["reported_at"]
    covered = pd.Series(False, index=frame.index)
    for plan in sorted(plans, key=lambda p: (p.effective_from is None, p.effective_from, p.number)):
        if plan.effective_from is None or not plan.in_force(plan.effective_from):
            continue
        mine = when >= plan.effective_from
        if plan.effective_to is not None:
            mine &= when < plan.effective_to
        chosen[mine] = plan.id
        covered |= mine
    late = int((~covered).sum())
    if late:
        reading.notes.append(
            Note(
                f"{late} 件案件上报时尚无生效方案,已按现行方案 {now.id} 定位",
                f"{late} cases were filed before any plan was in force; "
                f"they were placed in plan {now.id}",
            )
        )
    return chosen


def check_layer(as_layer: str, known: Iterable[str]) -> None:
    """Raise ``InputError`` for an ``--as`` value that is none."""
    names = sorted(known)
    if as_layer not in names:
        listing = ", ".join(names)
        raise InputError(reason=f"--as {as_layer}:可用 {listing} · use one of {listing}")
