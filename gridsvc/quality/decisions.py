"""What a repair must not decide by itself: cells that vanish or fall apart, wide gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gridsvc.errors import InputError
from gridsvc.phrases import length
from gridsvc.ways import verbatim, way

NEW_TERRITORY_ZH = "先用 gridsvc scheme territory FILE 声明新辖区"
NEW_TERRITORY_EN = "declare the new one first (gridsvc scheme territory FILE)"
CELL_OPTIONS: dict[str, tuple[str, ...]] = {
    "no_area": ("drop",),
    "vanished": ("carve", "drop"),
    "shrunk": ("accept", "carve", "drop"),
    "fell_apart": ("keep_parts", "keep_largest"),
}
GAP_OPTIONS: dict[str, tuple[str, ...]] = {
    "wide_gap": ("fill", "exclude", "leave"),
    "wide_uncovered": ("fill", "exclude", "leave"),
    "wide_outside": ("trim", "leave"),
}
_TEXT = {
    "no_area": ("网格 {key} 没有面积", "cell {key} has no area"),
    "vanished": (
        "网格 {key} 被其他网格完全覆盖{by_zh},清理后不剩面积",
        "cell {key} is covered by others{by_en} and would vanish",
    ),
    "vanished_outside": (
        "网格 {key} 在现行辖区之外,裁切后不剩面积",
        "cell {key} lies outside the territory in force and would vanish",
    ),
    "shrunk": (
        "网格 {key} 的大部分与其他网格{by_zh}重叠,清理后仅剩 {measure:.0%}",
        "cell {key} overlaps others{by_en} for the most part; {measure:.0%} of it would be left",
    ),
    "shrunk_outside": (
        "网格 {key} 的大部分在现行辖区之外,裁切后仅剩 {measure:.0%}",
        "most of cell {key} lies outside the territory in force; {measure:.0%} would be left",
    ),
    "fell_apart": (
        "网格 {key} 清理后分为 {measure:.0f} 块",
        "cell {key} would fall apart into {measure:.0f} parts",
    ),
    "wide_gap": (
        "空洞 {key} 宽 {wide_zh}{near_zh},划给邻格还是登记为例外?",
        "gap {key} is {wide_en} wide{near_en}: give it to a neighbour or register it?",
    ),
    "wide_uncovered": (
        "辖区内 {key} 处未被覆盖,宽 {wide_zh}{near_zh};若辖区已缩小,请" + NEW_TERRITORY_ZH,
        "the territory is not covered at {key}, {wide_en} wide{near_en}; "
        "if the territory has shrunk, " + NEW_TERRITORY_EN,
    ),
    "wide_outside": (
        "网格{by_zh}有一片({key})在现行辖区之外,宽 {wide_zh};若辖区已扩大,请" + NEW_TERRITORY_ZH,
        "cell{by_en} reaches {wide_en} beyond the territory in force at {key}; "
        "if the territory has grown, " + NEW_TERRITORY_EN,
    ),
}
_MEANING = {
    "drop": ("舍弃", "leave it out"),
    "carve": ("从其他网格中划出", "cut it out of the others"),
    "accept": ("接受", "accept it"),
    "keep_parts": ("各块都保留", "keep all parts"),
    "keep_largest": ("只留最大一块", "keep the largest part"),
    "fill": ("划给邻格", "give it to a neighbour"),
    "exclude": ("登记为例外", "register it as an exclusion"),
    "leave": ("不动", "leave it"),
    "trim": ("裁去", "cut it off"),
}
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class OpenDecision:
    """One question that a person has to answer before an import is committed.

    Attributes
    ----------
    key : str
        Cell code, or ``gap@lon,lat`` for a gap; the key to use in ``decisions``.
    kind : str
        no_area, vanished, shrunk, fell_apart, wide_gap, wide_uncovered or wide_outside.
    options : tuple of str
        Possible answers.
    measure : float
        Share left (shrunk), parts (fell_apart), width in metres (gaps), else 0.
    geometry : shapely geometry or None
        Where, EPSG:4490.
    zh, en : str
        The question.
    """

    key: str
    kind: str
    options: tuple[str, ...]
    measure: float
    geometry: Any
    zh: str
    en: str


def ask(
    kind: str,
    key: str,
    geometry: Any,
    *,
    measure: float = 0.0,
    by: str = "",
    outside: bool = False,
) -> OpenDecision:
    """Return the question of one kind about one cell or gap.

    Parameters
    ----------
    by : str
        Codes of the cells concerned, joined by ``、``; may be empty.
    outside : bool
        Whether the territory in force takes the ground, not another cell.
    """
    zh, en = _TEXT[f"{kind}_outside" if outside else kind]
    by = verbatim(by)
    by_en = by.replace("、", ", ")
    plain = kind == "wide_outside"
    fields = {
        "key": verbatim(key),
        "measure": measure,
        "wide_zh": length(measure, "zh", 1),
        "wide_en": length(measure, "en", 1),
        "by_zh": f" {by} " if plain else f"({by})" if by else "",
        "by_en": f" {by_en}" if plain else f" ({by_en})" if by else "",
        "near_zh": f"(邻近 {by})" if by else "",
        "near_en": f" (near {by_en})" if by else "",
    }
    options = CELL_OPTIONS.get(kind) or GAP_OPTIONS[kind]
    return OpenDecision(
        key, kind, options, measure, geometry, zh.format(**fields), en.format(**fields)
    )


def listing(questions: Sequence[OpenDecision]) -> tuple[str, str]:
    """Return all questions in Chinese and English: counted, one per line, the first 20 in full.

    Each line ends with what to type for each permitted answer.
    """
    zh = [f"共 {len(questions)} 项"]
    en = [f"{len(questions)} open"]
    for question in questions[:_SHOWN]:
        ways = [(way("decide", f"{question.key}={o}"), *_MEANING[o]) for o in question.options]
        zh.append(f"{question.zh}:" + " | ".join(f"{typed}({why})" for typed, why, _ in ways))
        en.append(f"{question.en}: " + " | ".join(f"{typed} ({why})" for typed, _, why in ways))
    more = len(questions) - _SHOWN
    if more > 0:
        zh.append(f"……另有 {more} 项")
        en.append(f"… and {more} more")
    return "\n".join(zh), "\n".join(en)


def check_decisions(decisions: Mapping[str, str], codes: set[str]) -> dict[str, str]:
    """Return the decisions if each names a cell or gap and a possible answer.

    Raises
    ------
    InputError
        For an unknown code or answer.
    """
    cell = {option for options in CELL_OPTIONS.values() for option in options}
    gap = {option for options in GAP_OPTIONS.values() for option in options}
    for key, answer in decisions.items():
        if key.startswith("gap@") and key not in codes:
            allowed = gap
        elif key in codes:
            allowed = cell
        else:
            raise InputError(
                reason_zh=f"决定所指的网格“{key}”不存在",
                reason_en=f"there is no cell '{key}' to decide on",
            )
        if answer not in allowed:
            options = ", ".join(sorted(allowed))
            raise InputError(
                reason_zh=f"对 {key} 的决定“{answer}”无效,可用 {options}",
                reason_en=f"'{answer}' is no decision for {key}, use one of {options}",
            )
    return dict(decisions)
