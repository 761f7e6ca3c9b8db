"""The documents that tell newcomers what is here point at things that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    "README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md",
    *(str(p.relative_to(REPOSITORY)) for p in sorted((REPOSITORY / "docs/how-to").glob("*.md"))),
]  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    document = REPOSITORY / name
    text = document.read_text("utf-8")
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    local = [t for t in targets if not t.startswith(("http:", "https:", "mailto:"))]
    missing = [t for t in local if not (document.parent / t).exists()]
    assert missing == []


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_both_readmes_name_the_same_commands(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text("utf-8"), re.M))
    text = (REPOSITORY / name).read_text("utf-8")
    named = set(re.findall(r"make ([a-z-]+)", text))
    assert {"demo", "test", "check", "bench"} <= named
    assert named <= targets


def test_readmes_agree_with_each_other() -> None:
    english = (REPOSITORY / "README.md").read_text("utf-8")
    chinese = (REPOSITORY / "README.zh-CN.md").read_text("utf-8")
    commands = re.compile(r"^\s*(?:make|gridsvc) .*$", re.M)

    def lines(text: str) -> list[str]:
        return [re.sub(r"\s*#.*", "", c).strip() for c in commands.findall(text)]

    assert lines(english) == lines(chinese)


def test_decisions_have_their_four_parts() -> None:
    records = sorted((REPOSITORY / "docs/adr").glob("[0-9]*.md"))
    assert len(records) >= 5
    for record in records:
        text = record.read_text("utf-8")
        for part in ("## Context", "## Decision", "## Consequences", "## Alternatives"):
            assert part in text, f"{record.name} lacks {part}"
