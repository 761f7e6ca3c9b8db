"""The one catalogue of interface text for maps and pages, complete in Chinese and English."""

from __future__ import annotations

from typing import Any

from gridsvc.errors import Language
from maps.phrases_maps import MAPS
from maps.phrases_start import START

Both = dict[str, str]

MESSAGES: dict[str, tuple[str, str]] = {**MAPS, **START}


def text(key: str, language: Language, **fields: Any) -> str:
    """Return one phrase in one language with its fields filled in (KeyError for other keys)."""
    zh, en = MESSAGES[key]
    return (zh if language == "zh" else en).format(**fields)


def both(key: str, **fields: Any) -> Both:
    """Return one phrase in both languages; fields may be in both languages themselves."""
    return {
        language: text(
            key,
            language,
            **{k: v[language] if isinstance(v, dict) else v for k, v in fields.items()},
        )
        for language in ("zh", "en")
    }


def catalogue() -> dict[str, dict[str, str]]:
    """Return all phrases by language, as the browser receives them."""
    return {
        "zh": {key: zh for key, (zh, _) in MESSAGES.items()},
        "en": {key: en for key, (_, en) in MESSAGES.items()},
    }
