"""The script that keeps a PostgreSQL cluster of the project's own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
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


def postmaster(run: Run) -> int:
    """Return the process number of the running server."""
    folder = run("status").stdout.strip().rsplit(" in ", 1)[1]
    return int((Path(folder) / "postmaster.pid").read_text().splitlines()[0])


@pytest.mark.postgis
def test_a_killed_server_starts_again_although_its_processes_live_on(run: Run) -> None:
    url = run("start").stdout.strip()
    begun = threading.Event()
    lost: list[str] = []

    def work() -> None:
        # Computes without looking up: it does not notice the end of the server for seconds.
        engine = sa.create_engine(url)
        try:
            with engine.connect() as connection:
                begun.set()
                connection.exec_driver_sql(
                    "SELECT sum(sqrt(i)) FROM generate_series(1, 20000000) AS s(i)"
                )
        except sa.exc.OperationalError as error:
            lost.append(str(error))
        finally:
            engine.dispose()

    busy = threading.Thread(target=work)
    busy.start()
    assert begun.wait(60)
    busy.join(1)
    os.kill(postmaster(run), signal.SIGKILL)
    again = run("start")
    assert again.returncode == 0, again.stderr
    engine = sa.create_engine(again.stdout.strip())
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT postgis_version()").scalar_one()
    engine.dispose()
    busy.join(120)
    assert not busy.is_alive()


@pytest.mark.postgis
def test_the_lock_file_of_a_dead_server_that_names_a_living_program_is_overcome(
    run: Run,
) -> None:
    assert run("start").returncode == 0
    number = postmaster(run)
    lock = Path(run("status").stdout.strip().rsplit(" in ", 1)[1]) / "postmaster.pid"
    kept = lock.read_text()
    assert run("stop").returncode == 0
    # The number went to another program of the same user, as after a restart of the machine.
    owner = lock.parent.stat()
    program = subprocess.Popen(["sleep", "600"], user=owner.st_uid, group=owner.st_gid)
    try:
        lock.write_text(kept.replace(str(number), str(program.pid), 1))
        os.chown(lock, owner.st_uid, owner.st_gid)
        lock.chmod(0o600)
        again = run("start")
        assert again.returncode == 0, again.stderr
        assert program.poll() is None
        assert postmaster(run) != program.pid
    finally:
        program.kill()
        program.wait(30)


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
