"""Use case: take back a published version before its time comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import pandas as pd

from gridsvc.errors import NotScheduled, StaleVersion
from gridsvc.layers import AREAS, empty
from gridsvc.plan import lineage
from gridsvc.plan.lineage import COLUMNS
from gridsvc.plan.version import PlanStatus, PlanVersion, Standing
from gridsvc.services.ports import Storage
from gridsvc.services.takeover import Stage, shift_duties, steps
from gridsvc.services.timeline import require_same_versions, scheduled


def withdraw(
    storage: Storage,
    plan_id: str,
    at: datetime,
    *,
    reason: str,
    by: str | None = None,
    expected_revision: int | None = None,
) -> PlanVersion:
    """Take back a version that is published for a later date: it is a draft again.

    The version before it goes on until the next one that is scheduled. Duties that the publication
    ended or carried over are put back. Who withdrew it, when, why, and for when it had been
    published is kept in ``provenance["withdrawals"]``; its certificate stays.

    Parameters
    ----------
    storage : Storage
    plan_id : str
    at : datetime
        Now and record time, aware.
    reason : str
    by : str, optional
        Who does it.
    expected_revision : int, optional
        Revision that the caller has seen.

    Raises
    ------
    NotScheduled
        If it was never published, or has taken effect.
    StaleVersion
        If the plan or a version around it was changed by somebody else.
    UnknownPlan
    """
    with storage.unit_of_work() as work:
        plan = work.plans.get(plan_id)
        if expected_revision is not None and plan.revision != expected_revision:
            raise StaleVersion(
                kind="plan", key=plan_id, current=plan.revision, given=expected_revision
            )
        start = plan.effective_from
        standing = plan.standing(at)
        if start is None or standing is not Standing.SCHEDULED:
            state = plan.status.value if standing is None else standing.value
            raise NotScheduled(kind="plan", key=plan_id, current=state, target="withdrawn")
        scheme = work.plans.scheme(plan.scheme_id)
        versions = work.plans.list(scheme.id)
        before = next((p for p in versions if p.effective_to == start and p.id != plan_id), None)
        later = scheduled(versions, at, start)
        chain = [Stage.read(work, p) for p in (before, *later) if p is not None]
    descents = [lineage(a.cells, b.cells, scheme.metric_epsg) for a, b in pairwise(chain)]
    edges = steps(chain, descents, scheme.metric_epsg)
    record = {
        "at": at.isoformat(), "by": by, "reason": reason,
        "effective_from": start.isoformat(),
        "published_at": None if plan.published_at is None else plan.published_at.isoformat(),
        "takeover": plan.provenance.get("takeover"),
    }  # fmt: skip
    kept = {k: v for k, v in plan.provenance.items() if k != "takeover"}
    kept["withdrawals"] = [*plan.provenance.get("withdrawals", ()), record]
    withdrawn = replace(
        plan, status=PlanStatus.DRAFT, effective_from=None, effective_to=None, published_at=None,
        revision=plan.revision + 1, provenance=kept,
    )  # fmt: skip
    with storage.unit_of_work() as work:
        # Takes the lock under which versions are published.
        work.plans.save_scheme(scheme, expected=scheme)
        now = work.plans.list(scheme.id)
        require_same_versions(later, scheduled(now, at, start))
        work.plans.save(withdrawn, expected_revision=plan.revision)
        if before is not None:
            onward = replace(
                before, status=PlanStatus.PUBLISHED, effective_to=plan.effective_to,
                revision=before.revision + 1,
            )  # fmt: skip
            work.plans.save(onward, expected_revision=before.revision)
            work.plans.put_lineage(before.id, plan_id, _NO_LINEAGE)
        if later:
            work.plans.put_lineage(plan_id, later[0].id, _NO_LINEAGE)
        if before is not None and later:
            work.plans.put_lineage(before.id, later[0].id, descents[0])
        work.plans.put_areas(plan_id, empty(AREAS))
        tag = f"{plan_id}.{withdrawn.revision}"
        shift_duties(work, edges, [plan, *later], at=at, tag=tag)
        work.commit()
    return withdrawn


_NO_LINEAGE = pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS})
