"""The responsible unit of a case, and the rule that chose it.

Rules are tried in the order of ``RULES``; the first that yields a unit decides. Where no owner is
known the territory answers (属地兜底, DB11 单元网格划分).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import pandas as pd

from gridsvc.cases.catalogue import CaseClass, Catalogue
from gridsvc.duties.book import Duty, DutyBook, Place

RULES: dict[str, tuple[str, str]] = {
    "place_and_class": (
        "此处此类案件另有指定责任单位",
        "a unit is named for this place and class",
    ),
    "class": ("该类案件由指定单位统一负责", "a unit is named for this class everywhere"),
    "unit_kind": ("按类别对应的主管部门", "the department that the catalogue names for the class"),
    "territory": ("权属不明,属地兜底", "no owner is known: the territory answers"),
    "none": ("没有可派遣的单位,请人工指定", "no unit is known: a person has to choose"),
}
"""Rules in order with what they mean in Chinese and English."""

TERRITORIAL_KINDS = ("community", "subdistrict", "county", "district", "city")
"""Unit kinds that stand for a territory."""


@dataclass(frozen=True, slots=True)
class UnitChoice:
    """The unit that was chosen (or ``None``), the rule, and the duty behind it if there is one."""

    unit_id: str | None
    rule: str
    duty_id: str | None = None

    def reason(self, language: str = "zh") -> str:
        """Return what the rule means."""
        zh, en = RULES[self.rule]
        return zh if language == "zh" else en


class UnitRouter:
    """Chooses responsible units from duties, the catalogue and the units of each territory.

    Parameters
    ----------
    units : DataFrame
        Contract UNITS. ``area_code`` binds a unit to a community, a subdistrict, or with a
        shorter code (county, city) to all codes that begin with it; empty means everywhere.
    catalogue : Catalogue
    book : DutyBook
    territorial_kinds : sequence of str
        Kinds of units that stand for a territory, used by the fallback.
    """

    def __init__(
        self,
        units: pd.DataFrame,
        catalogue: Catalogue,
        book: DutyBook,
        *,
        territorial_kinds: Sequence[str] = TERRITORIAL_KINDS,
    ) -> None:
        self.catalogue = catalogue
        self._book = book
        self._by_kind: dict[str, list[tuple[str, str]]] = {}
        self._territory: list[tuple[str, str]] = []
        for unit_id, row in units.sort_index().iterrows():
            area = "" if pd.isna(row["area_code"]) else str(row["area_code"])
            entry = (area, str(unit_id))
            self._by_kind.setdefault(str(row["kind"]), []).append(entry)
            if str(row["kind"]) in territorial_kinds:
                self._territory.append(entry)

    def with_book(self, book: DutyBook) -> UnitRouter:
        """Return a router of the same units and classes that reads other duties."""
        other = copy(self)
        other._book = book
        return other

    def route(self, place: Place, class_code: str | None = None) -> UnitChoice:
        """Return the unit responsible for a class of cases at a place.

        Without a class only the territory can answer.

        Raises
        ------
        UnknownClass
            If the catalogue does not hold the class.
        """
        if class_code is not None:
            case_class = self.catalogue.get(class_code)
            choice = (
                self._named_here(place, case_class)
                or self._named_for_class(case_class)
                or self._department(place, case_class)
            )
            if choice is not None:
                return choice
        return self._fallback(place)

    def _named_here(self, place: Place, case_class: CaseClass) -> UnitChoice | None:
        for kind, code in place.targets():
            for wanted in case_class.codes:
                for duty in self._book.of(kind, code):
                    if duty.unit_id and duty.person_id is None and duty.class_code == wanted:
                        return UnitChoice(duty.unit_id, "place_and_class", duty.duty_id)
        return None

    def _named_for_class(self, case_class: CaseClass) -> UnitChoice | None:
        for wanted in case_class.codes:
            duty = _first_unit(self._book.of("class", wanted))
            if duty is not None:
                return UnitChoice(duty.unit_id, "class", duty.duty_id)
        return None

    def _department(self, place: Place, case_class: CaseClass) -> UnitChoice | None:
        if case_class.unit_kind is None:
            return None
        unit = _closest(self._by_kind.get(case_class.unit_kind, []), place, everywhere=True)
        return None if unit is None else UnitChoice(unit, "unit_kind")

    def _fallback(self, place: Place) -> UnitChoice:
        for kind, code in place.targets():
            duty = _first_unit([d for d in self._book.of(kind, code) if d.class_code is None])
            if duty is not None:
                return UnitChoice(duty.unit_id, "territory", duty.duty_id)
        unit = _closest(self._territory, place, everywhere=False)
        return UnitChoice(None, "none") if unit is None else UnitChoice(unit, "territory")


def _first_unit(duties: Sequence[Duty]) -> Duty | None:
    """Return the first duty of a unit as such; a person's duty names the employer only."""
    return next((d for d in duties if d.unit_id and d.person_id is None), None)


def _closest(entries: list[tuple[str, str]], place: Place, *, everywhere: bool) -> str | None:
    """Return the unit with the longest area code that the place's codes begin with."""
    chain = [c for c in (place.cell_code, place.community_code, place.subdistrict_code) if c]
    best: tuple[Any, ...] | None = None
    for area, unit_id in entries:
        if area == "":
            if not everywhere:
                continue
        elif not any(code.startswith(area) for code in chain):
            continue
        rank = (-len(area), unit_id)
        if best is None or rank < best:
            best = rank
    return None if best is None else str(best[1])
