"""In which language, and in whose words, a request wants to be answered."""

from __future__ import annotations

from functools import lru_cache

from starlette.requests import HTTPConnection

from api.surfaces import http, page
from gridsvc.errors import Language
from gridsvc.ways import Speak

SURFACE_HEADER = "gridsvc-surface"
"""Pages of the service say ``page`` in it, so that problems come in their words."""


def language_of(request: HTTPConnection) -> Language:
    """Return the language: ``?lang=`` first, then ``Accept-Language``, then the setting."""
    asked = request.query_params.get("lang", "")
    if asked in ("zh", "en"):
        return "zh" if asked == "zh" else "en"
    app = request.scope.get("app")
    fallback: Language = getattr(getattr(app, "state", None), "language", "zh")
    return accepted(request.headers.get("accept-language", ""), fallback)


def surface_of(request: HTTPConnection) -> Speak:
    """Return how the program or page behind a request calls options."""
    return page if request.headers.get(SURFACE_HEADER) == "page" else http


@lru_cache(maxsize=256)
def accepted(header: str, fallback: Language) -> Language:
    """Return the best of zh and en for an ``Accept-Language`` header (RFC 9110 §12.5.4).

    Examples
    --------
    >>> accepted("en-GB,en;q=0.9,zh;q=0.8", "zh"), accepted("fr, zh-CN;q=0.4", "en")
    ('en', 'zh')
    >>> accepted("", "zh"), accepted("fr", "zh"), accepted("zh;q=0, en", "zh")
    ('zh', 'zh', 'en')
    """
    best: tuple[float, int, Language] | None = None
    for order, part in enumerate(header.split(",")[:20]):
        tag, _, parameter = part.strip().partition(";")
        primary = tag.strip().lower().split("-")[0]
        language: Language | None = "zh" if primary == "zh" else "en" if primary == "en" else None
        if primary == "*":
            language = fallback
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if language is None or not 0.0 < quality <= 1.0:
            continue
        if best is None or (quality, -order) > best[:2]:
            best = (quality, -order, language)
    return fallback if best is None else best[2]
