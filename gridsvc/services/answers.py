"""The dispatcher's one answer to a coordinate: cell, persons, unit, deadline, nearest point.

A ``Snapshot`` holds everything that does not depend on the coordinate for a stretch of time in
which neither the plan in force nor any duty changes; its parts are assembled once per cell and
class of cases. Names and roles only: no phone numbers.
"""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
from gridsvc.errors import OutsideCoverage
from gridsvc.locate import Locator
from gridsvc.locate.nearest import NearestPoints
from gridsvc.plan.version import PlanVersion
from gridsvc.services.along import Along, Beside
from gridsvc.services.due import deadline_document
from gridsvc.services.locating import LocatorCache
from gridsvc.services.ports import Storage, UnitOfWork
from gridsvc.types import FloatArray, Json, ObjectArray

_KEEP_SNAPSHOTS = 6
_KEEP_PARTS = 20_000
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


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


class AnswerDesk:
    """Keeps snapshots for the present and for instants asked about, and answers from them.

    Parameters
    ----------
    storage : Storage
    locators : LocatorCache
    """

    def __init__(self, storage: Storage, locators: LocatorCache) -> None:
        self._storage = storage
        self._locators = locators
        self._records: Records | None = None
        self._snapshots: OrderedDict[tuple[str, str, datetime], Snapshot] = OrderedDict()
        self._ready: tuple[Snapshot, ...] = ()
        self._lock = threading.Lock()

    def ready(self, at: datetime) -> Snapshot | None:
        """Return the snapshot for an instant if it is at hand and fresh, without any reading."""
        stamp = self._locators.known_stamp()
        if stamp is None:
            return None
        for snapshot in self._ready:
            if snapshot.since <= at < snapshot.until and snapshot.records.stamp == stamp:
                return snapshot
        return None

    def snapshot(self, at: datetime, known_at: datetime | None = None) -> Snapshot:
        """Return the snapshot for an instant, built from storage when needed.

        With ``known_at`` duties are taken as they were known at that instant of record time; such
        a snapshot is not kept.

        Raises
        ------
        NoPlanInForce, StorageError
        """
        stamp = self._locators.refresh()
        plan = self._locators.known_plan_at(at)
        with self._lock:
            records = self._read(stamp)
            changes = sorted({*records.changes, *self._locators.plan_changes()})
            place = bisect.bisect_right(changes, at)
            since = changes[place - 1] if place else _FIRST
            until = changes[place] if place < len(changes) else _LAST
            key = (stamp, plan.id, since)
            found = self._snapshots.get(key) if known_at is None else None
            if found is None:
                locator = self._locators.of(plan.id)
                with self._storage.unit_of_work() as work:
                    cells = pd.DataFrame(work.plans.cells(plan.id).drop(columns="geometry"))
                    areas = work.plans.areas(plan.id, "city")
                    barred = work.plans.exclusions(plan.id) if records.has_rivers else None
                    zones = {s.id: s.timezone for s in work.plans.schemes()}
                found = Snapshot(
                    plan, locator, cells, _city(areas, plan.scheme_id), records, at, since, until,
                    self._locators.now(), barred, known_at, zones.get(plan.scheme_id, DEFAULT_ZONE),
                )  # fmt: skip
                if known_at is not None:
                    return found
                self._snapshots[key] = found
                while len(self._snapshots) > _KEEP_SNAPSHOTS:
                    self._snapshots.popitem(last=False)
            self._snapshots.move_to_end(key)
            # Most recently used first; read without a lock.
            self._ready = tuple(reversed(self._snapshots.values()))
        return found

    def _read(self, stamp: str) -> Records:
        if self._records is None or self._records.stamp != stamp:
            with self._storage.unit_of_work() as work:
                self._records = Records.read(work, stamp)
        return self._records

    def answer(
        self,
        lon: float,
        lat: float,
        at: datetime,
        *,
        accuracy_m: float | None = None,
        category: str | None = None,
        known_at: datetime | None = None,
    ) -> Json:
        """Return the full answer for a place in the storage datum.

        Raises
        ------
        InvalidCoordinate, OutsideCoverage, NoPlanInForce, UnknownClass
        """
        snapshot = self.snapshot(at, known_at)
        return assemble(snapshot, lon, lat, at, accuracy_m=accuracy_m, category=category)


def assemble(
    snapshot: Snapshot,
    lon: float,
    lat: float,
    at: datetime,
    *,
    accuracy_m: float | None = None,
    category: str | None = None,
) -> Json:
    """Return the full answer for a place from one snapshot (see ``AnswerDesk.answer``)."""
    snapshot.case_class(category)
    location = snapshot.locator.locate(lon, lat, accuracy_m=accuracy_m)
    if location.code is None:
        raise OutsideCoverage(
            lon=lon,
            lat=lat,
            nearest_cell=location.nearest_code,
            distance_m=round(location.nearest_distance_m or 0.0, 2),
        )
    near = snapshot.records.nearest.nearest(lon, lat)
    beside = snapshot.beside(lon, lat)
    return {
        "lon": lon,
        "lat": lat,
        "at": at.isoformat(),
        "known_at": _iso(snapshot.known_at),
        "accuracy_m": accuracy_m,
        "on_border": location.on_border,
        "covering": list(location.covering),
        "boundary_distance_m": round(location.boundary_distance_m or 0.0, 2),
        "ambiguous": location.ambiguous,
        "neighbours": [
            {
                "code": n.code,
                "name": snapshot.cell_name(n.code),
                "distance_m": round(n.distance_m, 2),
            }
            for n in location.neighbours
        ],
        "nearest_point": None
        if near is None
        else {"distance_m": round(near[1], 2), **snapshot.point(near[0])},
        "beside": [b.document() for b in beside],
        "deadline": snapshot.deadline(category, at),
        **snapshot.cell(location.code, category, beside),
    }


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


def _city(areas: pd.DataFrame, scheme_id: str) -> Json | None:
    if areas.empty:
        return None
    row = areas.iloc[0]
    name = _text(row["name"])
    # Databases of older versions hold the scheme's identifier where no name was given.
    named = None if name == scheme_id else name
    return {"level": "city", "code": _text(row["code"]), "name": named}


def _plain(frame: pd.DataFrame, columns: Sequence[str], key: str) -> dict[str, Json]:
    """Return rows by key as plain dictionaries of texts, the key among them."""
    names = list(columns)
    values = [[_text(v) for v in frame[name]] for name in names]
    keys = [str(k) for k in frame.index]
    rows = zip(*values, strict=True) if names else iter(())
    return {
        k: {key: k, **dict(zip(names, row, strict=True))} for k, row in zip(keys, rows, strict=True)
    }


def _text(value: Any) -> str | None:
    return None if value is None or pd.isna(value) or value == "" else str(value)


def _iso(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
