"""What lies over the cells of the coverage map: vacancies, points, uncovered pieces."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from gridsvc.analysis.results import CoverageResult
from maps import document, encoding, formats, palette, themes, wording
from maps.coverage_known import Known, called
from maps.document import Document, rows, shown
from maps.messages import both
from maps.page import Page, Text

_VISITS: tuple[tuple[str, float, str, str], ...] = (
    ("visit_week", 7.0, "#1B7837", "circle"),
    ("visit_month", 30.0, "#7FBF7B", "square"),
    ("visit_older", np.inf, "#E69F00", "triangle"),
)
_OLDER = 2
"""Position of the first kind of visit that calls for attention."""


PERSONS = (
    ("point", "person_point", "#1B7837", "circle"),
    ("cell", "person_cell", "#7FBF7B", "square"),
    ("unit", "person_unit", palette.DUE, "box"),
    ("", "person_none", palette.OVERDUE, "box"),
)
"""``responsible_by``: its phrase, colour and sign; the last two are no named person."""
_UNNAMED = 2


def signs(result: CoverageResult, page: Page, known: Known) -> list[Document]:
    """Return the layers over the cells, those that call for attention on top."""
    made = _uncovered(result)
    made += _points(result, page, known)
    if known.duties:
        made += _vacancies(result, page)
        made += _unnamed(result, page)
    return made


def held_by(points: gpd.GeoDataFrame) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return for each point its position in ``PERSONS``."""
    keys = [key for key, _, _, _ in PERSONS]
    column = (
        points["responsible_by"] if "responsible_by" in points else pd.Series(index=points.index)
    )
    return np.asarray(
        [keys.index("" if formats.missing(v) else str(v)) for v in column], dtype=np.int64
    )


def units_of(points: pd.DataFrame, page: Page) -> list[Text]:
    """Return the unit that answers for each point, by name where it is known."""
    if "answering_unit" not in points:
        return ["—"] * len(points)
    return ["—" if formats.missing(v) else page.name("unit", v) for v in points["answering_unit"]]


def _vacancies(result: CoverageResult, page: Page) -> list[Document]:
    cells = result.cells
    empty = cells[cells["vacancies"].fillna(0) > 0]
    if not len(empty):
        return []
    missing: dict[str, list[Text]] = {}
    for code, role in zip(
        result.vacant_cells["cell_code"], result.vacant_cells["role"], strict=True
    ):
        missing.setdefault(str(code), []).append(page.name("role", role))
    theme = themes.theme(
        "vacancies",
        both("vacancy_rings"),
        [{"label": both("vacant_cells"), "color": palette.OVERDUE, "shape": "ring"}],
        [0] * len(empty),
    )
    layer = document.point_layer(
        "vacancies", both("vacancy_rings"), both("cell"), [],
        document.cell_names(empty), [str(c) for c in empty.index], [theme],
        [
            *document.parents(empty),
            rows(both("vacancies"), [wording.joined(missing.get(str(c), [])) for c in empty.index]),
        ],
        radius=9,
    )  # fmt: skip
    layer["xy"] = encoding.inner_points(empty.geometry.to_numpy())
    return [layer]


def _unnamed(result: CoverageResult, page: Page) -> list[Document]:
    """Return the points without a named person as a layer of its own, drawn at every zoom."""
    by = held_by(result.points)
    placed = ~(result.points.geometry.isna() | result.points.geometry.is_empty).to_numpy()
    chosen = placed & (by >= _UNNAMED)
    points = result.points[chosen]
    if not len(points):
        return []
    label = both("points_without_person")
    classes = [
        {"label": both(key), "color": color, "shape": shape}
        for _, key, color, shape in PERSONS[_UNNAMED:]
    ]
    theme = themes.theme("unnamed", label, classes, (by[chosen] - _UNNAMED).tolist())
    theme["classes"] = [one for one in theme["classes"] if one["count"]]
    if len(theme["classes"]) < len(classes):
        theme["index"] = [0] * len(points)
    names = called(result)
    cards = [
        rows(both("category"), [page.name("category", c) for c in points["category"]]),
        rows(both("cell"), [names.get(str(c), shown(c) or "—") for c in points["cell_code"]]),
        rows(both("responsible"), [both(PERSONS[i][1]) for i in by[chosen]]),
        rows(both("answering_unit"), units_of(points, page)),
    ]
    return [
        document.point_layer(
            "unnamed", label, both("evaluation_point"), points.geometry.to_numpy(),
            [shown(n) for n in points["name"]], [str(c) for c in points.index], [theme], cards,
            radius=8,
        )
    ]  # fmt: skip


def _uncovered(result: CoverageResult) -> list[Document]:
    pieces = result.uncovered_territory
    if not len(pieces):
        return []
    label = both("uncovered_territory")
    theme = themes.theme(
        "uncovered",
        label,
        [{"label": label, "color": palette.OVERDUE, "hatch": "cross"}],
        [0] * len(pieces),
    )
    return [
        {
            "type": "areas",
            "key": "uncovered",
            "label": label,
            "on": True,
            "geometry": [encoding.area(shape) for shape in pieces.geometry],
            "names": [both("piece", n=i) for i in range(1, len(pieces) + 1)],
            "theme": theme,
            "opacity": 0.35,
        }
    ]


def _points(result: CoverageResult, page: Page, known: Known) -> list[Document]:
    points = result.points[~(result.points.geometry.isna() | result.points.geometry.is_empty)]
    if not len(points):
        return []
    names = [page.name("category", c) for c in points["category"]]
    days = points["days_since"].to_numpy(dtype=np.float64, na_value=np.nan)
    index = np.full(len(points), len(_VISITS), dtype=np.int64)
    seen = np.isfinite(days)
    index[seen] = np.searchsorted([limit for _, limit, _, _ in _VISITS[:2]], days[seen])
    classes: list[Document] = [
        {"label": both(key), "color": color, "shape": shape} for key, _, color, shape in _VISITS
    ]
    classes.append({"label": both("visit_never"), "color": palette.OVERDUE, "shape": "hollow"})
    by_visit = themes.theme("last-visit", both("by_last_visit"), classes, index.tolist())
    by_visit["far"] = np.flatnonzero(index >= _OLDER).tolist()
    by_visit["far_note"] = both("far_visits")
    if not known.visits:
        unknown: Document = {"label": both("not_imported"), "color": "#6B7280", "shape": "circle"}
        by_visit = themes.theme("last-visit", both("by_last_visit"), [unknown], [0] * len(points))
    by_kind = themes.categories(
        "category", both("by_category"), [str(c) for c in points["category"]], names
    )
    choices = [by_visit, *_by_person(points, known), by_kind]
    names_of = called(result)
    cards = [
        rows(both("category"), names),
        rows(both("cell"), [names_of.get(str(c), shown(c) or "—") for c in points["cell_code"]]),
        rows(both("cell_code"), [shown(c) or "—" for c in points["cell_code"]]),
    ]
    if known.visits:
        visits = [
            both("visit_never") if formats.missing(v) else formats.instant(v, page.timezone)
            for v in points["last_visit"]
        ]
        cards.append(rows(both("last_visit"), visits))
        cards.append(rows(both("due"), [both("yes" if v else "no") for v in points["due"]]))
    if known.duties:
        cards.append(rows(both("responsible"), [both(PERSONS[i][1]) for i in held_by(points)]))
    if known.holders:
        cards.append(rows(both("answering_unit"), units_of(points, page)))
    return [
        document.point_layer(
            "points", both("evaluation_points"), both("evaluation_point"),
            points.geometry.to_numpy(), [shown(n) for n in points["name"]],
            [str(c) for c in points.index], choices, cards, radius=5,
        )
    ]  # fmt: skip


def _by_person(points: gpd.GeoDataFrame, known: Known) -> list[Document]:
    if not known.duties:
        return []
    by = held_by(points)
    classes = [{"label": both(key), "color": color, "shape": shape}
               for _, key, color, shape in PERSONS]  # fmt: skip
    made = themes.theme("person", both("by_person"), classes, by.tolist())
    made["far"] = np.flatnonzero(by >= _UNNAMED).tolist()
    made["far_note"] = both("far_persons")
    return [made]
