"""Cases: list, one, the catalogue of classes. Reporters and phones are never served."""

from __future__ import annotations

from typing import Annotated, Literal

import pandas as pd
from fastapi import APIRouter, Query, Request, Response

from api.dependencies import BoxDep, ServicesDep, SinceDep, UntilDep, filters
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
from api.spatial_filters import IN_COMMUNITY, frame_in_community, version_part
from gridsvc.errors import NotFoundError, UnknownClass
from gridsvc.layers import CASES, CLASSES

router = APIRouter(prefix="/api/v1/cases", tags=["cases 案件"])
classes_router = APIRouter(prefix="/api/v1/classes", tags=["cases 案件"])


@router.get(
    "", response_class=Response, responses={**LIST_RESPONSES, **problem_responses(UnknownClass)}
)
def list_cases(
    request: Request,
    services: ServicesDep,
    page: PageDep,
    bbox: BoxDep = None,
    since: SinceDep = None,
    until: UntilDep = None,
    category: Annotated[
        list[str] | None, Query(description="Minor or major class codes; repeatable.")
    ] = None,
    status: Annotated[list[str] | None, Query(description="Statuses; repeatable.")] = None,
    cell: Annotated[str | None, Query(description="Cell code at filing.")] = None,
    community: Annotated[str | None, Query(description=IN_COMMUNITY)] = None,
    unit: Annotated[str | None, Query(description="Responsible unit.")] = None,
    placement: Annotated[
        Literal["placed", "on_border", "outside", "no_coordinates", "invalid_coordinates"] | None,
        Query(),
    ] = None,
    f: FormatDep = None,
) -> Response:
    """List cases ordered by id; `since`/`until` apply to the time of report."""

    def fetch() -> pd.DataFrame:
        codes = None
        if category:
            codes = list(services.responsibility.catalogue().expand(category))
        where = filters(
            class_code=codes, status=status, cell_code=cell, unit_id=unit, placement=placement
        )
        with services.storage.unit_of_work() as work:
            if community is not None:
                return frame_in_community(
                    work,
                    "cases",
                    community,
                    where,
                    now=services.clock(),
                    limit=page.fetch,
                    bbox=bbox,
                    since=since,
                    until=until,
                    after=page.after,
                )
            return work.records("cases").frame(
                where=where or None,
                bbox=bbox,
                since=since,
                until=until,
                after=page.after,
                limit=page.fetch,
            )

    stamp = services.storage.version_stamp()
    parts = (version_part(services, community),)
    return page_answer(request, CASES, page, stamp, fetch, f, etag_parts=parts)


@router.get(
    "/{case_id}",
    response_class=Response,
    responses={**ONE_RESPONSES, **problem_responses(NotFoundError)},
)
def get_case(case_id: str, request: Request, services: ServicesDep) -> Response:
    """Return one case as it was filed."""

    def fetch() -> pd.Series:
        with services.storage.unit_of_work() as work:
            return work.records("cases").get(case_id)

    return one_answer(request, CASES, services.storage.version_stamp(), fetch)


@classes_router.get(
    "", response_class=Response, responses={**ROWS_RESPONSES, **problem_responses()}
)
def list_classes(
    request: Request,
    services: ServicesDep,
    page: PageDep,
    major: Annotated[str | None, Query(description="Code of the major class.")] = None,
    f: RowFormatDep = None,
) -> Response:
    """List the catalogue: minor classes with their majors, deadlines and unit kinds."""

    def fetch() -> pd.DataFrame:
        with services.storage.unit_of_work() as work:
            return work.records("classes").frame(
                where=filters(major_code=major) or None, after=page.after, limit=page.fetch
            )

    return page_answer(request, CLASSES, page, services.storage.version_stamp(), fetch, f)
