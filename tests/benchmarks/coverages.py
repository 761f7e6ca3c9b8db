"""Coverages that are valid by construction, made without any code of gridsvc.

A grid of jittered nodes; every side between two nodes is densified and displaced inside its own
kite (the rhomb between the side and the two cell centres), so that no two sides can meet except
at nodes. Both neighbours use the same coordinates.
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import shapely

WEST, SOUTH = 117.55, 26.18
CELL_DEG = 0.0045


def jittered(
    rows: int,
    columns: int,
    *,
    seed: int,
    points_per_side: int = 27,
    noise: float = 0.3,
    west: float = WEST,
    south: float = SOUTH,
    size: float = CELL_DEG,
    digits: int | None = 9,
    extras: bool = True,
) -> gpd.GeoDataFrame:
    """Return ``rows × columns`` noisy cells in EPSG:4490, indexed by a nine-digit code.

    With ``extras`` some cells get a lake (hole), an enclave cell inside the hole, or an exclave
    of another cell inside the hole (making that one a MultiPolygon), and a river of missing cells
    runs across.
    """
    rng = np.random.default_rng(seed)
    nodes = np.stack(
        np.meshgrid(np.arange(columns + 1.0), np.arange(rows + 1.0), indexing="xy"), axis=-1
    )
    nodes = nodes + rng.uniform(-0.12, 0.12, nodes.shape)
    across = _sides(nodes[:, :-1], nodes[:, 1:], points_per_side, noise, rng)
    upward = _sides(nodes[:-1], nodes[1:], points_per_side, noise, rng)
    rings = np.concatenate(
        [
            across[:-1, :, :-1],
            upward[:, 1:, :-1],
            across[1:, :, :0:-1],
            upward[:, :-1, :0:-1],
            across[:-1, :, :1],
        ],
        axis=2,
    ).reshape(rows * columns, -1, 2)

    def degrees(xy: Any) -> Any:
        out = np.asarray(xy) * size + (west, south)
        return out if digits is None else np.round(out, digits)

    polygons = shapely.polygons(degrees(rings))
    centres = (np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) + 0.5).reshape(
        -1, 2
    )
    number = rng.permutation(rows * columns)
    codes = np.array([f"{n + 1:09d}" for n in number])
    if not extras:
        return gpd.GeoDataFrame(index=codes, geometry=polygons, crs=4490)
    geometry = dict(zip(codes, polygons, strict=True))
    angles = np.linspace(0, 2 * np.pi, 13)[:-1]
    picked = rng.permutation(rows * columns)[: max(rows * columns // 12, 1)]
    for turn, i in enumerate(picked):
        radius = 0.10 + 0.04 * rng.random(12)
        lake = degrees(
            centres[i] + np.column_stack([np.cos(angles) * radius, np.sin(angles) * radius])
        )
        hole = shapely.Polygon(lake)
        geometry[codes[i]] = shapely.Polygon(
            shapely.get_coordinates(shapely.get_exterior_ring(polygons[i])), [lake]
        )
        if turn % 3 == 1:
            geometry[f"{rows * columns + i + 1:09d}"] = hole
        elif turn % 3 == 2:
            other = codes[(i + 2 * columns + 3) % len(codes)]
            geometry[other] = shapely.MultiPolygon(
                [*shapely.get_parts(geometry[other]).tolist(), hole]
            )
    for row in range(rows):
        column = int(columns * 0.5 + 0.2 * columns * np.sin(row / max(rows, 1) * 6))
        if row % 2 == 0 and columns > 4:
            code = codes[row * columns + min(max(column, 0), columns - 1)]
            if geometry[code].geom_type == "Polygon":
                del geometry[code]
    index = sorted(geometry)
    return gpd.GeoDataFrame(index=index, geometry=[geometry[c] for c in index], crs=4490)


def _sides(begin: Any, end: Any, points: int, noise: float, rng: np.random.Generator) -> Any:
    t = np.linspace(0.0, 1.0, points + 1)
    along = end - begin
    normal = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    offset = rng.uniform(-noise, noise, (*begin.shape[:-1], points + 1)) * np.minimum(t, 1 - t)
    straight = rng.random(begin.shape[:-1]) < 1 / 3
    offset[straight] = 0.0
    side = (
        begin[..., None, :]
        + t[:, None] * along[..., None, :]
        + offset[..., None] * normal[..., None, :]
    )
    side[..., 0, :], side[..., -1, :] = begin, end  # bit by bit, so that sides meet
    return side


def blocks(
    cells: int, *, seed: int, west: float = WEST, south: float = SOUTH, size: float = 0.1
) -> gpd.GeoDataFrame:
    """Return axis-aligned blocks with T-junctions that have no node in the longer side."""
    rng = np.random.default_rng(seed)
    boxes = [(west, south, west + size, south + size * 0.8)]
    while len(boxes) < cells:
        i = int(np.argmax([(b[2] - b[0]) * (b[3] - b[1]) for b in boxes]))
        x0, y0, x1, y1 = boxes.pop(i)
        share = rng.uniform(0.35, 0.65)
        if x1 - x0 > y1 - y0:
            cut = x0 + share * (x1 - x0)
            boxes += [(x0, y0, cut, y1), (cut, y0, x1, y1)]
        else:
            cut = y0 + share * (y1 - y0)
            boxes += [(x0, y0, x1, cut), (x0, cut, x1, y1)]
    order = rng.permutation(len(boxes))
    codes = [f"{n + 1:09d}" for n in range(len(boxes))]
    return gpd.GeoDataFrame(index=codes, geometry=[shapely.box(*boxes[i]) for i in order], crs=4490)
