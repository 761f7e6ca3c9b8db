"""Hot spots, density and coverage as GeoJSON with a summary that states how they were made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from api.analysis.documents import coverage_geojson, density_geojson, hotspots_geojson
from api.dependencies import InstantDep, KnownDep, PlanDep, ServicesDep, SinceDep, UntilDep
from api.geojson import GEOJSON, answer, not_modified, request_etag
from api.problems import problem_responses
from gridsvc.analysis.coverage_people import DEFAULT_ROLES
from gridsvc.analysis.gi_star import TooFewPermutations
from gridsvc.analysis.hotspots import Denominator
from gridsvc.analysis.results import HotspotResult
from gridsvc.errors import InputError, NoPlanInForce, UnknownClass, UnknownPlan
from gridsvc.services.coverage import plan_coverage
from gridsvc.services.hotspots import hotspots

router = APIRouter(prefix="/api/v1/analysis", tags=["analysis 分析"])
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Features and a summary",
        "content": {GEOJSON: {"schema": {"$ref": "#/components/schemas/GeoJsonCollection"}}},
        "headers": {"ETag": {"schema": {"type": "string"}}},
    },
    304: {"description": "The client has it already"},
}
_PROBLEMS = problem_responses(
    UnknownPlan, NoPlanInForce, UnknownClass, TooFewPermutations, InputError
)


def hotspot_result(
    services: ServicesDep,
    plan: PlanDep,
    since: SinceDep = None,
    until: UntilDep = None,
    classes: Annotated[
        list[str] | None, Query(alias="class", description="Major or minor class; repeatable.")
    ] = None,
    denominator: Annotated[Denominator, Query(description="What counts are divided by.")] = "none",
    set_aside: Annotated[
        bool, Query(description="Leave default-geocode piles out; they are listed anyway.")
    ] = True,
    counted_by: Annotated[
        Literal["located", "filed"],
        Query(description="Locate reports in the plan, or take the cell stored at filing."),
    ] = "located",
    permutations: Annotated[
        int, Query(ge=0, le=9999, description="0: analytic p of the normal distribution.")
    ] = 0,
    seed: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    bandwidth_m: Annotated[
        float, Query(ge=20.0, le=5000.0, description="Of the density, metres.")
    ] = 300.0,
) -> Callable[[], HotspotResult]:
    """Return how to compute the result that the parameters describe."""

    def compute() -> HotspotResult:
        return hotspots(
            services.storage,
            services.locators,
            plan,
            updated_at=services.clock(),
            since=since,
            until=until,
            classes=tuple(classes or ()),
            denominator=denominator,
            set_aside=set_aside,
            counted_by=counted_by,
            permutations=permutations,
            seed=seed,
            bandwidth_m=bandwidth_m,
            keep_points=False,
        )

    return compute


HotspotDep = Annotated[Callable[[], HotspotResult], Depends(hotspot_result)]


@router.get("/hotspots", response_class=Response, responses={**_RESPONSES, **_PROBLEMS})
def get_hotspots(
    request: Request, services: ServicesDep, plan: PlanDep, compute: HotspotDep
) -> Response:
    """Return each cell with count, rate, Gi* and its class after Benjamini-Hochberg correction.

    The summary states n, period, denominator, weights, correction, seed and plan version.
    """
    return _cached(
        request, services.storage.version_stamp(), plan.id, lambda: hotspots_geojson(compute())
    )


@router.get("/density", response_class=Response, responses={**_RESPONSES, **_PROBLEMS})
def get_density(
    request: Request, services: ServicesDep, plan: PlanDep, compute: HotspotDep
) -> Response:
    """Return the kernel density of the counted reports as contour bands (reports per km²)."""
    return _cached(
        request, services.storage.version_stamp(), plan.id, lambda: density_geojson(compute())
    )


@router.get(
    "/coverage",
    response_class=Response,
    responses={**_RESPONSES, **problem_responses(UnknownPlan, NoPlanInForce, InputError)},
)
def get_coverage(
    request: Request,
    services: ServicesDep,
    plan: PlanDep,
    at: InstantDep,
    known_at: KnownDep,
    role: Annotated[
        list[str] | None, Query(description="Roles each cell must have; repeatable.")
    ] = None,
    lists: Annotated[bool, Query(description="Name all that is not covered.")] = True,
) -> Response:
    """Return each cell with its staff, vacancies and points, in three meanings of coverage.

    Territory (against cells), duties (against what holds at ``at``) and visits (against windows
    and frequencies) are reported side by side, each with the list of what is not covered.
    """

    def body() -> bytes:
        result = plan_coverage(
            services.storage,
            services.locators,
            plan,
            as_of=at,
            required_roles=tuple(role) if role else DEFAULT_ROLES,
            known_at=known_at,
        )
        return coverage_geojson(result, lists=lists)

    minute = at.replace(second=0, microsecond=0)
    return _cached(request, services.storage.version_stamp(), f"{plan.id} {minute}", body)


def _cached(request: Request, stamp: str, part: str, body: Callable[[], bytes]) -> Response:
    etag = request_etag(request, stamp, part)
    unchanged = not_modified(request, etag)
    return unchanged if unchanged is not None else answer(body(), GEOJSON, etag)
