from __future__ import annotations

import copy
import pickle

import pytest

from api.surfaces import cli
from gridsvc.analysis import Note
from gridsvc.patrol import NoStart, instruction_text, reason_text
from gridsvc.patrol.texts import INSTRUCTIONS
from gridsvc.quality.findings import FindingList
from gridsvc.services.exporting import NothingToExport, require_rows


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


@pytest.mark.parametrize(
    ("layer", "zh", "en"),
    [
        ("visits", "没有走访记录可导出;请先导入(--as visits)",
         "there is no visit to export; import some first (--as visits)"),
        ("exclusions", "--exclusions", "--exclusions"),
        ("areas", "请先发布方案", "publish first"),
        ("findings", "符合证书", "meets every rule"),
        ("repairs", "--plan", "--plan"),
    ],
)  # fmt: skip
def test_a_layer_without_rows_is_not_exported(layer: str, zh: str, en: str) -> None:
    require_rows([1], layer)
    with pytest.raises(NothingToExport) as caught:
        require_rows([], layer)
    assert zh in caught.value.text("zh", cli)
    assert en in caught.value.text("en", cli)


def test_far_starts_and_points_are_told_in_kilometres() -> None:
    start = NoStart(distance_m=2_600.0, max_m=100.0)
    assert "距最近街道 2.6 千米,超过 100 米" in start.text("zh")
    assert "2.6 km from the nearest street, more than 100 m" in start.text("en")
    assert reason_text("off_network:2600", "en") == "2.6 km from the nearest street"


def test_measures_of_findings_read_as_people_write_them() -> None:
    found = FindingList()
    found.add("uncovered_territory", ["a"], None, measure=4_977_000.0)
    found.add("gap", ["a"], None, measure=12.3456)
    found.add("unmatched_edge", ["a"], None, measure=2_345.0)
    said = [(row["message_zh"], row["message_en"]) for row in found.rows]
    for (zh, en), words in zip(
        said,
        [("4.98 平方千米", "4.98 km²"), ("12.35 平方米", "12.35 m²"), ("2.3 千米", "2.3 km")],
        strict=True,
    ):
        assert words[0] in zh
        assert words[1] in en
