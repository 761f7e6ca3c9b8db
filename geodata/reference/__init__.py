"""Reference catalogues: issue classes, point categories, roles, unit kinds, sources, channels.

Tables are CSV files inside the package (see the README beside them) and are read with
``importlib.resources``, so they work from a wheel as well.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import pandas as pd

from gridsvc.layers import CLASSES, normalize

CATALOG = "sample-2026"
"""Version name of the issue catalogue that comes with the program."""


@dataclass(frozen=True, slots=True)
class PointCategory:
    """A kind of evaluation point (测评点位类型).

    Attributes
    ----------
    key : str
        Value of the column ``category``.
    zh, en : str
    visit_window : str
        ``day``, ``night`` or ``both``.
    visits_per_week : float
    service_minutes : float
        Minutes on the spot.
    """

    key: str
    zh: str
    en: str
    visit_window: str
    visits_per_week: float
    service_minutes: float


@dataclass(frozen=True, slots=True)
class Term:
    """A value of a catalogue with its name in both languages and the group it belongs to."""

    key: str
    zh: str
    en: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class StaffSource:
    """One of the eight sources of grid staff, its usual role and the unit that sends them."""

    key: str
    zh: str
    en: str
    role: str
    unit_kind: str


def _rows(name: str) -> list[dict[str, str]]:
    text = files(__package__).joinpath("data", f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def issue_classes() -> pd.DataFrame:
    """Return the issue catalogue in contract form (CLASSES): 13 major and 217 minor classes.

    Returns
    -------
    DataFrame
        Indexed by the five-digit ``class_code``; ``deadline_hours`` in hours, 8 to a workday.
    """
    table = pd.DataFrame(_rows("issue_classes")).assign(catalog=CATALOG)
    return pd.DataFrame(normalize(table, CLASSES, source="issue_classes.csv"))


@lru_cache(maxsize=1)
def standard_codes() -> dict[str, str]:
    """Return the mapping from our class codes to ``namespace:code`` of GB/T 47678.5-2026.

    Only classes that the standard has are listed.
    """
    rows = _rows("issue_classes")
    return {r["class_code"]: r["standard_code"] for r in rows if r["standard_code"]}


@lru_cache(maxsize=1)
def major_classes() -> tuple[Term, ...]:
    """Return the 13 major classes with their names in both languages."""
    seen = {
        r["major_code"]: Term(r["major_code"], r["major_name"], r["major_name_en"])
        for r in _rows("issue_classes")
    }
    return tuple(seen.values())


@lru_cache(maxsize=1)
def point_categories() -> tuple[PointCategory, ...]:
    """Return the 18 kinds of evaluation points."""
    return tuple(
        PointCategory(
            r["category"],
            r["name_zh"],
            r["name_en"],
            r["visit_window"],
            float(r["visits_per_week"]),
            float(r["service_minutes"]),
        )
        for r in _rows("point_categories")
    )


@lru_cache(maxsize=1)
def point_category_names() -> dict[str, tuple[str, ...]]:
    """Return the names by which files call each kind of evaluation point, the usual one first."""
    return {
        r["category"]: (r["name_zh"], r["name_en"], *r["aliases"].split())
        for r in _rows("point_categories")
    }


@lru_cache(maxsize=1)
def staff_sources() -> tuple[StaffSource, ...]:
    """Return the eight sources of grid staff."""
    return tuple(
        StaffSource(r["source"], r["name_zh"], r["name_en"], r["role"], r["unit_kind"])
        for r in _rows("staff_sources")
    )


def _terms(name: str, key: str) -> tuple[Term, ...]:
    return tuple(Term(r[key], r["name_zh"], r["name_en"], r.get("group", "")) for r in _rows(name))


@lru_cache(maxsize=1)
def roles() -> tuple[Term, ...]:
    """Return the roles of persons."""
    return _terms("roles", "role")


def term_names(terms: Iterable[Term | StaffSource]) -> dict[str, tuple[str, str]]:
    """Return key to Chinese and English name, as imports take lists of known terms."""
    return {t.key: (t.zh, t.en) for t in terms}


@lru_cache(maxsize=1)
def unit_kinds() -> tuple[Term, ...]:
    """Return the kinds of units; ``unit_kind`` of an issue class names one of them."""
    return _terms("unit_kinds", "kind")


@lru_cache(maxsize=1)
def intake_channels() -> tuple[Term, ...]:
    """Return the ways in which a case comes in."""
    return _terms("intake_channels", "channel")
