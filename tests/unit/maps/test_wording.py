"""What results say is put into both languages, unknown text is kept."""

from __future__ import annotations

from typing import Any

import pytest

from maps import wording


def zh(text: Any) -> str:
    return str(text["zh"])


@pytest.mark.parametrize(
    ("note", "chinese"),
    [
        ("the streets fall into 3 parts; the largest holds 97.5% of the metres", "3 个不相连"),
        ("day: 4 points of the other window left out", "另一时段的 4 个"),
        ("no point to visit", "没有需要走访"),
        ("2 cells not tested: no neighbours or no denominator", "2 个网格未检验"),
        ("0.40 reports per cell on average: the normal approximation is weak", "平均每格 0.40 件"),
        ("one single significant cell would need 7999 permutations", "7999 次置换"),
        ("no cell could be tested: no neighbours or no variation", "没有网格可以检验"),
    ],
)
def test_notes(note: str, chinese: str) -> None:
    made = wording.note(note)
    assert chinese in zh(made)
    assert isinstance(made, dict)
    assert note.rsplit(maxsplit=1)[-1] in made["en"]


def test_methods() -> None:
    made = wording.method("queen, self included")
    assert zh(made) == "共边或共点相邻，含自身"
    assert "two-sided, 999 permutations" in str(
        wording.method("Benjamini-Hochberg, two-sided, 999 permutations")["en"]  # type: ignore[index]
    )
    assert wording.method("knn 8") == {"zh": "knn 8", "en": "knn 8"}


def test_keys_and_unknown_text() -> None:
    assert zh(wording.turn("slight_left")) == "稍向左转"
    assert wording.turn("hover") == "hover"
    assert "350 米" in zh(wording.drop_reason("off_network:350"))
    assert zh(wording.drop_reason("no_time")) == "规定用时内排不下"
    assert wording.drop_reason("eaten") == "eaten"
    assert zh(wording.pile_reason("one_coordinate")).startswith("同一坐标")
    assert wording.note("something new") == "something new"
