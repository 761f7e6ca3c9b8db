"""Use case: patrol rounds over the evaluation points of a cell, community or subdistrict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import Point

from gridsvc import crs
from gridsvc.analysis.coverage_people import duties_valid
from gridsvc.analysis.results import PatrolPlan
from gridsvc.errors import BadOption, NotFoundError, NothingToWorkOn, UnknownCell
from gridsvc.patrol.network import WalkNetwork
from gridsvc.patrol.rounds import Inspector, Window, plan_point_rounds
from gridsvc.plan.version import PlanVersion
from gridsvc.services.coverage import placed_points
from gridsvc.services.locating import LocatorCache
from gridsvc.services.ports import Storage, UnitOfWork
from gridsvc.types import BoundingBox, Progress, no_progress
from gridsvc.ways import way

# Rounds may leave the area where the shortest way does.
_MARGIN_M = 1500.0
_METRES_PER_DEGREE = 111_000.0
POST_KIND = "staff_post"
INSPECTOR_ROLES = ("collector", "cell_leader")


@dataclass(frozen=True, slots=True)
class PatrolArea:
    """The area that a patrol serves: exactly one code is given."""

    cell: str | None = None
    community: str | None = None
    subdistrict: str | None = None

    def __post_init__(self) -> None:
        if sum(code is not None for code in (self.cell, self.community, self.subdistrict)) != 1:
            raise BadOption(
                option="cell, community, subdistrict",
                value=", ".join(c for c in (self.cell, self.community, self.subdistrict) if c),
                reason_zh="三者必须且只能给出一个",
                reason_en="name exactly one of the three",
            )

    @property
    def kind(self) -> str:
        """``cell``, ``community`` or ``subdistrict``."""
        if self.cell is not None:
            return "cell"
        return "community" if self.community is not None else "subdistrict"

    @property
    def code(self) -> str:
        """The code given."""
        return self.cell or self.community or self.subdistrict or ""


def plan_patrol(
    storage: Storage,
    locators: LocatorCache,
    plan: PlanVersion,
    area: PatrolArea,
    *,
    created_at: datetime,
    duties_at: datetime | None = None,
    inspectors: int = 1,
    start: Point | None = None,
    speed_m_s: float = 1.2,
    window: Window | None = None,
    max_duration_s: float | None = None,
    max_snap_m: float = 100.0,
    iterations: int | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> PatrolPlan:
    """Plan verified rounds over the points of an area on the stored streets.

    Rounds begin at ``start``, or at the staff post nearest to the middle of the area's points
    that lies in it or within 1.5 km, or at the middlemost point. They carry the names of persons
    with a valid duty as collector or cell leader in the area, as far as there are.

    Parameters
    ----------
    storage : Storage
    locators : LocatorCache
    plan : PlanVersion
    area : PatrolArea
    created_at : datetime
        Aware.
    duties_at : datetime, optional
        Aware instant whose duties say who walks; ``created_at`` when not given.
    inspectors, start, speed_m_s, window, max_duration_s, max_snap_m, iterations, seed, progress
        As in ``gridsvc.patrol.plan_point_rounds``.

    Raises
    ------
    UnknownCell, NotFoundError
        If the plan has no such area.
    NothingToWorkOn
        If no street is stored near the area.
    BadOption
        If an option is out of range.
    """
    with storage.unit_of_work() as work:
        scheme = work.plans.scheme(plan.scheme_id)
        cells = _cells(work, plan, area)
        inside, around = _boxes(cells)
        points = placed_points(
            gpd.GeoDataFrame(work.records("points").frame(bbox=inside)), plan, locators
        )
        points = points[points["cell_code"].isin(cells.index).to_numpy()]
        streets = gpd.GeoDataFrame(work.records("streets").frame(bbox=around))
        if streets.empty:
            raise NothingToWorkOn(
                reason_zh=f"{area.code} 附近没有街道;请先导入街道({way('as', 'streets')})",
                reason_en=f"no street is stored near {area.code}; "
                f"import streets first ({way('as', 'streets')})",
            )
        if start is None:
            start, start_name = _post(work, around, points, scheme.metric_epsg)
        else:
            start_name = f"{start.x:.6f}, {start.y:.6f}"
        people = _people(work, cells, duties_at or created_at, inspectors)
    return plan_point_rounds(
        points,
        WalkNetwork.from_streets(streets, scheme.metric_epsg),
        plan_id=plan.id,
        created_at=created_at,
        start=start,
        start_name=start_name,
        inspectors=people,
        speed_m_s=speed_m_s,
        window=window,
        max_duration_s=max_duration_s,
        max_snap_m=max_snap_m,
        iterations=iterations,
        seed=seed,
        area_kind=area.kind,
        area_code=area.code,
        area_name=_name(cells, area),
        cells=cells,
        streets=streets,
        progress=progress,
    )


def _cells(work: UnitOfWork, plan: PlanVersion, area: PatrolArea) -> gpd.GeoDataFrame:
    cells = work.plans.cells(
        plan.id,
        codes=None if area.cell is None else [area.cell],
        community=area.community,
        subdistrict=area.subdistrict,
    )
    if cells.empty:
        if area.cell is not None:
            raise UnknownCell(plan=plan.id, code=area.cell)
        raise NotFoundError(kind=area.kind, key=area.code)
    return cells


def _boxes(cells: gpd.GeoDataFrame) -> tuple[BoundingBox, BoundingBox]:
    west, south, east, north = (float(v) for v in cells.total_bounds)
    dy = _MARGIN_M / _METRES_PER_DEGREE
    dx = dy / max(math.cos(math.radians((south + north) / 2.0)), 0.1)
    return (
        BoundingBox(west, south, east, north),
        BoundingBox(west - dx, south - dy, east + dx, north + dy),
    )


def _post(
    work: UnitOfWork, around: BoundingBox, points: gpd.GeoDataFrame, epsg: int
) -> tuple[Point | None, str]:
    posts = gpd.GeoDataFrame(
        work.records("facilities").frame(where={"kind": POST_KIND}, bbox=around)
    )
    shapes = points.geometry.to_numpy()
    shapes = shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]
    if posts.empty or len(shapes) == 0:
        return None, ""
    middle = np.median(shapely.get_coordinates(crs.to_metric(shapes, epsg)), axis=0)
    xy = shapely.get_coordinates(crs.to_metric(posts.geometry.to_numpy(), epsg))
    nearest = int(np.argmin(np.hypot(*(xy - middle).T)))
    return posts.geometry.iloc[nearest], str(posts["name"].iloc[nearest])


def _people(
    work: UnitOfWork, cells: gpd.GeoDataFrame, at: datetime, inspectors: int
) -> Sequence[Inspector]:
    duties = work.records("duties").frame(
        where={"role": list(INSPECTOR_ROLES), "target_kind": "cell"}
    )
    valid = duties_valid(duties, at)
    staff: pd.Series = work.records("staff").frame()["name"]
    # Who is not among the staff holds no role and walks no round.
    here = valid[valid["target_code"].isin(cells.index) & valid["person_id"].isin(staff.index)]
    ranked = here.assign(rank=here["role"].map(INSPECTOR_ROLES.index)).sort_values(
        ["rank", "person_id"]
    )
    ids = ranked["person_id"].drop_duplicates().tolist()[: max(inspectors, 0)]
    people: list[Inspector] = [(i, staff.get(i)) for i in ids]
    return people + [(None, None)] * (inspectors - len(people))


def _name(cells: gpd.GeoDataFrame, area: PatrolArea) -> str:
    column = {"cell": "name", "community": "community_name", "subdistrict": "subdistrict_name"}
    value = cells[column[area.kind]].iloc[0]
    return value if isinstance(value, str) else area.code
