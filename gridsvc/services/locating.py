"""Locators of published versions, swapped by reference when a plan is published."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from gridsvc.errors import NoPlanInForce
from gridsvc.locate import Locator
from gridsvc.plan.version import PlanVersion, in_force_at
from gridsvc.services.ports import Storage
from gridsvc.types import Clock

RECHECK_S = 0.25


class LocatorCache:
    """Immutable locators by plan, the least recently used past ones dropped.

    Parameters
    ----------
    storage : Storage
    scheme_id : str
    keep : int
        Locators kept in memory.
    recheck_s : float
        Seconds for which ``known_stamp`` trusts what it read last.
    tick : callable
        Monotonic seconds.
    clock : callable
        Aware present instant: a plan takes effect by the clock, without anything being written.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        scheme_id: str,
        keep: int = 4,
        recheck_s: float = RECHECK_S,
        tick: Callable[[], float] = time.monotonic,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._storage = storage
        self._scheme_id = scheme_id
        self._keep = keep
        self._recheck_s = recheck_s
        self._tick = tick
        self._clock = clock
        self._locators: OrderedDict[str, Locator] = OrderedDict()
        self._plans: tuple[str, list[PlanVersion]] | None = None
        self._stored = ""
        self._now: datetime = clock()
        self._due = 0.0
        self._expired = True
        self._lock = threading.Lock()
        self._building: dict[str, threading.Lock] = {}

    # --- what is known of storage ---------------------------------------------------------------

    def use_clock(self, clock: Clock) -> None:
        """Tell the time by another clock."""
        self._clock = clock

    def now(self) -> datetime:
        """Return the instant at which storage was asked last."""
        return self._now

    def refresh(self) -> str:
        """Ask storage for its stamp now and read the plans again if it changed.

        Call it after publishing; other processes notice by themselves. The stamp returned also
        changes when a plan takes effect; the plans have the status they have now.
        """
        self._expired = False
        stored = self._storage.version_stamp()
        now: datetime = self._clock()
        self._now = now
        self._due = self._tick() + self._recheck_s
        known = self._plans
        if known is None or self._stored != stored:
            with self._storage.unit_of_work() as work:
                read = work.plans.list(self._scheme_id)
        else:
            read = known[1]
        stamp = f"{stored}@{sum(change <= now for change in _changes(read))}"
        if known is None or known[0] != stamp:
            self._plans = (stamp, [plan.as_of(now) for plan in read])
            self._stored = stored
        return stamp

    def expire(self) -> None:
        """Let the next question ask storage again (something may have been written)."""
        self._expired = True

    def known_stamp(self) -> str | None:
        """Return the stamp read last without asking storage, ``None`` when it has to be asked.

        When the trust in it runs out, one caller gets ``None`` and refreshes while the others
        go on with what is known; after ``expire`` everybody gets ``None``.
        """
        known = self._plans
        if known is None or self._expired:
            return None
        now = self._tick()
        if now >= self._due:
            self._due = now + self._recheck_s
            return None
        return known[0]

    # --- plans and locators -----------------------------------------------------------------------

    def plan_at(self, at: datetime) -> PlanVersion:
        """Return the plan in force at an instant, storage asked for changes.

        Raises
        ------
        NoPlanInForce
        """
        self.refresh()
        return self.known_plan_at(at)

    def known_plan_at(self, at: datetime) -> PlanVersion:
        """Return the plan in force at an instant as far as known, without asking storage.

        Raises
        ------
        NoPlanInForce
        """
        plans = self._plans[1] if self._plans is not None else []
        plan = in_force_at(plans, at)
        if plan is None:
            starts = [p.effective_from for p in plans if p.effective_from is not None]
            raise NoPlanInForce(at=at, first=min(starts, default=None))
        return plan

    def plan_changes(self) -> list[datetime]:
        """Return the instants at which the plan in force changes, as far as known."""
        plans = self._plans[1] if self._plans is not None else []
        return _changes(plans)

    def at(self, at: datetime) -> tuple[PlanVersion, Locator]:
        """Return the plan in force at an instant and its locator."""
        plan = self.plan_at(at)
        return plan, self.of(plan.id)

    def of(self, plan_id: str) -> Locator:
        """Return the locator of one plan, building it when needed (once, however many ask)."""
        found = self._held(plan_id)
        if found is not None:
            return found
        with self._lock:
            building = self._building.setdefault(plan_id, threading.Lock())
        with building:
            found = self._held(plan_id)
            if found is not None:
                return found
            with self._storage.unit_of_work() as work:
                cells = work.plans.cells(plan_id)
            locator = Locator.from_cells(cells)
            with self._lock:
                self._locators[plan_id] = locator
                while len(self._locators) > self._keep:
                    self._locators.popitem(last=False)
                self._building.pop(plan_id, None)
        return locator

    def _held(self, plan_id: str) -> Locator | None:
        with self._lock:
            found = self._locators.get(plan_id)
            if found is not None:
                self._locators.move_to_end(plan_id)
            return found


def _changes(plans: list[PlanVersion]) -> list[datetime]:
    instants = {p.effective_from for p in plans} | {p.effective_to for p in plans}
    return sorted(i for i in instants if i is not None)
