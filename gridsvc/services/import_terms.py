"""Values that come from short lists: kinds of points, status of cases, roles; by code or name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pandas as pd

from gridsvc.codes import normalize_name
from gridsvc.errors import Fault
from gridsvc.services.attributes import Reading
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.raw import ImportOptions, Note
from gridsvc.ways import way

CASE_STATUS: dict[str, tuple[str, ...]] = {
    "reported": ("已上报", "上报", "待受理", "未处理", "待处理", "未结案", "open", "new"),
    "filed": ("已立案", "立案", "待派单", "待派遣"),
    "dispatched": ("已派遣", "已派单", "派遣", "待接单", "assigned"),
    "handling": ("处置中", "处理中", "办理中", "in progress"),
    "feedback": ("已反馈", "反馈", "待结案"),
    "checking": ("核查中", "待核查", "核查"),
    "returned": ("退回整改", "已退回", "返工"),
    "closed": ("已结案", "结案", "已办结", "办结", "已关闭", "已完成"),
    "voided": ("已作废", "作废", "不予立案"),
}
"""Status of a case, in the order it goes through them, with the names files use for it."""


def point_categories(work: UnitOfWork, reading: Reading, options: ImportOptions) -> None:
    """Replace names of kinds of points by their codes; unknown kinds are faults.

    Known are the kinds of ``options.point_categories`` and those that stored points have, so a
    kind of the city's own has to be allowed once only. Without a list nothing is checked.
    """
    if not options.point_categories:
        return
    known = {code: tuple(names) for code, names in options.point_categories.items()}
    stored = work.records("points").frame()["category"].dropna().unique()
    known |= {str(code): () for code in stored if str(code) not in known}
    _replace(reading, "category", known, options, "未知的点位类别", "unknown kind of point")


def case_status(reading: Reading, options: ImportOptions) -> None:
    """Replace names of the status by its code; unknown ones are faults."""
    _replace(reading, "status", CASE_STATUS, options, "未知的案件状态", "unknown status of a case")


def roles(reading: Reading, options: ImportOptions) -> None:
    """Replace names of roles by their codes; unknown ones are faults where a list is given."""
    if "role" in reading.table and options.roles:
        _replace(reading, "role", options.roles, options, "未知的角色", "unknown role")


def staff_sources(reading: Reading, options: ImportOptions) -> None:
    """Replace names of staff sources by their codes; unknown ones are faults, as for roles."""
    if "source" in reading.table and options.staff_sources:
        _replace(
            reading, "source", options.staff_sources, options,
            "未知的人员来源", "unknown source of staff",
        )  # fmt: skip


def replace_terms(
    reading: Reading, name: str, known: Mapping[str, Iterable[str]], zh: str, en: str
) -> None:
    """Replace names by codes of a list that nothing can be added to; others are faults."""
    if name in reading.table:
        _replace(reading, name, known, None, zh, en)


def outside_list(
    reading: Reading, name: str, known: Mapping[str, Iterable[str]], zh: str, en: str
) -> None:
    """Replace names by codes of a list; say which values are not in it, they stay as they are."""
    if name not in reading.table or not known:
        return
    codes = {_key(text): code for code, names in known.items() for text in (code, *names)}
    values = [None if v is None else str(v) for v in reading.table[name]]
    found = [v if v is None else codes.get(_key(v), v) for v in values]
    reading.table[name] = pd.Series(found, index=reading.table.index, dtype=object)
    strange = sorted({v for v in found if v is not None and v not in known})
    if strange:
        more_zh, more_en = ("等", " …") if len(strange) > 5 else ("", "")
        reading.notes.append(
            Note(
                f"目录中没有这些{zh},按原值保留:{'、'.join(strange[:5])}{more_zh}",
                f"the list of {en} does not have these, which stay as they are: "
                f"{', '.join(strange[:5])}{more_en}",
            )
        )


def _replace(
    reading: Reading,
    name: str,
    known: Mapping[str, Iterable[str]],
    options: ImportOptions | None,
    zh: str,
    en: str,
) -> None:
    codes = {_key(text): code for code, names in known.items() for text in (code, *names)}
    labels = {code: f"{code} {next(iter(names), '')}".strip() for code, names in known.items()}
    result: list[str | None] = []
    told: dict[str, Fault] = {}  # near ones are searched once for a value, however often it occurs
    for row, value in enumerate(reading.table[name], start=1):
        text = None if value is None else str(value)
        found = text if text is None else codes.get(_key(text))
        if text is not None and found is None:
            found = text
            if options is None or not options.allow_unknown:
                local = options is not None
                if text not in told:
                    told[text] = _unknown(
                        row, reading.shown(name), text, codes, labels, (zh, en), local
                    )
                reading.faults.append(replace(told[text], row=row))
        result.append(found)
    reading.table[name] = pd.Series(result, index=reading.table.index, dtype=object)


def _key(text: str) -> str:
    return normalize_name(text).casefold()


def _unknown(
    row: int,
    field: str,
    text: str,
    codes: Mapping[str, str],
    labels: Mapping[str, str],
    problem: tuple[str, str],
    local: bool,
) -> Fault:
    near = difflib.get_close_matches(_key(text), sorted(codes), n=6, cutoff=0.4)
    close = list(dict.fromkeys(labels[codes[n]] for n in near))[:3]
    shown = close or list(labels.values())
    listing_zh, listing_en = "、".join(shown), ", ".join(shown)
    keep_zh = f";确为本地用值时用 {way('allow_unknown')}" if local else ""
    keep_en = f"; to keep a local value use {way('allow_unknown')}" if local else ""
    return Fault(
        row,
        field,
        text[:80],
        problem[0],
        problem[1],
        f"{'相近的' if close else '可用'}:{listing_zh}{keep_zh}",
        f"{'near ones' if close else 'known'}: {listing_en}{keep_en}",
    )
