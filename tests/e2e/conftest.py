"""A real server on the sample city, and a browser that notes whatever goes wrong."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import pytest
import uvicorn

from api.locate_protocol import LocateProtocol
from api.settings import DatabaseSettings, MapSettings, Settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, FloatRect, Page, Route
    from starlette.applications import Starlette

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = REPOSITORY / "test-results"
PATIENCE_MS = 120_000
Size = Literal["desktop", "phone"]
SIZES: dict[Size, tuple[int, int]] = {"desktop": (1440, 900), "phone": (390, 844)}


@contextmanager
def serving(app: Starlette) -> Iterator[str]:
    """Serve an ASGI application on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            app, host="127.0.0.1", port=port, log_level="error", lifespan="on", http=LocateProtocol
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 60
    while not server.started and time.monotonic() < end and thread.is_alive():
        time.sleep(0.05)
    assert server.started, "the server did not start"
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)


@pytest.fixture(scope="session")
def web_assets() -> Path:
    """Folder with the built browser assets."""
    script = REPOSITORY / "scripts" / "build_web.py"
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return REPOSITORY / "maps" / "static"


@pytest.fixture(scope="session")
def served(
    web_assets: Path, demo_db: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of the service on the sample city."""
    from api.app import create_app

    settings = Settings(
        database=DatabaseSettings(database_url=f"sqlite:///{demo_db}"),
        map=MapSettings(cache_dir=tmp_path_factory.mktemp("pages")),
        log_level="error",
    )
    with serving(create_app(settings)) as address:
        yield address


@dataclass
class Visit:
    """A page with everything that went wrong on it."""

    page: Page
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def clean(self) -> None:
        """Nothing was asked of other machines and nothing was reported."""
        assert self.outside == []
        assert self.errors == []

    def box(self, selector: str) -> FloatRect:
        """Where an element that is shown stands, in pixels."""
        found = self.page.locator(selector).bounding_box()
        assert found is not None, f"{selector} is not shown"
        return found

    def attribute(self, selector: str, name: str) -> str:
        """An attribute that an element has."""
        found = self.page.get_attribute(selector, name)
        assert found is not None, f"{selector} has no {name}"
        return found

    def shot(self, name: str) -> bytes:
        """Save a screenshot to look at."""
        RESULTS.mkdir(exist_ok=True)
        return self.page.screenshot(path=str(RESULTS / f"{name}.png"))


class Open(Protocol):
    """Opens an address in a fresh browser context."""

    def __call__(self, address: str, *, size: Size = "desktop", ready: bool = True) -> Visit:
        """Return the page as soon as it stands; ``ready`` waits for the map."""


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Open]:
    """Open an address in a fresh context; requests elsewhere are noted and cut off."""
    contexts: list[BrowserContext] = []

    def open_page(address: str, *, size: Size = "desktop", ready: bool = True) -> Visit:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            locale="zh-CN",
            has_touch=size == "phone",
            accept_downloads=True,
        )
        contexts.append(context)
        # A busy machine is no fault of a page.
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        seen = Visit(page)
        own = (address.split("/", 3)[0] + "//" + address.split("/", 3)[2], "data:", "blob:")

        def check(route: Route) -> None:
            if route.request.url.startswith(own) or address.startswith("file:"):
                route.continue_()
            else:
                seen.outside.append(route.request.url)
                route.abort()

        context.route("**/*", check)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                seen.errors.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        page.goto(address, wait_until="load")
        if ready:
            # A selector, because polling an expression would need unsafe-eval.
            page.wait_for_selector("html[data-ready=true]", state="attached", timeout=PATIENCE_MS)
        return seen

    yield open_page
    for context in contexts:
        context.close()
