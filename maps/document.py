"""The document that a map page carries: everything the browser draws, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.errors import Language
from gridsvc.types import ObjectArray
from maps import encoding, formats, messages
from maps.ground import ground
from maps.messages import both
from maps.packing import pack_features
from maps.page import Page, Text
from maps.topology import share_borders

Document = dict[str, Any]
Level = Literal["cell", "community", "subdistrict"]
VERSION = 2
MANY_CELLS = 5000
LONGEST_LIST = 500
_METRES_PER_DEGREE = 111_320.0


def shown(value: Any) -> Text:
    """Return foreign text as it is, an empty text for a missing value."""
    return "" if formats.missing(value) else str(value)


def fact(key: str, value: Text) -> dict[str, Text]:
    """Return a row of the legend's facts."""
    return {"label": both(key), "value": value}


def figure(
    key: str,
    value: Text,
    note: Text | None = None,
    state: str | None = None,
    leads: str | None = None,
) -> Document:
    """Return a large figure for the top of the panel.

    Parameters
    ----------
    key, value, note
    state : str, optional
        ``good`` or ``bad``.
    leads : str, optional
        Key of the list that names what the figure lacks.
    """
    document: Document = {"label": both(key), "value": value}
    if note is not None:
        document["note"] = note
    if state is not None:
        document["state"] = state
    if leads is not None:
        document["leads"] = leads
    return document


def rows(label: Text, values: Iterable[Any]) -> Document:
    """Return one row of the features' cards: its label and a value per feature."""
    return {"label": label, "values": list(values)}


def listing(
    label: Text,
    columns: Sequence[Text],
    records: Sequence[Document],
    *,
    empty: Text,
    explain: Text | None = None,
    key: str | None = None,
) -> Document:
    """Return a list of the panel.

    Parameters
    ----------
    records : sequence
        ``values`` and maybe where a click leads: ``cell`` (its code), ``sign`` (layer and code of
        a point) and ``xy``; the first that is on the map is taken.
    key : str, optional
        How a figure refers to the list.
    """
    document: Document = {
        "label": label,
        "columns": list(columns),
        "rows": list(records[:LONGEST_LIST]),
        "more": max(0, len(records) - LONGEST_LIST),
        "empty": empty,
    }
    if explain is not None:
        document["explain"] = explain
    if key is not None:
        document["key"] = key
    return document


def cell_names(cells: pd.DataFrame) -> list[Text]:
    """Return how cells are called: by name, by code where there is none."""
    if "name" not in cells.columns:
        return [str(code) for code in cells.index]
    return [shown(name) or str(code) for code, name in cells["name"].items()]


def cell_layer(
    cells: gpd.GeoDataFrame,
    themes: Sequence[Document],
    cards: Sequence[Document],
    *,
    initial: int = 0,
    level: Level = "cell",
) -> Document:
    """Return the grid.

    Parameters
    ----------
    cells : GeoDataFrame
        Indexed by code, maybe with a column ``name``, EPSG:4490.
    themes, cards
        Aligned to the cells.
    initial : int
        Theme shown first; -1 for none.
    level : {"cell", "community", "subdistrict"}
        What the areas are, where they are too many to draw them as cells.
    """
    return {
        "kind": both(level),
        "level": level,
        "partial": level != "cell",
        "codes": [str(code) for code in cells.index],
        "names": cell_names(cells),
        "geometry": cells.geometry.to_numpy(),
        "rows": list(cards),
        "themes": list(themes),
        "initial": initial,
    }


def level_to_draw(cells: pd.DataFrame) -> Level:
    """Return the finest level of which a map draws all areas: at most ``MANY_CELLS`` of them."""
    if len(cells) <= MANY_CELLS:
        return "cell"
    communities = cells["community_code"].nunique()
    return "community" if communities <= MANY_CELLS else "subdistrict"


def aggregated(level: Level, count: int) -> Text:
    """Return the remark that a map shows communities or subdistricts in place of cells."""
    return both("aggregated", limit=f"{MANY_CELLS:,}", n=f"{count:,}", areas=both(f"{level}_many"))


def parents(cells: gpd.GeoDataFrame) -> list[Document]:
    """Return the card rows that name a cell's community and subdistrict."""
    return [
        rows(both(level), [shown(v) for v in cells[f"{level}_name"]])
        for level in ("community", "subdistrict")
        if f"{level}_name" in cells.columns
    ]


def edge_layers(
    areas: gpd.GeoDataFrame | None, *, levels: Sequence[str] = ("community", "subdistrict", "city")
) -> list[Document]:
    """Return the boundaries of communities, subdistricts and the city (contract AREAS)."""
    if areas is None or not len(areas):
        return []
    layers = []
    for level in levels:
        some = areas[areas["level"] == level]
        some = some[~some.geometry.is_empty]
        # Borders closer than a few pixels are a grey mass that says nothing.
        if not len(some) or len(some) > MANY_CELLS:
            continue
        layers.append(_edges(level, some.geometry.to_numpy(), some["name"], some["code"]))
    return layers


def joined(shapes: ObjectArray) -> Any:
    """Return the union of cells; those of a draft need not fit each other."""
    try:
        return shapely.coverage_union_all(shapes)
    except shapely.errors.GEOSException:
        return shapely.union_all(shapely.make_valid(shapes))


def derived_edges(cells: gpd.GeoDataFrame) -> list[Document]:
    """Return boundaries of communities and subdistricts joined from the cells' own columns."""
    layers = []
    for level in ("community", "subdistrict"):
        column = f"{level}_name"
        if column not in cells.columns or cells[column].isna().all():
            continue
        shapes, names = [], []
        for name, group in cells.groupby(column, sort=True):
            shapes.append(joined(group.geometry.to_numpy()))
            names.append(str(name))
        layers.append(_edges(level, shapes, names, [""] * len(names)))
    return layers


def _edges(level: str, shapes: Any, names: Iterable[Any], codes: Iterable[Any]) -> Document:
    areas = np.asarray(shapes, dtype=object)
    return {
        "type": "edges",
        "key": f"edges-{level}",
        "label": both(f"{level}_edges"),
        "on": True,
        "level": level,
        "geometry": areas,
        "names": [shown(name) for name in names],
        "codes": [str(code) for code in codes],
        "label_xy": encoding.inner_points(areas),
    }


def point_layer(
    key: str,
    label: Text,
    kind: Text,
    geometry: Sequence[Any],
    names: Sequence[Text],
    codes: Sequence[str],
    themes: Sequence[Document],
    cards: Sequence[Document],
    *,
    on: bool = True,
    radius: float = 5.5,
    below: int | None = None,
) -> Document:
    """Return a layer of points.

    Parameters
    ----------
    themes : sequence
        A theme may hold ``far``, the positions of the points that are also drawn where a whole
        city is in view (all without it), and ``far_note``, which says so.
    below : int, optional
        The layer appears when fewer than that are in view.
    """
    document: Document = {
        "type": "points",
        "key": key,
        "label": label,
        "kind": kind,
        "on": on,
        "xy": encoding.points(geometry),
        "names": list(names),
        "codes": [str(code) for code in codes],
        "themes": list(themes),
        "rows": list(cards),
        "radius": radius,
    }
    if below is not None:
        document["below"] = below
    return document


def compose(
    kind: str,
    page: Page,
    *,
    language: Language,
    title: Text,
    question: Text,
    bounds: list[float],
    facts: Sequence[Document],
    figures: Sequence[Document] = (),
    notes: Sequence[Text] = (),
    cells: Document | None = None,
    drawn_base: Document | None = None,
    overlays: Sequence[Document] = (),
    lists: Sequence[Document] = (),
    missing: Sequence[Document] = (),
) -> Document:
    """Return the finished document of a page.

    Parameters
    ----------
    missing : sequence
        What the figures lack, shown above them: ``text`` and, for a way out on the page, ``reset``.
    """
    controls = None
    if page.action is not None or page.fields:
        controls = {"action": page.action or "", "fields": [f.as_dict() for f in page.fields]}
    remarks = list(notes)
    borders = share_borders(cells, [one for one in overlays if one["type"] == "edges"])
    if borders.tolerance_deg is not None:
        metres = borders.tolerance_deg * _METRES_PER_DEGREE
        remarks.append(both("simplified", metres=f"{metres:.1f}"))
    detail = None
    if page.cells_in_view is not None and cells is not None and cells["partial"]:
        detail = page.cells_in_view
        remarks.append(both("cells_in_view"))
    tiles = None
    if page.tiles is not None:
        tiles = {
            "url": page.tiles.url,
            "datum": page.tiles.datum,
            "attribution": page.tiles.attribution,
            "max_zoom": page.tiles.max_zoom,
        }
        if page.tiles.datum == "gcj02":
            remarks.append(both("tiles_shifted"))
        if page.tiles.attribution:
            remarks.append(page.tiles.attribution)
    return {
        "version": VERSION,
        "kind": kind,
        "language": language,
        "scale": encoding.SCALE,
        "bounds": bounds,
        "title": page.titled(title),
        "question": question,
        "facts": list(facts),
        "figures": list(figures),
        "missing": list(missing),
        "notes": remarks,
        "arcs": borders.arcs,
        "cells": None if cells is None else pack_features(cells),
        "detail": detail,
        "base": drawn_base if drawn_base is not None else ground(),
        "overlays": [pack_features(o) if o["type"] == "points" else o for o in overlays],
        "lists": list(lists),
        "controls": controls,
        "download": page.download,
        "home": page.home,
        "links": [{"label": label, "href": href} for label, href in page.links],
        "tiles": tiles,
        "exported": False,
        "messages": messages.catalogue(),
    }


def exported(document: Document) -> Document:
    """Return the document for a single file: no online base map, no controls that need a server."""
    single = {**document, "exported": True, "tiles": None, "home": None, "download": None,
              "links": [], "detail": None}  # fmt: skip
    # What only a server can do is not promised by a file.
    left_out: list[Text] = [both("cells_in_view")]
    added: list[Text] = []
    if document["tiles"] is not None:
        left_out += [both("tiles_shifted"), document["tiles"]["attribution"]]
        added = [both("tiles_left_out")]
    single["notes"] = [*(n for n in document["notes"] if n not in left_out), *added]
    return single


def number_or_none(value: Any) -> int | float | None:
    """Return a plain number, ``None`` for a missing one; whole numbers stay whole."""
    if formats.missing(value):
        return None
    plain = float(value)
    return int(plain) if plain == int(plain) else round(plain, 4)


def plain(values: pd.Series) -> list[int | float | None]:
    """Return a column as plain numbers."""
    return [number_or_none(v) for v in values]
