"""The repair log of a plan: a page of rows, and what they come to."""

from __future__ import annotations

from typing import Annotated, Literal

import geopandas as gpd
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from api.dependencies import BoxDep, ServicesDep
from api.pagination import PageDep
from api.problems import problem_responses
from api.records import LIST_RESPONSES, FormatDep, page_answer
from gridsvc.errors import UnknownPlan
from gridsvc.layers import Column, Layer
from gridsvc.quality.repair_log import COLUMNS, moved_area, summary
from gridsvc.services.repairs import repairs_of_plan

router = APIRouter()
_TEXT = {"action", "code", "gained_by", "reason_zh", "reason_en"}
REPAIRS = Layer(
    "repairs",
    "number",
    tuple(Column(name, "text" if name in _TEXT else "number") for name in COLUMNS),
    "polygon",
    geometry_required=False,
)
"""Columns of the log; its geometry is whatever the repair touched: ground, a line, a node."""

Action = Literal[
    "made_valid", "lines_dropped", "dropped", "gap_excluded", "overlap_resolved", "gap_filled",
    "transferred", "snapped", "trimmed", "ring_removed", "spike_removed", "duplicate_removed",
    "vertex_removed", "node_inserted", "vertices_moved",
]  # fmt: skip


class RepairCount(BaseModel):
    """All repairs of one kind: how many, on how many cells, how much, how far at most."""

    action: str
    rows: int
    cells: int
    vertices: int
    area_m2: float
    width_m: float | None
    shift_m: float | None
    reason_zh: str
    reason_en: str


class RepairSummary(BaseModel):
    """The repair log of a plan by kind of repair."""

    plan: str
    rows: int
    moved_area_m2: float
    actions: list[RepairCount]


@router.get("/{plan_id}/repairs/summary", responses=problem_responses(UnknownPlan))
def get_repair_summary(plan_id: str, services: ServicesDep) -> RepairSummary:
    """Return what the repair of the plan's import did, by kind of repair."""
    with services.storage.unit_of_work() as work:
        log = repairs_of_plan(work, plan_id)
    counts = [RepairCount(**row) for row in summary(log)]
    return RepairSummary(plan=plan_id, rows=len(log), moved_area_m2=moved_area(log), actions=counts)


@router.get(
    "/{plan_id}/repairs",
    response_class=Response,
    responses={**LIST_RESPONSES, **problem_responses(UnknownPlan)},
)
def list_repairs(
    plan_id: str,
    request: Request,
    services: ServicesDep,
    page: PageDep,
    asked: FormatDep = None,
    action: Annotated[Action | None, Query(description="Kind of repair.")] = None,
    cell: Annotated[
        str | None, Query(description="Code of a cell that was repaired or gained ground.")
    ] = None,
    bbox: BoxDep = None,
) -> Response:
    """Return one row for every repair of the plan's import, with its place.

    Whole logs as files of other programs: `/api/v1/exports/repairs`.
    """

    def fetch() -> gpd.GeoDataFrame:
        # No log has so many rows, and Python refuses to read numbers of thousands of digits.
        after = page.after[:18] if page.after is not None and page.after.isdecimal() else "0"
        with services.storage.unit_of_work() as work:
            return repairs_of_plan(
                work, plan_id, action=action, cell=cell, bbox=bbox,
                after=int(after), limit=page.fetch,
            )  # fmt: skip

    return page_answer(
        request, REPAIRS, page, services.storage.version_stamp(), fetch, asked,
        etag_parts=(plan_id,),
    )  # fmt: skip
