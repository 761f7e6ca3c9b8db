"""kill -9 of the PostgreSQL server itself in the middle of writing: all or nothing is there."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from geodata.storage import open_storage
from tests.conftest import REPOSITORY, missing
from tests.integration import kill9_worker as worker

SCRIPT = REPOSITORY / "scripts" / "postgis.py"


@pytest.fixture
def folder() -> Iterator[Path]:
    """Folder of a cluster of this test alone, where the server's user can reach it."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        missing("there is no PostgreSQL on this machine (Debian: postgresql)")
    found = Path("/var/tmp") / f"gridsvc-test-kill9-{os.getpid()}"  # noqa: S108
    yield found
    script(found, "destroy")
    shutil.rmtree(found, ignore_errors=True)


def script(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GRIDSVC_PGDATA": str(folder), "GRIDSVC_PGPORT": "0"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), command],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip


def start(folder: Path) -> str:
    """Start the cluster; orphans of a killed server may hold its memory for a moment."""
    for _ in range(50):
        done = script(folder, "start")
        if done.returncode == 0:
            return done.stdout.strip()
        time.sleep(0.2)
    pytest.fail(f"the server does not start again: {done.stderr}")


def kill_server(folder: Path) -> None:
    pid = int((folder / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)


def write_until_the_server_dies(
    url: str, kind: str, first: int, folder: Path, pause: float
) -> tuple[int, int]:
    """Return the last transaction that was committed and the last that was begun."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.integration.kill9_worker"])
    hear, say = context.Pipe(duplex=False)
    target = worker.work_until_refused
    writer = context.Process(target=target, args=(url, kind, first, say), daemon=True)
    writer.start()
    say.close()
    seen = {"begun": first - 1, "committed": first - 1}
    killed = False
    while hear.poll(60):
        try:
            what, n = hear.recv()
        except EOFError:
            break
        seen[what] = n
        if not killed and what == "begun" and n > first:  # the first also opens connections
            time.sleep(pause)
            kill_server(folder)
            killed = True
    writer.join(60)
    assert killed
    assert writer.exitcode == worker.REFUSED, "the writer was not stopped by the server's death"
    return seen["committed"], seen["begun"]


@pytest.mark.postgis
def test_a_killed_server_comes_back_with_all_or_nothing(folder: Path) -> None:
    url = start(folder)
    storage = open_storage(url)
    worker.prepare(storage)
    before = worker.located(storage)
    storage.dispose()
    committed, begun = write_until_the_server_dies(url, "publish", 1, folder, 0.02)
    again = open_storage(start(folder))
    again.check()
    found = worker.whole(again, "publish")
    must = set(range(committed + 1))
    assert begun > committed, "the server was not killed inside a transaction"
    assert must <= found, "what was committed is gone"
    assert found <= must | {begun}, "what never began is there"
    assert worker.located(again) == before
    again.dispose()
