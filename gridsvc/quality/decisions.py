"""What a repair must not decide by itself: cells that vanish or fall apart, wide gaps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gridsvc.errors import InputError

CELL_OPTIONS: dict[str, tuple[str, ...]] = {
    "no_area": ("drop",),
    "vanished": ("carve", "drop"),
    "shrunk": ("accept", "carve", "drop"),
    "fell_apart": ("keep_parts", "keep_largest"),
}
GAP_OPTIONS: dict[str, tuple[str, ...]] = {
    "wide_gap": ("fill", "exclude", "leave"),
    "wide_uncovered": ("fill", "exclude", "leave"),
}
_TEXT = {
    "no_area": ("网格 {key} 没有面积", "cell {key} has no area"),
    "vanished": (
        "网格 {key} 被其他网格完全覆盖({by}),清理后不剩面积",
        "cell {key} is covered by others ({by}) and would vanish",
    ),
    "shrunk": (
        "网格 {key} 的大部分与其他网格({by})重叠,清理后仅剩 {measure:.0%}",
        "cell {key} overlaps others ({by}) for the most part; {measure:.0%} of it would be left",
    ),
    "fell_apart": (
        "网格 {key} 清理后分为 {measure:.0f} 块",
        "cell {key} would fall apart into {measure:.0f} parts",
    ),
    "wide_gap": (
        "空洞 {key} 宽 {measure:.1f} 米(邻近 {by}),划给邻格还是登记为例外?",
        "gap {key} is {measure:.1f} m wide (near {by}): give it to a neighbour or register it?",
    ),
    "wide_uncovered": (
        "辖区内 {key} 处未被覆盖,宽 {measure:.1f} 米(邻近 {by})",
        "the territory is not covered at {key}, {measure:.1f} m wide (near {by})",
    ),
}


@dataclass(frozen=True, slots=True)
class OpenDecision:
    """One question that a person has to answer before an import is committed.

    Attributes
    ----------
    key : str
        Cell code, or ``gap@lon,lat`` for a gap; the key to use in ``decisions``.
    kind : str
        no_area, vanished, shrunk, fell_apart, wide_gap or wide_uncovered.
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


def ask(kind: str, key: str, geometry: Any, *, measure: float = 0.0, by: str = "") -> OpenDecision:
    """Return the question of one kind about one cell or gap."""
    zh, en = _TEXT[kind]
    fields = {"key": key, "measure": measure, "by": by}
    options = CELL_OPTIONS.get(kind) or GAP_OPTIONS[kind]
    return OpenDecision(
        key, kind, options, measure, geometry, zh.format(**fields), en.format(**fields)
    )


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
            raise InputError(reason=f"决定所指的网格不存在 / decision for an unknown cell: {key}")
        if answer not in allowed:
            options = ", ".join(sorted(allowed))
            raise InputError(reason=f"{key}: “{answer}” 不在 / is not one of {options}")
    return dict(decisions)
