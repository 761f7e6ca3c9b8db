"""The plan map: the cells of one version and, in red, exactly where its certificate fails."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from gridsvc.errors import Language
from gridsvc.plan.version import PlanVersion, Standing
from maps import document, encoding, formats, themes
from maps.document import Document, fact, figure, listing, rows
from maps.ground import ground
from maps.messages import Both, both
from maps.offline import OfflineMap
from maps.page import Assets, Page, Text


def plan_map(
    plan: PlanVersion,
    cells: gpd.GeoDataFrame,
    *,
    findings: gpd.GeoDataFrame | None = None,
    areas: gpd.GeoDataFrame | None = None,
    exclusions: gpd.GeoDataFrame | None = None,
    streets: gpd.GeoDataFrame | None = None,
    language: Language = "zh",
    assets: Assets = "inline",
    asset_base: str = "/static",
    page: Page | None = None,
    standing: Standing | None = None,
) -> OfflineMap:
    """Draw a plan version with the findings of its certificate.

    Parameters
    ----------
    plan : PlanVersion
    cells : GeoDataFrame
        Contract CELLS.
    findings : GeoDataFrame, optional
        Of the certificate: columns ``rule, severity, cells, measure, unit, message_zh,
        message_en`` and geometry in EPSG:4490. ``None``: no certificate was made.
    areas, exclusions, streets : GeoDataFrame, optional
        Contracts AREAS, EXCLUSIONS and STREETS.
    language, assets, asset_base, page
        As in ``coverage_map``.
    standing : Standing, optional
        Where a published version stands now; shown instead of its status.

    Returns
    -------
    OfflineMap
        A ``folium.Map``.
    """
    drawn = plan_document(
        plan,
        cells,
        findings=findings,
        areas=areas,
        exclusions=exclusions,
        streets=streets,
        language=language,
        page=page or Page(),
        standing=standing,
    )
    return OfflineMap(drawn, assets=assets, asset_base=asset_base)


def plan_document(
    plan: PlanVersion,
    cells: gpd.GeoDataFrame,
    *,
    findings: gpd.GeoDataFrame | None,
    areas: gpd.GeoDataFrame | None,
    exclusions: gpd.GeoDataFrame | None,
    streets: gpd.GeoDataFrame | None,
    language: Language,
    page: Page,
    standing: Standing | None = None,
) -> Document:
    """Return what the plan map draws."""
    frame, notes = cells, []
    level = document.level_to_draw(cells)
    if level != "cell" and areas is not None and (areas["level"] == level).any():
        frame = areas[areas["level"] == level].set_index("code")
        notes.append(document.aggregated(level, len(frame)))
    else:
        level = "cell"
    layer = document.cell_layer(frame, _themes(frame), _cards(frame), initial=-1, level=level)
    edges = document.edge_layers(areas) if areas is not None else []
    if not edges:
        edges = document.derived_edges(cells)
    count = None if findings is None else len(findings)
    verdict: Both = both("certificate_missing")
    if count is not None:
        verdict = both("certificate_ok") if count == 0 else both("certificate_bad", n=count)
    numbered = findings if findings is not None else None
    return document.compose(
        "plan",
        page,
        language=language,
        title=both("plan_title"),
        question=both("plan_question"),
        bounds=encoding.bounds(cells.geometry.to_numpy()),
        facts=[
            fact("plan", page.plan_text(plan.id) if page.plan_title else _title(plan)),
            fact("status", both(f"status_{(standing or plan.status).value}")),
            fact("effective_from", formats.instant(plan.effective_from, page.timezone)),
            fact("certificate", verdict),
            fact("sample_size", both("n_cells", n=f"{len(cells):,}")),
            fact("updated_at", formats.instant(plan.published_at or plan.created_at,
                                               page.timezone)),
        ],
        figures=_figures(cells, count, verdict),
        notes=notes,
        cells=layer,
        drawn_base=ground(streets, exclusions),
        overlays=[*edges, *_findings(numbered)],
        lists=[_list(numbered)],
    )  # fmt: skip


def _title(plan: PlanVersion) -> str:
    return f"{plan.title} ({plan.id})" if plan.title else plan.id


def _figures(cells: gpd.GeoDataFrame, count: int | None, verdict: Both) -> list[Document]:
    made = [
        figure("certificate", verdict, None, None if count is None else "bad" if count else "good"),
        figure("cells_count", f"{len(cells):,}"),
    ]
    for level in ("community", "subdistrict"):
        column = f"{level}_code"
        if column in cells.columns:
            key = "communities_count" if level == "community" else "subdistricts_count"
            made.append(figure(key, f"{cells[column].nunique():,}"))
    if "area_m2" in cells.columns and cells["area_m2"].notna().all():
        made.append(figure("territory_area", formats.area(float(cells["area_m2"].sum()))))
    return made


def _themes(cells: gpd.GeoDataFrame) -> list[Document]:
    made = []
    if "area_m2" in cells.columns and cells["area_m2"].notna().any():
        hectares = cells["area_m2"] / 10_000.0
        made.append(
            themes.sequential("area", both("cell_area"), hectares, unit=both("unit_ha"), digits=1)
        )
    if "population" in cells.columns and cells["population"].notna().any():
        made.append(
            themes.sequential(
                "population", both("population_per_cell"), cells["population"],
                unit=both("unit_persons"),
            )
        )  # fmt: skip
    return made


def _cards(cells: gpd.GeoDataFrame) -> list[Document]:
    cards = document.parents(cells)
    if "area_m2" in cells.columns:
        sizes = ["—" if formats.missing(v) else formats.area(float(v)) for v in cells["area_m2"]]
        cards.append(rows(both("area"), sizes))
    if "population" in cells.columns:
        cards.append(rows(both("population"), document.plain(cells["population"])))
    return cards


def _message(row: Any) -> Both:
    return {"zh": str(row.message_zh), "en": str(row.message_en)}


def _measure(row: Any) -> str:
    if formats.missing(row.measure):
        return "—"
    return f"{float(row.measure):,.6g} {row.unit or ''}".strip()


def _codes(value: Any) -> str:
    items = [value] if isinstance(value, str) else list(value) if value is not None else []
    text = ", ".join(str(v) for v in items[:6])
    return f"{text} … ({len(items)})" if len(items) > 6 else text


def _findings(findings: gpd.GeoDataFrame | None) -> list[Document]:
    if findings is None or not len(findings):
        return []
    features, names, kept = [], [], []
    for number, row in enumerate(findings.itertuples(index=False), start=1):
        shape = row.geometry
        if shape is None or shape.is_empty:
            continue
        feature: Document = {"number": number, "at": encoding.points(
            [shapely.point_on_surface(shape)])}  # fmt: skip
        if shape.area > 0:
            feature["areas"] = encoding.area(shape)
            # A sliver may vanish on the display lattice; its outline still shows where it is.
            feature["lines"] = encoding.lines(shape)
        elif shape.length > 0:
            feature["lines"] = encoding.lines(shape)
        features.append(feature)
        names.append(str(row.rule))
        kept.append(row)
    return [
        {
            "type": "findings",
            "key": "findings",
            "label": both("findings"),
            "on": True,
            "features": features,
            "names": names,
            "rows": [
                rows(both("message"), [_message(r) for r in kept]),
                rows(both("measure"), [_measure(r) for r in kept]),
                rows(both("cells_concerned"), [_codes(r.cells) for r in kept]),
                rows(both("severity"), [str(r.severity) for r in kept]),
            ],
        }
    ]


def _list(findings: gpd.GeoDataFrame | None) -> Document:
    records: list[Document] = []
    table = findings if findings is not None else pd.DataFrame()
    for number, row in enumerate(table.itertuples(index=False), start=1):
        values: list[Text | int] = [number, str(row.rule), _measure(row), _message(row)]
        record: Document = {"values": values}
        if row.geometry is not None and not row.geometry.is_empty:
            record["xy"] = encoding.points([shapely.point_on_surface(row.geometry)])
        records.append(record)
    empty = both("findings_none") if findings is not None else both("certificate_missing")
    columns: list[Text] = [both("order"), both("rule"), both("measure"), both("message")]
    return listing(both("findings"), columns, records, empty=empty)
