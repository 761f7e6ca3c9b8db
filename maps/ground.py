"""The quiet base that every map lies on: streets by class, bridges, water, green."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from maps import encoding, formats

MANY_STREETS = 30_000
"""Beyond that many lines the least classes are left out: they would only show close up."""
_SIMPLIFY_DEG = 1e-5
_CLASSES = {
    "major": ("motorway", "trunk", "primary", "secondary", "motorway_link", "trunk_link",
              "primary_link", "secondary_link"),
    "minor": ("tertiary", "residential", "unclassified", "living_street", "tertiary_link", "road"),
}  # fmt: skip
_WATER = ("river", "lake", "water", "reservoir", "canal", "sea", "stream", "pond", "wetland")
_GREEN = ("park", "forest", "wood", "green", "hill", "grass", "garden", "mountain")


def ground(
    streets: gpd.GeoDataFrame | None = None, exclusions: gpd.GeoDataFrame | None = None
) -> dict[str, Any]:
    """Return the quiet base: streets by class, bridges, water, green, other exclusions."""
    document: dict[str, Any] = {
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


def _streets(streets: gpd.GeoDataFrame, document: dict[str, Any]) -> None:
    rank = {name: kind for kind, names in _CLASSES.items() for name in names}
    kinds = [rank.get(str(h), "lane") for h in streets["highway"]]
    bridge = (
        streets["bridge"].fillna(False).to_numpy(dtype=bool)
        if "bridge" in streets
        else np.zeros(len(streets), dtype=bool)
    )
    geometry, kept = _light(streets.geometry.to_numpy(), kinds)
    best: dict[str, tuple[float, list[int], int]] = {}
    lengths = shapely.length(geometry)
    for kind, name, shape, length, on_bridge in zip(
        kinds, streets["name"], geometry, lengths, bridge, strict=True
    ):
        if kind not in kept:
            continue
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


def _light(geometry: Any, kinds: list[str]) -> tuple[Any, set[str]]:
    """Return the lines and the classes to draw; in large cities simplified, without the least."""
    kept = {"major", "minor", "lane"}
    for least in ("lane", "minor"):
        if sum(kind in kept for kind in kinds) > MANY_STREETS:
            kept.discard(least)
    if len(kinds) > MANY_STREETS // 2:
        geometry = shapely.simplify(geometry, _SIMPLIFY_DEG)
    return geometry, kept
