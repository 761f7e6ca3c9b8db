"""From stored data to a finished map: shared by the routes and by ``gridsvc map``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import geopandas as gpd

from api.bootstrap import Services
from api.maps.surroundings import city_of, hotspot_fields, names_with, page_of, patrol_fields
from gridsvc.analysis.hotspots import Denominator
from gridsvc.analysis.results import HotspotResult, PatrolPlan
from gridsvc.errors import Language, NothingToWorkOn
from gridsvc.patrol.rounds import Window
from gridsvc.plan.version import PlanVersion
from gridsvc.services.coverage import plan_coverage
from gridsvc.services.hotspots import hotspots
from gridsvc.services.patrols import PatrolArea, plan_patrol
from gridsvc.types import Progress, no_progress
from maps import OfflineMap, coverage_map, formats, hotspot_map, patrol_map, plan_map
from maps.page import Assets


@dataclass(frozen=True, slots=True)
class Frame:
    """How a map is to be written: language, assets, and where its one-file export is."""

    language: Language
    assets: Assets
    asset_base: str = "/static"
    download: str | None = None


@dataclass(frozen=True, slots=True)
class HotspotChoice:
    """Conditions of the hotspot map; ``since`` and ``until`` are a half-open period."""

    since: datetime | None = None
    until: datetime | None = None
    issue_class: str = ""
    denominator: Denominator = "none"
    set_aside: bool = True


@dataclass(frozen=True, slots=True)
class PatrolChoice:
    """Conditions of the patrol map; without an area the community with most points is taken."""

    cell: str = ""
    community: str = ""
    subdistrict: str = ""
    inspectors: int = 1
    window: Window | None = None
    seed: int = 0
    at: datetime | None = None
    """Whose duties say who walks; now when not given."""

    @property
    def area(self) -> PatrolArea | None:
        """The area, the smallest one given."""
        if self.cell:
            return PatrolArea(cell=self.cell)
        if self.community:
            return PatrolArea(community=self.community)
        return PatrolArea(subdistrict=self.subdistrict) if self.subdistrict else None


def draw_coverage(
    services: Services,
    plan: PlanVersion,
    as_of: datetime,
    frame: Frame,
    known_at: datetime | None = None,
) -> OfflineMap:
    """Draw who covers what at an instant, by the duties known at another when that is given."""
    result = plan_coverage(
        services.storage, services.locators, plan, as_of=as_of, known_at=known_at
    )
    with services.storage.unit_of_work() as work:
        units = work.records("units").frame()
    page = page_of(
        services.settings, "coverage", plan, frame.language,
        city=city_of(services, plan), download=frame.download,
        names=names_with(units=units),
    )  # fmt: skip
    return coverage_map(
        result,
        language=frame.language,
        assets=frame.assets,
        asset_base=frame.asset_base,
        page=page,
    )


def draw_hotspot(
    services: Services, plan: PlanVersion, choice: HotspotChoice, frame: Frame
) -> OfflineMap:
    """Draw where reports are significantly frequent."""
    result = hotspots(
        services.storage,
        services.locators,
        plan,
        updated_at=services.clock(),
        since=choice.since,
        until=choice.until,
        classes=(choice.issue_class,) if choice.issue_class else (),
        denominator=choice.denominator,
        set_aside=choice.set_aside,
    )
    return picture_of_hotspots(services, plan, result, choice, frame)


def picture_of_hotspots(
    services: Services,
    plan: PlanVersion,
    result: HotspotResult,
    choice: HotspotChoice,
    frame: Frame,
) -> OfflineMap:
    """Draw a finished result with the areas, streets and names of its plan.

    Parameters
    ----------
    choice : HotspotChoice
        What the conditions on the page show.
    """
    zone = services.settings.grid.timezone
    with services.storage.unit_of_work() as work:
        areas = work.plans.areas(plan.id)
        exclusions = work.plans.exclusions(plan.id)
        streets = gpd.GeoDataFrame(work.records("streets").frame())
        classes = work.records("classes").frame()
    page = page_of(
        services.settings,
        "hotspot",
        plan,
        frame.language,
        city=city_of(services, plan),
        download=frame.download,
        fields=hotspot_fields(
            formats.day(choice.since, zone),
            formats.day(choice.until, zone),
            choice.issue_class,
            choice.denominator,
            choice.set_aside,
        ),
        names=names_with(classes=classes),
    )
    return hotspot_map(
        result,
        language=frame.language,
        assets=frame.assets,
        asset_base=frame.asset_base,
        page=page,
        areas=areas,
        streets=streets,
        exclusions=exclusions,
    )


def draw_patrol(
    services: Services,
    plan: PlanVersion,
    choice: PatrolChoice,
    frame: Frame,
    progress: Progress = no_progress,
) -> OfflineMap:
    """Draw rounds over the points of an area; raising ``Cancelled`` in ``progress`` ends it.

    Raises
    ------
    NothingToWorkOn
        If no area is named and no point lies in any community.
    """
    with services.storage.unit_of_work() as work:
        cells = work.plans.cells(plan.id)
        busiest = choice.community
        if choice.area is None:
            busiest = _busiest(cells, gpd.GeoDataFrame(work.records("points").frame()), services,
                               plan)  # fmt: skip
    area = choice.area or PatrolArea(community=busiest)
    result = plan_patrol(
        services.storage,
        services.locators,
        plan,
        area,
        created_at=services.clock(),
        duties_at=choice.at,
        inspectors=choice.inspectors,
        window=choice.window,
        seed=choice.seed,
        progress=progress,
    )
    shown = replace(choice, community=busiest)
    return picture_of_patrol(services, plan, result, shown, frame)


def picture_of_patrol(
    services: Services,
    plan: PlanVersion,
    result: PatrolPlan,
    choice: PatrolChoice,
    frame: Frame,
) -> OfflineMap:
    """Draw finished rounds with the names of their plan.

    Parameters
    ----------
    choice : PatrolChoice
        What the conditions on the page show.
    """
    with services.storage.unit_of_work() as work:
        cells = work.plans.cells(plan.id)
    page = page_of(
        services.settings,
        "patrol",
        plan,
        frame.language,
        city=city_of(services, plan),
        download=frame.download,
        fields=patrol_fields(
            cells, choice.community, choice.cell, choice.inspectors, choice.window or ""
        ),
    )
    return patrol_map(
        result,
        language=frame.language,
        assets=frame.assets,
        asset_base=frame.asset_base,
        page=page,
    )


def _busiest(
    cells: gpd.GeoDataFrame, points: gpd.GeoDataFrame, services: Services, plan: PlanVersion
) -> str:
    from gridsvc.services.coverage import placed_points

    placed = placed_points(points, plan, services.locators)["cell_code"].dropna()
    communities = cells["community_code"].reindex(placed.to_numpy()).dropna()
    if communities.empty:
        raise NothingToWorkOn(
            reason_zh="没有落在网格内的测评点位;请先导入点位({way:as=points})",
            reason_en="no evaluation point lies in a cell; import points first ({way:as=points})",
        )
    counts = communities.value_counts()
    return str(min(counts.index[counts == counts.max()]))


def draw_plan(
    services: Services, plan: PlanVersion, frame: Frame, *, check: bool = True
) -> OfflineMap:
    """Draw a plan version with what its certificate finds now.

    Parameters
    ----------
    check : bool
        Certify the plan; otherwise no findings are drawn.
    """
    with services.storage.unit_of_work() as work:
        cells = work.plans.cells(plan.id)
        areas = work.plans.areas(plan.id)
        exclusions = work.plans.exclusions(plan.id)
        streets = gpd.GeoDataFrame(work.records("streets").frame())
    findings = services.certificates.of(plan.id).findings if check else None
    page = page_of(
        services.settings,
        "plan",
        plan,
        frame.language,
        city=city_of(services, plan),
        download=frame.download,
    )
    return plan_map(
        plan,
        cells,
        findings=findings,
        areas=areas,
        exclusions=exclusions,
        streets=streets,
        language=frame.language,
        assets=frame.assets,
        asset_base=frame.asset_base,
        page=page,
        standing=plan.standing(services.clock()),
    )


MapKind = Literal["coverage", "hotspot", "patrol", "plan"]
