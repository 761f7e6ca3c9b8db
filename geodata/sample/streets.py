"""Street network: roads along the river and the valleys, streets on cell edges, lanes and drives.

Streets share vertices with each other and, where they run on a boundary, with the cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from shapely.affinity import translate
from shapely.geometry import LineString
from shapely.geometry.base import BaseGeometry

from geodata.sample.coverage import Ground
from geodata.sample.naming import AreaNames, StreetNames
from geodata.sample.terrain import METRIC_EPSG, Terrain, centre, generator
from gridsvc.crs import STORAGE_EPSG, to_storage
from gridsvc.types import BoolArray, FloatArray, IntArray, ObjectArray

_BANK_ROAD_M = 32.0
_WIDTH = {
    "primary": 32.0, "secondary": 24.0, "tertiary": 16.0, "residential": 10.0,
    "living_street": 6.0, "service": 5.0, "unclassified": 7.0, "footway": 2.5,
}  # fmt: skip


@dataclass(frozen=True)
class StreetNetwork:
    """Streets in contract form, the same lines in metres, and what was planted.

    ``island`` are the ids of the few streets that hang together but with nothing else.
    """

    streets: gpd.GeoDataFrame
    metric: ObjectArray
    island: list[str]


def make_streets(terrain: Terrain, ground: Ground, seed: int) -> StreetNetwork:
    """Draw the street network of the city.

    Parameters
    ----------
    terrain : Terrain
    ground : Ground
    seed : int

    Returns
    -------
    StreetNetwork
    """
    rng = generator(seed, "streets")
    east, north = centre()
    lines, classes = _edges_with_streets(terrain, ground, rng)
    bank_road, crossings, bank = _river_roads(terrain, ground)
    drives = _drives(ground, lines, rng)
    noded = shapely.union_all([*lines, *bank_road, *drives], grid_size=0.001)
    arcs = shapely.get_parts(shapely.line_merge(noded))
    arcs = np.array([a for arc in arcs for a in _open(arc)], dtype=object)
    middle = shapely.line_interpolate_point(arcs, 0.5, normalized=True)
    kind = _nearest_kind(middle, lines, classes, bank_road, drives)
    keep = ~shapely.intersects(bank, middle) & (shapely.length(arcs) > 0.05)
    arcs, kind = arcs[keep], kind[keep]
    bridges = _bridges(crossings, arcs)
    is_bridge = np.repeat([False, True], [len(arcs), len(bridges)])
    arcs = np.concatenate([arcs, np.array(bridges, dtype=object)])
    kind = np.concatenate([kind, np.full(len(bridges), "secondary", dtype=object)])
    keep, island = _components(arcs)
    arcs, kind, is_bridge = arcs[keep], kind[keep], is_bridge[keep]
    island = island[keep]
    special = {
        "环城东路": [translate(terrain.foot_lines[1], east, north)],
        "环城西路": [translate(terrain.foot_lines[0], east, north)],
        "中山大道": [LineString(translate(terrain.inner_valley.exterior, east, north))],
        "滨江东路": [r for r in bank_road if not _on_left(terrain, r)],
        "滨江西路": [r for r in bank_road if _on_left(terrain, r)],
    }
    names = _names(arcs, kind, is_bridge, special, rng)
    order = _order(arcs)
    arcs, kind, is_bridge, island = arcs[order], kind[order], is_bridge[order], island[order]
    names = [names[i] for i in order]
    streets = gpd.GeoDataFrame(
        {
            "street_id": [f"S{i:06d}" for i in range(1, len(arcs) + 1)],
            "name": pd.array(names, dtype="str"),
            "highway": list(kind),
            "bridge": is_bridge,
            "tunnel": np.zeros(len(arcs), dtype=bool),
            "layer": np.where(is_bridge, 1, 0),
            "width_m": [_WIDTH[k] for k in kind],
        },
        geometry=list(to_storage(arcs, METRIC_EPSG)),
        crs=STORAGE_EPSG,
    ).set_index("street_id")
    return StreetNetwork(streets, arcs, list(streets.index[island]))


def _edges_with_streets(
    terrain: Terrain, ground: Ground, rng: np.random.Generator
) -> tuple[ObjectArray, ObjectArray]:
    """Choose the cell edges that are streets, with their class."""
    east, north = centre()
    cells = ground.metric
    arcs = shapely.get_parts(shapely.line_merge(shapely.union_all(shapely.boundary(cells))))
    middle = shapely.line_interpolate_point(arcs, 0.5, normalized=True)
    arc, cell = shapely.STRtree(cells).query(middle, predicate="dwithin", distance=0.005)
    count = np.bincount(arc, minlength=len(arcs))
    first = np.full(len(arcs), -1)
    second = np.full(len(arcs), -1)
    first[arc] = cell
    second[arc[::-1]] = cell[::-1]
    xy = shapely.get_coordinates(middle) - np.array([east, north])
    density = terrain.density_at(*xy.T)
    community = ground.cells["community_code"].to_numpy()
    subdistrict = ground.cells["subdistrict_code"].to_numpy()
    inner = count == 2
    between_sub = inner & (subdistrict[first] != subdistrict[second])
    between_com = inner & (community[first] != community[second])
    dice = rng.random(len(arcs))
    kind = np.full(len(arcs), "", dtype=object)
    inside = inner & ~between_com
    kind[inside & (density > 0.24) & (dice < 0.62)] = "residential"
    kind[inside & (density > 0.24) & (dice < 0.26)] = "living_street"
    kind[inside & (density > 0.05) & (density <= 0.24) & (dice < 0.35)] = "unclassified"
    kind[between_com & (density > 0.05)] = "unclassified"
    kind[between_com & (density > 0.24)] = "tertiary"
    kind[between_sub & (density > 0.24)] = "secondary"
    for line, name in (
        *((line, "primary") for line in terrain.foot_lines),
        (LineString(terrain.inner_valley.exterior), "primary"),
    ):
        kind[inner & _near(middle, [translate(line, east, north)], 2.0)] = name
    cross = [translate(line, east, north) for line in terrain.cross_lines]
    on_cross = inner & _near(middle, cross, 3.0)
    kind[on_cross] = "tertiary"
    kind[on_cross & (density > 0.2)] = "secondary"
    chosen = kind != ""
    return arcs[chosen], kind[chosen]


def _river_roads(
    terrain: Terrain, ground: Ground
) -> tuple[list[LineString], list[LineString], BaseGeometry]:
    """Return the roads on both banks, the bridges between them, and water with banks."""
    east, north = centre()
    river = ground.river
    bank = river.buffer(_BANK_ROAD_M - 0.5)
    ground_m = translate(terrain.territory, east, north).buffer(-60.0)
    line = river.buffer(_BANK_ROAD_M).exterior.simplify(1.0).segmentize(40.0)
    roads: list[LineString] = []
    for part in shapely.get_parts(line.intersection(ground_m)):
        xy = shapely.get_coordinates(part) - np.array([east, north])
        lived = terrain.density_at(*xy.T) > 0.15
        runs = np.split(np.arange(len(xy)), np.flatnonzero(np.diff(lived.astype(int))) + 1)
        roads.extend(
            LineString(shapely.get_coordinates(part)[run])
            for run in runs
            if lived[run[0]] and len(run) > 6
        )
    deck = river.buffer(_BANK_ROAD_M)
    bridges = [
        part
        for cross in terrain.cross_lines
        for part in shapely.get_parts(translate(cross, east, north).intersection(deck))
        if part.length > 120.0
    ]
    return roads, bridges, bank


def _bridges(crossings: list[LineString], arcs: ObjectArray) -> list[LineString]:
    """Span each crossing between the junctions that are nearest to its ends."""
    _, nodes = end_nodes(arcs)
    bridges = []
    for line in crossings:
        xy = shapely.get_coordinates(line)
        first, last = (nodes[int(np.argmin(np.hypot(*(nodes - e).T)))] for e in (xy[0], xy[-1]))
        reach = max(float(np.hypot(*(first - xy[0]))), float(np.hypot(*(last - xy[-1]))))
        if reach < 120.0:
            bridges.append(LineString([first, last]))
    return bridges


def _drives(ground: Ground, streets: ObjectArray, rng: np.random.Generator) -> list[LineString]:
    """Lead dead ends and through lanes from street vertices into the dense cells."""
    vertices = np.unique(shapely.get_coordinates(list(streets)), axis=0)
    points = np.asarray(shapely.points(vertices))
    cells = ground.metric
    cell, vertex = shapely.STRtree(points).query(cells, predicate="intersects")
    gates: dict[int, list[int]] = {}
    for c, v in zip(cell.tolist(), vertex.tolist(), strict=True):
        gates.setdefault(c, []).append(v)
    limit = np.quantile(ground.density, 0.22)
    drives: list[LineString] = []
    for c, choice in sorted(gates.items()):
        polygon = cells[c]
        if ground.density[c] < limit or len(choice) < 2:
            continue
        shapely.prepare(polygon)
        centre_xy = np.round(shapely.get_coordinates(shapely.point_on_surface(polygon))[0], 3)
        size = float(np.sqrt(polygon.area))
        ring = vertices[choice]
        clear = np.hypot(*(ring - centre_xy).T) > 0.2 * size
        if not clear.any():
            continue
        ring = ring[clear]
        start = ring[rng.integers(len(ring))]
        heart = np.round(centre_xy + rng.normal(0, 0.04 * size, 2), 3)
        drives.extend(_inside(polygon, [start, heart]))
        if rng.random() < 0.5 and len(ring) > 3:
            far = ring[int(np.argmax(np.hypot(*(ring - start).T)))]
            drives.extend(_inside(polygon, [heart, far]))
        direction = (heart - start) / max(float(np.hypot(*(heart - start))), 1.0)
        left = np.array([-direction[1], direction[0]])
        for sign in (-1.0, 1.0):
            if rng.random() < 0.6:
                end = np.round(heart + sign * left * size * rng.uniform(0.18, 0.34), 3)
                drives.extend(_inside(polygon.buffer(-4.0), [heart, end]))
    return drives


def _inside(polygon: BaseGeometry, ends: list[FloatArray]) -> list[LineString]:
    line = LineString(ends)
    return [line] if line.length > 8.0 and polygon.covers(line) else []


def _near(points: ObjectArray, lines: list[LineString], reach: float) -> BoolArray:
    near = np.zeros(len(points), dtype=bool)
    if lines:
        hit = shapely.STRtree(points).query(lines, predicate="dwithin", distance=reach)[1]
        near[hit] = True
    return near


def _nearest_kind(
    middle: ObjectArray,
    lines: ObjectArray,
    classes: ObjectArray,
    bank_road: list[LineString],
    drives: list[LineString],
) -> ObjectArray:
    pool = [*lines, *bank_road, *drives]
    label = np.array(
        [*classes, *["secondary"] * len(bank_road), *["service"] * len(drives)], dtype=object
    )
    points, source = shapely.STRtree(pool).query_nearest(middle, all_matches=False)
    kind = np.full(len(middle), "service", dtype=object)
    kind[points] = label[source]
    return kind


def _open(arc: LineString) -> list[LineString]:
    """Cut closed arcs in two, so that each street has two ends."""
    if not arc.is_ring:
        return [arc]
    xy = shapely.get_coordinates(arc)
    half = len(xy) // 2
    return [LineString(xy[: half + 1]), LineString(xy[half:])]


def end_nodes(arcs: ObjectArray) -> tuple[IntArray, FloatArray]:
    """Return node numbers of both ends of each arc, shape (n, 2), and the nodes' coordinates."""
    ends = np.vstack(
        [
            shapely.get_coordinates(shapely.get_point(arcs, 0)),
            shapely.get_coordinates(shapely.get_point(arcs, -1)),
        ]
    )
    nodes, number = np.unique(np.round(ends, 3), axis=0, return_inverse=True)
    return number.reshape(2, -1).T, nodes


def _components(arcs: ObjectArray) -> tuple[BoolArray, BoolArray]:
    """Keep the main network and one small group of lanes on purpose."""
    ends, nodes = end_nodes(arcs)
    shape = (len(nodes), len(nodes))
    graph = coo_matrix((np.ones(len(arcs)), (ends[:, 0], ends[:, 1])), shape=shape)
    _, label = connected_components(graph, directed=False)
    of_arc = label[ends[:, 0]]
    length = np.bincount(of_arc, weights=shapely.length(arcs))
    main = int(np.argmax(length))
    others = np.flatnonzero((length > 150.0) & (np.arange(len(length)) != main))
    keep = of_arc == main
    island = np.zeros(len(arcs), dtype=bool)
    if len(others):
        island = of_arc == others[int(np.argmax(length[others]))]
    return keep | island, island


def _order(arcs: ObjectArray) -> IntArray:
    xy = shapely.get_coordinates(shapely.line_interpolate_point(arcs, 0.5, normalized=True))
    return np.lexsort((xy[:, 0], -xy[:, 1]))


def _names(
    arcs: ObjectArray,
    kind: ObjectArray,
    is_bridge: BoolArray,
    special: dict[str, list[LineString]],
    rng: np.random.Generator,
) -> list[str | None]:
    """Name streets; what goes straight on keeps its name."""
    stroke = _strokes(arcs, kind)
    middle = shapely.line_interpolate_point(arcs, 0.5, normalized=True)
    fixed: list[str | None] = [None] * len(arcs)
    for name, lines in special.items():
        for k in np.flatnonzero(_near(middle, lines, 2.0)):
            fixed[int(k)] = name
    names = StreetNames(rng)
    chosen: dict[int, str | None] = {}
    result: list[str | None] = []
    bridge_count = 0
    for i in range(len(arcs)):
        if is_bridge[i]:
            bridge_count += 1
            result.append(f"{AreaNames.RIVER[:2]}{'一二三四五六七八九'[(bridge_count - 1) % 9]}桥")
            continue
        if fixed[i] is not None:
            result.append(fixed[i])
            continue
        group = int(stroke[i])
        if group not in chosen:
            chosen[group] = _new_name(str(kind[i]), names, rng)
        result.append(chosen[group])
    return result


def _on_left(terrain: Terrain, road: LineString) -> bool:
    east, north = centre()
    middle = road.interpolate(0.5, normalized=True)
    return terrain.is_left(middle.x - east, middle.y - north)


def _new_name(kind: str, names: StreetNames, rng: np.random.Generator) -> str | None:
    if kind in ("primary", "secondary", "tertiary", "unclassified"):
        return names.road()
    if kind == "residential":
        return names.street() if rng.random() < 0.55 else names.lane()
    if kind == "living_street":
        return names.lane()
    return None


def _strokes(arcs: ObjectArray, kind: ObjectArray) -> IntArray:
    """Find chains of arcs that go straight on through junctions (deflection below 35°)."""
    ends, nodes = end_nodes(arcs)
    start = shapely.get_coordinates(shapely.line_interpolate_point(arcs, 12.0))
    stop = shapely.get_coordinates(shapely.line_interpolate_point(arcs, -12.0))
    at: dict[int, list[tuple[int, FloatArray]]] = {}
    for i in range(len(arcs)):
        for k, inner in ((0, start[i]), (1, stop[i])):
            node = int(ends[i, k])
            away = inner - nodes[node]
            at.setdefault(node, []).append((i, away / max(float(np.hypot(*away)), 1e-9)))
    parent = list(range(len(arcs)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for node in sorted(at):
        pairs = []
        here = at[node]
        for a in range(len(here)):
            for b in range(a + 1, len(here)):
                i, j = here[a][0], here[b][0]
                straight = -float(here[a][1] @ here[b][1])
                if straight > 0.82 and (kind[i] == "service") == (kind[j] == "service"):
                    pairs.append((-straight, i, j))
        used: set[int] = set()
        for _, i, j in sorted(pairs):
            if i in used or j in used:
                continue
            used |= {i, j}
            ri, rj = root(i), root(j)
            if ri != rj:
                parent[max(ri, rj)] = min(ri, rj)
    return np.array([root(i) for i in range(len(arcs))])
