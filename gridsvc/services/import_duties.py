"""Duties of a file: who, in which role, for what, from when until when; each part has to exist."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from gridsvc.codes import normalize_name
from gridsvc.errors import Fault
from gridsvc.services.attributes import Reading
from gridsvc.services.import_known import Known, must_exist
from gridsvc.services.import_references import unit_ids
from gridsvc.services.import_targets import TARGET_KINDS, targets
from gridsvc.services.import_terms import replace_terms, roles
from gridsvc.services.import_times import in_order
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.raw import ImportOptions

NOT_HELD = (",录入之前不计为任职", "; until then nobody holds the role by it")


def check_duties(work: UnitOfWork, reading: Reading, options: ImportOptions) -> pd.DataFrame | None:
    """Note a fault for everything in the rows that does not exist or cannot be.

    Persons and units have to be there, roles and kinds of targets known, targets exist, classes
    be in the catalogue, and the validity end after it began. Unknown persons, units and targets
    stay where a person decided so; they hold no role while they are unknown.

    Returns
    -------
    DataFrame or None
        Units to be created, as ``unit_ids``.
    """
    table = reading.table
    if "target_kind" in table:
        replace_terms(
            reading, "target_kind", TARGET_KINDS, "未知的责任对象类型", "unknown kind of target"
        )
    roles(reading, options)
    created = None
    if "unit_id" in table:
        created = unit_ids(work, reading, options, must=NOT_HELD)
    if "person_id" in table:
        persons(work, reading, options, while_unknown=NOT_HELD)
    _somebody(reading)
    if "class_code" in table:
        _classes(work, reading, options)
    in_order(reading, "valid_from", "valid_to", equal=False)
    targets(work, reading, options)
    return created


def persons(
    work: UnitOfWork,
    reading: Reading,
    options: ImportOptions,
    *,
    while_unknown: tuple[str, str] = ("", ""),
) -> None:
    """Note a fault for each ``person_id`` that the staff do not have."""
    wanted = sorted({str(v) for v in reading.table["person_id"] if v is not None})
    if not wanted:
        return
    staff = work.records("staff")
    there = staff.frame(where={"person_id": wanted}).index

    def names() -> Mapping[str, str]:
        return {str(k): n for k, n in staff.frame()["name"].items()}

    known = Known("人员", "person", map(str, there), names, layer="staff")
    must_exist(reading, "person_id", known, options, while_unknown=while_unknown)


def _somebody(reading: Reading) -> None:
    """Note a fault for each row that names neither a person nor a unit."""
    table = reading.table
    blank = pd.Series(True, index=table.index)
    for name in ("person_id", "unit_id"):
        if name in table:
            blank &= table[name].map(lambda v: v is None)
    fields = [reading.shown(n) for n in ("person_id", "unit_id")]
    told = {f.row for f in reading.faults if f.field in fields}
    for row in [i for i, b in enumerate(blank, start=1) if b and i not in told]:
        reading.faults.append(
            Fault(
                row,
                fields[0],
                "",
                "没有写明人员或单位",
                "neither a person nor a unit is named",
                f"请填写 {fields[0]} 或 {fields[1]},或删除该行",
                f"fill in {fields[0]} or {fields[1]}, or remove the row",
            )
        )


def _classes(work: UnitOfWork, reading: Reading, options: ImportOptions) -> None:
    """Let each class be a minor or major one of the catalogue, by code or by name."""
    frame = work.records("classes").frame()
    minors = {str(c): str(n) for c, n in frame["name"].items()}
    majors = dict(zip(map(str, frame["major_code"]), map(str, frame["major_name"]), strict=True))
    labels = {**majors, **minors}
    names: dict[str, list[str]] = {}
    for code, name in labels.items():
        names.setdefault(normalize_name(name), []).append(code)

    def by_name(value: str | None) -> str | None:
        if value is None or value in labels:
            return value
        found = names.get(normalize_name(value), [])
        return found[0] if len(found) == 1 else value

    column = reading.table["class_code"]
    reading.table["class_code"] = pd.Series(
        [by_name(None if v is None else str(v)) for v in column], index=column.index, dtype=object
    )
    known = Known("问题类别", "issue class", labels, lambda: labels, layer="classes")
    must_exist(
        reading, "class_code", known, options,
        while_unknown=(",在目录中之前不起作用", "; it has no effect until the catalogue has it"),
    )  # fmt: skip
