"""``gridsvc serve`` and ``gridsvc demo`` as processes of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from api.demo import DATABASE, MARK, ensure_demo
from geodata.sample import build_city

COMMAND = [sys.executable, "-c", "from api.cli.main import run; run()"]


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GRIDSVC_")}
    return {**kept, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), **more}


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment(**variables), text=True,
        capture_output=True, timeout=300, check=False,
    )  # fmt: skip


@contextmanager
def serving(
    folder: Path, *arguments: str, **variables: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start a command and wait until it says where it listens."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment(**variables), text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            found = re.search(r"(?:API|接口文档)\s+(http://\S+)/docs", line)
            if found:
                yield found.group(1), process
                break
        else:
            pytest.fail("the service did not start: " + "".join(said))
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        assert process.stderr is not None
        process.stderr.close()


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own address
        found: dict[str, Any] = json.load(answer)
    return found


def test_serve_answers_and_stops_quietly(demo_db: Path, tmp_path: Path) -> None:
    with serving(tmp_path, "serve", "--db", f"sqlite:///{demo_db}", "--port", "0") as (base, it):
        assert base.startswith("http://127.0.0.1:")
        assert get(f"{base}/healthz")["cells"] == 702
        row = get(f"{base}/api/v1/points?limit=1&f=json")["rows"][0]
        here = f"lon={row['source_x']}&lat={row['source_y']}"
        assert get(f"{base}/api/v1/locate?{here}")["cell_code"] == row["cell_code"]
        it.send_signal(signal.SIGINT)
        assert it.wait(30) in (0, 130)
        assert it.stderr is not None
        assert "Traceback" not in it.stderr.read()


def test_several_processes_answer_alike_and_refuse_uploads(demo_db: Path, tmp_path: Path) -> None:
    place = ("serve", "--db", f"sqlite:///{demo_db}", "--port", "0")
    with serving(tmp_path, *place, GRIDSVC_WORKERS="2") as (base, it):
        wait_for(base, it)
        assert {get(f"{base}/healthz")["cells"] for _ in range(8)} == {702}
        upload = httpx2.post(
            f"{base}/api/v1/imports", files={"file": ("a.csv", b"x")}, data={"as": "points"}
        )
        assert upload.status_code == 409
        assert "GRIDSVC_WORKERS=1" in upload.json()["detail"]
        it.send_signal(signal.SIGTERM)
        it.wait(60)


def wait_for(base: str, process: subprocess.Popen[str]) -> None:
    """Wait until somebody listens; several processes begin after the address is told."""
    address = (urlsplit(base).hostname, urlsplit(base).port)
    for _ in range(600):
        assert process.poll() is None
        try:
            socket.create_connection(address, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("nobody listens")


def test_a_missing_database_is_a_plain_message(tmp_path: Path) -> None:
    done = run(tmp_path, "serve", "--db", f"sqlite:///{tmp_path / 'none.db'}")
    assert done.returncode == 5
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_a_plain_message(demo_db: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run(tmp_path, "serve", "--db", f"sqlite:///{demo_db}", "--port", port)
    assert done.returncode == 4
    assert port in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_out_of_range_is_refused(tmp_path: Path) -> None:
    assert run(tmp_path, "serve", "--port", "70000").returncode == 2


def test_a_whole_demo_is_reused(demo_db: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(demo_db.parent, folder)
    before = (folder / DATABASE).stat().st_mtime_ns
    again = run(tmp_path, "--json", "demo", "--build-only", "--out", "demo")
    assert again.returncode == 0, again.stderr
    document = json.loads(again.stdout)
    assert document["reused"] is True
    assert document["rows"]["cells"] == 702
    assert (folder / DATABASE).stat().st_mtime_ns == before


@pytest.mark.parametrize("leftover", ["nothing", "a torn build", "an old mark", "a torn database"])
def test_anything_less_is_built_anew(
    leftover: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.demo.build_city", lambda: build_city(cells=60, cases_per_cell=1.0))
    folder = tmp_path / "demo"
    folder.mkdir()
    torn = b"SQLite format 3\0 torn"
    if leftover == "a torn build":
        (folder / f"{DATABASE}.part").write_bytes(torn)
    elif leftover == "an old mark":
        (folder / MARK).write_text('{"format": 0}', encoding="utf-8")
        (folder / DATABASE).write_bytes(torn)
    elif leftover == "a torn database":
        ensure_demo(folder, maps=False)
        (folder / DATABASE).write_bytes(torn)
    built = ensure_demo(folder, maps=False)
    assert not built.reused
    assert built.facts["rows"]["cells"] == 60
    assert not (folder / f"{DATABASE}.part").exists()
    assert ensure_demo(folder, maps=False).reused
    assert not ensure_demo(folder, maps=False, force=True).reused
