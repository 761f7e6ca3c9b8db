"""Evaluation points: list, one, visits."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import pandas as pd
from fastapi import APIRouter, Query, Request, Response

from api.dependencies import (
    BoxDep,
    InstantDep,
    ServicesDep,
    SinceDep,
    UntilDep,
    UnvisitedDep,
    filters,
    plan_or_none,
    require_span,
)
from api.pagination import PageDep
from api.problems import problem_responses
from api.records import (
    LIST_RESPONSES,
    ONE_RESPONSES,
    ROWS_RESPONSES,
    FormatDep,
    RowFormatDep,
    one_answer,
    page_answer,
)
from gridsvc.errors import NotFoundError
from gridsvc.layers import POINTS, VISITS
from gridsvc.points import last_visits
from gridsvc.services.placing import in_plan, rows_in_plan
from gridsvc.types import Period

router = APIRouter(prefix="/api/v1/points", tags=["points 测评点位"])
VISIT_COLUMNS = ("last_visit", "days_since", "due")


def visit_periods(
    since: datetime | None,
    until: datetime | None,
    unvisited_since: datetime | None,
    known_at: datetime | None = None,
) -> tuple[Period | None, Period | None]:
    """Return ``visited`` and ``unvisited`` for the repository of points.

    Parameters
    ----------
    since, until : datetime or None
        Half-open period of a visit; no filter when neither is given.
    unvisited_since : datetime or None
        Instant from which on there is no visit.
    known_at : datetime or None
        Visits from this instant on do not count; all of them count when not given.
    """
    ends = [end for end in (until, known_at) if end is not None]
    visited = since is not None or until is not None
    return (
        Period(since, min(ends, default=None)) if visited else None,
        Period(unvisited_since, known_at) if unvisited_since is not None else None,
    )


@router.get("", response_class=Response, responses={**LIST_RESPONSES, **problem_responses()})
def list_points(
    request: Request,
    services: ServicesDep,
    at: InstantDep,
    page: PageDep,
    bbox: BoxDep = None,
    since: SinceDep = None,
    until: UntilDep = None,
    unvisited: UnvisitedDep = None,
    cell: Annotated[str | None, Query(description="Cell code.")] = None,
    community: Annotated[str | None, Query(description="Community code.")] = None,
    category: Annotated[list[str] | None, Query(description="Categories; repeatable.")] = None,
    placement: Annotated[
        Literal["placed", "on_border", "outside", "no_coordinates", "invalid_coordinates"] | None,
        Query(),
    ] = None,
    visits: Annotated[bool, Query(description="Add last visit, days since, due.")] = False,
    f: FormatDep = None,
) -> Response:
    """List evaluation points ordered by id, unplaced ones with their reason.

    Cells, communities and placements, shown and filtered, are those of the plan in force at `at`,
    whichever plan the points were imported under.

    `since`/`until` keep points that were visited in the period, `unvisited_since` those that were
    not visited from then on, never visited ones among them. Visits of either window count. With
    `at` all is as it stood then: later visits do not count.
    """
    if unvisited is not None:
        require_span(unvisited, at, start="unvisited_since", end="at")
    known = at if request.query_params.get("at", "").strip() else None
    seen, unseen = visit_periods(since, until, unvisited, known)
    plan = plan_or_none(services, at)

    def fetch() -> pd.DataFrame:
        with services.storage.unit_of_work() as work:
            frame: pd.DataFrame = rows_in_plan(
                work,
                "points",
                plan,
                services.locators.of,
                cell=cell,
                community=community,
                placement=placement,
                bbox=bbox,
                after=page.after,
                limit=page.fetch,
                where=filters(category=category) or None,
                visited=seen,
                unvisited=unseen,
            )
            if visits:
                done = work.records("visits").frame(until=at)
                frame = frame.join(last_visits(frame, done, at))
        return frame

    stamp = services.storage.version_stamp()
    more = VISIT_COLUMNS if visits else ()
    part = at.replace(second=0, microsecond=0) if visits else None
    parts = (part, None if plan is None else plan.id)
    return page_answer(request, POINTS, page, stamp, fetch, f, more_columns=more, etag_parts=parts)


@router.get(
    "/{point_id}",
    response_class=Response,
    responses={**ONE_RESPONSES, **problem_responses(NotFoundError)},
)
def get_point(point_id: str, request: Request, services: ServicesDep, at: InstantDep) -> Response:
    """Return one evaluation point in its cell of the plan in force at `at`."""
    plan = plan_or_none(services, at)

    def fetch() -> pd.Series:
        with services.storage.unit_of_work() as work:
            work.records("points").get(point_id)
            found = work.records("points").frame(where={POINTS.key: point_id})
        row: pd.Series = in_plan(found, plan, services.locators.of).iloc[0]
        return row

    parts = (None if plan is None else plan.id,)
    return one_answer(request, POINTS, services.storage.version_stamp(), fetch, etag_parts=parts)


@router.get(
    "/{point_id}/visits",
    response_class=Response,
    responses={**ROWS_RESPONSES, **problem_responses(NotFoundError)},
)
def list_visits(
    point_id: str,
    request: Request,
    services: ServicesDep,
    page: PageDep,
    since: SinceDep = None,
    until: UntilDep = None,
    f: RowFormatDep = None,
) -> Response:
    """List the visits to one evaluation point."""

    def fetch() -> pd.DataFrame:
        with services.storage.unit_of_work() as work:
            work.records("points").get(point_id)
            return work.records("visits").frame(
                where={"point_id": point_id},
                since=since,
                until=until,
                after=page.after,
                limit=page.fetch,
            )

    return page_answer(request, VISITS, page, services.storage.version_stamp(), fetch, f)
