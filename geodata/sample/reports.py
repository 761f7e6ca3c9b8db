"""A year of cases: a quiet background, planted hot spots, recurring spots, piles and strays.

Whatever is planted is written down in the truth, so that analyses can be checked against it.
"""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geodata.reference import issue_classes
from geodata.sample.activity import YEAR_FROM, YEAR_TO
from geodata.sample.coverage import Ground
from geodata.sample.naming import fake_phones, person_names
from geodata.sample.places import beside_streets, cell_positions
from geodata.sample.planted import (
    Batch,
    class_weights,
    draw_days,
    hot_spots,
    pile_and_strays,
    recurring,
)
from geodata.sample.streets import StreetNetwork
from geodata.sample.terrain import METRIC_EPSG, Terrain, generator
from gridsvc.cases.deadlines import deadlines
from gridsvc.crs import STORAGE_EPSG, canonical, to_storage
from gridsvc.datum import convert
from gridsvc.layers import Placement
from gridsvc.types import FloatArray, IntArray, ObjectArray

CASES_PER_CELL = 40.0
_NIGHT = {"露天烧烤", "噪声扰民", "夜间施工照明直射", "早夜市管理", "路灯异常", "渣土车未密闭"}
_CHANNELS = {
    "patrol": 0.62, "hotline": 0.14, "citizen": 0.11, "self_found": 0.04, "video_ai": 0.03,
    "third_party": 0.02, "media": 0.01, "petition": 0.01, "leader": 0.01, "superior": 0.01,
}  # fmt: skip


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
    batches += hot_spots(terrain, ground, truth, factor, rng)
    batches += recurring(ground, network, truth, rng)
    batches += pile_and_strays(ground, city_hall, classes, truth, factor, rng)
    cases = _assemble(batches, ground, staff, classes, truth, rng)
    truth["seasons"] = {
        "peak": "background reports follow 1 + 0.22 cos of the year with the peak on 15 July",
        "weekend_share": 0.62,
        "night_classes": sorted(_NIGHT),
    }
    return cases, truth


def _background(
    ground: Ground,
    network: StreetNetwork,
    classes: pd.DataFrame,
    count: int,
    rng: np.random.Generator,
) -> Batch:
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
    names = rng.choice(classes["name"].to_numpy(dtype=object), count, p=class_weights(classes))
    return Batch(xy, names, draw_days(count, rng), "background")


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


def _assemble(
    batches: list[Batch],
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
