"""Street centre lines."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
from fastapi import APIRouter, Query, Request, Response

from api.dependencies import BoxDep, ServicesDep, filters
from api.pagination import PageDep
from api.problems import problem_responses
from api.records import LIST_RESPONSES, ONE_RESPONSES, FormatDep, one_answer, page_answer
from gridsvc.errors import NotFoundError
from gridsvc.layers import STREETS

router = APIRouter(prefix="/api/v1/streets", tags=["streets 街巷"])


@router.get("", response_class=Response, responses={**LIST_RESPONSES, **problem_responses()})
def list_streets(
    request: Request,
    services: ServicesDep,
    page: PageDep,
    bbox: BoxDep = None,
    highway: Annotated[list[str] | None, Query(description="OpenStreetMap values.")] = None,
    f: FormatDep = None,
) -> Response:
    """List street lines ordered by id."""

    def fetch() -> pd.DataFrame:
        with services.storage.unit_of_work() as work:
            return work.records("streets").frame(
                where=filters(highway=highway) or None,
                bbox=bbox,
                after=page.after,
                limit=page.fetch,
            )

    return page_answer(request, STREETS, page, services.storage.version_stamp(), fetch, f)


@router.get(
    "/{street_id}",
    response_class=Response,
    responses={**ONE_RESPONSES, **problem_responses(NotFoundError)},
)
def get_street(street_id: str, request: Request, services: ServicesDep) -> Response:
    """Return one street line."""

    def fetch() -> pd.Series:
        with services.storage.unit_of_work() as work:
            return work.records("streets").get(street_id)

    return one_answer(request, STREETS, services.storage.version_stamp(), fetch)
