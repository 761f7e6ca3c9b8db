"""The catalogue is complete in both languages and every key in use exists."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

from maps.messages import MESSAGES, both, catalogue, text

ROOT = Path(__file__).resolve().parents[3]
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@pytest.mark.parametrize("key", sorted(MESSAGES))
def test_each_phrase_is_there_in_both_languages_with_the_same_fields(key: str) -> None:
    zh, en = MESSAGES[key]
    assert zh.strip()
    assert en.strip()
    assert fields(zh) == fields(en)
    if key != "language_other":
        assert not CHINESE.search(en)


def test_no_full_stop_of_the_other_script() -> None:
    for zh, _ in MESSAGES.values():
        assert not re.search(r"[\u4e00-\u9fff][,;:?!]", zh), zh


def used_keys() -> set[str]:
    found: set[str] = set()
    python = [*(ROOT / "maps").glob("*.py"), *(ROOT / "api" / "maps").glob("*.py")]
    for path in python:
        code = path.read_text(encoding="utf-8")
        found |= set(re.findall(r"\b(?:both|fact|figure|text)\(\s*\"(\w+)\"", code))
    for path in (ROOT / "maps" / "web" / "src" / "map").glob("*.ts"):
        found |= set(re.findall(r"\bsay\(\s*\"(\w+)\"", path.read_text(encoding="utf-8")))
    for path in (ROOT / "maps" / "templates").glob("*.html"):
        found |= set(re.findall(r"say\([\"'](\w+)[\"']\)", path.read_text(encoding="utf-8")))
    return found


def test_every_key_in_use_exists() -> None:
    used = used_keys()
    assert len(used) > 80
    assert used <= set(MESSAGES), used - set(MESSAGES)


def test_fields_may_be_in_both_languages() -> None:
    made = both("role_per_cell", role={"zh": "网格长", "en": "cell leader"})
    assert made == {"zh": "每格网格长", "en": "cell leader per cell"}
    assert text("and_more", "en", n=3) == "3 more not listed"


def test_the_browser_gets_both_languages() -> None:
    assert set(catalogue()) == {"zh", "en"}
    assert catalogue()["zh"].keys() == catalogue()["en"].keys() == MESSAGES.keys()
