"""A served city beside an empty route, for measuring what one locate request costs.

``python -m tests.benchmarks.locate_server DATABASE PORT [POSTGIS]``: the real application on
uvicorn, with two routes in front of it that answer at once: ``/empty`` (raw ASGI, the floor of the
server) and ``/postgis`` (one exact query per request on a table ``bench_cells``).
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import geopandas as gpd
import numpy as np
import pandas as pd
import uvicorn

from api.app import create_app
from api.bootstrap import open_services
from api.settings import DatabaseSettings, Settings
from geodata.storage import open_storage
from gridsvc import layers
from gridsvc.plan.version import GridScheme, PlanStatus, PlanVersion

START = datetime(2020, 1, 1, tzinfo=UTC)
ROLES = ("grid_worker", "inspector", "cleaner", "police", "community_leader", "sponsor_leader")
QUERY = (
    "SELECT code FROM bench_cells "
    "WHERE ST_Covers(geom, ST_SetSRID(ST_MakePoint(%s, %s), 4490)) ORDER BY code LIMIT 1"
)
EMPTY = (
    {
        "type": "http.response.start",
        "status": 200,
        "headers": ((b"content-type", b"application/json"), (b"content-length", b"2")),
    },
    {"type": "http.response.body", "body": b"{}"},
)


def fill(url: str, coverage: gpd.GeoDataFrame) -> None:
    """Write a city with six persons a cell and 519 points over a coverage."""
    storage = open_storage(url)
    storage.upgrade()
    number = np.arange(len(coverage))
    community = [f"350400{n // 48 + 1:03d}{n // 4 % 12 + 1:03d}" for n in number]
    cells = coverage.assign(
        name=[f"第{n}网格" for n in number],
        community_code=community,
        community_name=[f"社区{c[-6:]}" for c in community],
        subdistrict_code=[c[:9] for c in community],
        subdistrict_name=[f"街道{c[6:9]}" for c in community],
    ).rename_axis("code")
    people = pd.DataFrame(
        [
            {"person_id": f"P{n}-{role}", "name": f"王{n}", "role": role, "unit_id": "U1"}
            for n in number
            for role in ROLES
        ]
    )
    duties = pd.DataFrame(
        [
            {"duty_id": f"D{n}-{role}", "person_id": f"P{n}-{role}", "role": role,
             "target_kind": "cell", "target_code": code, "valid_from": START.isoformat(),
             "recorded_at": START.isoformat()}
            for n, code in zip(number, coverage.index, strict=True)
            for role in ROLES
        ]
    )  # fmt: skip
    west, south, east, north = coverage.total_bounds
    rng = np.random.default_rng(519)
    points = gpd.GeoDataFrame(
        {
            "point_id": [f"T{i}" for i in range(519)],
            "name": [f"点位{i}" for i in range(519)],
            "category": "market",
        },
        geometry=gpd.points_from_xy(
            np.round(rng.uniform(west, east, 519), 9), np.round(rng.uniform(south, north, 519), 9)
        ),
        crs=4490,
    )
    units = pd.DataFrame([{"unit_id": "U1", "name": "城管局", "kind": "city"}])
    with storage.unit_of_work() as work:
        work.plans.add_scheme(GridScheme("main", "bench", 4548))
        plan = PlanVersion(
            "main-1", "main", 1, "bench", PlanStatus.PUBLISHED, START, len(cells),
            effective_from=START, published_at=START,
        )  # fmt: skip
        work.plans.add(plan, layers.normalize(cells, layers.CELLS))
        staff = gpd.GeoDataFrame(people, geometry=[None] * len(people), crs=4490)
        work.records("units").append(layers.normalize(units, layers.UNITS))
        work.records("staff").append(layers.normalize(staff, layers.STAFF))
        work.records("duties").append(layers.normalize(duties, layers.DUTIES))
        work.records("points").append(layers.normalize(points, layers.POINTS))
        work.commit()
    storage.dispose()


def server(url: str, postgis: str | None) -> Any:
    """Return the application with the two routes in front."""
    settings = Settings(database=DatabaseSettings(database_url=url), log_level="warning")
    app = create_app(services=open_services(settings))
    connection: Any = None

    async def front(scope: Any, receive: Any, send: Any) -> None:
        nonlocal connection
        if scope["type"] == "http" and scope["path"] == "/empty":
            for message in EMPTY:
                await send(message)
            return
        if scope["type"] == "http" and scope["path"] == "/postgis" and postgis:
            if connection is None:
                import psycopg

                connection = await psycopg.AsyncConnection.connect(postgis, autocommit=True)
            asked = parse_qs(scope["query_string"].decode())
            values = (float(asked["lon"][0]), float(asked["lat"][0]))
            cursor = await connection.execute(QUERY, values, prepare=True)
            row = await cursor.fetchone()
            body = b"null" if row is None else row[0].encode()
            headers = ((b"content-length", b"%d" % len(body)),)
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await app(scope, receive, send)

    return front


if __name__ == "__main__":
    database, port = sys.argv[1], int(sys.argv[2])
    if database.startswith("sqlite") and not Path(database.removeprefix("sqlite:///")).exists():
        raise SystemExit(f"there is no database {database}")
    uvicorn.run(
        server(database, sys.argv[3] if len(sys.argv) > 3 else None),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
    )
