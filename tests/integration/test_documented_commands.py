"""What the READMEs and how-tos tell people to type is typed here, and does what they say."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.cli.main import run as run_command

ROOT = Path(__file__).resolve().parents[2]
HOW_TO = sorted(p.stem for p in (ROOT / "docs/how-to").glob("*.md") if "." not in p.stem)
PAIRS = [("README.md", "README.zh-CN.md")] + [
    (f"docs/how-to/{name}.md", f"docs/how-to/{name}.zh-CN.md") for name in HOW_TO
]
BEGIN_WITHOUT_A_CITY = {"README.md", "docs/how-to/planner.md"}
# What is not run here, and why.
NOT_HERE = {
    r"make ": "targets of the Makefile install or test everything; other tests hold their names",
    r"gridsvc serve\b": "it serves until it is stopped; other tests start it",
    r"curl ": "it needs a running service; other tests ask the same address",
    r"export GRIDSVC_DATABASE_URL=": "it needs a server; the commands after it run on SQLite",
}


@dataclass(frozen=True)
class Step:
    """One thing that a document says to do."""

    kind: str
    text: str
    exit_code: int = 0


def steps(path: str) -> Iterator[Step]:
    """Yield commands and Python blocks in their order; ``# exit N`` tells how a command ends."""
    text = (ROOT / path).read_text("utf-8")
    for fence in re.split(r"(^```python\n.*?^```$)", text, flags=re.M | re.S):
        if fence.startswith("```"):
            yield Step("python", fence.removeprefix("```python\n").removesuffix("```"))
            continue
        for found in re.finditer(r"^ {4}(\S(?:.*\\\n)*.*)$", fence, re.M):
            whole = re.sub(r"\s*\\\n\s*", " ", found.group(1))
            command, _, comment = whole.partition("  #")
            stated = re.search(r"exit (\d)", comment)
            yield Step("command", command.strip(), int(stated.group(1)) if stated else 0)


def reason_not_here(command: str) -> str | None:
    return next((why for what, why in NOT_HERE.items() if re.match(what, command)), None)


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_say_the_same(english: str, chinese: str) -> None:
    def bare(path: str) -> list[Step]:
        return [Step(s.kind, re.sub(r"\s*#.*", "", s.text), s.exit_code) for s in steps(path)]

    assert bare(english) == bare(chinese)
    assert bare(english)


def test_every_role_has_its_page() -> None:
    assert HOW_TO == ["analyst", "dispatcher", "leader", "operator", "planner"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", [english for english, _ in PAIRS])
def test_what_is_written_works(
    path: str, demo_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRIDSVC_DATABASE_URL", raising=False)
    if path not in BEGIN_WITHOUT_A_CITY:
        shutil.copy(demo_db, tmp_path / "gridsvc.db")
    done = 0
    for step in steps(path):
        if step.kind == "python":
            exec(compile(step.text, path, "exec"), {})  # noqa: S102 - our own document
            done += 1
            continue
        if reason_not_here(step.text) is not None:
            continue
        words = shlex.split(step.text)
        assert words[0] == "gridsvc", f"{path}: {step.text} is neither run nor excused"
        code = 0
        try:
            run_command(words[1:])
        except SystemExit as stop:
            code = int(stop.code or 0)
        assert code == step.exit_code, step.text
        done += 1
    assert done >= 3
