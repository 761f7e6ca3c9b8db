"""What is checked of the rows of each record layer beyond the types of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from gridsvc.services.attributes import Reading
from gridsvc.services.import_duties import check_duties, persons
from gridsvc.services.import_known import Known, must_exist
from gridsvc.services.import_references import class_codes, unit_ids
from gridsvc.services.import_terms import (
    case_status,
    outside_list,
    point_categories,
    replace_terms,
    roles,
    staff_sources,
)
from gridsvc.services.import_times import STEP, in_order, not_ahead, not_more, not_negative
from gridsvc.services.import_units import unit_parents
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.raw import ImportOptions, Note

WINDOWS: dict[str, tuple[str, ...]] = {
    "day": ("日间", "白天", "昼"),
    "night": ("夜间", "晚上", "夜"),
    "both": ("昼夜", "全天", "日夜"),
}
CLOCKS: dict[str, tuple[str, ...]] = {
    "work_hour": ("工作时", "工作小时"),
    "workday": ("工作日",),
    "urgent_hour": ("紧急工作时", "自然时", "紧急"),
}


def check_rows(
    work: UnitOfWork, reading: Reading, as_layer: str, options: ImportOptions, now: datetime
) -> pd.DataFrame | None:
    """Note a fault for every value of a record layer that names nothing or cannot be.

    Parameters
    ----------
    now : datetime
        What comes later has not happened yet.

    Returns
    -------
    DataFrame or None
        Units to be created before the rows.
    """
    if as_layer == "duties":
        return check_duties(work, reading, options)
    created = None
    if as_layer in ("points", "staff", "cases") and "unit_id" in reading.table:
        created = unit_ids(work, reading, options)
    if as_layer == "staff":
        roles(reading, options)
        staff_sources(reading, options)
    elif as_layer == "units":
        outside_list(reading, "kind", options.unit_kinds, "单位类型", "kinds of units")
        unit_parents(work, reading, options)
    elif as_layer == "points":
        if "category" in reading.table:
            point_categories(work, reading, options)
        replace_terms(reading, "visit_window", WINDOWS, "未知的检查时段", "unknown visit window")
        not_negative(reading, "visits_per_week", "service_minutes")
    elif as_layer == "classes":
        replace_terms(reading, "clock", CLOCKS, "未知的计时方式", "unknown clock")
        not_negative(reading, "deadline_hours")
    elif as_layer == "cases":
        _cases(work, reading, options, now)
    elif as_layer == "visits":
        _visits(work, reading, options, now)
    return created


def _cases(work: UnitOfWork, reading: Reading, options: ImportOptions, now: datetime) -> None:
    if "class_code" in reading.table:
        class_codes(work, reading)
    if "status" in reading.table:
        case_status(reading, options)
    outside_list(reading, "channel", options.channels, "信息来源", "channels")
    _persons(work, reading, options)
    not_ahead(reading, "reported_at", now)
    not_ahead(reading, "closed_at", now)
    in_order(reading, "reported_at", "closed_at", slack=STEP, timezone=options.timezone)
    in_order(reading, "reported_at", "deadline", slack=STEP, timezone=options.timezone)


def _visits(work: UnitOfWork, reading: Reading, options: ImportOptions, now: datetime) -> None:
    if "point_id" in reading.table:
        points = work.records("points")
        wanted = sorted({str(v) for v in reading.table["point_id"] if v is not None})
        there = points.frame(where={"point_id": wanted}).index if wanted else []

        def names() -> Mapping[str, str]:
            return {str(k): n for k, n in points.frame()["name"].items()}

        known = Known("测评点位", "evaluation point", map(str, there), names, layer="points")
        must_exist(
            reading, "point_id", known, options,
            while_unknown=(",录入之前不计入走访", "; until then the visit counts for no point"),
        )  # fmt: skip
    _persons(work, reading, options)
    replace_terms(
        reading, "window", {k: WINDOWS[k] for k in ("day", "night")}, "未知的时段", "unknown window"
    )
    not_ahead(reading, "visited_at", now)
    not_negative(reading, "passed", "observed")
    not_more(reading, "passed", "observed")


def _persons(work: UnitOfWork, reading: Reading, options: ImportOptions) -> None:
    if "person_id" not in reading.table or reading.table["person_id"].isna().all():
        return
    if work.records("staff").count() == 0:
        reading.notes.append(
            Note(
                "尚未导入人员,人员编号未核对",
                "no staff is loaded; ids of persons were not checked",
            )
        )
        return
    persons(work, reading, options)
