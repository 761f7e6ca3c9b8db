"""The coverage map: territory, cells by staff, vacancies, points by kind and by last visit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.analysis.results import CoverageResult
from gridsvc.errors import Language
from maps import document, encoding, formats, palette, themes, wording
from maps.document import Document, fact, figure, listing, rows, shown
from maps.messages import both
from maps.offline import OfflineMap
from maps.page import Assets, Page, Text

_VISITS: tuple[tuple[str, float, str, str], ...] = (
    ("visit_week", 7.0, "#1B7837", "circle"),
    ("visit_month", 30.0, "#7FBF7B", "square"),
    ("visit_older", np.inf, "#E69F00", "triangle"),
)
_OLDER = 2
"""Position of the first kind of visit that calls for attention."""


def coverage_map(
    result: CoverageResult,
    *,
    language: Language = "zh",
    assets: Assets = "inline",
    asset_base: str = "/static",
    page: Page | None = None,
) -> OfflineMap:
    """Draw who covers what, and what nobody covers.

    Parameters
    ----------
    result : CoverageResult
        Finished; nothing is queried here.
    language : {"zh", "en"}
        Shown first; the page can switch.
    assets : {"url", "inline"}
        Refer to served assets, or one file that opens anywhere.
    asset_base : str
        Where the assets are served.
    page : Page, optional
        Controls, links, display names.

    Returns
    -------
    OfflineMap
        A ``folium.Map``.
    """
    drawn = coverage_document(result, language=language, page=page or Page())
    return OfflineMap(drawn, assets=assets, asset_base=asset_base)


def coverage_document(result: CoverageResult, *, language: Language, page: Page) -> Document:
    """Return what the coverage map draws."""
    cells, notes = _drawable(result)
    known = _Known.of(result)
    layer, simplified = document.cell_layer(
        cells, _cell_themes(result, cells, page, known), _cell_cards(cells, page, known)
    )
    overlays = document.edge_layers(result.areas)
    if known.duties:
        overlays += _vacancies(result, cells, page)
    overlays += _uncovered(result)
    overlays += _points(result, page, known)
    return document.compose(
        "coverage",
        page,
        language=language,
        title=both("coverage_title"),
        question=both("coverage_question"),
        bounds=encoding.bounds(result.cells.geometry.to_numpy()),
        facts=[
            fact("plan", page.plan_text(result.plan_id)),
            fact("as_of", formats.instant(result.as_of, page.timezone)),
            fact("sample_size", both("n_cells", n=f"{len(result.cells):,}")),
            fact("points", both("n_points", n=f"{len(result.points):,}")),
        ],
        figures=_figures(result, known),
        missing=known.missing,
        notes=[*notes, *simplified],
        cells=layer,
        drawn_base=document.base(result.streets, result.exclusions),
        overlays=overlays,
        lists=_lists(result, page, known),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """Which records were imported; what rests on others is unknown, which is not 0."""

    duties: bool
    visits: bool
    holders: bool
    """Who answers for points: from duties, or from units on the points themselves."""

    @classmethod
    def of(cls, result: CoverageResult) -> Self:
        """Return what a result says; all of it when it says nothing."""
        loaded: Mapping[str, bool] = getattr(result, "loaded", None) or {}
        duties, visits = bool(loaded.get("duties", True)), bool(loaded.get("visits", True))
        return cls(duties, visits, duties or bool(result.points["responsible"].any()))

    @property
    def missing(self) -> list[Document]:
        """What the page says above its figures."""
        keys = [("duties_missing", self.duties), ("visits_missing", self.visits)]
        return [{"text": both(key)} for key, there in keys if not there]


def _drawable(result: CoverageResult) -> tuple[gpd.GeoDataFrame, list[Text]]:
    """Return the cells, or the communities where there are too many cells."""
    cells = result.cells
    if len(cells) <= document.MANY_CELLS:
        return cells, []
    numbers = [c for c in cells.columns if c.startswith("role_")]
    numbers += [
        c
        for c in ("staff", "vacancies", "population", "area_m2", "points", "points_visited")
        if c in cells.columns
    ]
    grouped = cells.groupby("community_code", sort=True)
    table = grouped[numbers].sum(min_count=1)
    for column in ("community_name", "subdistrict_name"):
        table[column] = grouped[column].first()
    shapes = [shapely.coverage_union_all(g.geometry.to_numpy()) for _, g in grouped]
    table["name"] = table["community_name"]
    merged = gpd.GeoDataFrame(table, geometry=shapes, crs=cells.crs)
    return merged, [both("aggregated", limit=f"{document.MANY_CELLS:,}", n=f"{len(merged):,}")]


def _roles(cells: pd.DataFrame) -> list[str]:
    return [c.removeprefix("role_") for c in cells.columns if c.startswith("role_")]


def _cell_themes(
    result: CoverageResult, cells: gpd.GeoDataFrame, page: Page, known: _Known
) -> list[Document]:
    persons = both("unit_persons")
    if known.duties:
        made = [
            themes.sequential(
                "staff", both("staff_per_cell"), cells["staff"], unit=persons, zero=both("zero")
            )
        ]
    else:
        nothing: Document = {"label": both("not_imported"), "color": None, "hatch": "back"}
        made = [themes.theme("staff", both("staff_per_cell"), [nothing], [0] * len(cells))]
    required = set(result.required_roles)
    roles = _roles(cells) if known.duties else []
    for role in sorted(roles, key=lambda r: (r not in required, r)):
        label = both("role_per_cell", role=page.name("role", role))
        values = cells[f"role_{role}"]
        zero = both("zero") if role in required else "0"
        made.append(themes.sequential(f"role-{role}", label, values, unit=persons, zero=zero))
        if role not in required:
            _quiet_zero(made[-1])
    if "population" in cells and cells["population"].notna().any():
        made.append(
            themes.sequential(
                "population", both("population_per_cell"), cells["population"], unit=persons
            )
        )
    return made


def _quiet_zero(theme: Document) -> None:
    """Make zero of a role that is not required plain: it is no fault."""
    theme["classes"][0] = {**theme["classes"][0], "color": "#FFFFFF", "hatch": None}


def _cell_cards(cells: gpd.GeoDataFrame, page: Page, known: _Known) -> list[Document]:
    cards = document.parents(cells)
    if known.duties:
        cards.append(rows(both("staff_total"), document.plain(cells["staff"])))
        for role in _roles(cells):
            label = both("of_them", role=page.name("role", role))
            cards.append(rows(label, document.plain(cells[f"role_{role}"])))
        cards.append(rows(both("vacancies"), document.plain(cells["vacancies"])))
    else:
        cards.append(rows(both("staff_total"), [both("not_imported")] * len(cells)))
    if "population" in cells:
        cards.append(rows(both("population"), document.plain(cells["population"])))
    if "area_m2" in cells:
        areas = ["—" if formats.missing(v) else formats.area(float(v)) for v in cells["area_m2"]]
        cards.append(rows(both("area"), areas))
    for column in ("points", "points_visited") if known.visits else ("points",):
        if column in cells:
            cards.append(rows(both(column), document.plain(cells[column])))
    return cards


def _vacancies(result: CoverageResult, cells: gpd.GeoDataFrame, page: Page) -> list[Document]:
    empty = cells[cells["vacancies"].fillna(0) > 0]
    if not len(empty):
        return []
    at = encoding.inner_points(empty.geometry.to_numpy())
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
        [rows(both("vacancies"), [wording.joined(missing.get(str(c), [])) for c in empty.index])],
        radius=9,
    )  # fmt: skip
    layer["xy"] = at
    return [layer]


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


def _points(result: CoverageResult, page: Page, known: _Known) -> list[Document]:
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
    if not known.visits:
        unknown: Document = {"label": both("not_imported"), "color": "#6B7280", "shape": "circle"}
        by_visit = themes.theme("last-visit", both("by_last_visit"), [unknown], [0] * len(points))
    by_kind = themes.categories(
        "category", both("by_category"), [str(c) for c in points["category"]], names
    )
    called = _called(result)
    cards = [
        rows(both("category"), names),
        rows(both("cell"), [called.get(str(c), shown(c) or "—") for c in points["cell_code"]]),
        rows(both("cell_code"), [shown(c) or "—" for c in points["cell_code"]]),
    ]
    if known.visits:
        visits = [
            both("visit_never") if formats.missing(v) else formats.instant(v, page.timezone)
            for v in points["last_visit"]
        ]
        cards.append(rows(both("last_visit"), visits))
        cards.append(rows(both("due"), [both("yes" if v else "no") for v in points["due"]]))
    if known.holders:
        held = [both("yes" if v else "no") for v in points["responsible"]]
        cards.append(rows(both("responsible"), held))
    return [
        document.point_layer(
            "points", both("evaluation_points"), both("evaluation_point"),
            points.geometry.to_numpy(), [shown(n) for n in points["name"]],
            [str(c) for c in points.index], [by_visit, by_kind], cards, radius=5,
            far=np.flatnonzero(index >= _OLDER).tolist() if known.visits else None,
        )
    ]  # fmt: skip


def _figures(result: CoverageResult, known: _Known) -> list[Document]:
    summary: dict[str, Any] = result.summary
    made: list[Document] = []
    territory = summary.get("territory")
    if isinstance(territory, dict):
        lost = float(territory.get("uncovered_m2", 0.0))
        made.append(
            figure(
                "territory_covered",
                formats.percent(territory.get("share"), 2),
                both("territory_note", area=formats.area(lost)) if lost > 0 else None,
                "bad" if lost > 0 else "good",
            )
        )
    filled = int((result.cells["vacancies"].fillna(0) == 0).sum())
    total = len(result.points)
    held = total - len(result.points_without_person)
    on_time = total - len(result.points_not_visited)
    made.append(_ratio("cells_filled", filled, len(result.cells), known.duties))
    made.append(_ratio("points_with_person", held, total, known.holders))
    made.append(_ratio("points_on_time", on_time, total, known.visits))
    return made


def _ratio(key: str, part: int, total: int, known: bool) -> Document:
    if not known:
        return figure(key, "—", both("not_imported"))
    share = part / total if total else None
    return figure(
        key,
        formats.percent(share),
        both("of_total", n=f"{part:,}", total=f"{total:,}"),
        None if total == 0 else "good" if part == total else "bad",
    )


def _called(result: CoverageResult) -> dict[str, Text]:
    """Return the name of each cell by its code."""
    names = document.cell_names(result.cells)
    return {str(code): name for code, name in zip(result.cells.index, names, strict=True)}


def _lists(result: CoverageResult, page: Page, known: _Known) -> list[Document]:
    good = both("list_empty_good")
    who = good if known.duties else both("duties_missing")
    when = good if known.visits else both("visits_missing")
    code, name, role = both("code"), both("name"), both("role")
    called = _called(result)
    vacant = [
        {"values": [called.get(str(c), str(c)), page.name("role", r)], "cell": str(c)}
        for c, r in zip(result.vacant_cells["cell_code"], result.vacant_cells["role"], strict=True)
    ]
    doubled = [
        {"values": [str(c), page.name("role", r), int(n)], "cell": str(c)}
        for c, r, n in zip(
            result.doubled_cells["cell_code"],
            result.doubled_cells["role"],
            result.doubled_cells["count"],
            strict=True,
        )
    ]
    required = wording.joined([page.name("role", r) for r in result.required_roles])
    made = [
        listing(
            both("vacant_cells"), [name, role], vacant if known.duties else [], empty=who,
            explain=both("vacant_explain", roles=required),
        ),
        listing(both("doubled_cells"), [code, role, both("count")], doubled, empty=who),
        listing(
            both("points_without_person"), [name, both("category")],
            _point_rows(result.points_without_person, result.points, page) if known.holders else [],
            empty=good if known.holders else who,
        ),
        listing(
            both("points_not_visited"), [name, both("category"), both("last_visit")],
            _point_rows(result.points_not_visited, result.points, page, visits=True)
            if known.visits
            else [],
            empty=when,
        ),
    ]  # fmt: skip
    if len(result.uncovered_territory):
        made.insert(0, _uncovered_list(result))
    return made


def _uncovered_list(result: CoverageResult) -> Document:
    pieces = result.uncovered_territory
    at = encoding.inner_points(pieces.geometry.to_numpy())
    sizes = pieces["area_m2"] if "area_m2" in pieces else [np.nan] * len(pieces)
    records = [
        {
            "values": [
                both("piece", n=i + 1),
                "—" if formats.missing(size) else formats.area(float(size)),
            ],
            "xy": at[2 * i : 2 * i + 2],
        }
        for i, size in enumerate(sizes)
    ]
    return listing(
        both("uncovered_territory"), [both("name"), both("area")], records,
        empty=both("list_empty_good"),
    )  # fmt: skip


def _point_rows(
    table: pd.DataFrame, points: gpd.GeoDataFrame, page: Page, *, visits: bool = False
) -> list[Document]:
    records = []
    for key, name, category in zip(table.index, table["name"], table["category"], strict=True):
        values: list[Any] = [shown(name), page.name("category", category)]
        record: Document = {"values": values}
        if key in points.index:
            row = points.loc[key]
            if visits:
                days = row["days_since"]
                values.append(
                    both("visit_never")
                    if formats.missing(days)
                    else both("days_ago", n=int(float(days)))
                )
            if row.geometry is not None and not row.geometry.is_empty:
                record["xy"] = encoding.point(row.geometry)
        elif visits:
            values.append("—")
        records.append(record)
    return records
