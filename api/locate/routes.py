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
    media_type_of,
    read,
    solve,
    write,
)
from api.locate.readers import TooManyRows, TooWide, UnequalColumns
from api.locate.schemas import BulkAnswer, BulkColumns, LocateAnswer
from api.problems import UploadTooLarge, problem_responses
from gridsvc.errors import (
    CrsMismatch,
    InvalidCoordinate,
    NoPlanInForce,
    OutsideCoverage,
    RejectedRows,
    UnknownClass,
    UnknownDatum,
    UnreadableSource,
)
from gridsvc.services.answers import plan_document
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
    datum: Annotated[Datum, Query(description="Datum of all coordinates.")] = Datum.WGS84,
) -> Response:
    """Locate many places: column JSON, CSV, an Arrow IPC stream or GeoParquet.

    The answer is of the same kind unless `Accept` names another, aligned with the rows. Rows
    without a cell stay and say why in `placement`: outside, no_coordinates, invalid_coordinates.
    """
    kind = media_type_of(request.headers.get("content-type"), JSON)
    wanted = media_type_of(request.headers.get("accept"), kind)
    body = await request.body()

    def work() -> bytes:
        plan, locator = services.locators.at(at)
        question = read(body, kind, wanted)
        answers = solve(question, locator, datum.value)
        return write(answers, question, wanted, plan_document(plan, services.clock()))

    return Response(await run_in_threadpool(work), media_type=wanted)
