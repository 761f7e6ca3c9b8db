"""Docker and compose files start the service as everybody starts it, on loopback only."""

from __future__ import annotations

import fnmatch
import re
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
    published = re.findall(r'^      - "([\d.:]+)"$', COMPOSE, re.M)
    assert published == ["127.0.0.1:54329:5432"]
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
