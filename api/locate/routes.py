"""Locate one place or many.

``GET`` is answered in front of the application (``api.fastpath``); the route here documents it
and answers the same bytes when that layer is not there.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.dependencies import InstantDep, KnownDep, ServicesDep
from api.fastpath import PATH, BadQuery, encode, read_query
from api.locate.bulk import (
    ARROW,
    CSV,
    JSON,
    PARQUET,
    UnknownMediaType,
    add,
    media_type_of,
    read,
    solve,
    write,
)
from api.locate.columns import Wish
from api.locate.readers import Question, TooManyRows, TooWide, UnequalColumns
from api.locate.schemas import BulkAnswer, BulkColumns, LocateAnswer
from api.problems import UploadTooLarge, problem_responses
from gridsvc.errors import (
    BadOption,
    CrsMismatch,
    InvalidCoordinate,
    NoPlanInForce,
    OutsideCoverage,
    RejectedRows,
    UnknownClass,
    UnknownDatum,
    UnreadableSource,
)
from gridsvc.services.rows import Asked, extras_of, metres_of, texts_of
from gridsvc.services.snapshots import plan_document
from gridsvc.types import Datum

router = APIRouter(tags=["locate 定位"])
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_TEXT = {"schema": {"type": "string"}, "example": "id,lon,lat\n1,117.64,26.26\n"}


@router.get(
    PATH,
    response_model=LocateAnswer,
    responses=problem_responses(
        BadQuery, InvalidCoordinate, UnknownDatum, UnknownClass, OutsideCoverage, NoPlanInForce
    ),
)
def locate(
    request: Request,
    services: ServicesDep,
    at: InstantDep,
    known_at: KnownDep,
    lon: Annotated[float, Query(description="Longitude in degrees.", examples=[117.64])],
    lat: Annotated[float, Query(description="Latitude in degrees.", examples=[26.26])],
    datum: Annotated[
        Datum, Query(description="Datum of the coordinate; converted before locating.")
    ] = Datum.WGS84,
    accuracy: Annotated[
        float | None, Query(ge=0, description="Accuracy in metres; see `ambiguous`.")
    ] = None,
    category: Annotated[
        str | None, Query(description="Class of cases; decides the responsible unit.")
    ] = None,
) -> Any:
    """Return the cell of a place and everything a dispatcher needs: persons, unit, neighbours.

    A place covered by several cells belongs to the one with the lowest code. A place in no cell
    is a 404 problem with `nearest_cell` and `distance_m`.
    """
    query = read_query(request.scope["query_string"], services)
    return Response(encode(services.desk.snapshot(at, known_at), query, at), media_type=JSON)


@router.post(
    PATH,
    response_class=Response,
    responses={
        200: {
            "description": "Rows aligned with the question: cell_code, on_border, placement.",
            "content": {
                JSON: {
                    "schema": BulkAnswer.model_json_schema(
                        ref_template="#/components/schemas/{model}"
                    )
                },
                CSV: _TEXT,
                ARROW: _BINARY,
                PARQUET: _BINARY,
            },
        },
        **problem_responses(
            BadOption,
            UnknownDatum,
            UnreadableSource,
            RejectedRows,
            UnequalColumns,
            TooManyRows,
            TooWide,
            UnknownMediaType,
            CrsMismatch,
            UploadTooLarge,
            NoPlanInForce,
        ),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": BulkColumns.model_json_schema()},
                CSV: _TEXT,
                ARROW: _BINARY,
                PARQUET: _BINARY,
            },
        }
    },
)
async def locate_bulk(
    request: Request,
    services: ServicesDep,
    at: InstantDep,
    known_at: KnownDep,
    datum: Annotated[Datum, Query(description="Datum of all coordinates.")] = Datum.WGS84,
    extras: Annotated[
        str,
        Query(
            alias="with",
            description="Columns to add, with commas: distance, nearest, chain, persons, unit.",
            examples=["persons,unit,chain"],
        ),
    ] = "",
    accuracy: Annotated[
        float | None,
        Query(ge=0, description="Metres, for rows without a value in `accuracy_m` or `accuracy`."),
    ] = None,
    category: Annotated[
        str, Query(description="Class of cases, for rows without one of their own.")
    ] = "",
    category_column: Annotated[
        str, Query(description="Column that holds the class of cases of each row.")
    ] = "",
) -> Response:
    """Locate many places: column JSON, CSV, an Arrow IPC stream or GeoParquet.

    The answer is of the same kind unless `Accept` names another, aligned with the rows. Rows
    without a cell stay and say why in `placement`: outside, no_coordinates, invalid_coordinates.
    CSV and GeoParquet carry the other columns of the question through; column JSON refuses arrays
    that nobody reads.

    A column `accuracy_m` (or `accuracy`), or the parameter, adds `boundary_distance_m`,
    `ambiguous`, and for rows outside `nearest_code` and `nearest_distance_m`. `with` adds columns
    without it: `distance`, `nearest`, `chain` (codes and names up to the subdistrict), `persons`
    (a column of names and one of ids for each role; a column `point_id` brings the sponsors of the
    point) and `unit` (the responsible unit and its rule, for the class of cases).
    """
    wanted_extras = extras_of(extras)
    wish = Wish(category_column, point="persons" in wanted_extras or "unit" in wanted_extras)
    kind = media_type_of(request.headers.get("content-type"), JSON)
    wanted = media_type_of(request.headers.get("accept"), kind)
    body = await request.body()

    def work() -> bytes:
        question = read(body, kind, wanted, wish)
        asked = _asked(question, wanted_extras, accuracy, category)
        if asked.nothing:
            plan, locator = services.locators.at(at)
            answers = solve(question, locator, datum.value)
        else:
            snapshot = services.desk.snapshot(at, known_at)
            plan = snapshot.plan
            answers = add(solve(question, snapshot.locator, datum.value), snapshot, asked)
        return write(answers, question, wanted, plan_document(plan, services.clock()))

    return Response(await run_in_threadpool(work), media_type=wanted)


def _asked(
    question: Question, extras: frozenset[str], accuracy: float | None, category: str
) -> Asked:
    given, count = question.columns, len(question.lon)
    return Asked(
        extras,
        metres_of(given.get("accuracy"), accuracy, count),
        texts_of(given.get("category"), category, count),
        texts_of(given.get("point"), None, count),
    )
