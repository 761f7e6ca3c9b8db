"""What a duty is bound to: does it exist, and for cells, is it in force when the duty begins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import pandas as pd

from gridsvc.errors import Fault
from gridsvc.plan.version import EFFECTIVE, PlanVersion
from gridsvc.services.attributes import Reading
from gridsvc.services.import_known import Known, kept, note_kept, unknown
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.raw import ImportOptions
from gridsvc.ways import way

TARGET_KINDS: dict[str, tuple[str, ...]] = {
    "cell": ("网格", "单元网格", "小区"),
    "community": ("社区", "村", "社区(村)"),
    "subdistrict": ("街道", "乡镇", "镇街"),
    "city": ("城市", "全市", "全区"),
    "point": ("点位", "测评点", "测评点位"),
    "road": ("道路", "路段"),
    "river": ("河流", "河道"),
    "field": ("田块", "农田"),
    "class": ("类别", "案件类别", "问题类别"),
}
"""Kinds of what a duty can be bound to, with the names files use for them."""

NOT_BOUND = (",找到之前该责任不落到任何地方", "; until it is found the duty reaches no place")
_NAMES: dict[str, tuple[str, str, str]] = {
    "cell": ("网格", "cell", "cells"),
    "community": ("社区", "community", "communities"),
    "subdistrict": ("街道", "subdistrict", "subdistricts"),
    "city": ("城市", "city", ""),
    "point": ("测评点位", "evaluation point", "points"),
    "road": ("道路(按路名)", "road (by its name)", "streets"),
    "river": ("河流(例外区域编号)", "river (id of its exclusion)", "exclusions"),
    "class": ("问题类别", "issue class", "classes"),
}


def targets(work: UnitOfWork, reading: Reading, options: ImportOptions) -> None:
    """Note a fault for each ``target_code`` that exists nowhere, by its ``target_kind``.

    Areas count from any version that was published. A cell has to be in force when the duty
    begins; before there was any plan, the first one counts. Fields have no parcels in any layer: a
    duty for one could reach no place and is refused.
    """
    table = reading.table
    if "target_kind" not in table or "target_code" not in table:
        return
    plans = [p for p in work.plans.list() if p.status in EFFECTIVE and p.effective_from is not None]
    kinds = [None if k is None else str(k) for k in table["target_kind"]]
    for kind in dict.fromkeys(kinds):
        if kind == "field":
            reading.faults += [
                _no_parcels(reading, i + 1) for i, k in enumerate(kinds) if k == kind
            ]
        if kind not in _NAMES:
            continue
        rows = [i for i, k in enumerate(kinds) if k == kind and table["target_code"].iloc[i]]
        wanted = sorted({str(table["target_code"].iloc[i]) for i in rows})
        if kind == "cell":
            _cells(work, reading, options, plans, rows, wanted)
            continue
        known = _known(work, kind, wanted, plans)
        stays: dict[str, int] = {}
        for i in rows:
            code = str(table["target_code"].iloc[i])
            if code not in known:
                _not_there(reading, options, i, code, known, stays)
        note_kept(reading, stays, known, NOT_BOUND)


def _no_parcels(reading: Reading, row: int) -> Fault:
    """Return the fault of a duty for a field, which no layer can place."""
    return Fault(
        row,
        reading.shown("target_kind"),
        "field",
        "田块没有地块图层,按田块登记的责任落不到任何地方",
        "there is no layer of the parcels of fields: a duty for one would reach no place",
        "请改按田块所在的网格(cell)或社区(community)登记,或删除该行",
        "bind it to the cell or community that the field lies in, or remove the row",
    )


def _not_there(
    reading: Reading,
    options: ImportOptions,
    position: int,
    code: str,
    known: Known,
    stays: dict[str, int],
) -> None:
    if kept(options, code):
        stays[code] = stays.get(code, 0) + 1
        return
    fault = unknown(reading, position + 1, "target_code", code, known, while_unknown=NOT_BOUND)
    reading.faults.append(fault)


def _cells(
    work: UnitOfWork,
    reading: Reading,
    options: ImportOptions,
    plans: list[PlanVersion],
    rows: list[int],
    wanted: list[str],
) -> None:
    holding: dict[str, list[PlanVersion]] = {}
    for plan in plans:
        for code in work.plans.cells(plan.id, codes=wanted).index:
            holding.setdefault(str(code), []).append(plan)

    def labels() -> Mapping[str, str]:
        newest = sorted(plans, key=lambda p: (p.effective_from is not None, p.effective_from))[-1:]
        return {str(c): n for p in newest for c, n in work.plans.cells(p.id)["name"].items()}

    zh, en, layer = _NAMES["cell"]
    known = Known(zh, en, holding, labels, layer=layer, published=True)
    begins = reading.table.get("valid_from", pd.Series(dtype=object))
    stays: dict[str, int] = {}
    for i in rows:
        code = str(reading.table["target_code"].iloc[i])
        at = begins.iloc[i] if len(begins) else None
        if code not in known:
            _not_there(reading, options, i, code, known, stays)
        elif isinstance(at, datetime) and not any(
            _then(plans, found, at) for found in holding[code]
        ):
            if kept(options, code):
                stays[code] = stays.get(code, 0) + 1
            else:
                reading.faults.append(_not_in_force(reading, i + 1, code, holding[code]))
    note_kept(reading, stays, known, NOT_BOUND)


def _then(plans: list[PlanVersion], plan: PlanVersion, at: datetime) -> bool:
    """Return whether a version is the one of its scheme for an instant."""
    if plan.in_force(at):
        return True
    first = min(
        (p for p in plans if p.scheme_id == plan.scheme_id),
        key=lambda p: p.effective_from or at,
    )
    return first.id == plan.id and plan.effective_from is not None and at < plan.effective_from


def _not_in_force(reading: Reading, row: int, code: str, holding: list[PlanVersion]) -> Fault:
    periods = [
        (p.id, _day(p.effective_from), _day(p.effective_to) if p.effective_to else "…")
        for p in holding
    ]
    told_zh = "、".join(f"{name}({since} 至 {until})" for name, since, until in periods)
    told_en = ", ".join(f"{name} ({since} to {until})" for name, since, until in periods)
    keep = way("decide", f"{code}=keep")
    return Fault(
        row,
        reading.shown("target_code"),
        code[:80],
        f"责任生效时没有这个网格,它只在 {told_zh} 中",
        f"this cell is not in force when the duty begins; it is only in {told_en}",
        f"请改用当时的网格编码或调整 {reading.shown('valid_from')};确需先保留用 {keep}",
        f"name the cell of that time or change {reading.shown('valid_from')}; "
        f"to keep it for now use {keep}",
    )


def _day(at: datetime | None) -> str:
    return "" if at is None else at.strftime("%Y-%m-%dT%H:%MZ")


def _known(work: UnitOfWork, kind: str, wanted: list[str], plans: list[PlanVersion]) -> Known:
    zh, en, layer = _NAMES[kind]
    if kind in ("community", "subdistrict", "city"):
        areas = {c: n for p in plans for c, n in _areas(work, p, kind)}
        return Known(zh, en, areas, lambda: areas, layer=layer, published=True)
    if kind == "class":
        frame = work.records("classes").frame()
        classes = dict(zip(map(str, frame["major_code"]), frame["major_name"], strict=True))
        classes |= {str(c): n for c, n in frame["name"].items()}
        return Known(zh, en, classes, lambda: classes, layer=layer)
    if kind == "point":
        points = work.records("points")
        there = points.frame(where={"point_id": wanted}).index

        def named() -> Mapping[str, str]:
            return {str(c): n for c, n in points.frame()["name"].items()}

        return Known(zh, en, map(str, there), named, layer=layer)
    if kind == "road":
        streets = work.records("streets")
        names = streets.frame(where={"name": wanted})["name"].dropna()

        def all_names() -> Mapping[str, str]:
            frame = streets.frame()
            pairs = zip(frame["name"], frame.index, strict=True)
            return {str(n): str(key) for n, key in pairs if not pd.isna(n)}

        return Known(zh, en, map(str, names), all_names, layer=layer)
    barred = {str(c): n for p in plans for c, n in work.plans.exclusions(p.id)["name"].items()}
    plain = {c: "" if pd.isna(n) else str(n) for c, n in barred.items()}
    return Known(zh, en, plain, lambda: plain, layer=layer, published=True)


def _areas(work: UnitOfWork, plan: PlanVersion, level: str) -> Iterable[tuple[str, str]]:
    areas = work.plans.areas(plan.id, level)
    if len(areas):
        names = areas["name"].astype(object).where(areas["name"].notna(), "")
        return [(str(c), str(n)) for c, n in zip(areas["code"], names, strict=True)]
    if level == "city":
        return []
    cells = work.plans.cells(plan.id)
    return [(str(c), "") for c in cells[f"{level}_code"].unique()]
