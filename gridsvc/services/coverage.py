"""Use case: coverage of a plan from the stored duties, points and visits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import geopandas as gpd
import numpy as np
import pandas as pd

from gridsvc.analysis.coverage import coverage
from gridsvc.analysis.coverage_people import DEFAULT_ROLES
from gridsvc.analysis.hotspots import count_by_cell
from gridsvc.analysis.results import CoverageResult
from gridsvc.plan.version import PlanVersion
from gridsvc.services.locating import LocatorCache
from gridsvc.services.ports import Storage


def plan_coverage(
    storage: Storage,
    locators: LocatorCache,
    plan: PlanVersion,
    *,
    as_of: datetime,
    required_roles: Sequence[str] = DEFAULT_ROLES,
    sole_roles: Sequence[str] | None = None,
    known_at: datetime | None = None,
) -> CoverageResult:
    """Read a plan with its duties, points and visits and return its coverage.

    Points are placed by the plan's locator, whatever plan they were imported under.

    Parameters
    ----------
    storage : Storage
    locators : LocatorCache
    plan : PlanVersion
    as_of : datetime
        Aware instant for duties and visits.
    required_roles, sole_roles, known_at
        As in ``gridsvc.analysis.coverage``.
    """
    with storage.unit_of_work() as work:
        cells = work.plans.cells(plan.id)
        scheme = work.plans.scheme(plan.scheme_id)
        points = gpd.GeoDataFrame(work.records("points").frame())
        duties, visits = work.records("duties").frame(), work.records("visits").frame()
        return coverage(
            cells,
            placed_points(points, plan, locators),
            duties,
            visits,
            plan_id=plan.id,
            as_of=as_of,
            areas=work.plans.areas(plan.id),
            exclusions=work.plans.exclusions(plan.id),
            streets=gpd.GeoDataFrame(work.records("streets").frame()),
            territory=scheme.territory,
            required_roles=required_roles,
            sole_roles=sole_roles,
            known_at=known_at,
            metric_epsg=scheme.metric_epsg,
            loaded={
                "duties": len(duties) > 0,
                "visits": len(visits) > 0,
                "staff": work.records("staff").count() > 0,
            },
            timezone=scheme.timezone,
        )


def placed_points(
    points: gpd.GeoDataFrame, plan: PlanVersion, locators: LocatorCache
) -> gpd.GeoDataFrame:
    """Return points with ``cell_code`` of the plan (missing outside of it)."""
    codes = [str(c) for c in locators.of(plan.id).codes]
    position = count_by_cell(points, codes, locator=locators.of(plan.id))
    names = np.array([*codes, None], dtype=object)[position]
    return points.assign(cell_code=pd.array(names, dtype="str"), plan_id=plan.id)
