"""SIGTERM ends the service at once, also while a file is imported and somebody watches."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.test_serving_command import serving


@pytest.fixture
def city(demo_db: Path, tmp_path: Path) -> Path:
    """A copy of the sample city that a test may change."""
    return Path(shutil.copy(demo_db, tmp_path / "city.db"))


def cases(demo_db: Path, into: Path) -> Path:
    """Write the sample city's cases twice under new keys: enough for several seconds of work."""
    (source,) = demo_db.parent.glob("data/cases.csv")
    with source.open(encoding="utf-8-sig", newline="") as file:
        head, *rows = csv.reader(file)
    with into.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        for again in "AB":
            writer.writerows([again + key, *rest] for key, *rest in rows)
    return into


def events(answer: httpx2.Response) -> Iterator[dict[str, Any]]:
    for line in answer.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def count(database: Path) -> int:
    with sqlite3.connect(database) as connection:
        found = connection.execute("SELECT count(*) FROM cases").fetchone()[0]
    connection.close()
    return int(found)


def test_a_watched_import_is_cancelled_and_leaves_nothing(
    demo_db: Path, city: Path, tmp_path: Path
) -> None:
    before = count(city)
    file = cases(demo_db, tmp_path / "more.csv")
    with (
        serving(tmp_path, "serve", "--db", f"sqlite:///{city}", "--port", "0") as (base, it),
        httpx2.Client(base_url=base, timeout=120) as client,
        file.open("rb") as content,
    ):
        job = client.post(
            "/api/v1/imports", files={"file": ("more.csv", content)}, data={"as": "cases"}
        ).json()
        with client.stream("GET", f"{job['links']['self']}/events") as answer:
            states = []
            for event in events(answer):
                if event["stage"] == "check":
                    it.send_signal(signal.SIGTERM)
                states.append(event["state"])
        # The stream ends properly: with the job's end, or without it where that takes too long.
        assert states
        assert "done" not in states
        assert it.wait(60) in (0, -signal.SIGTERM)
        assert it.stderr is not None
        assert "Traceback" not in it.stderr.read()
    assert count(city) == before


def test_rounds_that_are_being_planned_are_given_up(demo_db: Path, tmp_path: Path) -> None:
    with serving(tmp_path, "serve", "--db", f"sqlite:///{demo_db}", "--port", "0") as (base, it):
        plan = httpx2.get(f"{base}/api/v1/plans/in-force", timeout=60).json()
        assert plan["status"] == "published"
        first = httpx2.get(f"{base}/api/v1/points?limit=1&f=json", timeout=60).json()["rows"][0]
        answers: list[int] = []

        def ask() -> None:
            query = {
                "subdistrict": first["cell_code"][:9], "inspectors": "12", "iterations": "20000",
            }  # fmt: skip
            try:
                answers.append(
                    httpx2.get(f"{base}/api/v1/patrols", params=query, timeout=600).status_code
                )
            except httpx2.TransportError:
                answers.append(0)

        caller = threading.Thread(target=ask)
        caller.start()
        caller.join(3)
        it.send_signal(signal.SIGTERM)
        assert it.wait(60) in (0, -signal.SIGTERM)
        caller.join(60)
    assert answers == [409]
