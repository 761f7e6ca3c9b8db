"""The document that a map page carries: everything the browser draws, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from gridsvc.errors import Language
from maps import encoding, formats, messages
from maps.messages import both
from maps.page import Page, Text

Document = dict[str, Any]
VERSION = 1
MANY_CELLS = 5000
LONGEST_LIST = 500
_METRES_PER_DEGREE = 111_320.0
_CLASSES = {
    "major": ("motorway", "trunk", "primary", "secondary", "motorway_link", "trunk_link",
              "primary_link", "secondary_link"),
    "minor": ("tertiary", "residential", "unclassified", "living_street", "tertiary_link", "road"),
}  # fmt: skip
_WATER = ("river", "lake", "water", "reservoir", "canal", "sea", "stream", "pond", "wetland")
_GREEN = ("park", "forest", "wood", "green", "hill", "grass", "garden", "mountain")


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
) -> tuple[Document, list[Text]]:
    """Return the grid and notes about how it is drawn.

    Parameters
    ----------
    cells : GeoDataFrame
        Indexed by code, maybe with a column ``name``, EPSG:4490.
    themes, cards
        Aligned to the cells.
    initial : int
        Theme shown first; -1 for none.
    """
    shapes, tolerance = encoding.light_coverage(cells.geometry.to_numpy())
    notes: list[Text] = []
    if tolerance is not None:
        notes.append(both("simplified", metres=f"{tolerance * _METRES_PER_DEGREE:.1f}"))
    return {
        "kind": both("cell"),
        "codes": [str(code) for code in cells.index],
        "names": cell_names(cells),
        "geometry": [encoding.area(shape) for shape in shapes],
        "rows": list(cards),
        "themes": list(themes),
        "initial": initial,
    }, notes


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
        if not len(some):
            continue
        layers.append(_edges(level, some.geometry.to_numpy(), some["name"], some["code"]))
    return layers


def derived_edges(cells: gpd.GeoDataFrame) -> list[Document]:
    """Return boundaries of communities and subdistricts joined from the cells' own columns."""
    layers = []
    for level in ("community", "subdistrict"):
        column = f"{level}_name"
        if column not in cells.columns or cells[column].isna().all():
            continue
        shapes, names = [], []
        for name, group in cells.groupby(column, sort=True):
            shapes.append(shapely.coverage_union_all(group.geometry.to_numpy()))
            names.append(str(name))
        layers.append(_edges(level, shapes, names, [""] * len(names)))
    return layers


def _edges(level: str, shapes: Any, names: Iterable[Any], codes: Iterable[Any]) -> Document:
    light, _ = encoding.light_coverage(shapes)
    return {
        "type": "edges",
        "key": f"edges-{level}",
        "label": both(f"{level}_edges"),
        "on": True,
        "level": level,
        "geometry": [encoding.area(shape) for shape in light],
        "names": [shown(name) for name in names],
        "codes": [str(code) for code in codes],
        "label_xy": encoding.inner_points(light),
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


def base(
    streets: gpd.GeoDataFrame | None = None, exclusions: gpd.GeoDataFrame | None = None
) -> Document:
    """Return the quiet base: streets by class, bridges, water, green, other exclusions."""
    document: Document = {
        "water": [], "water_names": [], "water_xy": [], "excluded": [], "green": [],
        "streets": {"major": [], "minor": [], "lane": []}, "bridges": [], "street_names": [],
    }  # fmt: skip
    if exclusions is not None:
        for kind, name, shape in zip(
            exclusions["kind"], exclusions["name"], exclusions.geometry, strict=True
        ):
            encoded = encoding.area(shape)
            if not encoded:
                continue
            if str(kind) in _WATER:
                document["water"].append(encoded)
                if not formats.missing(name):
                    document["water_names"].append(str(name))
                    document["water_xy"] += encoding.inner_points([shape])
            else:
                document["green" if str(kind) in _GREEN else "excluded"].append(encoded)
    if streets is not None and len(streets):
        _streets(streets, document)
    return document


def _streets(streets: gpd.GeoDataFrame, document: Document) -> None:
    rank = {name: kind for kind, names in _CLASSES.items() for name in names}
    kinds = [rank.get(str(h), "lane") for h in streets["highway"]]
    bridge = (
        streets["bridge"].fillna(False).to_numpy(dtype=bool)
        if "bridge" in streets
        else np.zeros(len(streets), dtype=bool)
    )
    best: dict[str, tuple[float, list[int], int]] = {}
    lengths = shapely.length(streets.geometry.to_numpy())
    for kind, name, shape, length, on_bridge in zip(
        kinds, streets["name"], streets.geometry, lengths, bridge, strict=True
    ):
        encoded = encoding.lines(shape)
        document["streets"][kind] += encoded
        if on_bridge:
            document["bridges"] += encoded
        if formats.missing(name) or not encoded:
            continue
        # Each name once, along its longest piece.
        text = str(name)
        if text not in best or length > best[text][0]:
            level = 0 if kind == "major" else 1
            longest = max(encoded, key=len)
            best[text] = (float(length), longest, level)
    ordered = sorted(best.items(), key=lambda item: (item[1][2], -item[1][0], item[0]))
    document["street_names"] = [
        {"name": name, "line": line, "rank": level} for name, (_, line, level) in ordered[:400]
    ]


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
        "title": title,
        "question": question,
        "facts": list(facts),
        "figures": list(figures),
        "missing": list(missing),
        "notes": remarks,
        "cells": cells,
        "base": drawn_base if drawn_base is not None else base(),
        "overlays": list(overlays),
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
              "links": []}  # fmt: skip
    if document["tiles"] is not None:
        shifted = both("tiles_shifted")
        attribution = document["tiles"]["attribution"]
        kept = [n for n in document["notes"] if n not in (shifted, attribution)]
        single["notes"] = [*kept, both("tiles_left_out")]
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
