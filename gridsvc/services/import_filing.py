"""What a case keeps as of filing: responsible unit, person and deadline, and which were derived.

What a file states is kept. What it leaves empty comes from the cell, the class and the duties at
the instant of reporting, once: later changes of duties or of the catalogue change no filed case.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from gridsvc.cases.catalogue import CaseClass, Catalogue
from gridsvc.cases.deadlines import CLOCKS, URGENT, deadlines
from gridsvc.duties.book import Assignment, DutyBook, Place
from gridsvc.duties.history import DutyHistory
from gridsvc.duties.routing import UnitRouter
from gridsvc.duties.standing import of_nobody
from gridsvc.services.attributes import Reading
from gridsvc.services.ports import UnitOfWork
from gridsvc.services.raw import ImportOptions, Note

FIELDS = ("unit_id", "person_id", "deadline")
FILING_ROLES = ("cell_leader", "cell_officer", "first_responsible")
"""Roles whose holder a case is filed to when nobody is named for its class, in this order."""
_BASIS = ("class_code", "reported_at", "cell_code")


def as_filed(
    work: UnitOfWork, frame: gpd.GeoDataFrame, reading: Reading, options: ImportOptions
) -> gpd.GeoDataFrame:
    """Return placed cases with unit, person and deadline as of filing, and ``derived``.

    Rows that replace a stored case and leave a value empty keep the filed one, unless it was
    derived and the class, the instant of reporting or the cell is another one now.

    Parameters
    ----------
    frame : GeoDataFrame
        Contract CASES, placed.
    """
    filed = frame.copy()
    rules: list[dict[str, str]] = [{} for _ in range(len(filed))]
    if options.replace:
        _keep(work, filed, rules)
    counts = {
        **_responsible(work, filed, rules),
        "deadline": _deadlines(work, filed, rules, options),
    }
    filed["derived"] = pd.array([told(r) for r in rules], dtype="str")
    _note(reading, filed, rules, counts)
    return filed


def told(rules: Mapping[str, str]) -> str | None:
    """Return derived fields with their rules as one text, ``None`` if nothing was derived.

    Rules hold ids of duties, which are any text: a comma in one is ``%2C``, a percent sign
    ``%25``.

    Examples
    --------
    >>> told({"unit_id": "class:D000351", "deadline": "work_hour:4"})
    'unit_id=class:D000351, deadline=work_hour:4'
    """
    parts = [f"{name}={_escaped(rules[name])}" for name in FIELDS if name in rules]
    return ", ".join(parts) or None


def _escaped(rule: str) -> str:
    return rule.replace("%", "%25").replace(",", "%2C")


def rules_of(text: Any) -> dict[str, str]:
    """Return what ``told`` was given."""
    if not isinstance(text, str):
        return {}
    pairs = (part.partition("=") for part in text.split(", "))
    return {name: rule.replace("%2C", ",").replace("%25", "%") for name, _, rule in pairs}


def _keep(work: UnitOfWork, filed: gpd.GeoDataFrame, rules: list[dict[str, str]]) -> None:
    stored = work.records("cases").frame(where={"case_id": [str(k) for k in filed.index]})
    if stored.empty:
        return
    for position, key in enumerate(filed.index):
        if key not in stored.index:
            continue
        row, before = stored.loc[key], rules_of(stored.at[key, "derived"])
        same = all(_equal(row[name], filed.at[key, name]) for name in _BASIS)
        for name in FIELDS:
            old, new = row[name], filed.at[key, name]
            if pd.isna(old) or (name in before and not same):
                continue
            if pd.isna(new):
                filed.at[key, name] = old
            elif not _equal(old, new):
                continue
            if name in before:
                rules[position][name] = before[name]


def _equal(a: Any, b: Any) -> bool:
    return bool(pd.isna(a) and pd.isna(b)) or bool(not pd.isna(a) and not pd.isna(b) and a == b)


@dataclass(frozen=True, slots=True)
class _Ground:
    """Units, classes and duties that count, and the instants at which duties change."""

    units: pd.DataFrame
    catalogue: Catalogue
    duties: pd.DataFrame
    changes: np.ndarray

    @classmethod
    def read(cls, work: UnitOfWork) -> _Ground:
        units = work.records("units").frame()
        persons = set(map(str, work.records("staff").frame().index))
        duties = work.records("duties").frame()
        duties = duties[~of_nobody(duties, persons, set(map(str, units.index))).to_numpy()]
        instants = pd.concat([duties["valid_from"], duties["valid_to"]]).dropna().unique()
        return cls(
            units=units,
            catalogue=Catalogue.from_frame(work.records("classes").frame()),
            duties=duties,
            changes=np.sort(pd.DatetimeIndex(instants).tz_convert(None).to_numpy()),
        )


def _responsible(
    work: UnitOfWork, filed: gpd.GeoDataFrame, rules: list[dict[str, str]]
) -> dict[str, int]:
    counts = {"unit_id": 0, "person_id": 0}
    no_unit = filed["unit_id"].isna().to_numpy()
    no_person = filed["person_id"].isna().to_numpy()
    lacking = np.flatnonzero(no_unit | no_person)
    if len(lacking) == 0:
        return counts
    ground = _Ground.read(work)
    places = _places(work, filed.iloc[lacking])
    reported = filed["reported_at"].iloc[lacking]
    period = np.searchsorted(ground.changes, reported.dt.tz_convert(None).to_numpy(), side="right")
    history = DutyHistory.from_frame(ground.duties)
    units_of = UnitRouter(ground.units, ground.catalogue, DutyBook((), reported.iloc[0]))
    units, persons = filed["unit_id"].tolist(), filed["person_id"].tolist()
    for one in np.unique(period):
        rows = np.flatnonzero(period == one)
        book = history.at(reported.iloc[rows[0]].to_pydatetime())
        router = units_of.with_book(book)
        memo: dict[tuple[Place, str | None], tuple[str | None, str, Assignment | None]] = {}
        for row in rows:
            position = int(lacking[row])
            code = filed["class_code"].iloc[position]
            code = code if code in ground.catalogue.classes else None
            key = (places[row], code)
            if key not in memo:
                memo[key] = _answer(book, router, ground.catalogue, *key)
            unit, rule, holder = memo[key]
            if no_unit[position] and unit is not None:
                units[position], rules[position]["unit_id"] = unit, rule
                counts["unit_id"] += 1
            if no_person[position] and holder is not None:
                duty = holder.duty
                persons[position] = duty.person_id
                rules[position]["person_id"] = f"{duty.role}:{duty.duty_id}"
                counts["person_id"] += 1
    filed["unit_id"] = pd.array(units, dtype="str")
    filed["person_id"] = pd.array(persons, dtype="str")
    return counts


def _places(work: UnitOfWork, rows: gpd.GeoDataFrame) -> list[Place]:
    chains: dict[tuple[str, str], Place] = {}
    for plan_id, codes in rows.dropna(subset="cell_code").groupby("plan_id")["cell_code"]:
        wanted = sorted(set(map(str, codes)))
        cells = work.plans.cells(str(plan_id), codes=wanted)
        for code, community, above in zip(
            cells.index, cells["community_code"], cells["subdistrict_code"], strict=True
        ):
            chains[(str(plan_id), str(code))] = Place(str(code), str(community), str(above))
    pairs = zip(rows["plan_id"], rows["cell_code"], strict=True)
    return [chains.get((str(plan), str(code)), Place()) for plan, code in pairs]


def _answer(
    book: DutyBook, router: UnitRouter, catalogue: Catalogue, place: Place, code: str | None
) -> tuple[str | None, str, Assignment | None]:
    case_class: CaseClass | None = None if code is None else catalogue.classes[code]
    choice = router.route(place, code)
    rule = choice.rule if choice.duty_id is None else f"{choice.rule}:{choice.duty_id}"
    codes = () if case_class is None else case_class.codes
    reaching = book.reaching(place, class_codes=codes)
    return choice.unit_id, rule, _person(reaching, codes)


def _person(reaching: Iterable[Assignment], codes: Sequence[str]) -> Assignment | None:
    """Return who a case is filed to: the person named for its class here, or by role."""
    people = [a for a in reaching if a.duty.person_id is not None]
    for one in people:
        if one.duty.class_code is not None and one.duty.class_code in codes:
            return one
    for role in FILING_ROLES:
        for one in people:
            if one.duty.role == role:
                return one
    return None


def _deadlines(
    work: UnitOfWork,
    filed: gpd.GeoDataFrame,
    rules: list[dict[str, str]],
    options: ImportOptions,
) -> int:
    rows = np.flatnonzero(filed["deadline"].isna().to_numpy())
    if len(rows) == 0:
        return 0
    classes = work.records("classes").frame()
    classes = classes[classes["deadline_hours"].notna() & classes["clock"].isin(CLOCKS)]
    known = filed["class_code"].iloc[rows].isin(classes.index).to_numpy()
    rows = rows[known]
    if len(rows) == 0:
        return 0
    stated = classes.loc[filed["class_code"].iloc[rows]]
    hours = stated["deadline_hours"].to_numpy(dtype=float)
    clock = stated["clock"].to_numpy(dtype=object)
    reported = pd.DatetimeIndex(filed["reported_at"].iloc[rows])
    due = deadlines(reported, hours, clock, timezone=_zone(work, options))
    column = filed["deadline"].copy()
    column.iloc[rows] = due.astype(column.dtype)
    filed["deadline"] = column
    for position, hour, name in zip(rows, hours, clock, strict=True):
        rules[int(position)]["deadline"] = f"{name}:{hour:g}"
    return len(rows)


def _zone(work: UnitOfWork, options: ImportOptions) -> str:
    """Return the zone of the city whose plan places the cases."""
    for scheme in work.plans.schemes():
        if scheme.id == options.scheme:
            return scheme.timezone
    return options.timezone


def _note(
    reading: Reading,
    filed: gpd.GeoDataFrame,
    rules: list[dict[str, str]],
    counts: Mapping[str, int],
) -> None:
    words = {
        "unit_id": ("责任单位", "responsible units"),
        "person_id": ("责任人", "persons"),
        "deadline": ("截止时间", "deadlines"),
    }
    filled = {name: n for name, n in counts.items() if n}
    if filled:
        told_zh = "、".join(f"{words[name][0]} {n} 件" for name, n in filled.items())
        told_en = ", ".join(f"{n} {words[name][1]}" for name, n in filled.items())
        reading.notes.append(
            Note(
                f"文件没有写明的,按上报时的网格、类别和责任分工补上:{told_zh}",
                "what the file leaves empty comes from cell, class and duties at the time of "
                f"reporting: {told_en}",
            )
        )
    if any("deadline" in r and not r["deadline"].startswith(URGENT) for r in rules):
        reading.notes.append(
            Note(
                "工作时限按周一至周五 08–12、14–18 时推算,未计法定节假日和调休",
                "work time is Monday to Friday, 08–12 and 14–18; public holidays and make-up "
                "workdays are not in it",
            )
        )
    open_ended = int(filed["unit_id"].isna().sum())
    if open_ended and filled:
        reading.notes.append(
            Note(
                f"{open_ended} 件案件当时没有可派遣的责任单位,留空待指定",
                f"{open_ended} cases had no unit to answer for them then; it is left empty",
            )
        )
