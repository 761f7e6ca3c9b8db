"""How columns of foreign files are called: Chinese and English names of each contract field.

Matching is by normalised name (width, case, blanks, punctuation and variant characters do not
count) and never by position. A name that a person gives with ``--map FIELD=COLUMN`` always wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from gridsvc.codes import normalize_name
from gridsvc.errors import Fault, RejectedRows
from gridsvc.layers import LAYERS, Layer
from gridsvc.ways import verbatim, way

LON = ("lon", "longitude", "lng", "long", "经度", "x", "x坐标", "经度x", "东经", "point_x",
       "coordx",
       "lon_wgs84", "lng_wgs84", "横坐标", "x_coord", "xcoord")  # fmt: skip
LAT = ("lat", "latitude", "纬度", "y", "y坐标", "纬度y", "北纬", "point_y", "coordy", "lat_wgs84",
       "纵坐标", "y_coord", "ycoord")  # fmt: skip
WKT = ("wkt", "geometry", "geom", "the_geom", "几何", "图形", "空间坐标")
DATUM = ("datum", "坐标基准", "坐标系", "坐标系统", "坐标类型", "coordtype")

_CELL_CODE = ("code", "cell_code", "网格编码", "网格编号", "网格代码", "单元网格编码",
              "单元网格编号",
              "单元网格代码", "小区编码", "小区编号", "codebase", "geoid", "bgcode", "grid_code",
              "gridcode", "gridid", "cellcode", "编码", "编号", "代码")  # fmt: skip
_COMMUNITY_CODE = ("community_code", "社区编码", "社区代码", "社区编号", "社区(村)编码",
                   "comm_code",
                   "villcode", "村里代码", "tract", "sqdm")  # fmt: skip
_COMMUNITY_NAME = ("community_name", "社区", "社区名称", "社区名", "所属社区", "所在社区", "村居",
                   "社区(村)", "comm_name", "community", "villname", "sqmc")  # fmt: skip
_SUBDISTRICT_CODE = ("subdistrict_code", "街道编码", "街道代码", "街道编号", "镇街编码", "sub_code",
                     "街道办代码", "乡镇代码", "streetcode", "towncode", "town_id",
                     "jddm")  # fmt: skip
_SUBDISTRICT_NAME = ("subdistrict_name", "街道", "街道名称", "街道名", "所属街道", "所在街道",
                     "街道(镇)", "镇街", "乡镇", "sub_name", "subdistrict", "townname", "行政区",
                     "jdmc")  # fmt: skip
_NAME = ("name", "名称", "名字", "mc")
UNIT_ID = ("unit_id", "单位编号", "单位编码", "责任单位编号", "责任单位编码", "所属单位编号")
_UNIT_ANY = (
    *UNIT_ID,
    "unit",
    "责任单位",
    "所属单位",
    "辖区分队",
    "轄區分隊",
    "轄区分隊",
    "department",
    "主管部门",
)
_PERSON_ID = ("person_id", "人员编号", "工号", "网格员编号", "staff_id", "人员编码")
_POINT_ID = ("point_id", "点位编号", "点位编码", "测评点编号", "测评点位编号")
_PHONE = ("phone", "电话", "联系电话", "手机", "手机号", "手机号码", "联系方式", "tel", "mobile")

SYNONYMS: dict[str, dict[str, tuple[str, ...]]] = {
    "cells": {
        "code": _CELL_CODE,
        "name": (*_NAME, "网格名称", "单元网格名称", "小区名称", "小区名", "小区", "cell_name",
                 "namelsad"),
        "kind": ("kind", "网格类型", "网格类别", "类型", "celltype"),
        "community_code": _COMMUNITY_CODE,
        "community_name": _COMMUNITY_NAME,
        "subdistrict_code": _SUBDISTRICT_CODE,
        "subdistrict_name": _SUBDISTRICT_NAME,
        "population": ("population", "人口", "人口数", "常住人口", "popul", "pop", "总人口"),
        "households": ("households", "户数", "总户数", "househ", "hh"),
    },
    "exclusions": {
        "exclusion_id": ("exclusion_id", "excl_id", "编号", "编码", "id", "code"),
        "kind": ("kind", "类型", "类别", "type"),
        "name": _NAME,
        "reason": ("reason", "原因", "理由", "说明", "备注"),
    },
    "streets": {
        "street_id": ("street_id", "道路编号", "道路编码", "编号", "osm_id", "osmid", "id", "fid"),
        "name": (*_NAME, "道路名称", "路名", "街道名称", "street_name"),
        "highway": ("highway", "道路等级", "道路类型", "等级", "fclass"),
        "bridge": ("bridge", "桥", "桥梁", "是否桥梁"),
        "tunnel": ("tunnel", "隧道", "是否隧道"),
        "layer": ("layer", "层", "层级"),
        "width_m": ("width_m", "宽度", "路宽", "道路宽度", "width"),
    },
    "points": {
        "point_id": (*_POINT_ID, "编号", "编码", "序号", "id", "code"),
        "name": (*_NAME, "点位名称", "点位", "测评点名称", "测评点位名称", "巷道名称", "巷道名稱",
                 "point_name"),
        "category": ("category", "类别", "点位类别", "点位类型", "类型", "测评类别", "分类",
                     "categ"),
        "address": ("address", "地址", "点位地址", "详细地址", "点位住址", "點位住址", "位置"),
        "unit_id": _UNIT_ANY,
        "visit_window": ("visit_window", "检查时段", "时段", "window", "visit_win"),
        "visits_per_week": ("visits_per_week", "每周次数", "每周检查次数", "visits_wk", "频次"),
        "service_minutes": ("service_minutes", "停留分钟", "检查分钟", "检查时长", "service_mi"),
    },
    "cases": {
        "case_id": ("case_id", "案件编号", "案件号", "案卷编号", "任务号", "案件编码", "编号",
                    "case_no",
                    "caseenquiryid", "case_enquiry_id", "service_request_id", "id"),
        "class_code": ("class_code", "小类代码", "小类编码", "问题小类代码", "类别代码", "小类",
                       "问题小类",
                       "案件小类", "类别", "type", "category", "service_code", "class"),
        "major_code": ("major_code", "大类代码", "大类编码", "大类", "问题大类", "案件大类"),
        "title": ("title", "标题", "案件标题", "问题描述", "案件描述", "描述", "case_title",
                  "内容"),
        "channel": ("channel", "来源", "问题来源", "案件来源", "信息来源", "渠道"),
        "status": ("status", "状态", "案件状态", "当前状态", "case_status"),
        "reported_at": ("reported_at", "上报时间", "受理时间", "立案时间", "登记时间", "发生时间",
                        "举报时间",
                        "上报日期", "日期", "date", "opendt", "open_dt", "requested_datetime",
                        "open"),
        "deadline": ("deadline", "截止时间", "处置截止时间", "时限", "targetdt", "target_dt",
                     "target"),
        "closed_at": ("closed_at", "结案时间", "办结时间", "closeddt", "closed_dt", "closed"),
        "unit_id": (*_UNIT_ANY, "处置单位", "处置部门"),
        "person_id": _PERSON_ID,
        "reporter": ("reporter", "上报人", "举报人", "反映人"),
        "phone": _PHONE,
    },
    "units": {
        "unit_id": (*UNIT_ID, "编号", "编码", "id", "code"),
        "name": (*_NAME, "单位名称", "责任单位", "unit_name"),
        "kind": ("kind", "单位类型", "单位类别", "类型", "类别"),
        "parent_id": ("parent_id", "上级单位编号", "上级编号", "上级单位"),
        "area_code": ("area_code", "区域编码", "所属区域编码", "辖区编码"),
        "phone": _PHONE,
    },
    "staff": {
        "person_id": (*_PERSON_ID, "编号", "编码", "id"),
        "name": ("name", "姓名", "人员姓名", "网格员姓名"),
        "role": ("role", "角色", "岗位", "职务", "人员角色"),
        "source": ("source", "人员来源", "来源", "队伍"),
        "unit_id": _UNIT_ANY,
        "phone": _PHONE,
    },
    "duties": {
        "duty_id": ("duty_id", "责任编号", "职责编号", "编号", "id"),
        "person_id": _PERSON_ID,
        "unit_id": _UNIT_ANY,
        "role": ("role", "角色", "责任角色", "岗位"),
        "target_kind": ("target_kind", "对象类型", "责任对象类型", "对象类别", "target_ki"),
        "target_code": ("target_code", "对象编码", "责任对象编码", "网格编码", "网格编号"),
        "class_code": ("class_code", "类别代码", "小类代码", "小类编码"),
        "valid_from": ("valid_from", "生效时间", "生效日期", "开始时间", "开始日期", "起始日期"),
        "valid_to": ("valid_to", "失效时间", "失效日期", "结束时间", "结束日期", "终止日期"),
        "recorded_at": ("recorded_at", "登记时间", "录入时间"),
    },
    "visits": {
        "visit_id": ("visit_id", "检查编号", "巡查编号", "编号", "id"),
        "point_id": _POINT_ID,
        "person_id": (*_PERSON_ID, "检查人编号"),
        "visited_at": ("visited_at", "检查时间", "巡查时间", "检查日期", "日期"),
        "window": ("window", "时段", "检查时段"),
        "kind": ("kind", "检查类型", "类型"),
        "passed": ("passed", "合格项", "合格数", "达标项"),
        "observed": ("observed", "检查项", "检查数", "观察项"),
    },
    "classes": {
        "class_code": ("class_code", "小类代码", "小类编码", "类别代码", "编码", "代码", "code"),
        "catalog": ("catalog", "目录", "目录版本", "标准"),
        "namespace": ("namespace", "部件事件", "性质"),
        "major_code": ("major_code", "大类代码", "大类编码"),
        "major_name": ("major_name", "大类名称", "大类"),
        "name": (*_NAME, "小类名称", "小类", "类别名称"),
        "unit_kind": ("unit_kind", "责任单位类型", "单位类型"),
        "deadline_hours": ("deadline_hours", "处置时限", "时限小时", "时限"),
        "clock": ("clock", "计时方式", "计时"),
    },
    "facilities": {
        "facility_id": ("facility_id", "设施编号", "设施编码", "编号", "编码", "id", "code"),
        "name": (*_NAME, "设施名称"),
        "kind": ("kind", "设施类型", "设施类别", "类型", "类别"),
    },
}  # fmt: skip
_PLACE = {"cell_code", "plan_id", "placement", "source_x", "source_y", "source_datum", "area_m2"}

AREA_SYNONYMS: dict[str, dict[str, tuple[str, ...]]] = {
    "communities": {
        "code": (*_COMMUNITY_CODE, "geoid", "编码", "编号", "code", "id"),
        "name": (*_COMMUNITY_NAME, "名称", "name"),
        "subdistrict_code": _SUBDISTRICT_CODE,
        "subdistrict_name": _SUBDISTRICT_NAME,
        "population": SYNONYMS["cells"]["population"],
        "households": SYNONYMS["cells"]["households"],
    },
    "subdistricts": {
        "code": (*_SUBDISTRICT_CODE, "geoid", "编码", "编号", "code", "id"),
        "name": (*_SUBDISTRICT_NAME, "名称", "name"),
        "population": SYNONYMS["cells"]["population"],
        "households": SYNONYMS["cells"]["households"],
    },
}


def column_key(name: str) -> str:
    """Return a column name in the form used for matching.

    Examples
    --------
    >>> column_key(" Cell_Code ") == column_key("cellcode")
    True
    >>> column_key("社区(村)编码") == column_key("社区(村)编码")
    True
    """
    return re.sub(r"[^\w]|_", "", normalize_name(str(name)).lower())


def find_column(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """Return the first column, in the order of ``names``, whose name is one of them."""
    by_key: dict[str, str] = {}
    for column in columns:
        by_key.setdefault(column_key(column), str(column))
    for name in names:
        found = by_key.get(column_key(name))
        if found is not None:
            return found
    return None


def synonyms_of(as_layer: str) -> dict[str, tuple[str, ...]]:
    """Return field to known names for an ``--as`` value (KeyError for others)."""
    return AREA_SYNONYMS[as_layer] if as_layer in AREA_SYNONYMS else SYNONYMS[as_layer]


def match_fields(
    columns: Sequence[str],
    as_layer: str,
    mapping: Mapping[str, str] | None = None,
    *,
    source: str = "table",
    also: Sequence[str] = (),
) -> dict[str, str]:
    """Decide which column holds which field.

    Parameters
    ----------
    columns : sequence of str
        Columns of the source in file order.
    as_layer : str
        Value of ``--as``: a layer name, ``communities`` or ``subdistricts``.
    mapping : mapping, optional
        Field to column, given by a person; wins over the known names.
    source : str
        For messages.
    also : sequence of str
        Further fields that a mapping may name although no layer has them (``lon``, ``lat`` …).

    Returns
    -------
    dict
        Field to column, fields without a column left out.

    Raises
    ------
    RejectedRows
        If the mapping names an unknown field or a column that is not there.
    """
    known = synonyms_of(as_layer)
    extra = set(_PLACE) | set(also) | {"lon", "lat", "wkt", "datum"}
    if as_layer in LAYERS:
        extra |= set(LAYERS[as_layer].column_names)
    faults: list[Fault] = []
    found: dict[str, str] = {}
    listing = ", ".join(map(verbatim, columns)) or "—"
    for field, column in (mapping or {}).items():
        if field not in known and field not in extra:
            faults.append(Fault(None, field, column, "没有这个字段", "there is no such field",
                                f"可用字段:{'、'.join(known)}",
                                f"fields: {', '.join(known)}"))  # fmt: skip
            continue
        exact = column if column in columns else find_column(columns, (column,))
        if exact is None:
            faults.append(Fault(None, field, column, "文件中没有这一列",
            "the file has no such column",
                                f"文件的列:{listing}",
                                f"columns of the file: {listing}"))  # fmt: skip
            continue
        found[field] = exact
    if faults:
        raise RejectedRows(source=source, faults=faults)
    taken = set(found.values())
    for field, names in known.items():
        if field in found:
            continue
        free = [c for c in columns if c not in taken]
        column_found = find_column(free, (field, *names))
        if column_found is not None:
            found[field] = column_found
            taken.add(column_found)
    found |= _cut_names([c for c in columns if c not in taken], known, found)
    return {f: c for f, c in found.items() if f not in {"lon", "lat", "wkt", "datum"}}


def _cut_names(
    columns: Sequence[str], known: Mapping[str, Sequence[str]], found: Mapping[str, str]
) -> dict[str, str]:
    """Match names that a shapefile cut at ten bytes, where exactly one field can be meant."""
    result: dict[str, str] = {}
    for column in columns:
        size = {len(str(column).encode(c, "replace")) for c in ("utf-8", "gb18030")}
        if not size & {8, 9, 10}:
            continue
        key = column_key(column)
        fields = [
            f for f, names in known.items()
            if f not in found and any(column_key(n).startswith(key) for n in (f, *names))
        ]  # fmt: skip
        if len(fields) == 1 and fields[0] not in result:
            result[fields[0]] = column
    return result


def _serves_another(layer: str, field: str, column: str, other: str) -> Fault:
    stated = way("map", f"{other}={column}")
    areas = layer == "cells" and field == "code"
    areas_zh = f";12 位编码的社区图层请用 {way('as', 'communities')} 导入" if areas else ""
    areas_en = (
        f"; a layer of communities with 12 digits is imported with {way('as', 'communities')}"
        if areas
        else ""
    )
    return Fault(
        None, field, column,
        f"列 {column} 已用于 {other},一列不能同时用于两个字段",
        f"column {column} serves {other} already, and one column cannot serve two fields",
        f"请去掉 {stated},或另备一列{areas_zh}",
        f"leave out {stated} or add a column of its own{areas_en}",
    )  # fmt: skip


def missing_field(
    layer: Layer | str,
    field: str,
    columns: Sequence[str],
    taken: Mapping[str, str] | None = None,
) -> Fault:
    """Return the fault of a required field that no column holds.

    Parameters
    ----------
    taken : mapping, optional
        Field to column of the fields that have one: a column that would hold this field too is
        named with the field it serves.
    """
    name = layer if isinstance(layer, str) else layer.name
    names = synonyms_of(name).get(field, (field,))
    fields = {column: other for other, column in (taken or {}).items()}
    column = find_column(fields, (field, *names))
    if column is not None:
        return _serves_another(name, field, column, fields[column])
    some = "、".join(names[:6])
    listing = ", ".join(map(verbatim, columns)) or "—"
    return Fault(
        None, field, "",
        f"找不到必填字段(常用列名:{some})", f"no column holds this required field (known: {some})",
        f"请用 {way('map', f'{field}=列名')} 指明;文件的列:{listing}",
        f"state it with {way('map', f'{field}=COLUMN')}; columns of the file: {listing}",
    )  # fmt: skip
