"""Use case: coverage of a plan from the stored duties, points and visits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import geopandas as gpd
import numpy as np
import pandas as pd

from gridsvc.analysis.coverage import coverage
from gridsvc.analysis.coverage_people import DEFAULT_ROLES, duties_valid
from gridsvc.analysis.hotspots import count_by_cell
from gridsvc.analysis.results import CoverageResult
from gridsvc.duties.book import holders
from gridsvc.duties.standing import of_nobody
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

    Returns
    -------
    CoverageResult
        Duties whose person or unit is not there hold no role: ``summary["duties"]`` counts them
        as ``unknown_holders``, and ``unknown_holder`` of ``vacant_cells`` names who stands there.
    """
    with storage.unit_of_work() as work:
        cells = work.plans.cells(plan.id)
        scheme = work.plans.scheme(plan.scheme_id)
        points = gpd.GeoDataFrame(work.records("points").frame())
        stored, visits = work.records("duties").frame(), work.records("visits").frame()
        staff = {str(k) for k in work.records("staff").frame().index}
        units = {str(k) for k in work.records("units").frame().index}
        strange = of_nobody(stored, staff, units)
        duties, unknown = stored[~strange], stored[strange]
        result = coverage(
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
                "duties": len(stored) > 0,
                "visits": len(visits) > 0,
                "staff": len(staff) > 0,
            },
            timezone=scheme.timezone,
        )
        return _told(result, unknown, known_at)


def _told(
    result: CoverageResult, unknown: pd.DataFrame, known_at: datetime | None
) -> CoverageResult:
    """Return the result with what it left out: duties of nobody known, and where they were."""
    at = result.as_of
    cells = result.cells[["community_code", "subdistrict_code"]]
    named = holders(cells, unknown, at, known_at=known_at)
    ids = named["person_id"].where(named["person_id"].notna(), named["unit_id"])
    claims = named.assign(holder=ids).groupby(["key", "role"])["holder"].agg(", ".join).to_dict()
    pairs = zip(result.vacant_cells["cell_code"], result.vacant_cells["role"], strict=True)
    claimed = pd.array([claims.get(pair) for pair in pairs], dtype="str")
    figures = {
        **result.summary["duties"],
        "unknown_holders": len(duties_valid(unknown, at, known_at=known_at)),
    }
    return replace(
        result,
        vacant_cells=result.vacant_cells.assign(unknown_holder=claimed),
        summary={**result.summary, "duties": figures},
    )


def placed_points(
    points: gpd.GeoDataFrame, plan: PlanVersion, locators: LocatorCache
) -> gpd.GeoDataFrame:
    """Return points with ``cell_code`` of the plan (missing outside of it)."""
    codes = [str(c) for c in locators.of(plan.id).codes]
    position = count_by_cell(points, codes, locator=locators.of(plan.id))
    names = np.array([*codes, None], dtype=object)[position]
    return points.assign(cell_code=pd.array(names, dtype="str"), plan_id=plan.id)
