"""Small hand-made results: two by three cells beside a river, with hostile names on request."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry import LineString, Point, Polygon, box

from gridsvc import layers
from gridsvc.analysis.results import (
    CoverageResult,
    DensitySurface,
    GeocodePile,
    HotspotResult,
    Note,
    PatrolPlan,
    PatrolRound,
    Stop,
    Turn,
)
from gridsvc.plan.version import PlanStatus, PlanVersion

AT = datetime(2018, 11, 22, 6, 5, tzinfo=UTC)
WEST, SOUTH, SIDE = 117.60, 26.20, 0.01
CODES = [f"350404001001{n:03d}" for n in range(1, 7)]
HOSTILE = (
    "<img src=x onerror=\"window.hacked='img'\">`${window.hacked='dollar'}`"
    "</script><script>window.hacked='script'</script>'\"\\{{x}}"
)


def cells(name: str = "网格") -> gpd.GeoDataFrame:
    """Six square cells in two communities of one subdistrict."""
    shapes = [
        box(WEST + x * SIDE, SOUTH + y * SIDE, WEST + (x + 1) * SIDE, SOUTH + (y + 1) * SIDE)
        for y in range(2)
        for x in range(3)
    ]
    return gpd.GeoDataFrame(
        {
            "name": [f"{name}{n}" for n in range(1, 7)],
            "community_code": ["350404001001"] * 3 + ["350404001002"] * 3,
            "community_name": [f"{name}社区甲"] * 3 + [f"{name}社区乙"] * 3,
            "subdistrict_code": ["350404001"] * 6,
            "subdistrict_name": [f"{name}街道"] * 6,
            "area_m2": [1.1e6] * 6,
            "population": pd.array([100, 250, None, 1200, 3000, 9000], dtype="Int64"),
        },
        geometry=shapes,
        index=pd.Index(CODES, name="code"),
        crs=4490,
    )


def areas(name: str = "网格") -> gpd.GeoDataFrame:
    """The areas of ``cells``."""
    table = cells(name)
    rows: list[dict[str, Any]] = []
    for level in ("community", "subdistrict"):
        for code, group in table.groupby(f"{level}_code"):
            rows.append(
                {
                    "level": level,
                    "code": code,
                    "name": group[f"{level}_name"].iloc[0],
                    "geometry": shapely.union_all(group.geometry.to_numpy()),
                }
            )
    whole = shapely.union_all(table.geometry.to_numpy())
    rows.append({"level": "city", "code": "350404", "name": f"{name}市", "geometry": whole})
    return gpd.GeoDataFrame(rows, geometry="geometry", crs=4490)


def streets(name: str = "大街") -> gpd.GeoDataFrame:
    """A main street with a bridge, a lane without a name."""
    y = SOUTH + SIDE
    return gpd.GeoDataFrame(
        {
            "name": [name, name, None],
            "highway": ["primary", "primary", "footway"],
            "bridge": [False, True, False],
        },
        geometry=[
            LineString([(WEST, y), (WEST + 2 * SIDE, y)]),
            LineString([(WEST + 2 * SIDE, y), (WEST + 3 * SIDE, y)]),
            LineString([(WEST + SIDE / 2, SOUTH), (WEST + SIDE / 2, y)]),
        ],
        index=pd.Index(["s1", "s2", "s3"], name="street_id"),
        crs=4490,
    )


def exclusions(name: str = "沙溪") -> gpd.GeoDataFrame:
    """A river to the south and an airfield to the north."""
    return gpd.GeoDataFrame(
        {"kind": ["river", "airfield"], "name": [name, None], "reason": [None, None]},
        geometry=[
            box(WEST, SOUTH - 0.002, WEST + 3 * SIDE, SOUTH),
            box(WEST, SOUTH + 2 * SIDE, WEST + SIDE, SOUTH + 2 * SIDE + 0.003),
        ],
        index=pd.Index(["e1", "e2"], name="exclusion_id"),
        crs=4490,
    )


def coverage_result(name: str = "网格") -> CoverageResult:
    """Cell 6 has no leader; point 3 was never visited and has a unit only; a piece is uncovered."""
    table = cells(name)
    table["staff"] = [1, 2, 3, 5, 9, 0]
    table["role_cell_leader"] = [1, 1, 1, 1, 2, 0]
    table["role_volunteer"] = [0, 1, 2, 4, 7, 0]
    table["vacancies"] = [0, 0, 0, 0, 0, 1]
    table["points"] = [1, 1, 1, 0, 0, 0]
    table["points_visited"] = [1, 0, 0, 0, 0, 0]
    points = gpd.GeoDataFrame(
        {
            "name": [f"{name}点{n}" for n in (1, 2, 3)] + ["无坐标"],
            "category": ["market", "hospital", "market", "market"],
            "cell_code": [*CODES[:3], None],
            "last_visit": pd.array(
                ["2018-11-20T01:00:00Z", "2018-10-01T01:00:00Z", None, None],
                dtype="datetime64[us, UTC]",
            ),
            "days_since": [2.2, 52.0, np.nan, np.nan],
            "due": [False, True, True, True],
            "responsible": [True, True, True, False],
            "responsible_by": ["point", "cell", "unit", None],
            "answering_unit": [None, None, "U7", None],
        },
        geometry=[*(Point(WEST + (n + 0.5) * SIDE, SOUTH + 0.004) for n in range(3)), None],
        index=pd.Index(["P1", "P2", "P3", "P4"], name="point_id"),
        crs=4490,
    )
    lost = box(WEST + 3 * SIDE, SOUTH, WEST + 3 * SIDE + 0.001, SOUTH + 0.001)
    return CoverageResult(
        cells=table,
        areas=areas(name),
        exclusions=exclusions(name),
        points=points,
        streets=streets(name),
        uncovered_territory=gpd.GeoDataFrame({"area_m2": [11_000.0]}, geometry=[lost], crs=4490),
        vacant_cells=pd.DataFrame(
            {"cell_code": [CODES[5]], "name": [f"{name}6"], "role": ["cell_leader"]}
        ),
        doubled_cells=pd.DataFrame(
            {"cell_code": [CODES[4]], "role": ["cell_leader"], "count": [2]}
        ),
        points_without_person=pd.DataFrame(points.iloc[2:]),
        points_not_visited=pd.DataFrame(points.loc[points["due"]]),
        required_roles=("cell_leader",),
        as_of=AT,
        plan_id="main-v1",
        summary={
            "territory": {"share": 0.998, "uncovered_m2": 11_000.0, "territory_m2": 6.6e6},
        },
    )


def hotspot_result(name: str = "网格", *, note: str = "") -> HotspotResult:
    """One cell of each class, a density with two bands, three reports and one pile."""
    table = cells(name)
    table["count"] = [50, 30, 20, 5, 2, 0]
    table["rate"] = [50.0, 30.0, 20.0, 5.0, 2.0, np.nan]
    table["z"] = [4.2, 2.9, 0.3, -0.2, -3.5, np.nan]
    table["p"] = [1e-5, 0.004, 0.7, 0.8, 0.0005, np.nan]
    table["p_adjusted"] = [6e-5, 0.012, 0.8, 0.8, 0.001, np.nan]
    table["hotspot"] = ["hot_99", "hot_95", "none", "none", "cold_99", "not_tested"]
    middle = Point(WEST + SIDE, SOUTH + SIDE)
    bands = gpd.GeoDataFrame(
        {"low": [5.0, 20.0], "high": [20.0, 47.25]},
        geometry=[middle.buffer(0.006).difference(middle.buffer(0.003)), middle.buffer(0.003)],
        crs=4490,
    )
    points = gpd.GeoDataFrame(
        {
            "class_code": ["01001", "01002", "02001"],
            "reported_at": pd.to_datetime(["2018-11-01T00:00:00Z"] * 3, utc=True),
        },
        geometry=[Point(WEST + 0.002 * n, SOUTH + 0.002) for n in (1, 2, 3)],
        index=pd.Index(["C1", "C2", name], name="case_id"),
        crs=4490,
    )
    return HotspotResult(
        cells=table,
        n=107,
        n_set_aside=40,
        n_unplaced=3,
        since=datetime(2017, 12, 31, 16, tzinfo=UTC),
        until=datetime(2018, 6, 30, 16, tzinfo=UTC),
        classes=("01",),
        denominator="area_km2",
        weights="queen, self included",
        correction="Benjamini-Hochberg, two-sided, analytic z",
        alpha=0.05,
        plan_id="main-v1",
        updated_at=AT,
        piles=(GeocodePile(117.615, 26.21, 40, 0.27, 12, CODES[1], "one_coordinate"),),
        density=DensitySurface(
            values=np.zeros((2, 2)), bounds_m=(0, 0, 1, 1), epsg=4548, bandwidth_m=300.0,
            cell_m=60.0, n=107, bands=bands,
        ),
        points=points,
        notes=(
            Note(
                "1 个网格未检验:无邻接或缺少分母",
                "1 cells not tested: no neighbours or no denominator",
            ),
            *([Note(note, note)] if note else []),
        ),
    )  # fmt: skip


def patrol_plan(name: str = "点") -> PatrolPlan:
    """Two rounds; the first walks one stretch twice and has a stop of a hostile name."""
    x, y = WEST + 0.001, SOUTH + 0.001

    def at(dx: float, dy: float) -> Point:
        return Point(x + dx / 1000, y + dy / 1000)

    def line(*steps: tuple[float, float]) -> LineString:
        return LineString([(x + dx / 1000, y + dy / 1000) for dx, dy in steps])

    def stop(order: int, place: Point, title: str) -> Stop:
        return Stop(f"P{order}", title, "market", place, order, 350.0, 300.0 * order, 600.0, 4.0)

    first = PatrolRound(
        number=1, person_id="U1", person_name=f"{name}张三", start=at(0, 0),
        start_name=f"{name}岗亭",
        stops=(stop(1, at(5, 0), f"{name}一"), stop(2, at(5, 4), f"{name}二")),
        path=gpd.GeoSeries(
            [line((0, 0), (3, 0), (5, 0)), line((5, 0), (5, 4)), line((5, 4), (3, 0), (0, 0))],
            crs=4490,
        ),
        turns=(
            Turn(at(0, 0), "depart", f"{name}街", 300.0, 90.0),
            Turn(at(5, 0), "slight_left", "", 450.0, 0.0),
            Turn(at(5, 4), "arrive", "", 0.0, 0.0),
        ),
        length_m=1650.0, walking_s=1375.0, service_s=1200.0, window="day",
    )  # fmt: skip
    second = PatrolRound(
        number=2, person_id=None, person_name=None, start=at(0, 0), start_name=f"{name}岗亭",
        stops=(stop(1, at(0, 6), f"{name}三"),),
        path=gpd.GeoSeries([line((0, 0), (0, 6)), line((0, 6), (0, 0))], crs=4490),
        turns=(), length_m=1320.0, walking_s=1100.0, service_s=600.0, window="night",
    )  # fmt: skip
    return PatrolPlan(
        area_kind="community", area_code="350404001001", area_name=f"{name}社区",
        plan_id="main-v1", rounds=(first, second),
        dropped=pd.DataFrame(
            {"point_id": ["P9"], "name": [f"{name}远"], "reason": ["off_network:350"]}
        ),
        total_m=2970.0, speed_m_s=1.2, seed=7, iterations=500, solver="PyVRP 0.14.1",
        created_at=AT, cells=cells(name).iloc[:3], streets=streets(name), lower_bound_m=2500.0,
        notes=(
            Note(
                "街道分为互不相连的 2 部分,最大部分占里程的 99.0%",
                "the streets fall into 2 parts; the largest holds 99.0% of the metres",
            ),
        ),
    )  # fmt: skip


def plan_version(title: str = "样例") -> PlanVersion:
    """A draft of ``cells``."""
    return PlanVersion(
        id="main-v2", scheme_id="main", number=2, title=title, status=PlanStatus.DRAFT,
        created_at=AT, cell_count=6,
    )  # fmt: skip


def findings(text: str = "重叠") -> gpd.GeoDataFrame:
    """An overlap and a gap."""
    return gpd.GeoDataFrame(
        {
            "rule": ["coverage", "gap"],
            "severity": ["error", "error"],
            "cells": [(CODES[0], CODES[1]), (CODES[2],)],
            "measure": [12.5, 0.4],
            "unit": ["m²", "m"],
            "message_zh": [text, "缝隙"],
            "message_en": [text, "gap"],
        },
        geometry=[
            Polygon(
                [(WEST + SIDE, SOUTH), (WEST + SIDE + 0.001, SOUTH), (WEST + SIDE, SOUTH + 0.002)]
            ),
            LineString([(WEST + 0.02, SOUTH), (WEST + 0.02, SOUTH + 0.01)]),
        ],
        crs=4490,
    )


def no_findings() -> gpd.GeoDataFrame:
    """What a clean certificate finds."""
    return findings().iloc[:0]


def no_areas() -> gpd.GeoDataFrame:
    """Areas of a draft: none yet."""
    return gpd.GeoDataFrame(layers.empty(layers.AREAS))
