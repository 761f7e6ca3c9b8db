"""Fixtures shared by all tests: real data, real servers, the sample city."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIRED = os.environ.get("GRIDSVC_TEST_REQUIRE") == "1"


def missing(reason: str) -> None:
    """Skip with the reason, or fail where the real component was promised to be there."""
    if REQUIRED:
        pytest.fail(f"GRIDSVC_TEST_REQUIRE=1 and {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real cities beside the checkout."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real-city data beside the checkout (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A real Chromium, driven by Playwright, that cannot reach other machines."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("there is no Chromium on this machine (Debian: chromium fonts-noto-cjk)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            headless=True,
            args=[
                "--no-sandbox",
                "--disable-dev-shm-usage",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sample_city() -> Any:
    """The sample city of document 003, built once."""
    from geodata.sample import build_city

    return build_city()
