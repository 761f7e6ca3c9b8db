"""Who answers for a place, from one snapshot of duties, staff, units and classes."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from gridsvc.cases.catalogue import CaseClass, Catalogue
from gridsvc.duties.book import Assignment, DutyBook, Place
from gridsvc.duties.routing import UnitChoice, UnitRouter
from gridsvc.duties.standing import of_nobody
from gridsvc.errors import UnknownCell
from gridsvc.services.ports import Storage


@dataclass(frozen=True, slots=True)
class Responsible:
    """Persons by role and the responsible unit at one place and instant.

    ``persons`` maps person ids to name and unit; ``units`` maps unit ids to names. Both hold what
    the assignments and the choice name, and no phone numbers. ``unknown`` are duties that reach
    the place and whose person or unit is not there: nobody holds a role by them.
    """

    place: Place
    at: datetime
    case_class: CaseClass | None
    assignments: tuple[Assignment, ...]
    unit: UnitChoice
    persons: dict[str, dict[str, Any]]
    units: dict[str, str]
    unknown: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True)
class _Snapshot:
    stamp: str
    duties: pd.DataFrame
    unknown: pd.DataFrame
    units: pd.DataFrame
    persons: dict[str, dict[str, Any]]
    unit_names: dict[str, str]
    catalogue: Catalogue


class ResponsibilityService:
    """Answers questions about responsibility from storage, reading it again when it has changed.

    Parameters
    ----------
    storage : Storage
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._snapshot: _Snapshot | None = None
        self._lock = threading.Lock()

    def catalogue(self) -> Catalogue:
        """Return the catalogue of case classes."""
        return self._current().catalogue

    def duties(self) -> pd.DataFrame:
        """Return the duties by which somebody holds a role (contract DUTIES); not to be changed."""
        return self._current().duties

    def unknown_duties(self) -> pd.DataFrame:
        """Return the duties whose person or unit is not there; nobody holds a role by them."""
        return self._current().unknown

    def book(self, at: datetime) -> DutyBook:
        """Return the duties in force at an instant."""
        return DutyBook.from_frame(self._current().duties, at)

    def place_of_cell(self, plan_id: str, code: str, *, point_id: str | None = None) -> Place:
        """Return a cell with its community and subdistrict.

        Raises
        ------
        UnknownCell
        """
        with self._storage.unit_of_work() as work:
            found = work.plans.cells(plan_id, codes=[code])
        if found.empty:
            raise UnknownCell(plan=plan_id, code=code)
        row = found.iloc[0]
        return Place(code, str(row["community_code"]), str(row["subdistrict_code"]), point_id)

    def responsible(
        self,
        place: Place,
        at: datetime,
        *,
        class_code: str | None = None,
        known_at: datetime | None = None,
    ) -> Responsible:
        """Return who is responsible for a place at an instant, for a class of cases if given.

        With ``known_at`` duties count as they were known at that instant of record time.

        Raises
        ------
        UnknownClass
        """
        now = self._current()
        book = DutyBook.from_frame(now.duties, at, known_at=known_at)
        case_class = None if class_code is None else now.catalogue.get(class_code)
        codes = None if case_class is None else case_class.codes
        assignments = book.reaching(place, class_codes=codes)
        unit = UnitRouter(now.units, now.catalogue, book).route(place, class_code)
        people = {a.duty.person_id for a in assignments if a.duty.person_id}
        bodies = {a.duty.unit_id for a in assignments if a.duty.unit_id} | {unit.unit_id}
        bodies |= {now.persons[p]["unit_id"] for p in people if p in now.persons}
        return Responsible(
            place=place,
            at=at,
            case_class=case_class,
            assignments=assignments,
            unit=unit,
            persons={p: now.persons[p] for p in sorted(people) if p in now.persons},
            units={
                u: now.unit_names[u] for u in sorted(filter(None, bodies)) if u in now.unit_names
            },
            unknown=DutyBook.from_frame(now.unknown, at, known_at=known_at).reaching(
                place, class_codes=codes
            ),
        )

    def _current(self) -> _Snapshot:
        stamp = self._storage.version_stamp()
        with self._lock:
            if self._snapshot is None or self._snapshot.stamp != stamp:
                self._snapshot = self._load(stamp)
            return self._snapshot

    def _load(self, stamp: str) -> _Snapshot:
        with self._storage.unit_of_work() as work:
            duties = work.records("duties").frame()
            units = work.records("units").frame()
            staff = work.records("staff").frame()
            classes = work.records("classes").frame()
        strange = of_nobody(duties, set(map(str, staff.index)), set(map(str, units.index)))
        plain = pd.DataFrame(staff)[["name", "source", "unit_id"]].astype(object)
        plain = plain.where(plain.notna(), None)
        return _Snapshot(
            stamp=stamp,
            duties=duties[~strange],
            unknown=duties[strange],
            units=units,
            persons={
                str(k): {str(name): value for name, value in row.items()}
                for k, row in plain.to_dict("index").items()
            },
            unit_names={str(k): str(v) for k, v in units["name"].items()},
            catalogue=Catalogue.from_frame(classes),
        )
