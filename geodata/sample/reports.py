"""A year of cases: a quiet background, planted hot spots, recurring spots, piles and strays.

Whatever is planted is written down in the truth, so that analyses can be checked against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geodata.reference import issue_classes
from geodata.sample.activity import YEAR_FROM, YEAR_TO
from geodata.sample.coverage import Ground
from geodata.sample.naming import fake_phones, person_names
from geodata.sample.places import beside_streets, cell_positions, scaled
from geodata.sample.streets import StreetNetwork
from geodata.sample.terrain import METRIC_EPSG, Terrain, centre, generator
from gridsvc.crs import STORAGE_EPSG, canonical, to_storage
from gridsvc.datum import convert
from gridsvc.layers import Placement
from gridsvc.types import FloatArray, IntArray, ObjectArray

CASES_PER_CELL = 40.0
_COMMON = {
    "暴露垃圾": 9.0, "机动车乱停放": 8.0, "道路不洁": 7.0, "占道经营": 6.5, "店外经营": 6.0,
    "非法小广告": 5.5, "非机动车乱停放": 5.5, "乱堆杂物": 5.0, "垃圾箱满溢": 4.5, "道路破损": 3.5,
    "沿街晾挂": 3.0, "无照经营游商": 3.0, "人行道破损": 2.6, "积存垃圾渣土": 2.6, "路灯异常": 2.2,
    "绿地脏乱": 2.2, "楼道堆物": 2.0, "露天烧烤": 1.8, "雨水箅子异常": 1.4, "噪声扰民": 1.6,
    "公共厕所异常": 1.2, "水域不洁": 1.2, "农贸市场秩序": 1.3, "电动车进楼": 1.2, "工地扬尘": 1.1,
}  # fmt: skip
_NIGHT = {"露天烧烤", "噪声扰民", "夜间施工照明直射", "早夜市管理", "路灯异常", "渣土车未密闭"}
_CHANNELS = {
    "patrol": 0.62, "hotline": 0.14, "citizen": 0.11, "self_found": 0.04, "video_ai": 0.03,
    "third_party": 0.02, "media": 0.01, "petition": 0.01, "leader": 0.01, "superior": 0.01,
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
class _Batch:
    """Cases before they get numbers."""

    xy: FloatArray
    name: ObjectArray
    day: FloatArray
    label: str
    channel: str | None = None


def make_cases(
    terrain: Terrain,
    ground: Ground,
    network: StreetNetwork,
    staff: gpd.GeoDataFrame,
    city_hall: shapely.Point,
    seed: int,
    per_cell: float = CASES_PER_CELL,
) -> tuple[gpd.GeoDataFrame, dict[str, Any]]:
    """Return a year of cases (contract CASES) and what was planted.

    Parameters
    ----------
    terrain : Terrain
    ground : Ground
    network : StreetNetwork
    staff : GeoDataFrame
        Contract STAFF.
    city_hall : Point
        Metric; the geocoder's default place.
    seed : int
    per_cell : float
        Cases per cell and year without the planted ones.

    Returns
    -------
    cases : GeoDataFrame
    truth : dict
        Keys ``hot_spots``, ``recurring_spots``, ``default_geocode``, ``unplaced`` and
        ``seasons``.
    """
    rng = generator(seed, "cases")
    classes = issue_classes()
    truth: dict[str, Any] = {}
    batches = [_background(ground, network, classes, round(per_cell * len(ground.cells)), rng)]
    factor = per_cell / CASES_PER_CELL
    batches += _hot_spots(terrain, ground, truth, factor, rng)
    batches += _recurring(ground, network, truth, rng)
    batches += _pile_and_strays(ground, city_hall, classes, truth, factor, rng)
    cases = _assemble(batches, ground, staff, classes, truth, rng)
    truth["seasons"] = {
        "peak": "background reports follow 1 + 0.22 cos of the year with the peak on 15 July",
        "weekend_share": 0.62,
        "night_classes": sorted(_NIGHT),
    }
    return cases, truth


def _class_weights(classes: pd.DataFrame) -> FloatArray:
    weight = np.array([_COMMON.get(str(n), 0.09) for n in classes["name"]])
    return np.asarray(weight / weight.sum())


def _days(count: int, rng: np.random.Generator, first: int = 0, last: int = 365) -> FloatArray:
    """Draw days of the year: more in summer, fewer on Saturdays and Sundays."""
    day = np.arange(first, last)
    date = (YEAR_FROM.tz_convert("Asia/Shanghai") + pd.to_timedelta(day, unit="D")).to_series()
    season = 1.0 + 0.22 * np.cos(2 * np.pi * (date.dt.day_of_year.to_numpy() - 196) / 365.25)
    weight = season * np.where(date.dt.day_of_week.to_numpy() >= 5, 0.62, 1.0)
    return rng.choice(day, size=count, p=weight / weight.sum()).astype(float)


def _background(
    ground: Ground,
    network: StreetNetwork,
    classes: pd.DataFrame,
    count: int,
    rng: np.random.Generator,
) -> _Batch:
    lived = ~network.streets["bridge"].to_numpy()
    weight = np.array(
        [{"primary": 1.0, "service": 1.5, "unclassified": 0.35}.get(h, 1.3)
         for h in network.streets["highway"][lived]]
    )  # fmt: skip
    on_street = round(count * 0.8)
    arcs = network.metric[lived]
    take = rng.random(len(arcs)) < weight / 1.5
    points, _ = beside_streets(ground, arcs[take], on_street, rng)
    cells = ground.cells["population"].to_numpy(dtype=float) + 8.0
    where = rng.choice(len(cells), count - on_street, p=cells / cells.sum())
    inside = _random_inside(ground.metric[where], rng)
    xy = np.vstack([shapely.get_coordinates(points), inside])
    names = rng.choice(classes["name"].to_numpy(dtype=object), count, p=_class_weights(classes))
    return _Batch(xy, names, _days(count, rng), "background")


def _random_inside(polygons: ObjectArray, rng: np.random.Generator) -> FloatArray:
    """Return one random point per polygon, on the segment from its heart to a corner."""
    heart = shapely.get_coordinates(shapely.point_on_surface(polygons))
    box = shapely.bounds(polygons)
    result = heart.copy()
    open_ = np.arange(len(polygons))
    for _ in range(12):
        xy = box[open_, :2] + rng.random((len(open_), 2)) * (box[open_, 2:] - box[open_, :2])
        good = shapely.contains_xy(polygons[open_], *xy.T)
        result[open_[good]] = xy[good]
        open_ = open_[~good]
    return np.round(result, 2)


def _along_river(terrain: Terrain, station: float, offset: float) -> FloatArray:
    xy = shapely.get_coordinates(terrain.river_line)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    middle = length[np.argmin(np.hypot(*xy.T))]
    k = int(np.clip(np.searchsorted(length, middle + station), 1, len(xy) - 1))
    ahead = (xy[k] - xy[k - 1]) / np.hypot(*(xy[k] - xy[k - 1]))
    return np.asarray(xy[k] + offset * np.array([-ahead[1], ahead[0]]) + np.array(centre()))


def _hot_spots(
    terrain: Terrain,
    ground: Ground,
    truth: dict[str, Any],
    factor: float,
    rng: np.random.Generator,
) -> list[_Batch]:
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
        days = _days(count, rng, first, last)
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
        batches.append(_Batch(xy, np.full(count, class_name, dtype=object), days, f"hot:{name}"))
    return batches


def _recurring(
    ground: Ground, network: StreetNetwork, truth: dict[str, Any], rng: np.random.Generator
) -> list[_Batch]:
    """Plant places where the same problem is filed again and again within 12 m."""
    spots = scaled(15, len(ground.cells))
    arcs = network.metric[~network.streets["bridge"].to_numpy()]
    points, _ = beside_streets(ground, arcs, spots, rng)
    common = list(_COMMON)[:12]
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
        batches.append(_Batch(np.round(xy, 2), name, days, f"recurring:{k}"))
    return batches


def _pile_and_strays(
    ground: Ground,
    city_hall: shapely.Point,
    classes: pd.DataFrame,
    truth: dict[str, Any],
    factor: float,
    rng: np.random.Generator,
) -> list[_Batch]:
    size = max(120, round(900 * factor))
    names = classes["name"].to_numpy(dtype=object)
    weights = _class_weights(classes)
    middle = shapely.get_coordinates(city_hall)
    lon, lat = shapely.get_coordinates(to_storage(city_hall, METRIC_EPSG))[0]
    truth["default_geocode"] = {"lon": float(lon), "lat": float(lat), "cases": size}
    pile = _Batch(
        np.repeat(middle, size, axis=0), rng.choice(names, size, p=weights), _days(size, rng),
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
        _Batch(np.round(far, 2), rng.choice(names, outside, p=weights), _days(outside, rng),
               "outside"),
        _Batch(np.round(wet, 2), np.full(len(wet), "水域不洁", dtype=object),
               _days(len(wet), rng), "in_river"),
        _Batch(np.full((no_place, 2), np.nan), rng.choice(names, no_place, p=weights),
               _days(no_place, rng), "no_coordinates", channel="hotline"),
    ]  # fmt: skip
    truth["unplaced"] = {"outside": outside, "in_river": len(wet), "no_coordinates": no_place}
    return [pile, *strays]


def _assemble(
    batches: list[_Batch],
    ground: Ground,
    staff: gpd.GeoDataFrame,
    classes: pd.DataFrame,
    truth: dict[str, Any],
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    xy = np.vstack([b.xy for b in batches])
    name = np.concatenate([b.name for b in batches])
    day = np.concatenate([b.day for b in batches])
    label = np.concatenate([np.full(len(b.day), k) for k, b in enumerate(batches)])
    count = len(day)
    hour = _hours(name, rng)
    minutes = np.round(day * 1440.0 + hour * 60.0 + rng.random(count)).astype("int64")
    order = np.lexsort((xy[:, 0], minutes))
    xy, name, label, minutes = xy[order], name[order], label[order], minutes[order]
    by_name = classes.reset_index().set_index("name")
    row = by_name.loc[list(name)]
    missing = np.isnan(xy[:, 0])
    points = np.asarray(shapely.points(np.where(missing[:, None], 0.0, xy)))
    position = cell_positions(ground, points)
    position[missing] = -1
    placed = position >= 0
    stored = to_storage(points, METRIC_EPSG)
    stored[missing] = None
    reported = YEAR_FROM + pd.to_timedelta(minutes, unit="min")
    deadline = deadlines(reported, row["deadline_hours"].to_numpy(), row["clock"].to_numpy())
    closed, status = _closing(reported, deadline, rng)
    given = np.array([b.channel for b in batches], dtype=object)[label]
    channel = rng.choice(list(_CHANNELS), count, p=list(_CHANNELS.values())).astype(object)
    channel = np.where(given == None, channel, given)  # noqa: E711 - element by element
    code = np.full(count, None, dtype=object)
    code[placed] = ground.cells.index.to_numpy(dtype=object)[position[placed]]
    cell_name = np.full(count, "", dtype=object)
    cell_name[placed] = ground.cells["name"].to_numpy(dtype=object)[position[placed]]
    placement = np.where(placed, Placement.PLACED, Placement.OUTSIDE).astype(object)
    placement[missing] = Placement.NO_COORDINATES
    frame = gpd.GeoDataFrame(
        {
            "case_id": [f"C{i:07d}" for i in range(1, count + 1)],
            "class_code": row["class_code"].to_numpy(),
            "major_code": row["major_code"].to_numpy(),
            "title": [f"{c}{n}" for c, n in zip(cell_name, name, strict=True)],
            "channel": channel,
            "status": status,
            "reported_at": reported,
            "deadline": deadline,
            "closed_at": closed,
            "unit_id": _units(row["unit_kind"].to_numpy(), code),
            "person_id": _persons(code, staff, rng),
            "cell_code": code,
            "placement": placement,
        },
        geometry=list(stored),
        crs=STORAGE_EPSG,
    )
    _private(frame, rng)
    _sources(frame)
    frame = frame.set_index("case_id")
    for spot, batch in enumerate(batches):
        ids = frame.index[label == spot]
        if batch.label.startswith("recurring:"):
            entry = truth["recurring_spots"][int(batch.label.partition(":")[2])]
            entry["case_ids"] = [str(i) for i in ids]
    return frame


def _hours(name: ObjectArray, rng: np.random.Generator) -> FloatArray:
    count = len(name)
    morning, noon = rng.normal(9.4, 1.1, count), rng.normal(15.4, 1.2, count)
    hour = np.where(rng.random(count) < 0.55, morning, noon)
    hour = np.where(rng.random(count) < 0.12, rng.uniform(0, 24, count), hour)
    night = np.isin(name.astype(str), sorted(_NIGHT)) & (rng.random(count) < 0.85)
    hour = np.where(night, rng.normal(21.0, 1.0, count), hour)
    return np.asarray(np.clip(hour, 0.0, 23.98))


def _closing(
    reported: pd.DatetimeIndex, deadline: pd.DatetimeIndex, rng: np.random.Generator
) -> tuple[pd.DatetimeIndex, ObjectArray]:
    count = len(reported)
    share = rng.lognormal(-0.75, 0.55, count)
    late = rng.random(count) < 0.06
    share = np.where(late, share * 3.0 + 0.6, share)
    minutes = np.round((deadline - reported).total_seconds().to_numpy() * share / 60.0)
    closed = reported + pd.to_timedelta(np.maximum(minutes, 12).astype("int64"), unit="min")
    open_ = np.asarray(closed > YEAR_TO) | (rng.random(count) < 0.004)
    steps = np.array(["filed", "dispatched", "handling", "feedback", "checking"], dtype=object)
    status = np.where(open_, steps[rng.integers(0, 5, count)], "closed")
    voided = ~open_ & (rng.random(count) < 0.012)
    status[voided] = "voided"
    return pd.DatetimeIndex(closed.where(~open_)), status


def deadlines(
    reported: pd.DatetimeIndex, hours: FloatArray, clock: ObjectArray
) -> pd.DatetimeIndex:
    """Return deadlines: urgent clocks run on, work time is 08–12 and 14–18 on weekdays.

    Holidays are not known here; the service's own calendar is the authority.

    Parameters
    ----------
    reported : DatetimeIndex
        Aware UTC.
    hours : ndarray
        Hours, 8 to a workday.
    clock : ndarray of str
        ``work_hour``, ``workday`` or ``urgent_hour``.

    Returns
    -------
    DatetimeIndex
        Aware UTC.
    """
    local = reported.tz_convert("Asia/Shanghai").tz_localize(None)
    date = local.to_numpy().astype("datetime64[D]")
    minute = local.hour.to_numpy() * 60.0 + local.minute.to_numpy()
    worked = np.clip(minute - 480, 0, 240) + np.clip(minute - 840, 0, 240)
    weekday = np.is_busday(date)
    start = np.busday_offset(date, 0, roll="forward")
    total = np.where(weekday, worked, 0.0) + np.asarray(hours, dtype=float) * 60.0
    days = np.ceil(total / 480.0) - 1.0
    rest = total - days * 480.0
    day = np.busday_offset(start, days.astype("int64"))
    clock_minute = np.where(rest <= 240.0, 480.0 + rest, 840.0 + rest - 240.0)
    work = pd.DatetimeIndex(day.astype("datetime64[m]") + clock_minute.astype("timedelta64[m]"))
    work = work.tz_localize("Asia/Shanghai").tz_convert("UTC")
    urgent = reported + pd.to_timedelta(np.asarray(hours, dtype=float), unit="h")
    return pd.DatetimeIndex(urgent.where(np.asarray(clock) == "urgent_hour", work))


def _units(kind: ObjectArray, code: ObjectArray) -> list[str | None]:
    return [
        (f"U-{str(c)[:9]}" if c is not None else None) if k == "subdistrict" else f"U-{k}"
        for k, c in zip(kind, code, strict=True)
    ]


def _persons(
    code: ObjectArray, staff: gpd.GeoDataFrame, rng: np.random.Generator
) -> list[str | None]:
    by_cell: dict[str, list[str]] = {}
    for person, cell in zip(staff.index, staff["cell_code"], strict=True):
        by_cell.setdefault(str(cell), []).append(str(person))
    dice = rng.random(len(code))
    result: list[str | None] = []
    for c, d in zip(code, dice, strict=True):
        pool = by_cell.get(str(c), [])
        result.append(pool[int(d * len(pool))] if pool else None)
    return result


def _private(frame: gpd.GeoDataFrame, rng: np.random.Generator) -> None:
    called = frame["channel"].isin(["hotline", "citizen", "petition"]).to_numpy()
    reporter = np.full(len(frame), None, dtype=object)
    phone = np.full(len(frame), None, dtype=object)
    reporter[called] = person_names(rng, int(called.sum()))
    phone[called] = fake_phones(rng, int(called.sum()))
    frame["reporter"] = reporter
    frame["phone"] = phone


def _sources(frame: gpd.GeoDataFrame) -> None:
    """Keep the coordinates as they came in: some phones send GCJ-02."""
    lon, lat = shapely.get_x(frame.geometry.array), shapely.get_y(frame.geometry.array)
    coded: IntArray = np.flatnonzero(frame["channel"].eq("citizen").to_numpy())
    x, y = lon.copy(), lat.copy()
    x[coded], y[coded] = convert(lon[coded], lat[coded], "wgs84", "gcj02")
    datum = np.full(len(frame), "wgs84", dtype=object)
    datum[coded] = "gcj02"
    datum[np.isnan(lon)] = None
    frame["source_x"], frame["source_y"] = canonical(x), canonical(y)
    frame["source_datum"] = datum
