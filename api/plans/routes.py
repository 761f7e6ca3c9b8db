"""Plan versions: list, one, certificate, findings, areas, lineage, publish."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from api.dependencies import BoxDep, InstantDep, ServicesDep, parse_instant
from api.geojson import GEOJSON, answer, feature_collection, not_modified, request_etag
from api.plans.listing import (
    ETAG_RESPONSES,
    OUTLINE_RESPONSES,
    PlanFormDep,
    as_features,
    plan_features,
    plans_of,
)
from api.plans.repairs import router as repairs_router
from api.plans.schemas import (
    CertificateView,
    Lineage,
    LineageRow,
    PlanList,
    PlanView,
    PublishRequest,
    plan_etag,
    plan_view,
    require_match,
)
from api.plans.takeover import (
    PublishedView,
    choice_of_request,
    takeover_view,
)
from api.plans.takeover import router as takeover_router
from api.problems import PreconditionMissing, problem_responses
from api.records import LIST_RESPONSES
from gridsvc.duties.takeover import Choice
from gridsvc.errors import (
    IllegalTransition,
    NoPlanInForce,
    NotFoundError,
    PlanNotPublishable,
    StaleVersion,
    UnknownPlan,
)
from gridsvc.layers import AREAS, EXCLUSIONS
from gridsvc.services import planning
from gridsvc.services.takeover import examine, version_before

router = APIRouter(prefix="/api/v1/plans", tags=["plans 网格方案"])
router.include_router(repairs_router)
router.include_router(takeover_router)
FINDING_COLUMNS = ("rule", "severity", "cells", "measure", "unit", "message_zh", "message_en")


class NoCertificate(NotFoundError):
    """The plan was never certified."""

    zh = "方案 {plan} 尚无证书;请先运行 gridsvc check {plan}"
    en = "plan {plan} has no certificate yet; run gridsvc check {plan}"


@router.get("", response_model=PlanList, responses={**OUTLINE_RESPONSES, **problem_responses()})
def list_plans(
    request: Request,
    services: ServicesDep,
    scheme: Annotated[str | None, Query(description="Grid scheme; all when not given.")] = None,
    status: Annotated[
        Literal["draft", "in_review", "published", "superseded", "discarded"] | None, Query()
    ] = None,
    at: Annotated[
        str | None, Query(description="Only those in force at this instant (ISO 8601).")
    ] = None,
    cell: Annotated[str | None, Query(description="Only those with this cell.")] = None,
    bbox: BoxDep = None,
    standing: Annotated[
        Literal["scheduled", "in_force", "superseded"] | None,
        Query(description="Where published versions stand at this moment."),
    ] = None,
    f: PlanFormDep = None,
) -> Response:
    """List plan versions by scheme and number, or their outlines as GeoJSON."""
    now = services.clock()
    when = None
    if at is not None and at.strip():
        when = parse_instant(at, services.settings.grid.timezone)
    # A version takes effect by the clock alone, without anything being written.
    with services.storage.unit_of_work() as work:
        stands = [plan.standing(now) for plan in work.plans.list(scheme)]
        etag = request_etag(request, services.storage.version_stamp(), *stands)
        known = not_modified(request, etag)
        if known is not None:
            return known
        plans = plans_of(
            work, scheme=scheme, status=status, at=when, cell=cell, bbox=bbox, now=now,
            standing=standing,
        )  # fmt: skip
        if as_features(request, f):
            return answer(plan_features(work, plans, now), GEOJSON, etag)
    body = PlanList(plans=[plan_view(plan, now) for plan in plans])
    return answer(body.model_dump_json().encode(), "application/json", etag)


@router.get("/in-force", responses=problem_responses(NoPlanInForce))
def plan_in_force(services: ServicesDep, at: InstantDep, response: Response) -> PlanView:
    """Return the version in force at an instant."""
    plan = services.locators.plan_at(at)
    now = services.clock()
    response.headers["ETag"] = plan_etag(plan, now)
    return plan_view(plan, now)


@router.get(
    "/{plan_id}",
    response_model=PlanView,
    responses={**ETAG_RESPONSES, **problem_responses(UnknownPlan)},
)
def get_plan(plan_id: str, request: Request, services: ServicesDep) -> Response:
    """Return one plan version; its ETag is what `If-Match` needs."""
    with services.storage.unit_of_work() as work:
        plan = work.plans.get(plan_id)
    now = services.clock()
    etag = plan_etag(plan, now)
    known = not_modified(request, etag)
    if known is not None:
        return known
    return answer(plan_view(plan, now).model_dump_json().encode(), "application/json", etag)


@router.get("/{plan_id}/certificate", responses=problem_responses(UnknownPlan, NoCertificate))
def get_certificate(plan_id: str, services: ServicesDep) -> CertificateView:
    """Return the certificate: numbers, tolerances, digest, versions, time."""
    with services.storage.unit_of_work() as work:
        plan = work.plans.get(plan_id)
    if plan.certificate is None:
        raise NoCertificate(plan=plan_id)
    made = plan.certificate
    return CertificateView(
        plan=plan_id, ok=bool(made.get("ok")), at=made.get("at"), digest=made.get("digest"),
        certificate=made,
    )  # fmt: skip


@router.get(
    "/{plan_id}/findings",
    response_class=Response,
    responses={**LIST_RESPONSES, **problem_responses(UnknownPlan)},
)
def get_findings(plan_id: str, request: Request, services: ServicesDep) -> Response:
    """Check the plan and return its findings as a layer; empty when it is clean."""
    etag = request_etag(request, services.storage.version_stamp())
    known = not_modified(request, etag)
    if known is not None:
        return known
    findings = services.certificates.of(plan_id).findings
    body = feature_collection(
        findings, FINDING_COLUMNS, extra={"numberReturned": len(findings), "links": []}
    )
    return answer(body, GEOJSON, etag)


@router.get(
    "/{plan_id}/areas",
    response_class=Response,
    responses={**LIST_RESPONSES, **problem_responses(UnknownPlan)},
)
def get_areas(
    plan_id: str,
    request: Request,
    services: ServicesDep,
    level: Annotated[Literal["community", "subdistrict", "city"] | None, Query()] = None,
    bbox: BoxDep = None,
) -> Response:
    """Return communities, subdistricts and the city as derived on publication."""
    etag = request_etag(request, services.storage.version_stamp())
    known = not_modified(request, etag)
    if known is not None:
        return known
    with services.storage.unit_of_work() as work:
        work.plans.get(plan_id)
        areas = work.plans.areas(plan_id, level)
    if bbox is not None and len(areas):
        areas = areas.cx[bbox.west : bbox.east, bbox.south : bbox.north]
    body = feature_collection(
        areas, AREAS.public_columns, extra={"numberReturned": len(areas), "links": []}
    )
    return answer(body, GEOJSON, etag)


@router.get(
    "/{plan_id}/exclusions",
    response_class=Response,
    responses={**LIST_RESPONSES, **problem_responses(UnknownPlan)},
)
def get_exclusions(plan_id: str, request: Request, services: ServicesDep) -> Response:
    """Return the registered exclusions: rivers, lakes, airfields."""
    etag = request_etag(request, services.storage.version_stamp())
    known = not_modified(request, etag)
    if known is not None:
        return known
    with services.storage.unit_of_work() as work:
        work.plans.get(plan_id)
        found = work.plans.exclusions(plan_id)
    body = feature_collection(
        found, EXCLUSIONS.public_columns, extra={"numberReturned": len(found), "links": []}
    )
    return answer(body, GEOJSON, etag)


@router.get("/{plan_id}/lineage", responses=problem_responses(UnknownPlan))
def get_lineage(
    plan_id: str,
    services: ServicesDep,
    since: Annotated[
        str | None, Query(description="Older plan; the plan's base when not given.")
    ] = None,
) -> Lineage:
    """Return where the cells of this plan come from."""
    with services.storage.unit_of_work() as work:
        plan = work.plans.get(plan_id)
        old = since or plan.base_id
        if old is None:
            return Lineage(old_plan="", new_plan=plan_id, counts={}, rows=[])
        work.plans.get(old)
        table = work.plans.lineage(old, plan_id)
    table = table.astype(object).where(table.notna(), None)
    rows = [LineageRow(**{str(k): v for k, v in row.items()}) for row in table.to_dict("records")]
    counts = {str(k): int(v) for k, v in table["kind"].value_counts().sort_index().items()}
    return Lineage(old_plan=old, new_plan=plan_id, counts=counts, rows=rows)


@router.post(
    "/{plan_id}/publish",
    responses=problem_responses(
        UnknownPlan, PlanNotPublishable, IllegalTransition, StaleVersion, PreconditionMissing
    ),
)
def publish_plan(
    plan_id: str,
    body: PublishRequest,
    services: ServicesDep,
    response: Response,
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="ETag of the plan that was seen.")
    ] = None,
) -> PublishedView:
    """Put a plan into force from a date; refused while a finding of its certificate stands.

    The version before it ends then, areas and lineage are derived, and requests for instants from
    then on are located in the new version. Duties of cells that go end then; the answer says what
    is carried over (`carry`, `successors`) and which roles fall vacant.
    """
    now = services.clock()
    start = now
    if body.effective_from is not None:
        zone = services.settings.grid.timezone
        start = parse_instant(body.effective_from, zone, field="effective_from")
    with services.storage.unit_of_work() as work:
        plan = work.plans.get(plan_id)
    require_match(if_match, plan, now)
    published = planning.publish(
        services.storage, plan_id, start, now, expected_revision=plan.revision,
        choice=choice_of_request(body),
    )  # fmt: skip
    services.locators.refresh()
    response.headers["ETag"] = plan_etag(published, now)
    with services.storage.unit_of_work() as work:
        before = version_before(work, published, now)
        found = None if before is None else examine(work, before, published, Choice(), now=now)
    return PublishedView(
        **plan_view(published, now).model_dump(),
        takeover=None if found is None else takeover_view(found),
    )
