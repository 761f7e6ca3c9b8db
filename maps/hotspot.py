"""The hotspot map: Gi* per cell, density bands, reports, default-geocode piles set aside."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from gridsvc.analysis.results import HotspotResult
from gridsvc.errors import Language
from maps import document, encoding, formats, palette, themes, wording
from maps.document import Document, fact, figure, listing, rows
from maps.ground import ground
from maps.messages import both
from maps.offline import OfflineMap
from maps.page import Assets, Page, Text

POINTS_BELOW = 200
MOST_POINTS = 40_000
_ORDER = ("hot_99", "hot_95", "hot_90", "none", "cold_90", "cold_95", "cold_99", "not_tested")


def hotspot_map(
    result: HotspotResult,
    *,
    language: Language = "zh",
    assets: Assets = "inline",
    asset_base: str = "/static",
    page: Page | None = None,
    areas: gpd.GeoDataFrame | None = None,
    streets: gpd.GeoDataFrame | None = None,
    exclusions: gpd.GeoDataFrame | None = None,
) -> OfflineMap:
    """Draw where reports are significantly frequent or rare.

    Parameters
    ----------
    result : HotspotResult
        Finished; nothing is queried here.
    language, assets, asset_base, page
        As in ``coverage_map``.
    areas, streets, exclusions : GeoDataFrame, optional
        Contracts AREAS, STREETS and EXCLUSIONS, for boundaries and the base.

    Returns
    -------
    OfflineMap
        A ``folium.Map``.
    """
    drawn = hotspot_document(
        result,
        language=language,
        page=page or Page(),
        areas=areas,
        streets=streets,
        exclusions=exclusions,
    )
    return OfflineMap(drawn, assets=assets, asset_base=asset_base)


def hotspot_document(
    result: HotspotResult,
    *,
    language: Language,
    page: Page,
    areas: gpd.GeoDataFrame | None = None,
    streets: gpd.GeoDataFrame | None = None,
    exclusions: gpd.GeoDataFrame | None = None,
) -> Document:
    """Return what the hotspot map draws."""
    cells = result.cells
    notes: list[Text] = [wording.note(text) for text in result.notes]
    partial = len(cells) > document.MANY_CELLS
    if partial:
        cells, remark = _worth_drawing(cells)
        notes.append(remark)
    if result.points is not None and len(result.points) > MOST_POINTS:
        notes.append(both("points_capped", limit=f"{MOST_POINTS:,}", n=f"{len(result.points):,}"))
    layer = document.cell_layer(cells, [_classes(cells, result.cells)], _cards(result, cells))
    layer["partial"] = partial
    edges = document.edge_layers(areas) if areas is not None else []
    if not edges:
        edges = document.derived_edges(result.cells)
    overlays = [*_density(result), *edges, *_points(result, page), *_piles(result)]
    hot = int(result.cells["hotspot"].str.startswith("hot").sum())
    cold = int(result.cells["hotspot"].str.startswith("cold").sum())
    return document.compose(
        "hotspot",
        page,
        language=language,
        title=both("hotspot_title"),
        question=both("hotspot_question"),
        bounds=encoding.bounds(result.cells.geometry.to_numpy()),
        facts=_facts(result, page),
        figures=[
            figure("hot_cells", f"{hot:,}", both("n_cells", n=f"{len(result.cells):,}")),
            figure("cold_cells", f"{cold:,}"),
            figure("reports", f"{result.n:,}"),
            figure("set_aside", f"{result.n_set_aside:,}"),
        ],
        missing=[{"text": both("period_empty"), "reset": True}] if result.n == 0 else [],
        notes=notes,
        cells=layer,
        drawn_base=ground(streets, exclusions),
        overlays=overlays,
        lists=[_hot_list(result), _pile_list(result)],
    )


def _worth_drawing(cells: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, Text]:
    """Return the cells of a large city that say something, and the remark about the others."""
    limit = f"{document.MANY_CELLS:,}"
    kept = cells[cells["hotspot"] != "none"]
    if len(kept) <= document.MANY_CELLS:
        return kept, both("only_classified", limit=limit, n=f"{len(kept):,}")
    significant = kept[kept["hotspot"] != "not_tested"]
    strength = pd.to_numeric(significant["z"]).abs()
    strongest = strength.sort_values(ascending=False, kind="stable").index[: document.MANY_CELLS]
    kept = significant.loc[significant.index.isin(strongest)]
    return kept, both("only_strongest", limit=limit, n=f"{len(kept):,}")


def _classes(cells: gpd.GeoDataFrame, everything: gpd.GeoDataFrame) -> Document:
    """Return the classes of the cells drawn; their counts are those of all cells."""
    classes: list[Document] = []
    for key in _ORDER:
        one: Document = {
            "label": both("not_significant" if key == "none" else key),
            "color": palette.HOTSPOT[key],
        }
        if key == "not_tested":
            one["hatch"] = "diagonal"
        classes.append(one)
    place = {key: i for i, key in enumerate(_ORDER)}
    index = [place[str(value)] for value in cells["hotspot"]]
    made = themes.theme("gi-star", both("gi_star"), classes, index)
    counts = everything["hotspot"].value_counts()
    for key, one in zip(_ORDER, made["classes"], strict=True):
        one["count"] = int(counts.get(key, 0))
    return made


def _cards(result: HotspotResult, cells: gpd.GeoDataFrame) -> list[Document]:
    cards = [*document.parents(cells), rows(both("reports"), document.plain(cells["count"]))]
    if result.denominator != "none":
        cards.append(
            rows(
                {
                    language: f"{rate}({kind})" if language == "zh" else f"{rate} ({kind})"
                    for language, rate, kind in (
                        (code, both("rate")[code], both(f"denominator_{result.denominator}")[code])
                        for code in ("zh", "en")
                    )
                },
                [_digits(v, 4) for v in cells["rate"]],
            )
        )
    cards.append(rows(both("z_score"), [_digits(v, 2) for v in cells["z"]]))
    cards.append(rows(both("p_adjusted"), [_p(v) for v in cells["p_adjusted"]]))
    return cards


def _digits(value: object, digits: int) -> str:
    return "—" if formats.missing(value) else f"{float(value):.{digits}f}"  # type: ignore[arg-type]


def _p(value: object) -> str:
    if formats.missing(value):
        return "—"
    p = float(value)  # type: ignore[arg-type]
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _facts(result: HotspotResult, page: Page) -> list[Document]:
    kinds: Text = both("all_classes")
    if result.classes:
        kinds = wording.joined([page.name("class", c) for c in result.classes])
    facts = [
        fact("sample_size", both("n_cases", n=f"{result.n:,}")),
        fact("set_aside", both("n_cases", n=f"{result.n_set_aside:,}")),
        fact("unplaced", both("n_cases", n=f"{result.n_unplaced:,}")),
        fact("period", formats.period(result.since, result.until, page.timezone)),
        *_span(result, page),
        fact("classes", kinds),
        fact("denominator", both(f"denominator_{result.denominator}")),
        fact("weights", wording.method(result.weights)),
        fact("correction", wording.method(result.correction)),
        fact("alpha", f"{result.alpha:g}"),
    ]
    if result.permutations:
        facts.append(fact("permutations", f"{result.permutations:,}"))
    if result.seed is not None:
        facts.append(fact("seed", str(result.seed)))
    if result.density is not None:
        facts.append(fact("bandwidth", formats.distance(result.density.bandwidth_m)))
    facts.append(fact("plan", page.plan_text(result.plan_id)))
    facts.append(fact("updated_at", formats.instant(result.updated_at, page.timezone)))
    return facts


def _span(result: HotspotResult, page: Page) -> list[Document]:
    """Return when the counted reports were made: also a period that nobody chose is stated."""
    if result.first is None or result.last is None:
        return []
    ends = [formats.instant(at, page.timezone) for at in (result.first, result.last)]
    return [fact("first_last", " – ".join(ends))]


def _density(result: HotspotResult) -> list[Document]:
    if result.density is None or not len(result.density.bands):
        return []
    bands = result.density.bands.sort_values("low", kind="stable")
    colors = palette.DENSITY
    count = len(bands)
    classes = [
        {
            "label": both("class_range", low=_round(low), high=_round(high))
            if i + 1 < count
            else both("class_open", low=_round(low)),
            "color": colors[-1] if count == 1 else colors[round(i * 4 / (count - 1))],
        }
        for i, (low, high) in enumerate(zip(bands["low"], bands["high"], strict=True))
    ]
    theme = themes.theme(
        "density", both("density"), classes, range(count), unit=both("density_unit")
    )
    # Each band is one feature; counting bands would say nothing about reports.
    theme["counted"] = False
    return [
        {
            "type": "areas",
            "key": "density",
            "label": both("density"),
            "on": False,
            "geometry": [encoding.area(shape) for shape in bands.geometry],
            "names": [one["label"] for one in classes],
            "theme": theme,
            "opacity": 0.6,
            "over": True,
        }
    ]


def _round(value: float) -> str:
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def _points(result: HotspotResult, page: Page) -> list[Document]:
    if result.points is None or not len(result.points):
        return []
    table = result.points
    if len(table) > MOST_POINTS:
        table = table.sort_values("reported_at", kind="stable").tail(MOST_POINTS)
    names = [page.name("class", code) for code in table["class_code"]]
    codes = table.get("case_id", table.index)
    when = [formats.instant(v, page.timezone) for v in table["reported_at"]]
    theme = themes.theme(
        "case", both("case_points"),
        [{"label": both("case"), "color": "#374151", "shape": "circle"}], [0] * len(table),
    )  # fmt: skip
    return [
        document.point_layer(
            "cases", both("case_points"), both("case"), table.geometry.to_numpy(), names,
            [str(c) for c in codes], [theme], [rows(both("reported_at"), when)],
            radius=4, below=POINTS_BELOW,
        )
    ]  # fmt: skip


def _piles(result: HotspotResult) -> list[Document]:
    if not result.piles:
        return []
    theme = themes.theme(
        "piles",
        both("piles"),
        [{"label": both("pile"), "color": palette.OVERDUE, "shape": "ring"}],
        [0] * len(result.piles),
    )
    layer = document.point_layer(
        "piles", both("piles"), both("pile"), [],
        [both("pile_n", n=i) for i in range(1, len(result.piles) + 1)],
        [""] * len(result.piles), [theme],
        [
            rows(both("reports"), [pile.count for pile in result.piles]),
            rows(both("share"), [formats.percent(pile.share) for pile in result.piles]),
            rows(both("distinct_classes"), [pile.distinct_classes for pile in result.piles]),
            rows(both("reason"), [wording.pile_reason(pile.reason) for pile in result.piles]),
        ],
        radius=11,
    )  # fmt: skip
    layer["xy"] = [
        round(value * encoding.SCALE) for pile in result.piles for value in (pile.lon, pile.lat)
    ]
    return [layer]


def _hot_list(result: HotspotResult) -> Document:
    hot = result.cells[result.cells["hotspot"].str.startswith("hot")]
    order = hot.assign(_z=pd.to_numeric(hot["z"])).sort_values(
        ["_z", "count"], ascending=False, kind="stable"
    )
    records = [
        {
            "values": [name, int(count), _digits(z, 2), _p(p)],
            "cell": str(code),
        }
        for code, name, count, z, p in zip(
            order.index,
            document.cell_names(order),
            order["count"],
            order["z"],
            order["p_adjusted"],
            strict=True,
        )
    ]
    columns: list[Text] = [both("name"), both("reports"), both("z_score"), both("p_adjusted")]
    return listing(both("hot_list"), columns, records, empty=both("hot_none"))


def _pile_list(result: HotspotResult) -> Document:
    records: list[Document] = []
    for i, pile in enumerate(result.piles, start=1):
        at = np.rint(np.asarray([pile.lon, pile.lat]) * encoding.SCALE).astype(int).tolist()
        records.append(
            {
                "values": [
                    both("pile_n", n=i), pile.count, formats.percent(pile.share),
                    pile.cell_code or "—",
                ],
                "xy": at,
            }
        )  # fmt: skip
    return listing(
        both("piles"),
        [both("name"), both("reports"), both("share"), both("cell")],
        records,
        empty=both("piles_none"),
        explain=both("piles_explain"),
    )
