"""A served city beside an empty route, for measuring what one locate request costs.

``python -m tests.benchmarks.locate_server DATABASE PORT [POSTGIS]``: the real application on
uvicorn, with three routes in front of it that answer at once: ``/empty`` (raw ASGI, the floor of
the server), ``/constant`` (the same with headers and size of a full answer) and ``/postgis`` (one
statement per request that returns an answer of the same content).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
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
from api.locate_protocol import LocateProtocol
from api.settings import DatabaseSettings, Settings
from geodata.storage import open_storage
from gridsvc import layers
from gridsvc.plan.version import GridScheme, PlanStatus, PlanVersion
from tests.benchmarks.postgis_answer import ANSWER

START = datetime(2020, 1, 1, tzinfo=UTC)
ROLES = ("grid_worker", "inspector", "cleaner", "police", "community_leader", "sponsor_leader")


def constant(body: bytes, *headers: tuple[bytes, bytes]) -> tuple[dict[str, Any], ...]:
    """Return the messages of an answer that is always the same."""
    length = (b"content-length", b"%d" % len(body))
    kind = (b"content-type", b"application/json")
    return (
        {"type": "http.response.start", "status": 200, "headers": (kind, *headers, length)},
        {"type": "http.response.body", "body": body},
    )


CONSTANT = {
    "/empty": constant(b"{}"),
    "/constant": constant(
        b"[%b]" % (b"1," * 1199 + b"1"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ),
}


@dataclass(frozen=True)
class City:
    """Cells with parents, six persons a cell and 519 points."""

    cells: gpd.GeoDataFrame
    staff: pd.DataFrame
    duties: pd.DataFrame
    points: gpd.GeoDataFrame
    units: pd.DataFrame


def city_of(coverage: gpd.GeoDataFrame) -> City:
    """Return a city over a coverage."""
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
    return City(cells, people, duties, points, units)


def fill(url: str, coverage: gpd.GeoDataFrame) -> None:
    """Write a city over a coverage into a database of the project."""
    city = city_of(coverage)
    storage = open_storage(url)
    storage.upgrade()
    with storage.unit_of_work() as work:
        work.plans.add_scheme(GridScheme("main", "bench", 4548))
        plan = PlanVersion(
            "main-1", "main", 1, "bench", PlanStatus.PUBLISHED, START, len(city.cells),
            effective_from=START, published_at=START,
        )  # fmt: skip
        work.plans.add(plan, layers.normalize(city.cells, layers.CELLS))
        staff = gpd.GeoDataFrame(city.staff, geometry=[None] * len(city.staff), crs=4490)
        work.records("units").append(layers.normalize(city.units, layers.UNITS))
        work.records("staff").append(layers.normalize(staff, layers.STAFF))
        work.records("duties").append(layers.normalize(city.duties, layers.DUTIES))
        work.records("points").append(layers.normalize(city.points, layers.POINTS))
        work.commit()
    storage.dispose()


def server(url: str, postgis: str | None) -> Any:
    """Return the application with the two routes in front."""
    settings = Settings(database=DatabaseSettings(database_url=url), log_level="warning")
    app = create_app(services=open_services(settings))
    connection: Any = None

    async def front(scope: Any, receive: Any, send: Any) -> None:
        nonlocal connection
        if scope["type"] == "http" and scope["path"] in CONSTANT:
            for message in CONSTANT[scope["path"]]:
                await send(message)
            return
        if scope["type"] == "http" and scope["path"] == "/postgis" and postgis:
            if connection is None:
                import psycopg

                connection = await psycopg.AsyncConnection.connect(postgis, autocommit=True)
            asked = parse_qs(scope["query_string"].decode())
            values = {"lon": float(asked["lon"][0]), "lat": float(asked["lat"][0])}
            cursor = await connection.execute(ANSWER, values, prepare=True)
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
        http=LocateProtocol,
    )
