"""Fixtures shared by all tests: real data, real servers, the sample city."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from starlette.testclient import TestClient

    from geodata.sample import SampleCity

REPOSITORY = Path(__file__).resolve().parent.parent
REQUIRED = os.environ.get("GRIDSVC_TEST_REQUIRE") == "1"
# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("gridsvc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gridsvc")


@pytest.fixture(scope="session", autouse=True)
def test_host() -> Iterator[None]:
    """Let the service answer to the host name of Starlette's test client, in tests only."""
    with pytest.MonkeyPatch.context() as patch:
        hosts = '["127.0.0.1", "localhost", "::1", "testserver"]'
        patch.setenv("GRIDSVC_ALLOWED_HOSTS", hosts)
        yield


def missing(reason: str) -> NoReturn:
    """Skip with the reason, or fail where the real component was promised to be there."""
    if REQUIRED:
        pytest.fail(f"GRIDSVC_TEST_REQUIRE=1 and {reason}")
    pytest.skip(reason)


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Let parallel test workers of this checkout take turns."""
    name = f"gridsvc-{what}-{zlib.crc32(str(REPOSITORY).encode())}-{os.getuid()}.lock"
    with (Path(tempfile.gettempdir()) / name).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the real cities beside the checkout."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real-city data beside the checkout (../shared/data)")
    return folder


# Once a module: Playwright keeps an event loop in this thread, which other tests must not meet.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
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
def sample_city() -> SampleCity:
    """The sample city of document 003, built once."""
    from geodata.sample import build_city

    return build_city()


@pytest.fixture(scope="session")
def postgis_server() -> str:
    """URL of a PostGIS server: the stated one, or the cluster of ``scripts/postgis.py``."""
    stated = os.environ.get("GRIDSVC_TEST_POSTGIS_URL")
    if stated:
        return stated
    script = REPOSITORY / "scripts" / "postgis.py"
    with one_at_a_time("postgis"):
        done = subprocess.run(
            [sys.executable, str(script), "start"], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        missing(f"there is no PostGIS server: {done.stderr.strip()}")
    return done.stdout.strip()


@pytest.fixture(scope="session")
def new_postgis_database(postgis_server: str) -> Iterator[Callable[[], str]]:
    """Make an empty database with PostGIS at each call; all are dropped at the end."""
    import sqlalchemy as sa

    url = sa.make_url(postgis_server).set(drivername="postgresql+psycopg")
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    made: list[str] = []

    def make() -> str:
        name = f"gridsvc_test_{os.getpid()}_{len(made)}"
        with server.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0")
        made.append(name)
        found = url.set(database=name)
        database = sa.create_engine(found, isolation_level="AUTOCOMMIT")
        with database.connect() as connection:
            connection.exec_driver_sql("CREATE EXTENSION postgis")
        database.dispose()
        return found.render_as_string(hide_password=False)

    yield make
    with server.connect() as connection:
        for name in made:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    server.dispose()


@pytest.fixture(scope="session")
def postgis_url(new_postgis_database: Callable[[], str]) -> str:
    """URL of a fresh PostGIS database for the session, or a skip with the reason."""
    return new_postgis_database()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be rewritten instead of compared."""
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files")


@pytest.fixture(scope="session")
def demo_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SQLite database with the sample city imported from its files and published; read only."""
    from api.demo import DATABASE, ensure_demo

    if "PYTEST_XDIST_WORKER" not in os.environ:
        folder = tmp_path_factory.mktemp("demo")
    else:  # the first worker builds, the others find it
        folder = tmp_path_factory.getbasetemp().parent / "demo"
    with one_at_a_time("demo"):
        return ensure_demo(folder, maps=False).folder / DATABASE


@pytest.fixture(scope="session")
def app_client(demo_db: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Client of the application on the sample city; crashes are answers, as in production."""
    from starlette.testclient import TestClient

    from api.app import create_app
    from api.settings import DatabaseSettings, MapSettings, Settings

    settings = Settings(
        database=DatabaseSettings(database_url=f"sqlite:///{demo_db}"),
        map=MapSettings(cache_dir=tmp_path_factory.mktemp("cache")),
        log_level="error",
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client
