"""What is planted among the cases: hot spots, recurring spots, a geocoder's pile and strays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely

from geodata.sample.activity import YEAR_FROM
from geodata.sample.coverage import Ground
from geodata.sample.places import beside_streets, cell_positions, scaled
from geodata.sample.streets import StreetNetwork
from geodata.sample.terrain import METRIC_EPSG, Terrain, centre
from gridsvc.crs import to_storage
from gridsvc.types import FloatArray, ObjectArray

COMMON = {
    "暴露垃圾": 9.0, "机动车乱停放": 8.0, "道路不洁": 7.0, "占道经营": 6.5, "店外经营": 6.0,
    "非法小广告": 5.5, "非机动车乱停放": 5.5, "乱堆杂物": 5.0, "垃圾箱满溢": 4.5, "道路破损": 3.5,
    "沿街晾挂": 3.0, "无照经营游商": 3.0, "人行道破损": 2.6, "积存垃圾渣土": 2.6, "路灯异常": 2.2,
    "绿地脏乱": 2.2, "楼道堆物": 2.0, "露天烧烤": 1.8, "雨水箅子异常": 1.4, "噪声扰民": 1.6,
    "公共厕所异常": 1.2, "水域不洁": 1.2, "农贸市场秩序": 1.3, "电动车进楼": 1.2, "工地扬尘": 1.1,
}  # fmt: skip
# Name, station along the river and offset across it in metres, radius, class, days of the year
# (from, to) and cases; at 702 cells.
_HOT_SPOTS = (
    ("夜市烧烤", -120.0, 430.0, 260.0, "露天烧烤", 150, 315, 260),
    ("批发市场占道", 780.0, -520.0, 240.0, "占道经营", 0, 365, 420),
    ("老城背街垃圾", -900.0, 560.0, 300.0, "暴露垃圾", 0, 365, 520),
    ("医院周边停车", 1500.0, 480.0, 230.0, "机动车乱停放", 0, 365, 460),
    ("新区工地扬尘", 4500.0, 560.0, 380.0, "工地扬尘", 95, 365, 300),
    ("江岸漂浮物", -2600.0, -150.0, 320.0, "水域不洁", 150, 240, 180),
)


@dataclass
class Batch:
    """Cases before they get numbers."""

    xy: FloatArray
    name: ObjectArray
    day: FloatArray
    label: str
    channel: str | None = None


def class_weights(classes: pd.DataFrame) -> FloatArray:
    """Return how often each class is reported in the background, as shares."""
    weight = np.array([COMMON.get(str(n), 0.09) for n in classes["name"]])
    return np.asarray(weight / weight.sum())


def draw_days(count: int, rng: np.random.Generator, first: int = 0, last: int = 365) -> FloatArray:
    """Draw days of the year: more in summer, fewer on Saturdays and Sundays."""
    day = np.arange(first, last)
    date = (YEAR_FROM.tz_convert("Asia/Shanghai") + pd.to_timedelta(day, unit="D")).to_series()
    season = 1.0 + 0.22 * np.cos(2 * np.pi * (date.dt.day_of_year.to_numpy() - 196) / 365.25)
    weight = season * np.where(date.dt.day_of_week.to_numpy() >= 5, 0.62, 1.0)
    return rng.choice(day, size=count, p=weight / weight.sum()).astype(float)


def _along_river(terrain: Terrain, station: float, offset: float) -> FloatArray:
    xy = shapely.get_coordinates(terrain.river_line)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    middle = length[np.argmin(np.hypot(*xy.T))]
    k = int(np.clip(np.searchsorted(length, middle + station), 1, len(xy) - 1))
    ahead = (xy[k] - xy[k - 1]) / np.hypot(*(xy[k] - xy[k - 1]))
    return np.asarray(xy[k] + offset * np.array([-ahead[1], ahead[0]]) + np.array(centre()))


def hot_spots(
    terrain: Terrain,
    ground: Ground,
    truth: dict[str, Any],
    factor: float,
    rng: np.random.Generator,
) -> list[Batch]:
    """Plant the hot spots that lie in the city and write each into ``truth["hot_spots"]``.

    ``factor`` scales the number of cases; cases keep to cells.
    """
    batches = []
    truth["hot_spots"] = []
    for name, station, offset, radius, class_name, first, last, base in _HOT_SPOTS:
        count = max(40, round(base * factor))
        middle = _along_river(terrain, station, offset)
        if shapely.distance(np.asarray(ground.metric), shapely.Point(middle)).min() > radius / 4.0:
            continue  # a small city ends before this place
        xy = np.empty((0, 2))
        while len(xy) < count:
            tried = np.round(middle + rng.normal(0.0, radius / 2.0, (4 * count, 2)), 2)
            xy = np.vstack(
                [xy, tried[cell_positions(ground, np.asarray(shapely.points(tried))) >= 0]]
            )
        xy = xy[:count]
        days = draw_days(count, rng, first, last)
        inside = cell_positions(ground, np.asarray(shapely.points(xy)))
        codes, number = np.unique(ground.cells.index.to_numpy()[inside], return_counts=True)
        lon, lat = shapely.get_coordinates(to_storage(shapely.Point(middle), METRIC_EPSG))[0]
        truth["hot_spots"].append(
            {
                "name": name, "class_name": class_name, "lon": float(lon), "lat": float(lat),
                "radius_m": radius, "cases": count,
                "from": (YEAR_FROM + pd.Timedelta(days=first)).isoformat(),
                "to": (YEAR_FROM + pd.Timedelta(days=last)).isoformat(),
                "cells": {str(c): int(n) for c, n in zip(codes, number, strict=True)},
            }
        )  # fmt: skip
        batches.append(Batch(xy, np.full(count, class_name, dtype=object), days, f"hot:{name}"))
    return batches


def recurring(
    ground: Ground, network: StreetNetwork, truth: dict[str, Any], rng: np.random.Generator
) -> list[Batch]:
    """Plant places where the same problem is filed again and again within 12 m."""
    spots = scaled(15, len(ground.cells))
    arcs = network.metric[~network.streets["bridge"].to_numpy()]
    points, _ = beside_streets(ground, arcs, spots, rng)
    common = list(COMMON)[:12]
    truth["recurring_spots"] = []
    batches = []
    for k, point in enumerate(points):
        count = int(rng.integers(6, 14))
        middle = shapely.get_coordinates(point)[0]
        angle, away = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.0, 12.0, count)
        xy = middle + np.column_stack([np.cos(angle), np.sin(angle)]) * away[:, None]
        first = rng.integers(0, 200)
        days = np.sort(first + rng.integers(0, 150, count)).astype(float)
        class_name = common[k % len(common)]
        lon, lat = shapely.get_coordinates(to_storage(point, METRIC_EPSG))[0]
        truth["recurring_spots"].append(
            {"class_name": class_name, "lon": float(lon), "lat": float(lat), "radius_m": 12.0,
             "cases": count}
        )  # fmt: skip
        name = np.full(count, class_name, dtype=object)
        batches.append(Batch(np.round(xy, 2), name, days, f"recurring:{k}"))
    return batches


def pile_and_strays(
    ground: Ground,
    city_hall: shapely.Point,
    classes: pd.DataFrame,
    truth: dict[str, Any],
    factor: float,
    rng: np.random.Generator,
) -> list[Batch]:
    """Plant a pile on the city hall, and cases outside, in the river and without a place.

    Numbers go to ``truth["default_geocode"]`` and ``truth["unplaced"]``.
    """
    size = max(120, round(900 * factor))
    names = classes["name"].to_numpy(dtype=object)
    weights = class_weights(classes)
    middle = shapely.get_coordinates(city_hall)
    lon, lat = shapely.get_coordinates(to_storage(city_hall, METRIC_EPSG))[0]
    truth["default_geocode"] = {"lon": float(lon), "lat": float(lat), "cases": size}
    pile = Batch(
        np.repeat(middle, size, axis=0), rng.choice(names, size, p=weights), draw_days(size, rng),
        "default_geocode", channel="hotline",
    )  # fmt: skip
    outside, no_place, in_river = 26, 41, 9
    west, south, east, north = shapely.total_bounds(ground.metric)
    angle = rng.uniform(0, 2 * np.pi, outside)
    reach = 0.62 * max(east - west, north - south) * rng.uniform(1.2, 1.6, outside)
    far = np.array([(west + east) / 2, (south + north) / 2])
    far = far + np.column_stack([np.cos(angle), np.sin(angle)]) * reach[:, None]
    heart = shapely.line_interpolate_point(
        shapely.LineString(shapely.get_coordinates(ground.river.exterior)),
        rng.random(4000), normalized=True,
    )  # fmt: skip
    wet = shapely.get_coordinates(heart) + rng.normal(0, 60.0, (4000, 2))
    wet = wet[shapely.contains_xy(ground.river.buffer(-8.0), *wet.T)][:in_river]
    strays = [
        Batch(np.round(far, 2), rng.choice(names, outside, p=weights), draw_days(outside, rng),
               "outside"),
        Batch(np.round(wet, 2), np.full(len(wet), "水域不洁", dtype=object),
               draw_days(len(wet), rng), "in_river"),
        Batch(np.full((no_place, 2), np.nan), rng.choice(names, no_place, p=weights),
               draw_days(no_place, rng), "no_coordinates", channel="hotline"),
    ]  # fmt: skip
    truth["unplaced"] = {"outside": outside, "in_river": len(wet), "no_coordinates": no_place}
    return [pile, *strays]
