"""Evaluation points, facilities and posts of the sample city."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geodata.reference import PointCategory, point_categories
from geodata.sample.coverage import Ground
from geodata.sample.people import posts_in
from geodata.sample.streets import StreetNetwork
from geodata.sample.terrain import BASE_CELLS, METRIC_EPSG, generator
from gridsvc.crs import STORAGE_EPSG, to_storage
from gridsvc.types import IntArray, ObjectArray

_COUNTS = {
    "main_road": 40, "commercial_street": 25, "back_alley": 50, "intersection": 40, "compound": 70,
    "community_center": 60, "subdistrict_office": 10, "market": 29, "supermarket": 20,
    "hotel_restaurant": 30, "hospital": 14, "school_and_surroundings": 40, "transport_hub": 6,
    "service_hall": 10, "park_square": 25, "cultural_venue": 14, "construction_site": 16,
    "public_toilet_sanitation": 20,
}  # fmt: skip
"""Points per category at 702 cells, 519 together."""
_ON_STREETS = {
    "main_road": ("primary",),
    "commercial_street": ("secondary", "tertiary"),
    "back_alley": ("living_street", "residential"),
    "intersection": ("primary", "secondary"),
}
_SUFFIX = {
    "compound": "居民小区", "community_center": "社区居委会", "subdistrict_office": "办事处",
    "market": "农贸市场", "supermarket": "生活超市", "hotel_restaurant": "酒店", "hospital": "医院",
    "school_and_surroundings": "小学", "transport_hub": "客运站", "service_hall": "便民服务大厅",
    "park_square": "公园", "cultural_venue": "文化中心", "construction_site": "建设工地",
    "public_toilet_sanitation": "公厕",
}  # fmt: skip
_UNIT = {
    "main_road": "U-municipal_works", "commercial_street": "U-urban_management",
    "intersection": "U-traffic_police", "market": "U-market_supervision",
    "supermarket": "U-commerce", "hotel_restaurant": "U-culture", "hospital": "U-health",
    "school_and_surroundings": "U-education", "transport_hub": "U-transport",
    "park_square": "U-landscaping", "cultural_venue": "U-culture",
    "construction_site": "U-housing_construction", "public_toilet_sanitation": "U-sanitation",
}  # fmt: skip
_FACILITIES = {
    "market": ("农贸市场", 29), "toilet": ("公共厕所", 96), "staff_post": ("网格驿站", 84),
    "hospital": ("卫生服务站", 22), "school": ("学校", 46), "refuse_station": ("垃圾转运站", 18),
    "police_post": ("警务室", 24), "bus_stop": ("公交站", 120), "park": ("口袋公园", 26),
    "city_hall": ("市政务中心", 1),
}  # fmt: skip


def scaled(count: int, cells: int) -> int:
    """Return a count given for 702 cells at another number of cells, at least 1."""
    return max(1, round(count * cells / BASE_CELLS))


def cell_positions(ground: Ground, points: ObjectArray) -> IntArray:
    """Return for each metric point the position of the cell that covers it, -1 for none."""
    inside, cell = shapely.STRtree(ground.metric).query(points, predicate="intersects")
    position = np.full(len(points), -1)
    position[inside[::-1]] = cell[::-1]
    return position


def beside_streets(
    ground: Ground, arcs: ObjectArray, count: int, rng: np.random.Generator
) -> tuple[ObjectArray, IntArray]:
    """Draw places some metres beside streets, clearly inside a cell.

    Parameters
    ----------
    ground : Ground
    arcs : ndarray of LineString
        Metric; longer ones are drawn more often.
    count : int
    rng : numpy.random.Generator

    Returns
    -------
    points : ndarray of Point
        Metric, at least 1.5 m off every cell border.
    positions : ndarray of int
        Of their cells.
    """
    length = shapely.length(arcs)
    borders = shapely.STRtree(shapely.boundary(ground.metric))
    found: list[ObjectArray] = []
    at: list[IntArray] = []
    missing = count
    while missing > 0:
        arc = rng.choice(len(arcs), size=2 * missing + 8, p=length / length.sum())
        spot = shapely.line_interpolate_point(arcs[arc], rng.random(len(arc)), normalized=True)
        angle = rng.uniform(0, 2 * np.pi, len(arc))
        shift = rng.uniform(4.0, 11.0, len(arc))[:, None]
        xy = shapely.get_coordinates(spot)
        xy = xy + shift * np.column_stack([np.cos(angle), np.sin(angle)])
        points = np.asarray(shapely.points(np.round(xy, 2)))
        position = cell_positions(ground, points)
        near = np.zeros(len(points), dtype=bool)
        near[borders.query(points, predicate="dwithin", distance=1.5)[0]] = True
        good = np.flatnonzero((position >= 0) & ~near)[:missing]
        found.append(points[good])
        at.append(position[good])
        missing -= len(good)
    return np.concatenate(found), np.concatenate(at)


def make_points(ground: Ground, network: StreetNetwork, seed: int) -> gpd.GeoDataFrame:
    """Return the evaluation points, 519 of 18 categories at 702 cells (contract POINTS).

    Parameters
    ----------
    ground : Ground
    network : StreetNetwork
    seed : int

    Returns
    -------
    GeoDataFrame
    """
    rng = generator(seed, "points")
    total = scaled(sum(_COUNTS.values()), len(ground.cells))
    counts = {k: scaled(n, len(ground.cells)) for k, n in _COUNTS.items()}
    counts["compound"] += total - sum(counts.values())
    frames = [
        _points_of(category, counts[category.key], ground, network, rng)
        for category in point_categories()
    ]
    frame = pd.concat(frames, ignore_index=True)
    frame.insert(0, "point_id", [f"T{i:05d}" for i in range(1, len(frame) + 1)])
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=STORAGE_EPSG).set_index("point_id")


def _points_of(
    category: PointCategory,
    count: int,
    ground: Ground,
    network: StreetNetwork,
    rng: np.random.Generator,
) -> pd.DataFrame:
    cells = ground.cells
    highway = network.streets["highway"].to_numpy()
    named = network.streets["name"].notna().to_numpy() & ~network.streets["bridge"].to_numpy()
    lived = np.flatnonzero(ground.density > np.quantile(ground.density, 0.25))
    if category.key in _ON_STREETS:
        wanted = np.isin(highway, _ON_STREETS[category.key]) & named
        arcs = network.metric[wanted]
        points, position = beside_streets(ground, arcs, count, rng)
    elif category.key in ("community_center", "subdistrict_office"):
        level = "community_code" if category.key == "community_center" else "subdistrict_code"
        # The centre stands in the most populous cell of its area.
        largest = (
            cells.reset_index()
            .sort_values("population", ascending=False, kind="stable")
            .drop_duplicates(level)
            .sort_values(level)
        )
        chosen = rng.choice(len(largest), size=min(count, len(largest)), replace=False)
        position = largest.index.to_numpy()[np.sort(chosen)]
        if count > len(position):
            position = np.concatenate([position, rng.choice(lived, count - len(position))])
        points = posts_in(ground.metric[position], rng)
    else:
        weight = cells["population"].to_numpy(dtype=float)[lived] + 30.0
        share = weight / weight.sum()
        position = rng.choice(lived, size=count, replace=count > len(lived), p=share)
        points = posts_in(ground.metric[position], rng)
    street = _nearest_name(network, points)
    house = rng.integers(1, 380, size=count)
    names = _point_names(category, position, street, cells)
    community = cells["community_code"].to_numpy()[position]
    return pd.DataFrame(
        {
            "name": names,
            "category": category.key,
            "address": [f"{s}{n}号" for s, n in zip(street, house, strict=True)],
            "unit_id": [_UNIT.get(category.key) or f"U-{c}" for c in community],
            "visit_window": category.visit_window,
            "visits_per_week": category.visits_per_week,
            "service_minutes": category.service_minutes,
            "cell_code": cells.index.to_numpy()[position],
            "geometry": to_storage(points, METRIC_EPSG),
        }
    )


def _nearest_name(network: StreetNetwork, points: ObjectArray) -> list[str]:
    named = network.streets["name"].notna().to_numpy()
    names = network.streets["name"].to_numpy()[named]
    tree = shapely.STRtree(network.metric[named])
    return [str(n) for n in names[tree.query_nearest(points, all_matches=False)[1]]]


def _point_names(
    category: PointCategory, position: IntArray, street: list[str], cells: pd.DataFrame
) -> list[str]:
    seen: dict[str, int] = {}
    names = []
    rows = cells.iloc[position][["name", "community_name", "subdistrict_name"]].to_dict("records")
    for row, road in zip(rows, street, strict=True):
        community = str(row["community_name"]).removesuffix("社区").removesuffix("村")
        if category.key in ("main_road", "commercial_street", "back_alley"):
            base = f"{road}路段" if category.key == "main_road" else road
        elif category.key == "intersection":
            base = f"{road}路口"
        elif category.key == "compound":
            base = str(row["name"])
        elif category.key == "community_center":
            base = f"{row['community_name']}居委会"
        elif category.key == "subdistrict_office":
            base = f"{row['subdistrict_name']}办事处"
        else:
            base = community + _SUFFIX[category.key]
        seen[base] = seen.get(base, 0) + 1
        names.append(base if seen[base] == 1 else f"{base}{seen[base]}号点")
    return names


def make_facilities(ground: Ground, network: StreetNetwork, seed: int) -> gpd.GeoDataFrame:
    """Return facilities and posts (contract FACILITIES).

    Parameters
    ----------
    ground : Ground
    network : StreetNetwork
    seed : int

    Returns
    -------
    GeoDataFrame
    """
    rng = generator(seed, "facilities")
    cells = ground.cells
    community = [str(n).removesuffix("社区").removesuffix("村") for n in cells["community_name"]]
    rows = []
    arcs = network.metric[~network.streets["bridge"].to_numpy()]
    for kind, (name, base) in _FACILITIES.items():
        count = 1 if kind == "city_hall" else scaled(base, len(cells))
        points, position = beside_streets(ground, arcs, count, rng)
        if kind == "city_hall":
            heart = int(np.argmax(cells["population"].to_numpy(dtype=float)))
            position = np.array([heart])
            points = posts_in(ground.metric[position], rng)
        seen: dict[str, int] = {}
        for point, p in zip(points, position, strict=True):
            label = name if kind == "city_hall" else f"{community[int(p)]}{name}"
            seen[label] = seen.get(label, 0) + 1
            if seen[label] > 1:
                label += f"({seen[label]})"
            rows.append({"name": label, "kind": kind, "cell_code": cells.index[int(p)],
                         "geometry": point})  # fmt: skip
    frame = pd.DataFrame(rows)
    frame["geometry"] = to_storage(frame["geometry"].to_numpy(), METRIC_EPSG)
    frame.insert(0, "facility_id", [f"F{i:05d}" for i in range(1, len(frame) + 1)])
    return gpd.GeoDataFrame(frame, geometry="geometry", crs=STORAGE_EPSG).set_index("facility_id")
