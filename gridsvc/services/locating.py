"""Locators of published versions, swapped by reference when a plan is published."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime

from gridsvc.errors import NoPlanInForce
from gridsvc.locate import Locator
from gridsvc.plan.version import PlanVersion, in_force_at
from gridsvc.services.ports import Storage


class LocatorCache:
    """Immutable locators by plan, the least recently used past ones dropped.

    Parameters
    ----------
    storage : Storage
    scheme_id : str
    keep : int
        Locators kept in memory.
    """

    def __init__(self, storage: Storage, *, scheme_id: str, keep: int = 4) -> None:
        self._storage = storage
        self._scheme_id = scheme_id
        self._keep = keep
        self._locators: OrderedDict[str, Locator] = OrderedDict()
        self._plans: list[PlanVersion] = []
        self._stamp: str | None = None
        self._lock = threading.Lock()

    def plan_at(self, at: datetime) -> PlanVersion:
        """Return the plan in force at an instant.

        Raises
        ------
        NoPlanInForce
        """
        stamp = self._storage.version_stamp()
        if stamp != self._stamp:
            with self._storage.unit_of_work() as work:
                plans = work.plans.list(self._scheme_id)
            self._plans, self._stamp = plans, stamp
        plan = in_force_at(self._plans, at)
        if plan is None:
            raise NoPlanInForce(at=at.isoformat())
        return plan

    def at(self, at: datetime) -> tuple[PlanVersion, Locator]:
        """Return the plan in force at an instant and its locator."""
        plan = self.plan_at(at)
        return plan, self.of(plan.id)

    def of(self, plan_id: str) -> Locator:
        """Return the locator of one plan, building it when needed."""
        with self._lock:
            found = self._locators.get(plan_id)
            if found is not None:
                self._locators.move_to_end(plan_id)
                return found
        with self._storage.unit_of_work() as work:
            cells = work.plans.cells(plan_id)
        locator = Locator.from_cells(cells)
        with self._lock:
            self._locators[plan_id] = locator
            while len(self._locators) > self._keep:
                self._locators.popitem(last=False)
        return locator
