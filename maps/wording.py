"""Results speak in keys and plain English; here they are put into both languages.

Text that is not recognised is shown as it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from gridsvc.analysis.results import Note
from gridsvc.phrases import length
from maps.messages import MESSAGES, both
from maps.page import Text

_PARTS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Text]], ...] = (
    (re.compile(r"queen"), lambda m: both("weights_queen")),
    (re.compile(r"rook"), lambda m: both("weights_rook")),
    (re.compile(r"self included"), lambda m: both("weights_self")),
    (re.compile(r"Benjamini.Hochberg"), lambda m: both("correction_bh")),
    (re.compile(r"two-sided"), lambda m: both("correction_two_sided")),
    (re.compile(r"analytic z"), lambda m: both("correction_analytic")),
    (re.compile(r"(\d+) permutations"), lambda m: both("correction_permutations", n=m[1])),
)


def note(remark: Note) -> Text:
    """Return a result's note in both languages."""
    return {"zh": str(remark), "en": remark.en}


def method(text: str) -> Text:
    """Return a comma-separated statement of weights or correction in both languages."""
    parts: list[Text] = []
    for part in text.split(", "):
        made: Text = part
        for pattern, make in _PARTS:
            match = pattern.fullmatch(part)
            if match:
                made = make(match)
                break
        parts.append(made)
    return joined(parts, comma=True)


def joined(texts: list[Text], *, comma: bool = False) -> Text:
    """Return several texts as one, joined as each language does."""
    if not texts:
        return "—"
    return {
        "zh": ("，" if comma else "、").join(t if isinstance(t, str) else t["zh"] for t in texts),
        "en": ", ".join(t if isinstance(t, str) else t["en"] for t in texts),
    }


def turn(key: str) -> Text:
    """Return an instruction of the print sheet."""
    return both(f"turn_{key}") if f"turn_{key}" in MESSAGES else key


def then(texts: list[Text]) -> Text:
    """Return instructions that follow at once as one."""
    return {
        "zh": "，随即".join(t if isinstance(t, str) else t["zh"] for t in texts),
        "en": ", then ".join(t if isinstance(t, str) else t["en"] for t in texts),
    }


def drop_reason(key: str) -> Text:
    """Return why a point is in no round; ``off_network:123`` carries metres."""
    name, _, metres = key.partition(":")
    if f"drop_{name}" not in MESSAGES:
        return key
    if not metres:
        return both(f"drop_{name}")
    far = {"zh": length(float(metres), "zh"), "en": length(float(metres), "en")}
    return both(f"drop_{name}", far=far)


def pile_reason(key: str) -> Text:
    """Return why a coordinate counts as a geocoder's default."""
    return both(f"pile_{key}") if f"pile_{key}" in MESSAGES else key
