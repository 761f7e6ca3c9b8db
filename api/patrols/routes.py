"""Patrol rounds for a cell, community or subdistrict as GeoJSON, GPX or KML."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from shapely.geometry import Point

from api.dependencies import InstantDep, PlanDep, ServicesDep
from api.geojson import GEOJSON, answer, not_modified, request_etag
from api.jobs.routes import RunnerDep
from api.problems import problem_responses
from gridsvc import crs, datum
from gridsvc.errors import (
    BadOption,
    Cancelled,
    InputError,
    NoPlanInForce,
    NotFoundError,
    UnknownCell,
    UnknownPlan,
)
from gridsvc.patrol import NoStart, to_geojson_text, to_gpx, to_kml
from gridsvc.patrol.rounds import Window
from gridsvc.services.patrols import PatrolArea, plan_patrol
from gridsvc.types import Datum, LonLat

GPX = "application/gpx+xml"
KML = "application/vnd.google-earth.kml+xml"
router = APIRouter(prefix="/api/v1/patrols", tags=["patrols 巡查"])
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Legs, stops and start of each round, and the plan's figures",
        "content": {
            GEOJSON: {"schema": {"$ref": "#/components/schemas/GeoJsonCollection"}},
            GPX: {"schema": {"type": "string"}},
            KML: {"schema": {"type": "string"}},
        },
        "headers": {"ETag": {"schema": {"type": "string"}}},
    },
    304: {"description": "The client has it already"},
}


def parse_place(text: str, source: str = "cgcs2000") -> Point:
    """Return the point of ``lon,lat`` in a datum, in stored coordinates.

    Raises
    ------
    BadOption
        If the text is not two numbers.
    InvalidCoordinate, UnknownDatum
    """
    try:
        lon, lat = (float(part) for part in re.split(r"[,,\s]+", text.strip()))
    except ValueError:
        raise BadOption(
            option="start",
            value=text[:60],
            reason_zh="应为 经度,纬度",
            reason_en="it must be lon,lat",
        ) from None
    LonLat(lon, lat)
    x, y = datum.convert(lon, lat, Datum.parse(source), Datum.CGCS2000)
    return Point(float(crs.canonical(x)), float(crs.canonical(y)))


@router.get(
    "",
    response_class=Response,
    responses={
        **_RESPONSES,
        **problem_responses(
            UnknownPlan, NoPlanInForce, UnknownCell, NotFoundError, NoStart, InputError, Cancelled
        ),
    },
)
def get_patrol(
    request: Request,
    services: ServicesDep,
    runner: RunnerDep,
    plan: PlanDep,
    at: InstantDep,
    cell: Annotated[str | None, Query(description="Cell code.")] = None,
    community: Annotated[str | None, Query(description="Community code.")] = None,
    subdistrict: Annotated[str | None, Query(description="Subdistrict code.")] = None,
    inspectors: Annotated[int, Query(ge=1, le=20, description="Rounds at most.")] = 1,
    start: Annotated[
        str | None, Query(description="lon,lat; the nearest staff post when not given.")
    ] = None,
    start_datum: Annotated[
        Literal["wgs84", "cgcs2000", "gcj02", "bd09"], Query(alias="datum")
    ] = "cgcs2000",
    speed: Annotated[float, Query(ge=0.3, le=3.0, description="Metres per second.")] = 1.2,
    window: Annotated[Window | None, Query(description="Points of this window only.")] = None,
    max_minutes: Annotated[
        float | None, Query(ge=5.0, le=1440.0, description="Longest round with service.")
    ] = None,
    max_snap_m: Annotated[float, Query(ge=0.0, le=1000.0)] = 100.0,
    iterations: Annotated[int | None, Query(ge=1, le=20000)] = None,
    seed: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    f: Annotated[
        Literal["geojson", "gpx", "kml"] | None, Query(description="geojson | gpx | kml")
    ] = None,
) -> Response:
    """Plan rounds over the evaluation points of one area on the street network.

    Name exactly one of ``cell``, ``community`` and ``subdistrict``. The same request on the same
    data gives the same rounds; each plan is checked independently before it is answered.
    """
    area = PatrolArea(cell=cell, community=community, subdistrict=subdistrict)
    accepted = request.headers.get("accept", "")
    wanted = next((kind for kind in (GPX, KML) if kind in accepted), GEOJSON)
    media = {"gpx": GPX, "kml": KML, "geojson": GEOJSON}[f] if f else wanted
    day = at.date().isoformat()
    etag = request_etag(request, services.storage.version_stamp(), plan.id, day)
    unchanged = not_modified(request, etag)
    if unchanged is not None:
        return unchanged
    place = None if start is None else parse_place(start, start_datum)
    result = runner.at_once(
        lambda progress: plan_patrol(
            services.storage,
            services.locators,
            plan,
            area,
            created_at=at,
            inspectors=inspectors,
            start=place,
            speed_m_s=speed,
            window=window,
            max_duration_s=None if max_minutes is None else max_minutes * 60.0,
            max_snap_m=max_snap_m,
            iterations=iterations,
            seed=seed,
            progress=progress,
        )
    )
    if media != GEOJSON:
        kind, text = ("gpx", to_gpx(result)) if media == GPX else ("kml", to_kml(result))
        name = re.sub(r"[^0-9A-Za-z_-]", "", area.code) or "patrol"
        disposition = ("Content-Disposition", f'attachment; filename="patrol-{name}.{kind}"')
        return answer(text.encode(), media, etag, [disposition])
    return answer(to_geojson_text(result).encode(), GEOJSON, etag)
