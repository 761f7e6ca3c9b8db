"""Places of every kind to be located, and what GEOS says of them."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely

KINDS = (
    "uniform",
    "near border",
    "hugging border",
    "1 ulp off",
    "on edge",
    "on vertex",
    "lattice of vertices",
    "outside",
)


def segments(cells: gpd.GeoDataFrame) -> Any:
    """Return all border segments as an array (n, 2, 2)."""
    rings = shapely.get_rings(shapely.get_parts(cells.geometry.to_numpy()))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    same = ring[1:] == ring[:-1]
    return np.stack([xy[:-1][same], xy[1:][same]], axis=1)


def places(
    cells: gpd.GeoDataFrame, kind: str, count: int, *, seed: int, near: float = 1e-5
) -> tuple[Any, Any]:
    """Return ``count`` places of one kind as x and y; ``near`` is 1e-5° or about 1 m."""
    rng = np.random.default_rng(seed)
    west, south, east, north = cells.total_bounds
    width, height = east - west, north - south
    if kind == "uniform":
        return rng.uniform(west, east, count), rng.uniform(south, north, count)
    if kind == "outside":
        x = rng.uniform(west - width, east + width, 4 * count)
        y = rng.uniform(south - height, north + height, 4 * count)
        far = (x < west) | (x > east) | (y < south) | (y > north)
        return x[far][:count], y[far][:count]
    edges = segments(cells)
    picked = edges[rng.integers(0, len(edges), count)]
    a, b = picked[:, 0], picked[:, 1]
    if kind == "on vertex":
        return a[:, 0].copy(), a[:, 1].copy()
    if kind == "lattice of vertices":
        other = edges[rng.integers(0, len(edges), count), 0]
        return a[:, 0].copy(), other[:, 1].copy()
    t = rng.random(count)
    t[: count // 2] = 0.5
    at = a + t[:, None] * (b - a)
    if kind == "on edge":
        return at[:, 0].copy(), at[:, 1].copy()
    if kind == "1 ulp off":
        step = rng.choice([-1.0, 1.0], (count, 2))
        at = np.nextafter(at, at + step)
        return at[:, 0].copy(), at[:, 1].copy()
    scale = near if kind == "near border" else 1e-9
    angle = rng.uniform(0, 2 * np.pi, count)
    return at[:, 0] + np.cos(angle) * scale, at[:, 1] + np.sin(angle) * scale


def lowest_covering(cells: gpd.GeoDataFrame, x: Any, y: Any) -> tuple[Any, Any]:
    """Return by GEOS the lowest code that covers each place ("" none) and whether it is a border.

    A place is on a border when a cell covers but does not contain it.
    """
    codes = np.array(sorted(str(c) for c in cells.index), dtype=object)
    geometry = np.asarray(cells.geometry.loc[list(codes)].array, dtype=object)
    shapely.prepare(geometry)
    place, cell = shapely.STRtree(geometry).query(shapely.points(x, y))
    covers = shapely.intersects_xy(geometry[cell], x[place], y[place])
    place, cell = place[covers], cell[covers]
    lowest = np.full(len(x), len(codes))
    np.minimum.at(lowest, place, cell)
    on_border = np.zeros(len(x), dtype=bool)
    on_border[place[~shapely.contains_xy(geometry[cell], x[place], y[place])]] = True
    return np.array([*codes, ""], dtype=object)[lowest], on_border
