"""Interactive maps as pages, and the start page that leads each user to what is theirs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from api import surfaces
from api.bootstrap import Services
from api.dependencies import InstantDep, PlanDep, ServicesDep, SinceDep, UntilDep
from api.fastpath import PATH, encode, read_query
from api.geojson import matches
from api.jobs.routes import RunnerDep
from api.languages import language_of
from api.maps.cache import PageCache
from api.maps.pictures import (
    Frame,
    HotspotChoice,
    PatrolChoice,
    draw_coverage,
    draw_hotspot,
    draw_patrol,
    draw_plan,
)
from api.maps.start import class_names, latest_cases, start_facts
from api.maps.surroundings import KINDS, catalogue_names
from api.problems import RequestInvalid, kind_of, problem_document, problem_responses
from gridsvc.analysis.hotspots import Denominator
from gridsvc.errors import (
    Cancelled,
    GridsvcError,
    InputError,
    Language,
    NoPlanInForce,
    NotFoundError,
    UnknownCell,
    UnknownClass,
    UnknownPlan,
)
from gridsvc.patrol import NoStart
from gridsvc.patrol.rounds import Window
from gridsvc.plan.version import PlanVersion
from maps import OfflineMap, render
from maps.offline import asset_version
from maps.start import error_page, start_page

_FRESH_S = 600
_PAGE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page that loads nothing from other machines",
        "content": {"text/html": {"schema": {"type": "string"}}},
        "headers": {"ETag": {"schema": {"type": "string"}}},
    },
    304: {"description": "The client has it already"},
}
_STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)


def page_language(request: Request) -> Language:
    """Return the language of a page: ``?language=``, then what any request may say."""
    asked = request.query_params.get("language", "")
    if asked in ("zh", "en"):
        return "zh" if asked == "zh" else "en"
    return language_of(request)


class PageRoute(APIRoute):
    """A route whose failures are pages for browsers and problems for programs."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, wrapped."""
        handle = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                return await handle(request)
            except (GridsvcError, RequestValidationError) as error:
                if "text/html" not in request.headers.get("accept", ""):
                    raise
                known = (
                    error
                    if isinstance(error, GridsvcError)
                    else RequestInvalid(count=len(error.errors()))
                )
                return failure(request, known)

        return page


def failure(request: Request, error: GridsvcError) -> Response:
    """Return the page that says what went wrong and where to go on."""
    language = page_language(request)
    kind = kind_of(type(error))
    html = error_page(
        title=kind.zh if language == "zh" else kind.en,
        message=error.text(language, surfaces.page),
        language=language,
    )
    headers = {"Content-Security-Policy": _STRICT, "Cache-Control": "no-store"}
    return HTMLResponse(html, status_code=kind.status, headers=headers)


router = APIRouter(tags=["maps 地图"], route_class=PageRoute)
LanguageQuery = Annotated[
    Literal["zh", "en"] | None, Query(description="Language shown first; the page can switch.")
]
DownloadQuery = Annotated[
    bool, Query(description="One file with everything inside, for e-mail and offline use.")
]


def focus_exists(
    services: ServicesDep,
    plan: PlanDep,
    cell: Annotated[str | None, Query(description="Cell that the map opens on.")] = None,
    community: Annotated[str | None, Query(description="Community that the map opens on.")] = None,
) -> None:
    """Refuse a place that the plan does not have, before a map is drawn for it.

    The browser opens the map on it; the page itself is the same for every place.

    Raises
    ------
    UnknownCell, NotFoundError
    """
    code, area = (cell or "").strip(), (community or "").strip()
    with services.storage.unit_of_work() as work:
        if code and work.plans.cells(plan.id, codes=[code]).empty:
            raise UnknownCell(plan=plan.id, code=code[:60])
        if area and work.plans.cells(plan.id, community=area, limit=1).empty:
            raise NotFoundError(kind="community", key=area[:60])


FocusDep = Annotated[None, Depends(focus_exists)]
DatumQuery = Annotated[
    Literal["wgs84", "cgcs2000", "gcj02", "bd09"] | None,
    Query(description="Datum of the coordinates under the pointer."),
]


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
def start(request: Request, services: ServicesDep) -> Response:
    """Lead planner, dispatcher, leader and analyst to what is theirs."""
    language = page_language(request)
    html = start_page(
        start_facts(services),
        language=language,
        roles=catalogue_names()["role"],
        classes=class_names(services),
    )
    headers = {
        "Content-Security-Policy": _STRICT,
        "Content-Language": language,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Language",
    }
    return HTMLResponse(html, headers=headers)


@router.get("/start/locate", include_in_schema=False)
def start_locate(request: Request, services: ServicesDep) -> Response:
    """Answer the start page's box as ``/api/v1/locate`` does, problems with status 200.

    Browsers report each answer of 400 and above as an error of the page, and a place in no cell
    is none.
    """
    try:
        query = read_query(request.scope["query_string"], services)
        at = query.at or services.clock()
        body = encode(services.desk.snapshot(at), query, at)
    except GridsvcError as error:
        body = orjson.dumps(
            problem_document(error, page_language(request), instance=PATH, speak=surfaces.page)
        )
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


@router.get("/start/cases", include_in_schema=False)
def start_cases(
    request: Request,
    services: ServicesDep,
    until: UntilDep = None,
    language: LanguageQuery = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> Response:
    """List the latest cases for the start page: names beside codes, nothing personal."""
    body = latest_cases(services, until, limit, page_language(request))
    return Response(
        orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"}
    )


@router.get(
    "/maps/coverage",
    response_class=HTMLResponse,
    responses={
        **_PAGE,
        **problem_responses(UnknownPlan, UnknownCell, NoPlanInForce, InputError),
    },
)
def coverage_page(
    request: Request,
    services: ServicesDep,
    plan: PlanDep,
    at: InstantDep,
    language: LanguageQuery = None,
    focus: FocusDep = None,
    datum: DatumQuery = None,
    download: DownloadQuery = False,
) -> Response:
    """Show territory and levels, cells by staff per role, vacancies, points and their visits."""
    asked = {"at": at if _given(request, "at") else None}
    return _serve(
        request, services, plan, "coverage", (_moment(request, at),), asked, download,
        lambda frame: draw_coverage(services, plan, at, frame),
    )  # fmt: skip


@router.get(
    "/maps/hotspot",
    response_class=HTMLResponse,
    responses={
        **_PAGE,
        **problem_responses(UnknownPlan, UnknownCell, NoPlanInForce, UnknownClass, InputError),
    },
)
def hotspot_page(
    request: Request,
    services: ServicesDep,
    plan: PlanDep,
    since: SinceDep = None,
    until: UntilDep = None,
    issue_class: Annotated[
        str, Query(alias="class", description="Major or minor class; all when empty.")
    ] = "",
    denominator: Annotated[Denominator, Query(description="What counts are divided by.")] = "none",
    set_aside: Annotated[
        bool, Query(description="Leave default-geocode piles out; they are listed anyway.")
    ] = True,
    language: LanguageQuery = None,
    focus: FocusDep = None,
    datum: DatumQuery = None,
    download: DownloadQuery = False,
) -> Response:
    """Show Gi* with false discovery control per cell, the density, and piles set aside."""
    choice = HotspotChoice(since, until, issue_class.strip(), denominator, set_aside)
    asked = {
        "since": since, "until": until, "class": choice.issue_class or None,
        "denominator": None if denominator == "none" else denominator,
        "set_aside": None if set_aside else "false",
    }  # fmt: skip
    return _serve(
        request, services, plan, "hotspot", (choice,), asked, download,
        lambda frame: draw_hotspot(services, plan, choice, frame),
    )  # fmt: skip


@router.get(
    "/maps/patrol",
    response_class=HTMLResponse,
    responses={
        **_PAGE,
        **problem_responses(
            UnknownPlan, NoPlanInForce, UnknownCell, NotFoundError, NoStart, InputError, Cancelled
        ),
    },
)
def patrol_page(
    request: Request,
    services: ServicesDep,
    runner: RunnerDep,
    plan: PlanDep,
    at: InstantDep,
    cell: Annotated[str, Query(description="Cell whose points are visited.")] = "",
    community: Annotated[str, Query(description="Community whose points are visited.")] = "",
    subdistrict: Annotated[str, Query(description="Subdistrict whose points are visited.")] = "",
    inspectors: Annotated[int, Query(ge=1, le=20, description="Rounds at most.")] = 1,
    window: Annotated[Window | None, Query(description="Points of this window only.")] = None,
    seed: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    language: LanguageQuery = None,
    datum: DatumQuery = None,
    download: DownloadQuery = False,
) -> Response:
    """Show verified rounds over an area's points; the smallest area named is taken."""
    given = at if _given(request, "at") else None
    choice = PatrolChoice(
        cell.strip(), community.strip(), subdistrict.strip(), inspectors, window, seed, given
    )
    asked = {
        "at": given,
        "cell": choice.cell or None, "community": choice.community or None,
        "subdistrict": choice.subdistrict or None, "window": window,
        "inspectors": None if inspectors == 1 else inspectors, "seed": seed or None,
    }  # fmt: skip
    return _serve(
        request, services, plan, "patrol", (choice, at.date()), asked, download,
        lambda frame: runner.at_once(
            lambda progress: draw_patrol(services, plan, choice, frame, progress)
        ),
    )  # fmt: skip


@router.get(
    "/maps/plan",
    response_class=HTMLResponse,
    responses={**_PAGE, **problem_responses(UnknownPlan, UnknownCell, NoPlanInForce)},
)
def plan_page(
    request: Request,
    services: ServicesDep,
    plan: PlanDep,
    language: LanguageQuery = None,
    focus: FocusDep = None,
    datum: DatumQuery = None,
    download: DownloadQuery = False,
) -> Response:
    """Show a plan version and, in red, exactly where its certificate fails."""
    stands = plan.standing(services.clock())  # changes by the clock, without anything written
    return _serve(
        request, services, plan, "plan", (plan.revision, stands), {}, download,
        lambda frame: draw_plan(services, plan, frame),
    )  # fmt: skip


class UnknownMap(NotFoundError):
    """There is no map of this name."""

    zh = "没有名为“{name}”的地图;可用:{known}"
    en = "there is no map '{name}'; there are {known}"


@router.get("/maps/{name:path}", response_class=HTMLResponse, include_in_schema=False)
def no_such_map(name: str) -> Response:
    """Say which maps there are; a page for browsers, a problem for programs."""
    raise UnknownMap(name=name[:60], known=", ".join(f"/maps/{kind}" for kind in KINDS))


def _given(request: Request, name: str) -> bool:
    return bool(request.query_params.get(name, "").strip())


def _moment(request: Request, at: datetime) -> object:
    """Return what the cache knows an instant by: "now" is drawn anew every ten minutes."""
    if _given(request, "at"):
        return at
    return int(at.timestamp()) // _FRESH_S


def _serve(
    request: Request,
    services: Services,
    plan: PlanVersion,
    kind: str,
    parts: tuple[object, ...],
    asked: Mapping[str, object],
    download: bool,
    draw: Callable[[Frame], OfflineMap],
) -> Response:
    """Serve a map from the cache, which knows it by what is drawn, however that was written.

    Parameters
    ----------
    parts : tuple
        What the map depends on, beside plan, data, language and settings.
    asked : mapping
        What the address of the one-file export must repeat; ``None`` where the default holds.
    """
    language = page_language(request)
    settings = services.settings.map
    named = {"plan": plan.id if _given(request, "plan") else None, **asked, "language": language}
    address = [
        (key, value.isoformat() if isinstance(value, datetime) else str(value))
        for key, value in named.items()
        if value is not None
    ]
    key = PageCache.key(
        services.storage.url, services.storage.version_stamp(), asset_version(), plan.id, kind,
        language, download, parts, settings.tile_url, settings.tile_datum,
        services.settings.grid.timezone, address,
    )  # fmt: skip
    etag = PageCache.etag(key)
    headers = {
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "Content-Language": language,
        "Vary": "Accept-Language, Accept-Encoding",
    }
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    frame = Frame(
        language=language,
        assets="inline" if download else "url",
        download=f"/maps/{kind}?{urlencode([*address, ('download', '1')])}",
    )
    page = _cache(request, services).get(key, lambda: render(draw(frame)))
    headers["Content-Security-Policy"] = page.policy
    if download:
        headers["Content-Disposition"] = f'attachment; filename="{kind}-{_plain(plan.id)}.html"'
    if takes_gzip(request.headers.get("accept-encoding", "")):
        headers["Content-Encoding"] = "gzip"
        return HTMLResponse(page.body, headers=headers)
    return HTMLResponse(page.plain, headers=headers)


def takes_gzip(header: str) -> bool:
    """Return whether an ``Accept-Encoding`` takes gzip (RFC 9110 §12.5.3).

    Examples
    --------
    >>> takes_gzip("br, gzip;q=0.5"), takes_gzip("gzip;q=0, *"), takes_gzip("*"), takes_gzip("")
    (True, False, True, False)
    """
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        name, _, parameter = part.partition(";")
        key, _, value = parameter.strip().partition("=")
        try:
            weight = float(value) if key.strip() == "q" else 1.0
        except ValueError:
            weight = 0.0
        weights[name.strip()] = weight
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0.0


def _cache(request: Request, services: Services) -> PageCache:
    state = request.app.state
    found: PageCache | None = getattr(state, "page_cache", None)
    if found is None:
        found = state.page_cache = PageCache(services.settings.map.cache_dir)
    return found


def _plain(text: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in text)[:60]
