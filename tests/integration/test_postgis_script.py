"""The script that keeps a PostgreSQL cluster of the project's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from geodata.storage import open_storage
from tests.conftest import REPOSITORY, missing

SCRIPT = REPOSITORY / "scripts" / "postgis.py"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run the script on a cluster of this test alone; the cluster is destroyed at the end."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        missing("there is no PostgreSQL on this machine (Debian: postgresql)")
    # Not below pytest's own folder, which only its user may enter.
    folder = Path("/var/tmp") / f"gridsvc-test-pgdata-{os.getpid()}"  # noqa: S108
    environment = {**os.environ, "GRIDSVC_PGDATA": str(folder), "GRIDSVC_PGPORT": "0"}

    def script(command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(SCRIPT), command],
            capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip

    yield script
    script("destroy")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.postgis
def test_life_of_a_cluster(run: Run) -> None:
    status = run("status")
    assert (status.returncode, status.stderr) == (3, "not running\n")
    assert run("url").returncode == 3

    started = run("start")
    assert started.returncode == 0, started.stderr
    url = started.stdout.strip()
    assert run("start").stdout.strip() == url
    assert run("url").stdout.strip() == url
    assert "running on 127.0.0.1:" in run("status").stdout

    engine = sa.create_engine(url)
    with engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("listen_addresses", "unix_socket_directories", "fsync", "timezone")
        }
        assert connection.exec_driver_sql("SELECT postgis_version()").scalar_one()
    engine.dispose()
    assert settings == {
        "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "on",
        "timezone": "UTC",
    }  # fmt: skip

    storage = open_storage(url)
    storage.upgrade()
    storage.dispose()
    assert run("stop").stdout == "stopped\n"
    assert run("stop").stdout == "was not running\n"
    again = run("start").stdout.strip()  # perhaps on another port, with the same data
    storage = open_storage(again)
    storage.check()
    storage.dispose()
    assert run("destroy").stdout == "destroyed\n"
    assert run("status").returncode == 3


def test_unknown_commands_are_explained() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "dance"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "postgis.py start" in done.stderr


@pytest.mark.postgis
def test_a_folder_that_is_no_cluster_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    environment = {**os.environ, "GRIDSVC_PGDATA": str(tmp_path)}
    for command, code in (("start", 1), ("destroy", 0)):
        done = subprocess.run(
            [sys.executable, str(SCRIPT), command],
            capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
    assert (tmp_path / "precious").read_text() == "kept"
