"""A city of six cells with everything an answer names, for the tests of locating."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely

from gridsvc import layers
from gridsvc.plan.version import GridScheme, PlanStatus, PlanVersion
from gridsvc.services.ports import Storage

WEST, SOUTH, SIZE = 117.6, 26.2, 0.01
FIRST = datetime(2018, 1, 1, tzinfo=UTC)
SECOND = datetime(2019, 1, 1, tzinfo=UTC)
NOW = datetime(2019, 6, 1, tzinfo=UTC)
HANDOVER = datetime(2019, 7, 1, tzinfo=UTC)
COMMUNITY = "350400001001"
SUBDISTRICT = "350400001"


def code(number: int) -> str:
    """Return the code of a cell."""
    return f"{COMMUNITY}{number:03d}"


def square(column: float, row: float, width: float = 1.0) -> shapely.Polygon:
    """Return a cell's square; columns count from the west, rows from the south."""

    def at(value: float, start: float) -> float:
        return round(start + value * SIZE, 9)

    return shapely.box(
        at(column, WEST), at(row, SOUTH), at(column + width, WEST), at(row + 1, SOUTH)
    )


def cells(*, merged: bool = False) -> gpd.GeoDataFrame:
    """Return cells 1–3 in the south and 4–6 in the north; ``merged`` has 1 and 2 as one."""
    shapes = {code(1 + c + 3 * r): square(c, r) for r in (0, 1) for c in (0, 1, 2)}
    if merged:
        del shapes[code(2)]
        shapes[code(1)] = square(0, 0, 2.0)
    frame = gpd.GeoDataFrame(
        {
            "name": [f"网格{c[-1]}" for c in shapes],
            "community_code": COMMUNITY,
            "community_name": "东街社区",
            "subdistrict_code": SUBDISTRICT,
            "subdistrict_name": "列东街道",
        },
        index=pd.Index(list(shapes), name="code"),
        geometry=list(shapes.values()),
        crs=4490,
    )
    return layers.normalize(frame, layers.CELLS)


def _frame(layer: layers.Layer, rows: list[dict[str, Any]], points: Any = None) -> Any:
    table = pd.DataFrame(rows)
    if points is not None:
        table = gpd.GeoDataFrame(table, geometry=points, crs=4490)
    return layers.normalize(table, layer)


def plan(number: int, **changes: Any) -> PlanVersion:
    """Return a published plan version."""
    values: dict[str, Any] = {
        "id": f"main-{number}",
        "scheme_id": "main",
        "number": number,
        "title": f"第 {number} 版",
        "status": PlanStatus.PUBLISHED,
        "created_at": FIRST,
        "cell_count": 6,
        "effective_from": FIRST,
        "published_at": FIRST,
    }
    return PlanVersion(**(values | changes))


def fill(storage: Storage) -> None:
    """Write two plan versions and everybody who answers for them."""
    storage.upgrade()
    with storage.unit_of_work() as work:
        work.plans.add_scheme(GridScheme("main", "示范区", 4548))
        work.plans.add(
            plan(1, status=PlanStatus.SUPERSEDED, effective_to=SECOND, cell_count=5),
            cells(merged=True),
        )
        work.plans.add(plan(2, effective_from=SECOND), cells())
        work.records("units").append(
            _frame(
                layers.UNITS,
                [
                    {
                        "unit_id": "U1",
                        "name": "城管局",
                        "kind": "urban_management",
                        "phone": "0598-1",
                    },
                    {
                        "unit_id": "U2",
                        "name": "列东街道办",
                        "kind": "subdistrict",
                        "area_code": SUBDISTRICT,
                    },
                ],
            )
        )
        work.records("staff").append(
            _frame(
                layers.STAFF,
                [
                    {
                        "person_id": f"P{i}",
                        "name": name,
                        "role": role,
                        "unit_id": "U2",
                        "phone": "13800000000",
                    }
                    for i, (name, role) in enumerate(
                        [
                            ("张三", "grid_worker"),
                            ("李四", "grid_worker"),
                            ("王五", "community_leader"),
                            ("赵六", "sponsor_leader"),
                        ],
                        start=1,
                    )
                ],
                [None] * 4,
            )
        )
        work.records("classes").append(
            _frame(
                layers.CLASSES,
                [
                    {
                        "class_code": "0101",
                        "catalog": "demo",
                        "major_code": "01",
                        "major_name": "街面秩序",
                        "name": "占道经营",
                        "unit_kind": "urban_management",
                        "deadline_hours": 4.0,
                    },
                ],
            )
        )
        work.records("points").append(
            _frame(
                layers.POINTS,
                [
                    {
                        "point_id": "T1",
                        "name": "东门市场",
                        "category": "market",
                        "unit_id": "49 分队",
                    },
                    {"point_id": "T2", "name": "西门车站", "category": "station", "unit_id": "U2"},
                    {"point_id": "T3", "name": "无坐标", "category": "station"},
                ],
                [shapely.Point(117.6251, 26.205), shapely.Point(117.601, 26.205), None],
            )
        )
        work.records("duties").append(
            _frame(
                layers.DUTIES,
                [
                    _duty("D1", "P1", "grid_worker", "cell", code(1), FIRST, HANDOVER),
                    _duty("D2", "P2", "grid_worker", "cell", code(1), HANDOVER, None),
                    _duty("D3", "P3", "community_leader", "community", COMMUNITY, FIRST, None),
                    _duty("D4", "P4", "sponsor_leader", "point", "T2", FIRST, None),
                ],
            )
        )
        work.commit()


def _duty(
    duty_id: str,
    person: str,
    role: str,
    kind: str,
    target: str,
    since: datetime,
    until: datetime | None,
) -> dict[str, Any]:
    return {
        "duty_id": duty_id,
        "person_id": person,
        "role": role,
        "target_kind": kind,
        "target_code": target,
        "valid_from": since.isoformat(),
        "valid_to": None if until is None else until.isoformat(),
        "recorded_at": FIRST.isoformat(),
    }


def open_filled(folder: Path) -> Storage:
    """Return a new SQLite storage with the city in it."""
    from geodata.storage import open_storage

    storage = open_storage(f"sqlite:///{folder / 'city.db'}")
    fill(storage)
    return storage
