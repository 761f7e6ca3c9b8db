"""The web application: assembles features, middleware and the life of the services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import structlog
from fastapi import Depends, FastAPI
from fastapi.routing import iter_route_contexts
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from api.analysis.routes import router as analysis_router
from api.bootstrap import Services, open_services
from api.cases.routes import classes_router
from api.cases.routes import router as cases_router
from api.cells.routes import router as cells_router
from api.documentation import STATIC, TITLE, add_documentation
from api.duties.routes import router as duties_router
from api.exports.routes import router as exports_router
from api.fastpath import FastPath
from api.health.routes import router as health_router
from api.imports.routes import router as imports_router
from api.jobs.routes import router as jobs_router
from api.jobs.runner import JobRunner
from api.locate.routes import router as locate_router
from api.locate_protocol import STATE_KEY, AtOnce
from api.logs import configure_logs
from api.maps.routes import router as maps_router
from api.middleware import BodyLimit, HostCheck, RequestContext
from api.parameters import only_what_is_read
from api.patrols.routes import router as patrols_router
from api.plans.routes import router as plans_router
from api.points.routes import router as points_router
from api.problems import add_problem_handlers
from api.settings import Settings
from api.streets.routes import router as streets_router
from gridsvc.errors import GridsvcError, NoPlanInForce

log = structlog.get_logger("gridsvc.app")

ROUTERS = (
    health_router,
    locate_router,
    plans_router,
    cells_router,
    duties_router,
    points_router,
    cases_router,
    classes_router,
    streets_router,
    analysis_router,
    patrols_router,
    maps_router,
    exports_router,
    imports_router,
    jobs_router,
)


def _warm(services: Services) -> None:
    """Build the locator and answers of the plan in force before somebody asks for them."""
    try:
        services.desk.snapshot(services.clock())
    except NoPlanInForce:
        log.warning("no plan is in force yet", scheme=services.settings.grid.scheme)
    except GridsvcError as error:
        log.error("the plan in force cannot be read", error=type(error).__name__)


def _prepare_routes(app: FastAPI) -> None:
    """Derive every route now instead of at its first request.

    FastAPI silences a warning of pydantic while it builds a parameter, by filters that belong to
    the whole process. During a request other threads may set filters at the same time and undo
    that; and the first person who asks would wait for it.
    """
    for _ in iter_route_contexts(app.routes):
        pass


class Application(FastAPI):
    """FastAPI behind a thin front that answers what has to be fast and refuses foreign hosts."""

    front: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        front = self.front
        if front is None:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await front(scope, receive, send)

    async def behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve what the front leaves to FastAPI."""
        await super().__call__(scope, receive, send)


def create_app(
    settings: Settings | None = None, *, services: Services | None = None
) -> Application:
    """Return the application.

    Parameters
    ----------
    settings : Settings, optional
        Read from the environment when not given.
    services : Services, optional
        Already opened ones, which stay open when the application ends; otherwise the database of
        the settings is opened when it starts.

    Returns
    -------
    Application
        A FastAPI application (ASGI).
    """
    chosen = services.settings if services is not None else settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, AtOnce]]:
        configure_logs(chosen)
        opened = services if services is not None else open_services(chosen)
        app.state.services = opened
        app.state.jobs = JobRunner(opened.clock)
        warming = asyncio.create_task(asyncio.to_thread(_warm, opened))
        try:
            yield {STATE_KEY: located_at_once(opened)}
        finally:
            # Whatever fails is told at the end, but nothing stays open for it.
            try:
                await warming
            finally:
                try:
                    app.state.jobs.close()
                finally:
                    if services is None:
                        opened.close()

    app = Application(
        title=TITLE,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(only_what_is_read)],
    )
    app.state.language = chosen.grid.language
    for router in ROUTERS:
        app.include_router(router)
    add_documentation(app)
    add_problem_handlers(app)
    if STATIC.is_dir():
        app.mount("/static", StaticFiles(directory=STATIC), name="static")
    _prepare_routes(app)
    tiles = urlsplit(chosen.map.tile_url)
    image_source = f"{tiles.scheme}://{tiles.netloc}" if tiles.netloc else ""
    inner = RequestContext(
        BodyLimit(app.behind, chosen.server.max_upload_mb), image_source=image_source
    )
    fast = FastPath(inner)
    checked = HostCheck(fast, chosen.server.allowed_hosts)
    app.front = checked

    def located_at_once(opened: Services) -> AtOnce:
        def answer(query_string: bytes, host: bytes) -> bytes | None:
            return fast.at_once(opened, query_string) if checked.knows(host) else None

        return answer

    return app
