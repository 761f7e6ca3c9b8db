"""Duties: list, one, who is responsible where, vacancies and doubles."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

import orjson
import pandas as pd
import shapely
from fastapi import APIRouter, Query, Request, Response

from api.dependencies import BoxDep, InstantDep, LanguageDep, PlanDep, ServicesDep, filters
from api.duties.schemas import GapsView, ResponsibleView, responsible_view
from api.geojson import CSV, answer, csv_bytes, not_modified, request_etag
from api.pagination import PageDep, cut, next_link
from api.problems import problem_responses
from api.records import ROW_RESPONSES, ROWS_RESPONSES, FormatDep, chosen_format, one_answer, rows_of
from gridsvc.duties.book import doubles, duties_in_force, vacancies
from gridsvc.errors import (
    InputError,
    NoPlanInForce,
    NotFoundError,
    UnknownCell,
    UnknownClass,
    UnknownPlan,
)
from gridsvc.layers import DUTIES, POINTS
from gridsvc.services.joining import with_chain
from gridsvc.services.ports import UnitOfWork
from gridsvc.types import BoundingBox

router = APIRouter(prefix="/api/v1/duties", tags=["duties 责任"])


class PlaceMissing(InputError):
    """Neither a cell nor a point was named."""

    zh = "请给出 cell(网格编码)或 point(点位编号)"
    en = "name a cell (its code) or a point (its id)"


class PointUnplaced(InputError):
    """The evaluation point lies in no cell."""

    zh = "点位 {point} 不在任何网格内({placement}),请给出 cell"
    en = "point {point} lies in no cell ({placement}); name a cell"


@router.get(
    "", response_class=Response, responses={**ROWS_RESPONSES, **problem_responses(NoPlanInForce)}
)
def list_duties(
    request: Request,
    services: ServicesDep,
    at: InstantDep,
    page: PageDep,
    bbox: BoxDep = None,
    role: Annotated[str | None, Query()] = None,
    person: Annotated[str | None, Query(description="Person id.")] = None,
    unit: Annotated[str | None, Query(description="Unit id.")] = None,
    target_kind: Annotated[
        Literal["cell", "community", "subdistrict", "city", "point", "class", "road", "river"]
        | None,
        Query(),
    ] = None,
    cell: Annotated[str | None, Query(description="Bound to exactly this cell.")] = None,
    community: Annotated[str | None, Query(description="Bound to exactly this community.")] = None,
    target: Annotated[str | None, Query(description="Code of the target.")] = None,
    history: Annotated[bool, Query(description="Also duties not in force at `at`.")] = False,
    f: FormatDep = None,
) -> Response:
    """List duties in force at an instant (or all of them) ordered by id.

    With `bbox` those whose target meets the box in the plan in force at `at`: cells and the areas
    they belong to, evaluation points, roads by name, rivers by the id of their exclusion. Duties
    for a class lie nowhere and are left out.
    """
    kind, code = target_kind, target
    if cell is not None:
        kind, code = "cell", cell
    elif community is not None:
        kind, code = "community", community
    form = chosen_format(request, f, spatial=False)
    # What is in force may change with the minute even when nothing is written.
    minute = None if history else at.replace(second=0, microsecond=0)
    plan_id = "" if bbox is None else services.locators.plan_at(at).id
    etag = request_etag(request, services.storage.version_stamp(), form, minute, plan_id)
    known = not_modified(request, etag)
    if known is not None:
        return known
    where = filters(role=role, person_id=person, unit_id=unit, target_kind=kind, target_code=code)
    with services.storage.unit_of_work() as work:
        frame = work.records("duties").frame(where=where or None)
        if bbox is not None:
            frame = _within(work, frame, plan_id, bbox)
    if not history:
        frame = duties_in_force(frame, at)
    if page.after is not None:
        frame = frame[frame.index > page.after]
    frame, after = cut(frame.iloc[: page.fetch], page)
    if form == "csv":
        return answer(csv_bytes(frame, DUTIES.public_columns), CSV, etag)
    body = {
        "rows": rows_of(frame, DUTIES),
        "numberReturned": len(frame),
        "links": next_link(request, after),
    }
    return answer(orjson.dumps(body), "application/json", etag)


def _within(work: UnitOfWork, duties: pd.DataFrame, plan_id: str, box: BoundingBox) -> pd.DataFrame:
    """Return the duties whose target meets a box."""
    cells = work.plans.cells(plan_id, bbox=box)
    barred = work.plans.exclusions(plan_id)
    area = shapely.box(box.west, box.south, box.east, box.north)
    targets: dict[str, pd.Index | pd.Series] = {
        "cell": cells.index,
        "community": cells["community_code"],
        "subdistrict": cells["subdistrict_code"],
        "point": work.records("points").frame(bbox=box).index,
        "road": work.records("streets").frame(bbox=box)["name"].dropna(),
        "river": barred.index[shapely.intersects(barred.geometry.to_numpy(), area)],
    }
    keep = (duties["target_kind"] == "city") & bool(len(cells))
    for kind, codes in targets.items():
        keep |= (duties["target_kind"] == kind) & duties["target_code"].isin(codes)
    return duties[keep]


@router.get(
    "/responsible",
    responses=problem_responses(
        UnknownCell, UnknownClass, UnknownPlan, NoPlanInForce, NotFoundError, PlaceMissing
    ),
)
def who_is_responsible(
    services: ServicesDep,
    plan: PlanDep,
    at: InstantDep,
    language: LanguageDep,
    cell: Annotated[str | None, Query(description="Cell code.")] = None,
    point: Annotated[str | None, Query(description="Evaluation point; names its cell too.")] = None,
    category: Annotated[str | None, Query(description="Case class (minor).")] = None,
    road: Annotated[str | None, Query(description="Name of the road the place is on.")] = None,
    river: Annotated[str | None, Query(description="River (exclusion id) the place is at.")] = None,
) -> ResponsibleView:
    """Return persons by role and the responsible unit, with the rule that chose it."""
    if point is not None:
        with services.storage.unit_of_work() as work:
            row = work.records("points").get(point)
        if cell is None and not pd.isna(row["cell_code"]):
            cell = str(row["cell_code"])
        if cell is None:
            raise PointUnplaced(point=point, placement=str(row["placement"]))
    if cell is None:
        raise PlaceMissing
    found_place = replace(
        services.responsibility.place_of_cell(plan.id, cell, point_id=point),
        road_name=road or None,
        river_id=river or None,
    )
    found = services.responsibility.responsible(found_place, at, class_code=category)
    return responsible_view(found, plan.id, language)


@router.get("/gaps", responses=problem_responses(UnknownPlan, NoPlanInForce))
def list_gaps(
    services: ServicesDep,
    plan: PlanDep,
    at: InstantDep,
    role: Annotated[list[str], Query(description="Required roles; may be repeated.")],
    sole: Annotated[
        list[str] | None, Query(description="Roles one person holds; the required ones if empty.")
    ] = None,
    of: Annotated[Literal["cells", "points"], Query()] = "cells",
) -> GapsView:
    """Name each cell or point where a required role is vacant or a sole role is held twice."""
    duties = services.responsibility.duties()
    with services.storage.unit_of_work() as work:
        cells = work.plans.cells(plan.id)
        frame: pd.DataFrame = cells
        if of == "points":
            points = work.records("points").frame()
            frame = with_chain(points, cells).rename_axis(POINTS.key)
    vacant = vacancies(frame, duties, at, role)
    double = doubles(frame, duties, at, sole or role)
    return GapsView(
        plan_id=plan.id,
        at=at,
        roles=role,
        cells=len(frame),
        vacancies=_rows(vacant, of),
        doubles=_rows(double, of),
    )


def _rows(frame: pd.DataFrame, of: str) -> list[dict[str, Any]]:
    key = "cell_code" if of == "cells" else "point_id"
    table = frame.rename(columns={"cell_code": key}).astype(object)
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


@router.get(
    "/{duty_id}",
    response_class=Response,
    responses={**ROW_RESPONSES, **problem_responses(NotFoundError)},
)
def get_duty(duty_id: str, request: Request, services: ServicesDep) -> Response:
    """Return one duty."""

    def fetch() -> pd.Series:
        with services.storage.unit_of_work() as work:
            return work.records("duties").get(duty_id)

    return one_answer(request, DUTIES, services.storage.version_stamp(), fetch)
