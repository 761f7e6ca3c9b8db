"""What imported rows refer to: units, classes and points, by id or by name, with near ones."""

from __future__ import annotations

import pandas as pd

from gridsvc.codes import normalize_name
from gridsvc.errors import Fault
from gridsvc.layers import UNITS, normalize
from gridsvc.services.attributes import Reading
from gridsvc.services.fields import UNIT_ID, column_key
from gridsvc.services.import_known import Known, kept, note_kept, unknown
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.raw import ImportOptions, Note
from gridsvc.ways import way


def unit_ids(
    work: UnitOfWork,
    reading: Reading,
    options: ImportOptions,
    *,
    must: tuple[str, str] | None = None,
) -> pd.DataFrame | None:
    """Replace unit names by ids.

    Unknown names are created as units unless refused; an unknown id is a fault, because nothing
    but a typing error can be meant, unless a person decided to keep it.

    Parameters
    ----------
    must : (str, str), optional
        Ids are faults also while there is no unit at all; what holds for rows that are kept,
        in Chinese and English.
    """
    known = work.records("units").frame()
    shown = reading.shown("unit_id")
    by_id = column_key(shown) in {column_key(n) for n in ("unit_id", *UNIT_ID)}
    if by_id and known.empty and must is None:
        reading.notes.append(
            Note(
                "尚未导入责任单位,单位编号未核对", "no units are loaded; unit ids were not checked"
            )
        )
        return None
    by_name: dict[str, list[str]] = {}
    for key, name in known["name"].items():
        by_name.setdefault(normalize_name(str(name)), []).append(str(key))
    ids = {str(k) for k in known.index}
    strict = by_id or options.unknown_units == "refuse"
    labels = {str(k): str(n) for k, n in known["name"].items()}
    there = Known("责任单位", "unit", ids, lambda: labels, layer="units")
    stays: dict[str, int] = {}
    created: dict[str, str] = {}
    result: list[str | None] = []
    for row, value in enumerate(reading.table["unit_id"], start=1):
        text = None if value is None else str(value)
        found = text
        if text is not None and text not in ids:
            named = by_name.get(normalize_name(text), [])
            found = named[0] if len(named) == 1 else None
            if len(named) > 1:
                reading.faults.append(_several(reading, row, text, named))
                result.append(None)
                continue
        if text is not None and found is None:
            if strict and kept(options, text):
                found = text
                stays[text] = stays.get(text, 0) + 1
            elif strict:
                reading.faults.append(
                    unknown(reading, row, "unit_id", text, there, while_unknown=must or ("", ""))
                )
            else:
                found = created.setdefault(normalize_name(text), text)
        result.append(found)
    reading.table["unit_id"] = pd.Series(result, index=reading.table.index, dtype=object)
    note_kept(reading, stays, there, must or ("", ""))
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


def _several(reading: Reading, row: int, name: str, ids: list[str]) -> Fault:
    """Return the fault of a name that several units have."""
    some = sorted(ids)[:5]
    more = "…" if len(ids) > len(some) else ""
    return Fault(
        row,
        reading.shown("unit_id"),
        name[:80],
        f"有 {len(ids)} 个责任单位叫这个名称",
        f"{len(ids)} units have this name",
        f"请改写单位编号:{'、'.join(some)}{more}",
        f"give the id of the unit instead: {', '.join(some)}{more}",
    )


def class_codes(work: UnitOfWork, reading: Reading) -> None:
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
    there = Known("类别", "class", codes, lambda: {str(c): n for c, n in catalogue["name"].items()})
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
            # Spreadsheets take leading zeros away: that code comes before all others.
            lost = [x for x in labels if text.isdigit() and x.split(" ")[0] == text.zfill(5)]
            shown = [*lost, *[x for x in there.near(text) if x not in lost]]
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
                    else f"{tip_zh}({way('export', 'classes')})",
                    f"near ones: {', '.join(shown[:3])}"
                    if shown
                    else "check the class code ({way:export=classes})",
                )
            )
        result.append(found)
    reading.table["class_code"] = pd.Series(result, index=reading.table.index, dtype=object)
    told = reading.table.get("major_code")
    majors = pd.Series([major.get(c) for c in result], index=reading.table.index, dtype=object)
    reading.table["major_code"] = majors if told is None else majors.where(majors.notna(), told)
