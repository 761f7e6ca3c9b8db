"""The coverage map: territory, cells by staff, vacancies, points by kind and by last visit."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from gridsvc.analysis.results import CoverageResult
from gridsvc.errors import Language
from maps import document, encoding, formats, themes
from maps.coverage_known import Known
from maps.coverage_lists import figures, lists
from maps.coverage_signs import signs
from maps.document import Document, fact, rows
from maps.ground import ground
from maps.messages import Both, both
from maps.offline import OfflineMap
from maps.page import Assets, Page, Text

_SUMS = (
    "staff", "vacancies", "population", "area_m2", "points", "points_visited",
    "points_without_person",
)  # fmt: skip


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
    cells, level, notes = _drawable(result)
    known = Known.of(result)
    layer = document.cell_layer(
        cells, _cell_themes(result, cells, page, known, level), _cell_cards(cells, page, known),
        level=level,
    )  # fmt: skip
    overlays = document.edge_layers(result.areas)
    overlays += signs(result, page, known)
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
        figures=figures(result, known),
        missing=known.missing,
        notes=notes,
        cells=layer,
        drawn_base=ground(result.streets, result.exclusions),
        overlays=overlays,
        lists=lists(result, page, known),
    )


def _drawable(result: CoverageResult) -> tuple[gpd.GeoDataFrame, document.Level, list[Text]]:
    """Return the cells, or communities or subdistricts where there are too many cells."""
    cells = result.cells
    level = document.level_to_draw(cells)
    if level == "cell":
        return cells, level, []
    numbers = [c for c in cells.columns if c.startswith("role_")]
    numbers += [c for c in _SUMS if c in cells.columns]
    grouped = cells.groupby(f"{level}_code", sort=True)
    table = grouped[numbers].sum(min_count=1)
    for above in ("community", "subdistrict")[("community", "subdistrict").index(level) :]:
        table[f"{above}_name"] = grouped[f"{above}_name"].first()
    table["name"] = table[f"{level}_name"]
    drawn = result.areas[result.areas["level"] == level].set_index("code").geometry
    shapes = drawn.reindex(table.index)
    if shapes.isna().any():
        shapes = grouped.geometry.agg(lambda g: document.joined(g.to_numpy()))
    merged = gpd.GeoDataFrame(table, geometry=np.asarray(shapes, dtype=object), crs=cells.crs)
    return merged, level, [document.aggregated(level, len(merged))]


def _roles(cells: pd.DataFrame) -> list[str]:
    return [c.removeprefix("role_") for c in cells.columns if c.startswith("role_")]


def _cell_themes(
    result: CoverageResult,
    cells: gpd.GeoDataFrame,
    page: Page,
    known: Known,
    level: document.Level,
) -> list[Document]:
    persons = both("unit_persons")

    def called(what: Both, per_cell: Both) -> Both:
        """Return the label of a theme; sums are not called values per cell."""
        if level == "cell":
            return per_cell
        return both("sum_by_area", what=what, areas=both(f"{level}_many"))

    staff = called(both("staff"), both("staff_per_cell"))
    if known.duties:
        made = [themes.sequential("staff", staff, cells["staff"], unit=persons, zero=both("zero"))]
    else:
        nothing: Document = {"label": both("not_imported"), "color": None, "hatch": "back"}
        made = [themes.theme("staff", staff, [nothing], [0] * len(cells))]
    required = set(result.required_roles)
    roles = _roles(cells) if known.duties else []
    for role in sorted(roles, key=lambda r: (r not in required, r)):
        name = page.name("role", role)
        what: Both = name if isinstance(name, dict) else {"zh": name, "en": name}
        label = called(what, both("role_per_cell", role=name))
        values = cells[f"role_{role}"]
        zero = both("zero") if role in required else "0"
        made.append(themes.sequential(f"role-{role}", label, values, unit=persons, zero=zero))
        if role not in required:
            _quiet_zero(made[-1])
    if "population" in cells and cells["population"].notna().any():
        made.append(
            themes.sequential(
                "population",
                called(both("population"), both("population_per_cell")),
                cells["population"],
                unit=persons,
            )
        )
    return made


def _quiet_zero(theme: Document) -> None:
    """Make zero of a role that is not required plain: it is no fault."""
    theme["classes"][0] = {**theme["classes"][0], "color": "#FFFFFF", "hatch": None}


def _cell_cards(cells: gpd.GeoDataFrame, page: Page, known: Known) -> list[Document]:
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
    columns = ["points"]
    columns += ["points_without_person"] if known.duties else []
    columns += ["points_visited"] if known.visits else []
    for column in columns:
        if column in cells:
            cards.append(rows(both(column), document.plain(cells[column])))
    return cards
