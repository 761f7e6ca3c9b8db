"""Cells of a plan: list, one with those responsible."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
from fastapi import APIRouter, Query, Request, Response

from api.dependencies import BoxDep, PlanDep, ServicesDep
from api.pagination import PageDep
from api.problems import problem_responses
from api.records import LIST_RESPONSES, ONE_RESPONSES, FormatDep, one_answer, page_answer
from gridsvc.errors import NoPlanInForce, UnknownCell, UnknownPlan
from gridsvc.layers import CELLS

router = APIRouter(prefix="/api/v1/cells", tags=["cells 网格"])


@router.get(
    "",
    response_class=Response,
    responses={**LIST_RESPONSES, **problem_responses(UnknownPlan, NoPlanInForce)},
)
def list_cells(
    request: Request,
    services: ServicesDep,
    plan: PlanDep,
    page: PageDep,
    bbox: BoxDep = None,
    community: Annotated[str | None, Query(description="12-digit community code.")] = None,
    subdistrict: Annotated[str | None, Query(description="9-digit subdistrict code.")] = None,
    code: Annotated[list[str] | None, Query(description="Cell codes; may be repeated.")] = None,
    f: FormatDep = None,
) -> Response:
    """List the cells of a plan ordered by code, with their geometry."""

    def fetch() -> pd.DataFrame:
        with services.storage.unit_of_work() as work:
            cells: pd.DataFrame = work.plans.cells(
                plan.id,
                bbox=bbox,
                codes=code,
                community=community,
                subdistrict=subdistrict,
                after=page.after,
                limit=page.fetch,
            )
        return cells

    stamp = services.storage.version_stamp()
    return page_answer(request, CELLS, page, stamp, fetch, f, etag_parts=(plan.id,))


@router.get(
    "/{code}",
    response_class=Response,
    responses={**ONE_RESPONSES, **problem_responses(UnknownCell, UnknownPlan, NoPlanInForce)},
)
def get_cell(code: str, request: Request, services: ServicesDep, plan: PlanDep) -> Response:
    """Return one cell."""

    def fetch() -> pd.Series:
        with services.storage.unit_of_work() as work:
            found = work.plans.cells(plan.id, codes=[code])
        if found.empty:
            raise UnknownCell(plan=plan.id, code=code)
        row: pd.Series = found.iloc[0]
        return row

    stamp = services.storage.version_stamp()
    return one_answer(request, CELLS, stamp, fetch, etag_parts=(plan.id,))
