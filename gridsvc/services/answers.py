"""The dispatcher's one answer to a coordinate: cell, persons, unit, deadline, nearest point."""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from datetime import UTC, datetime

import pandas as pd

from gridsvc.cases.deadlines import DEFAULT_ZONE
from gridsvc.errors import OutsideCoverage
from gridsvc.services.locating import LocatorCache
from gridsvc.services.ports import Storage
from gridsvc.services.snapshots import Records, Snapshot, text_or_none
from gridsvc.types import Json

_KEEP_SNAPSHOTS = 6
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


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
        "known_at": None if snapshot.known_at is None else snapshot.known_at.isoformat(),
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


def _city(areas: pd.DataFrame, scheme_id: str) -> Json | None:
    if areas.empty:
        return None
    row = areas.iloc[0]
    name = text_or_none(row["name"])
    # Databases of older versions hold the scheme's identifier where no name was given.
    named = None if name == scheme_id else name
    return {"level": "city", "code": text_or_none(row["code"]), "name": named}
