"""Figures and lists of the coverage map, each of what is *not* covered."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from gridsvc.analysis.results import CoverageResult
from maps import encoding, formats, wording
from maps.coverage_known import Known, called
from maps.coverage_signs import held_by, units_of
from maps.document import Document, figure, listing, shown
from maps.messages import both
from maps.page import Page, Text


def figures(result: CoverageResult, known: Known) -> list[Document]:
    """Return the large figures; each leads to the list of what it lacks."""
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
                "uncovered" if len(result.uncovered_territory) else None,
            )
        )
    filled = int((result.cells["vacancies"].fillna(0) == 0).sum())
    total = len(result.points)
    on_time = total - len(result.points_not_visited)
    made.append(_ratio("cells_filled", filled, len(result.cells), known.duties, "vacant"))
    made.append(_persons(result, known))
    made.append(_ratio("points_on_time", on_time, total, known.visits, "not-visited"))
    return made


def _persons(result: CoverageResult, known: Known) -> Document:
    by = held_by(result.points)
    total, units = len(by), int((by == 2).sum())
    if not known.duties:
        note = both("not_imported")
        if units:
            note = both("units_without_duties", n=f"{units:,}", total=f"{total:,}")
        return figure("points_with_person", "—", note)
    named, none = int((by < 2).sum()), int((by == 3).sum())
    made = _ratio("points_with_person", named, total, True, "unnamed")
    if named < total:
        made["note"] = both(
            "person_note", n=f"{named:,}", total=f"{total:,}", units=f"{units:,}", none=f"{none:,}"
        )
    return made


def _ratio(key: str, part: int, total: int, known: bool, leads: str) -> Document:
    if not known:
        return figure(key, "—", both("not_imported"))
    share = part / total if total else None
    return figure(
        key,
        formats.percent(share),
        both("of_total", n=f"{part:,}", total=f"{total:,}"),
        None if total == 0 else "good" if part == total else "bad",
        leads if part < total else None,
    )


def lists(result: CoverageResult, page: Page, known: Known) -> list[Document]:
    """Return the lists of what is not covered; each row leads to its place on the map."""
    good = both("list_empty_good")
    who = good if known.duties else both("duties_missing")
    when = good if known.visits else both("visits_missing")
    made = [
        *_roles(result, page, known, who),
        _unnamed(result, page, known, who),
        listing(
            both("points_not_visited"), [both("name"), both("category"), both("last_visit")],
            _late(result, page) if known.visits else [],
            empty=when, key="not-visited",
        ),
    ]  # fmt: skip
    if len(result.uncovered_territory):
        made.insert(0, _uncovered_list(result))
    return made


def _roles(result: CoverageResult, page: Page, known: Known, who: Text) -> list[Document]:
    names = called(result)
    above = result.cells.get("community_name", pd.Series(dtype="str"))
    concerned = [*result.vacant_cells["cell_code"], *result.doubled_cells["cell_code"]]
    there = [code for code in dict.fromkeys(concerned) if code in result.cells.index]
    flat = encoding.inner_points(result.cells.loc[there].geometry.to_numpy()) if there else []
    places = {code: flat[2 * i : 2 * i + 2] for i, code in enumerate(there)}

    def record(code: Any, *values: Text | int) -> Document:
        community = shown(above.get(code, "")) or "—"
        made: Document = {
            "values": [names.get(str(code), str(code)), community, *values], "cell": str(code),
        }  # fmt: skip
        if code in places:
            made["xy"] = places[code]
        return made

    vacant = [
        {**record(c, page.name("role", r)), "sign": ["vacancies", str(c)]}
        for c, r in zip(result.vacant_cells["cell_code"], result.vacant_cells["role"], strict=True)
    ]
    doubled = [
        record(c, page.name("role", r), int(n))
        for c, r, n in zip(
            result.doubled_cells["cell_code"],
            result.doubled_cells["role"],
            result.doubled_cells["count"],
            strict=True,
        )
    ]
    required = wording.joined([page.name("role", r) for r in result.required_roles])
    columns: list[Text] = [both("cell"), both("community"), both("role")]
    return [
        listing(
            both("vacant_cells"), columns, vacant if known.duties else [], empty=who,
            explain=both("vacant_explain", roles=required), key="vacant",
        ),
        listing(
            both("doubled_cells"), [*columns, both("count")], doubled, empty=who, key="doubled"
        ),
    ]  # fmt: skip


def _unnamed(result: CoverageResult, page: Page, known: Known, who: Text) -> Document:
    if known.duties:
        table = result.points_without_person
        made = _points(table, result.points, page, "unnamed", units_of(table, page))
        return listing(
            both("points_without_person"), [both("name"), both("category"), both("answering_unit")],
            made, empty=both("list_empty_good"), explain=both("unnamed_explain"), key="unnamed",
        )  # fmt: skip
    if not known.holders:
        return listing(
            both("points_without_person"), [both("name"), both("category")], [], empty=who,
            key="unnamed",
        )  # fmt: skip
    table = result.points[~result.points["responsible"]]
    return listing(
        both("points_without_unit"), [both("name"), both("category")],
        _points(table, result.points, page, "points"), empty=both("list_empty_good"),
        key="unnamed",
    )  # fmt: skip


def _late(result: CoverageResult, page: Page) -> list[Document]:
    table = result.points_not_visited
    days = result.points["days_since"].reindex(table.index).to_numpy(np.float64, na_value=np.nan)
    last: list[Text] = [
        both("visit_never") if np.isnan(day) else both("days_ago", n=int(day)) for day in days
    ]
    return _points(table, result.points, page, "points", last)


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
        empty=both("list_empty_good"), key="uncovered",
    )  # fmt: skip


def _points(
    table: pd.DataFrame,
    points: gpd.GeoDataFrame,
    page: Page,
    layer: str,
    last: list[Text] | None = None,
) -> list[Document]:
    """Return rows of points that open their sign in a layer; ``last`` fills a third column."""
    records = []
    for i, (key, name, category) in enumerate(
        zip(table.index, table["name"], table["category"], strict=True)
    ):
        values: list[Any] = [shown(name) or str(key), page.name("category", category)]
        if last is not None:
            values.append(last[i])
        record: Document = {"values": values}
        shape = points.geometry.get(key) if key in points.index else None
        if shape is not None and not shape.is_empty:
            record["xy"] = encoding.point(shape)
            record["sign"] = [layer, str(key)]
        records.append(record)
    return records
