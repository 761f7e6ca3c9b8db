"""The tree of units in a file: parents that exist, and no circle."""

from __future__ import annotations

import pandas as pd

from gridsvc.codes import normalize_name
from gridsvc.errors import Fault
from gridsvc.services.attributes import Reading
from gridsvc.services.import_known import Known, must_exist
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.raw import ImportOptions


def unit_parents(work: UnitOfWork, reading: Reading, options: ImportOptions) -> None:
    """Let parents be ids of units of the file or stored ones; others and circles are faults.

    A parent may be given by its name where only one unit has it.
    """
    table = reading.table
    if "parent_id" not in table:
        return
    stored = work.records("units").frame()
    labels = {str(k): str(n) for k, n in stored["name"].items()}
    above = {str(k): str(p) for k, p in stored["parent_id"].dropna().items()}
    names = table["name"] if "name" in table else pd.Series([""] * len(table), index=table.index)
    for key, name in zip(table["unit_id"], names, strict=True):
        if key is not None:
            labels[str(key)] = str(name or "")
            above.pop(str(key), None)
    by_name: dict[str, set[str]] = {}
    for key, name in labels.items():
        by_name.setdefault(normalize_name(name), set()).add(key)
    table["parent_id"] = pd.Series(
        [_id(value, labels, by_name) for value in table["parent_id"]],
        index=table.index, dtype=object,
    )  # fmt: skip
    known = Known("上级单位", "parent unit", labels, lambda: labels, layer="units")
    must_exist(reading, "parent_id", known, options)
    for key, parent in zip(table["unit_id"], table["parent_id"], strict=True):
        if key is not None and parent is not None:
            above[str(key)] = str(parent)
    rows = zip(table["unit_id"], table["parent_id"], strict=True)
    for row, (key, parent) in enumerate(rows, start=1):
        circle = None if key is None or parent is None else _circle(str(key), above)
        if circle is not None:
            reading.faults.append(
                Fault(
                    row,
                    reading.shown("parent_id"),
                    str(parent)[:80],
                    f"上级关系成环:{' → '.join(circle)}",
                    f"the parents run in a circle: {' → '.join(circle)}",
                    "请改正其中一个上级;最上级单位的上级请留空",
                    "correct one of them; leave the parent of the topmost unit empty",
                )
            )


def _id(value: object, labels: dict[str, str], by_name: dict[str, set[str]]) -> str | None:
    if value is None:
        return None
    text = str(value)
    found = by_name.get(normalize_name(text), set())
    return next(iter(found)) if text not in labels and len(found) == 1 else text


def _circle(key: str, above: dict[str, str]) -> list[str] | None:
    """Return the way from a unit up to itself, ``None`` if it does not come back."""
    path = [key]
    while (parent := above.get(path[-1])) is not None:
        path.append(parent)
        if parent == key:
            return path
        if parent in path[:-1]:
            return None
    return None
