"""Duties: list, one, who is responsible where, vacancies and doubles."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

import orjson
import pandas as pd
from fastapi import APIRouter, Query, Request, Response

from api.dependencies import (
    BoxDep,
    InstantDep,
    KnownDep,
    LanguageDep,
    PlanDep,
    ServicesDep,
    filters,
)
from api.duties.places import located, within
from api.duties.schemas import GapsView, ResponsibleView, responsible_view, unknown_views
from api.geojson import (
    CSV,
    GEOJSON,
    answer,
    csv_bytes,
    feature_collection,
    not_modified,
    request_etag,
)
from api.pagination import PageDep, cut, next_link
from api.problems import problem_responses
from api.records import (
    LIST_RESPONSES,
    ROW_RESPONSES,
    FormatDep,
    chosen_format,
    one_answer,
    rows_of,
)
from gridsvc.duties.book import DutyBook, believed, doubles, duties_in_force, vacancies
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
from gridsvc.services.placing import in_plan

router = APIRouter(prefix="/api/v1/duties", tags=["duties 责任"])


class PlaceMissing(InputError):
    """Neither a cell nor a point was named."""

    zh = "请给出 cell(网格编码)或 point(点位编号)"
    en = "name a cell (its code) or a point (its id)"


class PointUnplaced(InputError):
    """The evaluation point lies in no cell."""

    zh = "点位 {point} 不在任何网格内({placement}),请给出 cell"
    en = "point {point} lies in no cell ({placement}); name a cell"


class SeveralTargets(InputError):
    """A list of duties is asked for by two targets, which no duty has."""

    zh = "{names} 只能给一个:一项责任只有一个对象"
    en = "give only one of {names}: a duty has one target"


@router.get(
    "", response_class=Response, responses={**LIST_RESPONSES, **problem_responses(NoPlanInForce)}
)
def list_duties(
    request: Request,
    services: ServicesDep,
    at: InstantDep,
    known_at: KnownDep,
    page: PageDep,
    bbox: BoxDep = None,
    role: Annotated[str | None, Query()] = None,
    person: Annotated[str | None, Query(description="Person id.")] = None,
    unit: Annotated[str | None, Query(description="Unit id.")] = None,
    target_kind: Annotated[
        Literal[
            "cell",
            "community",
            "subdistrict",
            "city",
            "point",
            "class",
            "road",
            "river",
            "field",
        ]
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
    they belong to, evaluation points, roads by name, rivers by the id of their exclusion, fields
    by that of their exclusion or facility. Duties for a class lie nowhere and are left out. As
    GeoJSON a duty has the geometry of its target in that plan, and none where it is for a class.
    """
    bound = {"cell": cell, "community": community, "target": target or target_kind}
    named = [name for name, value in bound.items() if value is not None]
    if len(named) > 1:
        raise SeveralTargets(names=", ".join(named))
    kind, code = target_kind, target
    if cell is not None:
        kind, code = "cell", cell
    elif community is not None:
        kind, code = "community", community
    spatial = f == "geojson" or (f is None and "geo+json" in request.headers.get("accept", ""))
    form = chosen_format(request, f, spatial=spatial)
    # What is in force may change with the minute even when nothing is written.
    minute = None if history else at.replace(second=0, microsecond=0)
    placed = bbox is not None or form == "geojson"
    plan_id = services.locators.plan_at(at).id if placed else ""
    etag = request_etag(request, services.storage.version_stamp(), form, minute, plan_id)
    known = not_modified(request, etag)
    if known is not None:
        return known
    where = filters(role=role, person_id=person, unit_id=unit, target_kind=kind, target_code=code)
    with services.storage.unit_of_work() as work:
        frame = work.records("duties").frame(where=where or None)
        if bbox is not None:
            frame = within(work, frame, plan_id, bbox)
        if not history:
            frame = duties_in_force(frame, at, known_at=known_at)
        elif known_at is not None:
            frame = frame[believed(frame, known_at)]
        if page.after is not None:
            frame = frame[frame.index > page.after]
        frame, after = cut(frame.iloc[: page.fetch], page)
        shown = located(work, frame, plan_id) if form == "geojson" else None
    if form == "csv":
        return answer(csv_bytes(frame, DUTIES.public_columns), CSV, etag)
    extra = {"numberReturned": len(frame), "links": next_link(request, after)}
    if shown is not None:
        body = feature_collection(shown, DUTIES.public_columns, extra=extra)
        return answer(body, GEOJSON, etag)
    rows = {"rows": rows_of(frame, DUTIES), **extra}
    return answer(orjson.dumps(rows), "application/json", etag)


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
    known_at: KnownDep,
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
            work.records("points").get(point)
            named = work.records("points").frame(where={POINTS.key: point})
        row = in_plan(named, plan, services.locators.of).iloc[0]
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
    found = services.responsibility.responsible(
        found_place, at, class_code=category, known_at=known_at
    )
    return responsible_view(found, plan.id, language)


@router.get("/gaps", responses=problem_responses(UnknownPlan, NoPlanInForce))
def list_gaps(
    services: ServicesDep,
    plan: PlanDep,
    at: InstantDep,
    known_at: KnownDep,
    language: LanguageDep,
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
            stored = work.records("points").frame()
            points = in_plan(stored, plan, services.locators.of)
            frame = with_chain(points, cells).rename_axis(POINTS.key)
    vacant = vacancies(frame, duties, at, role, known_at=known_at)
    double = doubles(frame, duties, at, sole or role, known_at=known_at)
    strange = services.responsibility.unknown_duties()
    unknown = DutyBook.from_frame(strange, at, known_at=known_at).all()
    asked = {*role, *(sole or ())}
    return GapsView(
        plan_id=plan.id,
        at=at,
        roles=role,
        cells=len(frame),
        vacancies=_rows(vacant, of),
        doubles=_rows(double, of),
        unknown_holders=unknown_views([a for a in unknown if a.duty.role in asked], language),
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
