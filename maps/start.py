"""The start page and the page of a failure: plain HTML, no inline script or style."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import jinja2

from gridsvc.errors import Language
from maps.messages import catalogue, text
from maps.page import Text


@dataclass(frozen=True, slots=True)
class PlanLine:
    """One plan version of the list; instants are text in the city's zone."""

    id: str
    title: str
    status: str
    in_force: bool
    cells: int
    effective_from: str
    published_at: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What the start page states; without a plan in force it shows the way to one."""

    city: str
    cells: int
    communities: int
    staff: int
    points: int
    reports: int
    plans: tuple[PlanLine, ...]
    example: str = "117.64, 26.26"
    timezone: str = "Asia/Shanghai"

    @property
    def empty(self) -> bool:
        """Whether no plan is in force."""
        return not any(plan.in_force for plan in self.plans)


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    folder = files(__package__).joinpath("templates")
    sources = {
        name: folder.joinpath(name).read_text(encoding="utf-8")
        for name in ("layout.html", "start.html", "error.html")
    }
    return jinja2.Environment(
        loader=jinja2.DictLoader(sources), autoescape=True, undefined=jinja2.StrictUndefined
    )


def start_page(
    facts: StartFacts,
    *,
    language: Language = "zh",
    asset_base: str = "/static",
    roles: Mapping[str, Text] | None = None,
    classes: Mapping[str, Text] | None = None,
) -> str:
    """Return the page at ``/``.

    Parameters
    ----------
    facts : StartFacts
    language : {"zh", "en"}
    asset_base : str
    roles : mapping, optional
        Display names of roles.
    classes : mapping, optional
        Display names of issue classes by code, offered where a class is asked for.
    """

    def named(names: Mapping[str, Text] | None) -> dict[str, str]:
        return {k: v if isinstance(v, str) else v[language] for k, v in (names or {}).items()}

    return _render(
        "start.html", language, asset_base, facts=facts, roles=named(roles),
        classes=named(classes), layers=LAYERS, words=_words(language),
    )  # fmt: skip


LAYERS = (
    "cells", "communities", "subdistricts", "exclusions", "streets", "units", "staff", "duties",
    "points", "visits", "classes", "cases", "facilities", "network",
)  # fmt: skip
"""What a file may be, in the order in which a city is set up."""
_SAID = (
    "locate_",
    "import_",
    "job",
    "stage_",
    "layer_",
    "placement_",
    "case",
    "certificate",
    "takeover_",
)
_SAID_TOO = (
    "reason", "way_out", "row", "field", "value", "cell", "community", "subdistrict", "plan",
    "effective_from", "publish", "published_from", "withdraw", "cancel", "next_page", "none",
    "reported_at", "class", "status", "start_coverage", "start_plans", "and_more", "earlier",
)  # fmt: skip


def _words(language: Language) -> dict[str, str]:
    """Return the phrases that the page's script says."""
    return {
        key: phrase
        for key, phrase in catalogue()[language].items()
        if key.startswith(_SAID) or key in _SAID_TOO
    }


def error_page(
    *, title: str, message: str, language: Language = "zh", asset_base: str = "/static"
) -> str:
    """Return a page that says what went wrong and leads on."""
    return _render("error.html", language, asset_base, title=title, message=message)


def _render(name: str, language: Language, asset_base: str, **values: object) -> str:
    def say(key: str, **fields: object) -> str:
        return text(key, language, **fields)

    return (
        _templates()
        .get_template(name)
        .render(
            say=say,
            language=language,
            other="en" if language == "zh" else "zh",
            base=asset_base.rstrip("/"),
            **values,
        )
    )
