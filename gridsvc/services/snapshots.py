"""What an answer about a place holds that does not depend on the place inside its cell.

A ``Snapshot`` is for a stretch of time in which neither the plan in force nor any duty changes;
its parts are assembled once per cell and class of cases. Names and roles only: no phone numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.cases.catalogue import CaseClass, Catalogue
from gridsvc.cases.deadlines import DEFAULT_ZONE
from gridsvc.duties.book import Assignment, DutyBook, Place
from gridsvc.duties.routing import UnitRouter
from gridsvc.duties.standing import of_nobody, unknown_holders
from gridsvc.locate import Locator
from gridsvc.locate.nearest import NearestPoints
from gridsvc.plan.version import PlanVersion
from gridsvc.services.along import Along, Beside
from gridsvc.services.due import deadline_document
from gridsvc.services.ports import UnitOfWork
from gridsvc.types import FloatArray, Json, ObjectArray

_KEEP_PARTS = 20_000


@dataclass(frozen=True, slots=True)
class Records:
    """What storage holds of persons, units, classes and points at one stamp.

    ``unknown`` are duties whose person or unit is not there: nobody holds a role by them.
    """

    stamp: str
    duties: pd.DataFrame
    unknown: pd.DataFrame
    units: dict[str, Json]
    unit_frame: pd.DataFrame
    persons: dict[str, Json]
    catalogue: Catalogue
    points: tuple[Json, ...]
    nearest: NearestPoints
    places: tuple[FloatArray, FloatArray]
    changes: tuple[datetime, ...]
    roads: pd.DataFrame | None = None
    has_rivers: bool = False

    @classmethod
    def read(cls, work: UnitOfWork, stamp: str) -> Records:
        """Read the layers an answer needs."""
        duties = work.records("duties").frame()
        units = work.records("units").frame()
        staff = work.records("staff").frame()
        points = work.records("points").frame()
        geometry: ObjectArray = np.asarray(points["geometry"].array, dtype=object)
        there = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
        lon, lat = shapely.get_x(geometry[there]), shapely.get_y(geometry[there])
        instants = pd.concat([duties["valid_from"], duties["valid_to"]]).dropna()
        kinds = duties["target_kind"]
        named = sorted(set(duties["target_code"][kinds == "road"].dropna().astype(str)))
        strange = of_nobody(duties, set(map(str, staff.index)), set(map(str, units.index)))
        return cls(
            stamp=stamp,
            duties=duties[~strange],
            unknown=duties[strange],
            units=_plain(units, ["name", "kind"], "unit_id"),
            unit_frame=units,
            persons=_plain(staff, ["name", "unit_id"], "person_id"),
            catalogue=Catalogue.from_frame(work.records("classes").frame()),
            points=tuple(
                _plain(
                    points[there],
                    ["name", "category", "address", "unit_id"],
                    "point_id",
                ).values()
            ),
            nearest=NearestPoints(lon, lat),
            places=(lon, lat),
            changes=tuple(sorted({t.to_pydatetime() for t in instants})),
            roads=work.records("streets").frame(where={"name": named}) if named else None,
            has_rivers=bool((kinds == "river").any()),
        )


class Snapshot:
    """One plan and the duties valid with it, from ``since`` until ``until`` (half-open).

    ``now`` is an instant between the same two changes of plans as the present one: what is said
    of the plan's standing holds until the stamp changes. ``known_at`` is the instant of record time
    whose knowledge of duties holds, by default all there is. ``along`` is ``None`` where nobody
    answers for roads or rivers. ``timezone`` is the city's, for deadlines. ``memo`` is for callers
    that encode parts once.
    """

    def __init__(
        self,
        plan: PlanVersion,
        locator: Locator,
        cells: pd.DataFrame,
        city: Json | None,
        records: Records,
        at: datetime,
        since: datetime,
        until: datetime,
        now: datetime,
        exclusions: gpd.GeoDataFrame | None = None,
        known_at: datetime | None = None,
        timezone: str = DEFAULT_ZONE,
    ) -> None:
        self.plan = plan
        self.timezone = timezone
        self.now = now
        self.locator = locator
        self.records = records
        self.since, self.until = since, until
        self.memo: dict[Any, Any] = {}
        # In the cells of this plan, whichever one the points were imported under.
        self._point_cells = locator.locate_many(*records.places)
        self._city = city
        self.known_at = known_at
        self._book = DutyBook.from_frame(records.duties, at, known_at=known_at)
        self._unknown = DutyBook.from_frame(records.unknown, at, known_at=known_at)
        self.along = Along.of(self._book, records.roads, exclusions)
        self._router = UnitRouter(records.unit_frame, records.catalogue, self._book)
        columns = (
            "name", "kind", "community_code", "community_name", "subdistrict_code",
            "subdistrict_name",
        )  # fmt: skip
        self._cells = _plain(cells, columns, "code")

    def remember(self, key: Any, value: Any) -> Any:
        """Keep a part, forgetting all when there are too many."""
        if len(self.memo) > _KEEP_PARTS:
            self.memo.clear()
        self.memo[key] = value
        return value

    def case_class(self, category: str | None) -> CaseClass | None:
        """Return the class of cases asked for.

        Raises
        ------
        UnknownClass
        """
        return None if category is None else self.records.catalogue.get(category)

    def deadline(self, category: str | None, at: datetime) -> Json | None:
        """Return by when a case dispatched at an instant is due, ``None`` without a class.

        Raises
        ------
        UnknownClass
        """
        case_class = self.case_class(category)
        return None if case_class is None else deadline_document(case_class, at, self.timezone)

    def roles(self) -> list[str]:
        """Return the roles that somebody holds for places (not for classes everywhere)."""
        return sorted({a.duty.role for a in self._book.all() if a.via != "class"})

    def beside(self, lon: float, lat: float) -> tuple[Beside, ...]:
        """Return the road and the river near a place that somebody answers for."""
        return () if self.along is None else self.along.beside(lon, lat)

    def cell(
        self,
        code: str,
        category: str | None = None,
        beside: Sequence[Beside] = (),
        point_id: str | None = None,
    ) -> Json:
        """Return what holds for every place of a cell: chain, persons, unit, plan.

        Parameters
        ----------
        code : str
        category : str or None
            Class of cases.
        beside : sequence of Beside
            Roads and rivers whose duties reach the place as well.
        point_id : str or None
            Evaluation point whose duties reach the place as well.

        Raises
        ------
        UnknownClass
        """
        case_class = self.case_class(category)
        row = self._cells[code]
        near = {b.kind: b.code for b in beside}
        place = Place(
            code, row["community_code"], row["subdistrict_code"], point_id,
            near.get("road"), near.get("river"),
        )  # fmt: skip
        codes = None if case_class is None else case_class.codes
        choice = self._router.route(place, category)
        unit = self._unit(choice.unit_id)
        chain = [
            {"level": "cell", "code": code, "name": row["name"]},
            {
                "level": "community",
                "code": row["community_code"],
                "name": row["community_name"],
            },
            {
                "level": "subdistrict",
                "code": row["subdistrict_code"],
                "name": row["subdistrict_name"],
            },
        ]
        if self._city is not None:
            chain.append(self._city)
        return {
            "cell_code": code,
            "cell": {"code": code, "name": row["name"], "kind": row["kind"]},
            "chain": chain,
            "persons": self._persons(self._book.reaching(place, class_codes=codes)),
            "unknown_holders": unknown_holders(self._unknown.reaching(place, class_codes=codes)),
            "responsible_unit": {
                **(unit or {"unit_id": None, "name": None, "kind": None}),
                "rule": choice.rule,
                "reason_zh": choice.reason("zh"),
                "reason_en": choice.reason("en"),
            },
            "category": None
            if case_class is None
            else {
                "code": case_class.code,
                "name": case_class.name,
                "major_code": case_class.major_code,
                "major_name": case_class.major_name,
            },
            "plan": plan_document(self.plan, self.now),
        }

    def cell_name(self, code: str) -> str | None:
        """Return the name of a cell."""
        name: str | None = self._cells[code]["name"]
        return name

    def point(self, number: int) -> Json:
        """Return an evaluation point, its own unit and who holds a duty for it (sponsors)."""
        point = dict(self.records.points[number])
        own = self._unit(point.pop("unit_id"))
        position = int(self._point_cells[number])
        duties = self._book.of("point", point["point_id"])
        unit = None if own is None else {"unit_id": own["unit_id"], "name": own["name"]}
        return {
            **point,
            "cell_code": None if position < 0 else self.locator.codes[position],
            "unit": unit,
            "persons": self._persons([Assignment(d, "point") for d in duties]),
        }

    def _unit(self, unit_id: str | None) -> Json | None:
        if unit_id is None:
            return None
        return self.records.units.get(unit_id, {"unit_id": unit_id, "name": None, "kind": None})

    def _persons(self, assignments: Sequence[Assignment]) -> Json:
        by_role: dict[str, list[Json]] = {}
        for assignment in assignments:
            duty = assignment.duty
            person = self.records.persons.get(duty.person_id or "")
            unit = self._unit(duty.unit_id or (person or {}).get("unit_id"))
            by_role.setdefault(duty.role, []).append(
                {
                    "person_id": duty.person_id,
                    "name": None if person is None else person["name"],
                    "unit_id": None if unit is None else unit["unit_id"],
                    "unit_name": None if unit is None else unit["name"],
                    "via": assignment.via,
                    "target_code": duty.target_code,
                    "valid_from": _iso(duty.valid_from),
                    "valid_to": _iso(duty.valid_to),
                }
            )
        return by_role


def plan_document(plan: PlanVersion, now: datetime) -> Json:
    """Return what an answer says of the plan: id, number, title, where it stands, its time."""
    standing = plan.standing(now)
    return {
        "id": plan.id,
        "scheme": plan.scheme_id,
        "number": plan.number,
        "title": plan.title,
        "status": plan.status.value,
        "standing": None if standing is None else standing.value,
        "effective_from": _iso(plan.effective_from),
        "effective_to": _iso(plan.effective_to),
    }


def _plain(frame: pd.DataFrame, columns: Sequence[str], key: str) -> dict[str, Json]:
    """Return rows by key as plain dictionaries of texts, the key among them."""
    names = list(columns)
    values = [[text_or_none(v) for v in frame[name]] for name in names]
    keys = [str(k) for k in frame.index]
    rows = zip(*values, strict=True) if names else iter(())
    return {
        k: {key: k, **dict(zip(names, row, strict=True))} for k, row in zip(keys, rows, strict=True)
    }


def text_or_none(value: Any) -> str | None:
    """Return a value of a table as text, ``None`` for none and for an empty one."""
    return None if value is None or pd.isna(value) or value == "" else str(value)


def _iso(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
