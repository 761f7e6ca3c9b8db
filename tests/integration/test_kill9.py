"""kill -9 in the middle of writing: the database opens, holds all or nothing, and locates."""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from geodata.storage.base import SqlStorage
from tests.databases import open_sql
from tests.integration import kill9_worker as worker

KILLS_EACH = {"embedded": 10, "postgis": 2}  # of three kinds: 30 and 6


def kill_at_random(
    target: Callable[..., None], arguments: tuple[Any, ...], first: int, chance: random.Random
) -> tuple[int, int]:
    """Start a writer and kill it; returns the last transaction it committed and began."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.integration.kill9_worker"])
    hear, say = context.Pipe(duplex=False)
    writer = context.Process(target=target, args=(*arguments, first, say), daemon=True)
    writer.start()
    say.close()
    begun, committed = first - 1, first - 1
    whole_before_the_kill = chance.randint(0, 1)
    started, took = 0.0, 0.2
    while begun < first + whole_before_the_kill:
        if not hear.poll(60):
            writer.kill()
            pytest.fail("the writer does not begin")
        what, n = hear.recv()
        if what == "begun":
            begun, started = n, time.monotonic()
        else:
            committed, took = n, time.monotonic() - started
    time.sleep(chance.random() * took)
    writer.kill()
    writer.join(60)
    assert writer.exitcode == -9, "the writer ended by itself"
    while hear.poll(0):
        try:
            what, n = hear.recv()
        except EOFError:
            break
        begun, committed = (n, committed) if what == "begun" else (begun, n)
    return committed, begun


def check_after_kills(url: str, kind: str, kills: int, chance: random.Random) -> int:
    """Kill writers of one kind again and again; returns how often one was inside a transaction."""
    storage = open_sql(url)
    before = worker.located(storage)
    assert len(set(before)) > 100
    storage.dispose()
    expected = {0} if kind == "publish" else set()
    inside = 0
    for _ in range(kills):
        first = max(expected, default=0) + 1
        target = worker.work_until_killed
        committed, begun = kill_at_random(target, (url, kind), first, chance)
        again = open_sql(url)
        _wait_for_server(again)
        again.check()
        _check_file(again)
        found = worker.whole(again, kind)
        must = expected | set(range(first, committed + 1))
        assert must <= found, "what was committed is gone"
        assert found <= must | {begun}, "what never began is there"
        assert worker.located(again) == before
        again.dispose()
        expected = found
        inside += begun > committed
    return inside


def _wait_for_server(storage: SqlStorage) -> None:
    """Wait until the server has noticed that its client is dead."""
    if storage.kind != "postgis":
        return
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    others += "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    for _ in range(200):
        with storage.engine.connect() as connection:
            if connection.exec_driver_sql(others).scalar_one() == 0:
                return
        time.sleep(0.05)
    pytest.fail("the server still serves the killed client")


def _check_file(storage: SqlStorage) -> None:
    if storage.kind != "embedded":
        return
    connection = sqlite3.connect(storage.url.removeprefix("sqlite:///"))
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchone() is None
        for table in ("cells", "points", "cases"):
            query = (
                f"SELECT (SELECT count(*) FROM {table} WHERE geometry IS NOT NULL), "
                f"(SELECT count(*) FROM idx_{table}_geometry)"
            )
            rows, indexed = connection.execute(query).fetchone()
            assert rows == indexed
            checked = connection.execute(f"SELECT rtreecheck('idx_{table}_geometry')").fetchone()
            assert checked == ("ok",)
    finally:
        connection.close()


@pytest.mark.parametrize("kind", worker.KINDS)
def test_embedded_database_survives_being_killed(kind: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'city.db'}"
    storage = open_sql(url)
    worker.prepare(storage)
    storage.dispose()
    inside = check_after_kills(url, kind, KILLS_EACH["embedded"], random.Random(f"9 {kind}"))
    assert inside > 0


@pytest.mark.postgis
def test_postgis_keeps_nothing_of_a_killed_client(new_postgis_database: Callable[[], str]) -> None:
    url = new_postgis_database()
    storage = open_sql(url)
    worker.prepare(storage)
    storage.dispose()
    inside = 0
    for kind in worker.KINDS:
        inside += check_after_kills(url, kind, KILLS_EACH["postgis"], random.Random(f"7 {kind}"))
    assert inside > 0


@pytest.mark.parametrize("kind", ["embedded", pytest.param("postgis", marks=pytest.mark.postgis)])
def test_killed_restoration_leaves_the_old_or_the_new(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'city.db'}"
    if kind == "postgis":
        url = request.getfixturevalue("new_postgis_database")()
    storage = open_sql(url)
    worker.prepare(storage)
    before = worker.located(storage)
    contents, backups = [], []
    for n in (1, 2):
        for what in worker.KINDS:
            with storage.unit_of_work() as work:
                worker.transact(work, what, n)
                work.commit()
        contents.append([worker.whole(storage, what) for what in worker.KINDS])
        backups.append(str(tmp_path / f"backup{n}.db"))
        storage.backup(Path(backups[-1]))
    storage.dispose()
    chance = random.Random(f"3 {kind}")
    first = 0
    for _ in range({"embedded": 5, "postgis": 2}[kind]):
        target = worker.restore_until_killed
        committed, begun = kill_at_random(target, (url, backups), first, chance)
        again = open_sql(url)
        _wait_for_server(again)
        again.check()
        _check_file(again)
        found = [worker.whole(again, what) for what in worker.KINDS]
        # Before the first restoration the content is that of the second backup.
        assert found in [contents[n % 2] for n in {committed, begun}]
        assert worker.located(again) == before
        again.dispose()
        first = contents.index(found) + 1
