"""What changes hands with a plan, as HTTP answers, and taking a scheduled plan back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from api.dependencies import ServicesDep
from api.geojson import CSV, answer, csv_bytes, not_modified, request_etag
from api.plans.schemas import PlanView, PublishRequest, plan_etag, plan_view, require_match
from api.problems import PreconditionMissing, problem_responses
from gridsvc.duties.takeover import Choice
from gridsvc.errors import (
    ConflictError,
    IllegalTransition,
    InputError,
    NotScheduled,
    StaleVersion,
    UnknownPlan,
)
from gridsvc.services import planning
from gridsvc.services.takeover import COLUMNS, Takeover, examine, version_before
from gridsvc.services.withdrawing import withdraw

router = APIRouter()


class NothingBefore(InputError):
    """There is no version to compare with."""

    zh = "方案 {plan} 之前没有方案,请用参数“since”指明要比较的方案"
    en = "no plan comes before {plan}; name the one to compare with by the parameter 'since'"


class TakeoverView(BaseModel):
    """What hangs on codes that go when a plan takes effect, and who has it then."""

    old_plan: str
    new_plan: str
    starts: str = Field(description="When it takes effect; the present instant for a draft.")
    carry: Literal["none", "merged", "all"]
    counts: dict[str, Any]
    rows: list[dict[str, Any]] = Field(
        description="One for each duty, point, staff post, facility, and role that changes hands "
        "(`what`); `becomes` is carried, ended, moved, outside, changed or vacant."
    )


class PublishedView(PlanView):
    """A plan just published, with what changes hands when it takes effect."""

    takeover: TakeoverView | None = Field(description="Empty for the first version.")


class DiffView(BaseModel):
    """What differs between two versions."""

    added: list[str]
    removed: list[str]
    reshaped: list[str]
    attributes: list[dict[str, Any]]
    moved_area_m2: float
    lineage: dict[str, int]
    takeover: TakeoverView


class WithdrawRequest(BaseModel):
    """Why a scheduled version is taken back, and by whom; both are kept."""

    reason: str = Field(min_length=1, max_length=500)
    by: str | None = Field(None, max_length=120)


def choice_of_request(body: PublishRequest) -> Choice:
    """Return how duties shall be carried over."""
    return Choice(body.carry, {old: tuple(new) for old, new in body.successors.items()})


def takeover_view(found: Takeover) -> TakeoverView:
    """Return what changes hands as JSON."""
    return TakeoverView(
        old_plan=found.old_id,
        new_plan=found.new_id,
        starts=found.starts.isoformat(),
        carry=found.choice.carry,
        counts=found.counts(),
        rows=[{str(k): v for k, v in row.items()} for row in found.table().to_dict("records")],
    )


@router.get(
    "/{plan_id}/diff",
    response_model=DiffView,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
        304: {"description": "The client has it already"},
        **problem_responses(UnknownPlan, NothingBefore, ConflictError),
    },
)
def get_diff(
    plan_id: str,
    request: Request,
    services: ServicesDep,
    since: Annotated[
        str | None, Query(description="Older plan; the one in force before when not given.")
    ] = None,
    carry: Annotated[
        Literal["none", "merged", "all"],
        Query(description="Shows a draft as if published with this choice."),
    ] = "none",
    f: Annotated[
        Literal["json", "csv"], Query(description="csv: the rows that change hands.")
    ] = "json",
) -> Response:
    """Return what a plan changes: cells, ground, and every duty, point and post that it touches."""
    now = services.clock()
    etag = request_etag(request, services.storage.version_stamp(), f, carry, now.date())
    known = not_modified(request, etag)
    if known is not None:
        return known
    with services.storage.unit_of_work() as work:
        new = work.plans.get(plan_id)
        old = version_before(work, new, now) if since is None else work.plans.get(since)
        if old is None:
            raise NothingBefore(plan=plan_id)
        differs = planning.compare(work, old.id, plan_id)
        found = examine(work, old, new, Choice(carry), now=now, descent=differs.lineage)
    if f == "csv":
        return answer(csv_bytes(found.table(), list(COLUMNS)), CSV, etag)
    document = {k: v for k, v in differs.as_dict().items() if k != "ground"}
    view = DiffView(**document, takeover=takeover_view(found))
    return answer(view.model_dump_json().encode(), "application/json", etag)


@router.post(
    "/{plan_id}/withdraw",
    responses=problem_responses(
        UnknownPlan, NotScheduled, IllegalTransition, StaleVersion, PreconditionMissing
    ),
)
def withdraw_plan(
    plan_id: str,
    body: WithdrawRequest,
    services: ServicesDep,
    response: Response,
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="ETag of the plan that was seen.")
    ] = None,
) -> PlanView:
    """Take back a version that is published for a later date; it is a draft again.

    The version before it goes on, and duties that the publication ended or carried over are put
    back. Who withdrew it, when and why is kept.
    """
    now = services.clock()
    with services.storage.unit_of_work() as work:
        plan = work.plans.get(plan_id)
    require_match(if_match, plan, now)
    withdrawn = withdraw(
        services.storage, plan_id, now, reason=body.reason, by=body.by,
        expected_revision=plan.revision,
    )  # fmt: skip
    services.locators.refresh()
    response.headers["ETag"] = plan_etag(withdrawn, now)
    return plan_view(withdrawn, now)
