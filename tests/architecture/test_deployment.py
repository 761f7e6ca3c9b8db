"""Docker and compose files start the service as everybody starts it, on loopback only."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text("utf-8")
COMPOSE = (REPOSITORY / "compose.yaml").read_text("utf-8")
START = "gridsvc db upgrade && exec gridsvc serve"


def test_both_start_with_the_same_commands() -> None:
    (command,) = re.findall(r'^CMD \["sh", "-c", "([^"]+)"\]$', DOCKERFILE, re.M)
    (composed,) = re.findall(r'^    command: \["sh", "-c", "([^"]+)"\]$', COMPOSE, re.M)
    assert command == composed == START


def test_nothing_is_reachable_from_the_network() -> None:
    service = COMPOSE.split("\n  service:\n")[1].split("\nvolumes:\n")[0]
    assert "network_mode: host" in service
    assert "ports:" not in service
    published = re.findall(r"^    ports:\n      - (.+)\n    \w", COMPOSE, re.M)
    assert published == ['"127.0.0.1:${GRIDSVC_DB_PORT:-54330}:5432"']
    assert "0.0.0.0" not in DOCKERFILE + COMPOSE  # noqa: S104
    assert "EXPOSE" not in DOCKERFILE


def test_service_does_not_run_as_root() -> None:
    last_stage = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER gridsvc$", last_stage, re.M)


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M)
        for word in line.split()[:-1]
    ]
    assert len(copied) > 5
    rules = (REPOSITORY / ".dockerignore").read_text("utf-8").split()
    for path in copied:
        assert (REPOSITORY / path).exists(), path
        kept = True
        for rule in rules:
            pattern = rule.removeprefix("!")
            if fnmatch.fnmatch(path, pattern):
                kept = rule.startswith("!")
        assert kept, path


def test_any_password_will_do() -> None:
    # In a URL "@", "/", ":" and "%" would have to be escaped; nobody would know.
    for line in COMPOSE.splitlines():
        if "GRIDSVC_DB_PASSWORD" in line and not line.startswith("#"):
            name, value = line.split(":", 1)
            assert name.strip() in ("POSTGRES_PASSWORD", "PGPASSWORD")
            assert value.strip() == "${GRIDSVC_DB_PASSWORD:?give the database a password}"
    assert "gridsvc@127.0.0.1:${GRIDSVC_DB_PORT:-54330}/gridsvc\n" in COMPOSE


def test_health_is_asked_where_the_service_listens() -> None:
    (text,) = re.findall(r"^HEALTHCHECK .*CMD (\[.+\])$", DOCKERFILE, re.M)
    program, flag, code = json.loads(text)
    assert (program, flag) == ("python", "-c")
    asked: list[str] = []

    class Answering(BaseHTTPRequestHandler):
        status = 200

        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(type(self).status)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {**os.environ, "GRIDSVC_PORT": str(server.server_port)}
        outcomes = []
        for Answering.status in (200, 503):
            done = subprocess.run(
                [sys.executable, flag, code], env=environment, check=False, capture_output=True
            )
            outcomes.append(done.returncode)
        server.shutdown()
    assert asked == ["/healthz", "/healthz"]
    assert outcomes == [0, 1]
