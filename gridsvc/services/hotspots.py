"""Use case: hot spots of a plan from the stored reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import geopandas as gpd
import pandas as pd

from gridsvc.analysis.counting import period_of
from gridsvc.analysis.hotspots import Denominator, find_hotspots
from gridsvc.analysis.inputs import Instant
from gridsvc.analysis.results import HotspotResult
from gridsvc.errors import UnknownClass
from gridsvc.plan.version import PlanVersion
from gridsvc.services.locating import LocatorCache
from gridsvc.services.ports import Storage

_SHOWN = 8


def hotspots(
    storage: Storage,
    locators: LocatorCache,
    plan: PlanVersion,
    *,
    updated_at: datetime,
    since: Instant | None = None,
    until: Instant | None = None,
    classes: Sequence[str] = (),
    denominator: Denominator = "none",
    set_aside: bool = True,
    counted_by: Literal["located", "filed"] = "located",
    permutations: int = 0,
    seed: int = 0,
    bandwidth_m: float | None = 300.0,
    keep_points: bool = True,
) -> HotspotResult:
    """Read cells and reports and find hot spots.

    Parameters
    ----------
    storage : Storage
    locators : LocatorCache
        Locators of published plans.
    plan : PlanVersion
        Whose cells are tested.
    updated_at : datetime
    since, until, classes, denominator, set_aside, permutations, seed, bandwidth_m, keep_points
        As in ``gridsvc.analysis.find_hotspots``; days and instants without zone are of the
        scheme's zone.
    counted_by : {"located", "filed"}
        Locate each report anew in the plan, or take the cell stored at filing.

    Raises
    ------
    UnknownClass
        If a class is neither in the catalogue nor in any report.
    InputError
        For a bad period or option.
    """
    with storage.unit_of_work() as work:
        cells = work.plans.cells(plan.id)
        scheme = work.plans.scheme(plan.scheme_id)
        first, last = period_of(since, until, scheme.timezone)
        cases = gpd.GeoDataFrame(work.records("cases").frame(since=first, until=last))
        if classes:
            _known(classes, work.records("classes").frame(), cases)
    return find_hotspots(
        cases,
        cells,
        plan_id=plan.id,
        updated_at=updated_at,
        locator=locators.of(plan.id) if counted_by == "located" else None,
        since=first,
        until=last,
        classes=classes,
        denominator=denominator,
        set_aside=set_aside,
        permutations=permutations,
        seed=seed,
        metric_epsg=scheme.metric_epsg,
        bandwidth_m=bandwidth_m,
        keep_points=keep_points,
        timezone=scheme.timezone,
    )


def _known(classes: Sequence[str], catalogue: pd.DataFrame, cases: pd.DataFrame) -> None:
    known = (
        set(catalogue.index)
        | set(catalogue["major_code"].dropna())
        | set(cases["class_code"].dropna())
        | set(cases["major_code"].dropna())
    )
    for code in classes:
        if code not in known:
            near = sorted(k for k in known if k[:2] == code[:2])[:_SHOWN] or sorted(known)[:_SHOWN]
            raise UnknownClass(
                code=code,
                hint_zh=f"可用大类或小类编码,例如 {'、'.join(near)}" if near else "目录中没有类别",
                hint_en=f"use a major or minor code, such as {', '.join(near)}"
                if near
                else "the catalogue holds no class",
            )
