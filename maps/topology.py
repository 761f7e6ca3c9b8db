"""Borders as the browser receives them: each arc once, however many areas it bounds.

Cells, communities, subdistricts and the city share their borders. Here all rings are cut where
borders meet; an area is then a list of arcs. Simplifying an arc simplifies it for all its areas,
so neighbours stay matched on every level. For display only; nothing is computed from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from gridsvc.types import FloatArray
from maps.encoding import SCALE

IntArray = np.ndarray[Any, np.dtype[np.int64]]
MANY_VERTICES = 150_000
TOLERANCE_STEPS = 10.0
"""1e-5 degree, about a metre."""


@dataclass(frozen=True, slots=True)
class Arcs:
    """Shared borders and the areas that they bound.

    Attributes
    ----------
    arcs : list of list of int
        ``[x0, y0, dx1, dy1, …]`` in steps; ``x0, y0`` relative to the beginning of the arc before.
    groups : list
        Per group, per area: polygons → rings → numbers of arcs, ``~i`` for arc ``i`` backwards.
    tolerance_deg : float or None
        Of the simplification, when there was one.
    """

    arcs: list[list[int]]
    groups: list[list[list[list[list[int]]]]]
    tolerance_deg: float | None


def shared_arcs(groups: Sequence[Any]) -> Arcs:
    """Cut the rings of groups of areas into arcs that they share.

    Parameters
    ----------
    groups : sequence of arrays of polygons
        EPSG:4490; areas of one group and of different groups share vertices along borders, as
        cells and the areas derived from them do. Borders that do not match are kept as they are.

    Returns
    -------
    Arcs
    """
    rings, owners = _rings(groups)
    if not rings:
        return Arcs([], [[[] for _ in group] for group in groups], None)
    flat = np.concatenate(rings)
    keys = (flat[:, 0] + 200_000_000) * (1 << 30) + flat[:, 1] + 100_000_000
    _, first, names = np.unique(keys, return_index=True, return_inverse=True)
    places = flat[first]
    sizes = np.fromiter((len(ring) for ring in rings), dtype=np.int64, count=len(rings))
    named = np.split(names.astype(np.int64), np.cumsum(sizes)[:-1])
    is_node = _nodes(named, len(places))
    numbers: dict[tuple[int, int], int] = {}
    lines: list[IntArray] = []
    refs = [_cut(ring, is_node, numbers, lines) for ring in named]
    tolerance = None
    drawn = [places[line] for line in lines]
    if sum(len(line) for line in lines) > MANY_VERTICES:
        drawn, tolerance = _simplified(drawn, refs), TOLERANCE_STEPS / SCALE
    made: list[list[list[list[list[int]]]]] = [[[] for _ in group] for group in groups]
    for (group, area, polygon), ring in zip(owners, refs, strict=True):
        polygons = made[group][area]
        if polygon == len(polygons):
            polygons.append([])
        polygons[polygon].append(ring)
    return Arcs(_steps(drawn), made, tolerance)


def share_borders(cells: dict[str, Any] | None, edges: Sequence[dict[str, Any]]) -> Arcs:
    """Replace the ``geometry`` of cells and of edge layers by references to shared arcs.

    Parameters
    ----------
    cells : dict or None
        Receives ``rings``: per cell its polygons → rings → numbers of arcs.
    edges : sequence of dict
        Each receives ``arcs``, every border once, and ``boxes``: west, south, east, north of each
        area in steps.

    Returns
    -------
    Arcs
        For the page.
    """
    layers = [*([cells] if cells is not None else []), *edges]
    shapes = [np.asarray(layer.pop("geometry"), dtype=object) for layer in layers]
    made = shared_arcs(shapes)
    for layer, group, areas in zip(layers, made.groups, shapes, strict=True):
        if layer is cells:
            layer["rings"] = group
            continue
        used = {n if n >= 0 else ~n for area in group for part in area for r in part for n in r}
        layer["arcs"] = sorted(used)
        layer["boxes"] = np.rint(shapely.bounds(areas) * SCALE).astype(np.int64).ravel().tolist()
    return made


def _rings(
    groups: Sequence[Any],
) -> tuple[list[IntArray], list[tuple[int, int, int]]]:
    """Return the rings on the display lattice, open, and the area that each belongs to."""
    rings: list[IntArray] = []
    owners: list[tuple[int, int, int]] = []
    for g, group in enumerate(groups):
        for a, shape in enumerate(group):
            if shape is None or shape.is_empty:
                continue
            number = 0
            for part in shapely.get_parts(shape):
                if part.geom_type != "Polygon":
                    continue
                kept = 0
                for i, ring in enumerate((part.exterior, *part.interiors)):
                    grid = _on_lattice(shapely.get_coordinates(ring)[:-1])
                    if len(grid) < 3:
                        # A shell that vanishes takes its holes along.
                        if i == 0:
                            break
                        continue
                    rings.append(grid)
                    owners.append((g, a, number))
                    kept += 1
                number += kept > 0
    return rings, owners


def _on_lattice(coordinates: FloatArray) -> IntArray:
    grid = np.rint(coordinates[:, :2] * SCALE).astype(np.int64)
    keep = (grid != np.roll(grid, 1, axis=0)).any(axis=1)
    kept: IntArray = grid[keep]
    return kept


def _nodes(rings: list[IntArray], count: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return which vertices end arcs: all but those on exactly two border pieces."""
    starts = np.concatenate(rings)
    ends = np.concatenate([np.roll(ring, -1) for ring in rings])
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    pieces = np.unique(low * count + high)
    degree = np.bincount(pieces // count, minlength=count)
    degree += np.bincount(pieces % count, minlength=count)
    return np.asarray(degree != 2)


def _cut(
    ring: IntArray,
    is_node: np.ndarray[Any, np.dtype[np.bool_]],
    numbers: dict[tuple[int, int], int],
    lines: list[IntArray],
) -> list[int]:
    """Return a ring as numbers of arcs; new arcs are added."""
    nodes = np.flatnonzero(is_node[ring])
    turned = np.roll(ring, -int(nodes[0] if len(nodes) else np.argmin(ring)))
    closed = np.append(turned, turned[0])
    ends = (nodes - nodes[0]).tolist() if len(nodes) else [0]
    found = []
    for start, end in zip(ends, [*ends[1:], len(turned)], strict=True):
        line = closed[start : end + 1]
        onward = (int(line[0]), int(line[1]))
        back = (int(line[-1]), int(line[-2]))
        forward = onward <= back
        key = onward if forward else back
        number = numbers.get(key)
        if number is None:
            number = numbers[key] = len(lines)
            lines.append(line if forward else line[::-1])
        found.append(number if forward else ~number)
    return found


def _simplified(drawn: list[IntArray], refs: list[list[int]]) -> list[IntArray]:
    lines = np.array([shapely.LineString(line) for line in drawn], dtype=object)
    simple = shapely.simplify(lines, TOLERANCE_STEPS)
    light = [shapely.get_coordinates(line).astype(np.int64) for line in simple]
    for ring in refs:
        numbers = [number if number >= 0 else ~number for number in ring]
        # A ring that would vanish keeps its arcs as they are.
        if sum(len(light[number]) - 1 for number in numbers) < 3:
            for number in numbers:
                light[number] = drawn[number]
    return light


def _steps(drawn: list[IntArray]) -> list[list[int]]:
    made = []
    before = np.zeros(2, dtype=np.int64)
    for line in drawn:
        relative = np.diff(line, axis=0, prepend=before[None, :])
        before = line[0]
        made.append(relative.ravel().tolist())
    return made
