"""Keys of patrol plans in words: turn instructions and reasons for dropped points."""

from __future__ import annotations

from gridsvc.errors import Language
from gridsvc.phrases import length

INSTRUCTIONS: dict[str, tuple[str, str]] = {
    "depart": ("出发", "Depart"),
    "continue": ("继续前行", "Go on"),
    "straight": ("直行", "Straight on"),
    "slight_left": ("靠左", "Bear left"),
    "left": ("左转", "Turn left"),
    "sharp_left": ("左后方转弯", "Sharp left"),
    "slight_right": ("靠右", "Bear right"),
    "right": ("右转", "Turn right"),
    "sharp_right": ("右后方转弯", "Sharp right"),
    "uturn": ("掉头", "Turn round"),
    "arrive": ("到达点位", "Arrive"),
    "finish": ("返回起点", "Back at the start"),
}
_REASONS: dict[str, tuple[str, str]] = {
    "no_coordinates": ("没有坐标", "no coordinates"),
    "off_network": ("距最近街道 {0}", "{0} from the nearest street"),
    "unreachable": ("沿街道无法到达", "cannot be reached along streets"),
    "no_time": ("超出工作时长", "does not fit into the shift"),
}


def instruction_text(key: str, language: Language = "zh") -> str:
    """Return a turn instruction in words (the key itself when unknown)."""
    pair = INSTRUCTIONS.get(key)
    return key if pair is None else pair[0 if language == "zh" else 1]


def reason_text(reason: str, language: Language = "zh") -> str:
    """Return why a point was dropped in words (the text itself when unknown).

    Examples
    --------
    >>> reason_text("off_network:130", "en"), reason_text("off_network:2600")
    ('130 m from the nearest street', '距最近街道 2.6 千米')
    """
    key, _, detail = reason.partition(":")
    pair = _REASONS.get(key)
    if pair is None:
        return reason
    far = length(float(detail), language) if key == "off_network" else detail
    return pair[0 if language == "zh" else 1].format(far)
