"""What results say is put into both languages, unknown text is kept."""

from __future__ import annotations

from gridsvc.analysis import Note
from maps import wording
from maps.messages import Both
from maps.page import Text


def in_both(text: Text) -> Both:
    assert not isinstance(text, str), "one language only"
    return text


def zh(text: Text) -> str:
    return in_both(text)["zh"]


def test_a_note_keeps_both_of_its_texts() -> None:
    remark = Note("没有需要巡查的点位", "no point to visit")
    assert wording.note(remark) == {"zh": "没有需要巡查的点位", "en": "no point to visit"}


def test_methods() -> None:
    made = wording.method("queen, self included")
    assert zh(made) == "共边或共点相邻，含自身"
    made = wording.method("Benjamini-Hochberg, two-sided, 999 permutations")
    assert "two-sided, 999 permutations" in in_both(made)["en"]
    assert wording.method("knn 8") == {"zh": "knn 8", "en": "knn 8"}


def test_keys_and_unknown_text() -> None:
    assert zh(wording.turn("slight_left")) == "稍向左转"
    assert wording.turn("hover") == "hover"
    assert "350 米" in zh(wording.drop_reason("off_network:350"))
    assert zh(wording.drop_reason("no_time")) == "规定用时内排不下"
    assert wording.drop_reason("eaten") == "eaten"
    assert zh(wording.pile_reason("one_coordinate")).startswith("同一坐标")
