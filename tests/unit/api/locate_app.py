"""The application around the small city of ``tests.unit.locate_city``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from fastapi import FastAPI
from starlette.testclient import TestClient

from api.bootstrap import Services
from api.fastpath import FastPath
from api.locate.routes import router
from api.problems import add_problem_handlers
from api.settings import Settings
from gridsvc.services.locating import LocatorCache
from tests.unit.locate_city import NOW, open_filled


class Watch:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@contextmanager
def serve(folder: Path, *, fast: bool = True) -> Iterator[tuple[TestClient, Services]]:
    """Serve the city, with or without the fast path in front."""
    storage = open_filled(folder)
    # A long trust in the stamp: what the tests see cannot come from its running out.
    locators = LocatorCache(storage, scheme_id="main", recheck_s=3600.0)
    services = Services(Settings(), storage, locators, clock=Watch())
    app = FastAPI()
    app.state.services = services
    app.state.language = "zh"
    app.include_router(router)
    add_problem_handlers(app)
    with TestClient(FastPath(app, services) if fast else app) as client:
        yield client, services
    storage.dispose()
