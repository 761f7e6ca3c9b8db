"""Certificates of stored plans, kept as long as nothing they depend on has changed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import shapely

from gridsvc.plan.version import GridScheme, PlanVersion
from gridsvc.services.ports import Storage

if TYPE_CHECKING:
    from gridsvc.quality import Certificate

_Key = tuple[object, ...]


class CertificateCache:
    """The latest certificates by plan and revision.

    Cells of a plan change only together with its revision. The territory, the gap width and the
    code system belong to the scheme and are part of the key as well.

    Parameters
    ----------
    storage : Storage
    keep : int
        Certificates kept; their findings may be large, so a few.
    """

    def __init__(self, storage: Storage, *, keep: int = 4) -> None:
        self._storage = storage
        self._keep = keep
        self._kept: OrderedDict[_Key, Certificate] = OrderedDict()
        self._lock = threading.Lock()
        self._working = threading.Lock()

    def of(self, plan_id: str) -> Certificate:
        """Return what the certificate's tests find in a plan, certifying it once.

        Raises
        ------
        UnknownPlan
        """
        from gridsvc.services.planning import certify_plan

        with self._storage.unit_of_work() as work:
            plan = work.plans.get(plan_id)
            scheme = work.plans.scheme(plan.scheme_id)
        key = _key(plan, scheme)
        found = self._held(key)
        if found is not None:
            return found
        with self._working:  # one at a time: everybody waits for the same answer mostly
            found = self._held(key)
            if found is None:
                with self._storage.unit_of_work() as work:
                    found = certify_plan(work, plan_id)
                with self._lock:
                    self._kept[key] = found
                    while len(self._kept) > self._keep:
                        self._kept.popitem(last=False)
        return found

    def _held(self, key: _Key) -> Certificate | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found


def _key(plan: PlanVersion, scheme: GridScheme) -> _Key:
    territory = b"" if scheme.territory is None else shapely.to_wkb(scheme.territory)
    return (
        plan.id,
        plan.revision,
        plan.created_at,
        scheme.metric_epsg,
        scheme.gap_width_m,
        scheme.code_system,
        territory,
    )
