from __future__ import annotations

import copy
import pickle

import pytest

from gridsvc.analysis import Note
from gridsvc.patrol import instruction_text, reason_text
from gridsvc.patrol.texts import INSTRUCTIONS


def test_note_is_its_chinese_text_and_carries_the_english_one() -> None:
    note = Note("没有需要巡查的点位", "no point to visit")
    assert note == "没有需要巡查的点位"
    assert (note.text("zh"), note.text("en")) == ("没有需要巡查的点位", "no point to visit")


def test_note_survives_copies_and_pickles() -> None:
    note = Note("甲", "a")
    for again in (copy.deepcopy(note), pickle.loads(pickle.dumps(note))):  # noqa: S301
        assert (str(again), again.en) == ("甲", "a")


@pytest.mark.parametrize("key", sorted(INSTRUCTIONS))
def test_every_instruction_has_both_languages(key: str) -> None:
    zh, en = instruction_text(key, "zh"), instruction_text(key, "en")
    assert zh != en
    assert key not in (zh,)


def test_unknown_keys_are_shown_as_they_are() -> None:
    assert instruction_text("fly", "en") == "fly"
    assert reason_text("lost", "zh") == "lost"


def test_reasons_in_words() -> None:
    assert reason_text("off_network:130") == "距最近街道 130 米"
    assert reason_text("unreachable", "en") == "cannot be reached along streets"
    assert reason_text("no_time") == "超出工作时长"
    assert reason_text("no_coordinates", "en") == "no coordinates"
