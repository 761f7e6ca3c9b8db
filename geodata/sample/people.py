"""Units, staff and duties of the sample city."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geodata.reference import issue_classes, staff_sources, unit_kinds
from geodata.sample.coverage import COUNTY_CODE, Ground
from geodata.sample.naming import fake_phones, person_names
from geodata.sample.streets import StreetNetwork
from geodata.sample.terrain import BASE_CELLS, METRIC_EPSG, generator
from gridsvc.crs import STORAGE_EPSG, to_storage
from gridsvc.types import ObjectArray

STAFF_AT_BASE = 2331
_SHARE = {
    "community": 0.30, "collector": 0.21, "sanitation": 0.17, "urban_management": 0.10,
    "municipal_landscaping": 0.07, "subdistrict": 0.06, "police": 0.05, "market_supervision": 0.04,
}  # fmt: skip
_CONTRACTED = {
    "垃圾箱满溢": "U-contractor-1", "公厕不洁": "U-contractor-1", "绿地脏乱": "U-contractor-2",
    "绿化弃料": "U-contractor-2", "道路积水": "U-team-1", "路面塌陷": "U-team-1",
}  # fmt: skip
_LEADERS = 24
_VACANT_SHARE = 0.017
_DOUBLED_SHARE = 0.009
RECORDED = pd.Timestamp("2025-06-20T02:00:00Z")
START = pd.Timestamp("2025-06-30T16:00:00Z")
"""Midnight of 2025-07-01 in Asia/Shanghai: when the duties begin."""
HANDOVER_PAST = pd.Timestamp("2026-06-30T16:00:00Z")
HANDOVER_FUTURE = pd.Timestamp("2026-12-31T16:00:00Z")


@dataclass(frozen=True)
class People:
    """Units, staff and duties in contract form, and what was planted in them."""

    units: pd.DataFrame
    staff: gpd.GeoDataFrame
    duties: pd.DataFrame
    truth: dict[str, Any]


def make_units(ground: Ground, seed: int) -> pd.DataFrame:
    """Return the units: lead offices, departments, enterprises, subdistricts, communities."""
    rng = generator(seed, "units")
    rows: list[dict[str, Any]] = []

    def add(unit_id: str, name: str, kind: str, parent: str | None, area: str | None) -> None:
        rows.append({"unit_id": unit_id, "name": name, "kind": kind, "parent_id": parent,
                     "area_code": area})  # fmt: skip

    add("U-command", "城市管理指挥部", "command", None, COUNTY_CODE)
    skip = {"command", "subdistrict", "community", "property_company", "owner_unit", "contractor",
            "team", "special_command"}  # fmt: skip
    for kind in unit_kinds():
        if kind.key not in skip:
            add(f"U-{kind.key}", kind.zh, kind.key, "U-command", None)
    add("U-contractor-1", "清澜环卫服务有限公司", "contractor", "U-sanitation", None)
    add("U-contractor-2", "绿野园林养护有限公司", "contractor", "U-landscaping", None)
    add("U-team-1", "市政应急抢修队", "team", "U-municipal_works", None)
    cells = ground.cells
    for code, name in _distinct(cells, "subdistrict"):
        office = "镇人民政府" if name.endswith("镇") else "街道办事处"
        full = name.removesuffix("镇").removesuffix("街道") + office
        add(f"U-{code}", full, "subdistrict", "U-command", code)
    for code, name in _distinct(cells, "community"):
        office = "村民委员会" if name.endswith("村") else "社区居民委员会"
        full = name.removesuffix("村").removesuffix("社区") + office
        add(f"U-{code}", full, "community", f"U-{code[:9]}", code)
    table = pd.DataFrame(rows).set_index("unit_id")
    table["phone"] = fake_phones(rng, len(table))
    return table


def _distinct(cells: pd.DataFrame, level: str) -> list[tuple[str, str]]:
    pairs = cells[[f"{level}_code", f"{level}_name"]].drop_duplicates()
    return sorted(pairs.itertuples(index=False, name=None))


def make_people(
    ground: Ground, network: StreetNetwork, units: pd.DataFrame, points: pd.DataFrame, seed: int
) -> People:
    """Return staff with posts, and duties on cells, communities, classes, roads and the river.

    Parameters
    ----------
    ground : Ground
    network : StreetNetwork
    units : DataFrame
        Contract UNITS.
    points : DataFrame
        Contract POINTS, for the sponsorships.
    seed : int

    Returns
    -------
    People
    """
    staff = _staff(ground, seed)
    duties, truth = _duties(ground, network, units, staff, points, seed)
    return People(units, staff, duties, truth)


def _staff(ground: Ground, seed: int) -> gpd.GeoDataFrame:
    rng = generator(seed, "staff")
    cells = ground.cells
    total = round(STAFF_AT_BASE * len(cells) / BASE_CELLS)
    sources = {s.key: s for s in staff_sources()}
    counts = {k: round(total * share) for k, share in _SHARE.items()}
    counts["community"] += total - sum(counts.values())
    weight = cells["population"].to_numpy(dtype=float) + 60.0
    weight /= weight.sum()
    by_load = np.argsort(-weight, kind="stable")
    position: list[int] = []
    source: list[str] = []
    for key, count in counts.items():
        if key == "community":
            # One community worker in each cell first; they become the cell leaders.
            first = np.tile(np.arange(len(cells)), count // len(cells) + 1)[
                : min(count, len(cells))
            ]
            if count < len(cells):
                first = by_load[:count]
            rest = rng.choice(len(cells), size=count - len(first), p=weight)
            where = np.concatenate([first, rest])
        else:
            where = rng.choice(len(cells), size=count, p=weight)
        position.extend(where.tolist())
        source.extend([key] * count)
    at = np.array(position)
    codes = cells.index.to_numpy()
    community = cells["community_code"].to_numpy()[at]
    subdistrict = cells["subdistrict_code"].to_numpy()[at]
    units, roles = [], []
    for key, com, sub, dice in zip(source, community, subdistrict, rng.random(total), strict=True):
        role, kind = sources[key].role, sources[key].unit_kind
        if key == "municipal_landscaping" and dice < 0.5:
            role, kind = "landscaping_worker", "landscaping"
        unit = {"community": f"U-{com}", "subdistrict": f"U-{sub}"}.get(kind, f"U-{kind}")
        units.append(unit)
        roles.append(role)
    posts = to_storage(posts_in(ground.metric[at], rng), METRIC_EPSG)
    frame = gpd.GeoDataFrame(
        {
            "person_id": [f"P{i:06d}" for i in range(1, total + 1)],
            "name": person_names(rng, total),
            "role": roles,
            "source": source,
            "unit_id": units,
            "phone": fake_phones(rng, total),
            "cell_code": codes[at],
        },
        geometry=list(posts),
        crs=STORAGE_EPSG,
    )
    return frame.set_index("person_id")


def posts_in(polygons: ObjectArray, rng: np.random.Generator, margin: float = 3.0) -> ObjectArray:
    """Return one random point well inside each polygon.

    Parameters
    ----------
    polygons : ndarray of Polygon
        Metric.
    rng : numpy.random.Generator
    margin : float
        Metres kept from the boundary where the polygon is wide enough.

    Returns
    -------
    ndarray of Point
        Metric.
    """
    result: ObjectArray = np.array(shapely.point_on_surface(polygons), dtype=object)
    bounds = shapely.bounds(polygons)
    open_ = np.ones(len(polygons), dtype=bool)
    for _ in range(25):
        todo = np.flatnonzero(open_)
        if not len(todo):
            break
        u = rng.random((len(todo), 2))
        xy = bounds[todo, :2] + u * (bounds[todo, 2:] - bounds[todo, :2])
        tried = np.asarray(shapely.points(xy))
        good = shapely.contains(polygons[todo], tried)
        good &= shapely.distance(shapely.boundary(polygons[todo]), tried) > margin
        result[todo[good]] = tried[good]
        open_[todo[good]] = False
    return result


class _Book:
    """Collects duties."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def add(
        self,
        role: str,
        target: tuple[str, str],
        *,
        person: str | None = None,
        unit: str | None = None,
        class_code: str | None = None,
        valid: tuple[pd.Timestamp, pd.Timestamp | None] = (START, None),
        recorded: pd.Timestamp = RECORDED,
    ) -> str:
        duty_id = f"D{len(self.rows) + 1:06d}"
        self.rows.append(
            {
                "duty_id": duty_id,
                "person_id": person,
                "unit_id": unit,
                "role": role,
                "target_kind": target[0],
                "target_code": target[1],
                "class_code": class_code,
                "valid_from": valid[0],
                "valid_to": valid[1],
                "recorded_at": recorded,
            }
        )
        return duty_id

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows).set_index("duty_id")


def _duties(
    ground: Ground,
    network: StreetNetwork,
    units: pd.DataFrame,
    staff: gpd.GeoDataFrame,
    points: pd.DataFrame,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    rng = generator(seed, "duties")
    book = _Book()
    truth = _cell_duties(book, ground, staff, rng)
    for code, name in _distinct(ground.cells, "community"):
        del name
        book.add("first_responsible", ("community", code), unit=f"U-{code}")
    for code, _ in _distinct(ground.cells, "subdistrict"):
        book.add("first_responsible", ("subdistrict", code), unit=f"U-{code}")
    for class_code, unit in _class_units(units):
        book.add("handler", ("class", class_code), unit=unit, class_code=class_code)
    cadres = staff.index[staff["role"] == "subdistrict_staff"].to_numpy()
    roads = network.streets[network.streets["highway"].isin(["primary", "secondary"])]
    road_names = sorted(set(roads["name"].dropna()))
    for name in road_names:
        book.add("road_chief", ("road", name), person=str(rng.choice(cadres)))
    book.add("river_chief", ("river", "river-1"), person=str(rng.choice(cadres)))
    touching = shapely.STRtree(ground.metric).query(
        ground.river, predicate="dwithin", distance=0.01
    )
    beside = np.unique(ground.cells["community_code"].to_numpy(dtype=object)[touching])
    by_unit: dict[str, list[str]] = {}
    for person, unit in zip(staff.index, staff["unit_id"], strict=True):
        by_unit.setdefault(str(unit), []).append(str(person))
    for code in beside:
        near = by_unit.get(f"U-{code}", [])
        person = str(near[0]) if len(near) else str(rng.choice(cadres))
        book.add("river_chief", ("community", str(code)), person=person)
    _sponsors(book, staff, points, truth, rng)
    return book.frame(), truth


def _class_units(units: pd.DataFrame) -> list[tuple[str, str]]:
    """Name a unit for each class: the department of its kind, a contractor for some.

    Classes of the territory have none, so that the subdistrict of the place answers.
    """
    result = []
    for class_code, row in issue_classes().iterrows():
        unit = f"U-{row['unit_kind']}"
        unit = _CONTRACTED.get(str(row["name"]), unit)
        if unit in units.index and row["unit_kind"] not in ("subdistrict", "community"):
            result.append((str(class_code), unit))
    return result


def _cell_duties(
    book: _Book, ground: Ground, staff: gpd.GeoDataFrame, rng: np.random.Generator
) -> dict[str, Any]:
    cells = ground.cells
    codes = cells.index.to_numpy()
    vacant = set(rng.choice(codes, max(1, round(len(codes) * _VACANT_SHARE)), replace=False))
    rest = np.array([c for c in codes if c not in vacant])
    few = max(1, round(len(codes) * _DOUBLED_SHARE))
    drawn = rng.choice(rest, 3 * few, replace=False)
    doubled, past, future = ({str(c) for c in drawn[i * few : (i + 1) * few]} for i in range(3))
    by_cell: dict[str, list[str]] = {}
    by_community: dict[str, list[str]] = {}
    workers = staff[staff["role"] == "community_worker"]
    for person, cell in zip(workers.index, workers["cell_code"], strict=True):
        by_cell.setdefault(str(cell), []).append(str(person))
        by_community.setdefault(str(cell)[:12], []).append(str(person))
    everyone = workers.index.to_numpy()

    def worker(code: str, number: int) -> str:
        pool = by_cell.get(code, [])
        if number < len(pool):
            return pool[number]
        near = [p for p in by_community.get(code[:12], []) if p not in pool[:1]]
        return near[number % len(near)] if near else str(rng.choice(everyone))

    for code in codes:
        if code in vacant:
            continue
        target = ("cell", str(code))
        first, second = worker(code, 0), worker(code, 1)
        if code in past:
            book.add("cell_leader", target, person=second, valid=(START, HANDOVER_PAST))
            book.add("cell_leader", target, person=first, valid=(HANDOVER_PAST, None),
                     recorded=HANDOVER_PAST - pd.Timedelta(days=6))  # fmt: skip
        elif code in future:
            book.add("cell_leader", target, person=first, valid=(START, HANDOVER_FUTURE))
            book.add("cell_leader", target, person=second, valid=(HANDOVER_FUTURE, None),
                     recorded=HANDOVER_FUTURE - pd.Timedelta(days=60))  # fmt: skip
        else:
            book.add("cell_leader", target, person=first)
            if code in doubled:
                book.add("cell_leader", target, person=second)
    helpers = staff[staff["source"].isin(
        ["collector", "sanitation", "urban_management", "police", "market_supervision"]
    )]  # fmt: skip
    for person, role, cell in zip(
        helpers.index, helpers["role"], helpers["cell_code"], strict=True
    ):
        book.add(str(role), ("cell", str(cell)), person=str(person))
    return {
        "cells_without_leader": sorted(str(c) for c in vacant),
        "cells_with_two_leaders": sorted(doubled),
        "handover_past": {"cells": sorted(past), "at": HANDOVER_PAST.isoformat()},
        "handover_future": {"cells": sorted(future), "at": HANDOVER_FUTURE.isoformat()},
    }


def _sponsors(
    book: _Book,
    staff: gpd.GeoDataFrame,
    points: pd.DataFrame,
    truth: dict[str, Any],
    rng: np.random.Generator,
) -> None:
    """Give each leader two evaluation points, as document 000 does."""
    cadres = staff.index[staff["role"] == "subdistrict_staff"].to_numpy()
    leaders = rng.choice(cadres, min(_LEADERS, len(cadres), len(points) // 2), replace=False)
    chosen = rng.choice(points.index.to_numpy(), 2 * len(leaders), replace=False)
    for i, leader in enumerate(leaders):
        for point in chosen[2 * i : 2 * i + 2]:
            book.add("sponsor_leader", ("point", str(point)), person=str(leader))
    truth["sponsored_points"] = sorted(str(p) for p in chosen)
