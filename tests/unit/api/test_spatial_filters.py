"""Rows of a community: cases by the version they were filed under, points by where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from api.bootstrap import open_services
from api.settings import DatabaseSettings, Settings
from gridsvc.layers import CASES, POINTS, normalize
from gridsvc.plan.version import GridScheme
from gridsvc.services import planning
from tests.unit.gridsvc.quality_data import EPSG, frame, square

T0 = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
SCHEME = GridScheme("main", "自由编码", EPSG, code_system="free")


def cells(communities: dict[str, str]) -> gpd.GeoDataFrame:
    layer = frame({code: square(100 * i, 0) for i, code in enumerate(communities)})
    owners = [communities[str(code)] for code in layer.index]
    return layer.assign(
        name=list(layer.index),
        community_code=owners,
        community_name=owners,
        subdistrict_code="街",
        subdistrict_name="街",
    )


# Id, cell and the number of the version it was filed under; None: no version is known.
FILED = [
    ("r1", "a", 1),
    ("r2", "b", 1),
    ("r3", "c", 1),
    ("r4", "b", 2),
    ("r5", "d", 2),
    ("r6", None, 2),
    ("r7", "b", None),
]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Cell b went from m1 to m2 in the second version; c became d."""
    settings = Settings(
        database=DatabaseSettings(database_url=f"sqlite:///{tmp_path / 'two.db'}"),
        log_level="error",
    )
    services = open_services(settings, upgrade=True)
    services.clock = lambda: NOW
    plans: dict[int | None, str | None] = {None: None}
    for number, communities in enumerate(
        ({"a": "m1", "b": "m1", "c": "m2"}, {"a": "m1", "b": "m2", "d": "m2"}), start=1
    ):
        plan = planning.create_draft(services.storage, SCHEME, cells(communities), at=T0)
        start = datetime(2026, number, 1, tzinfo=UTC)
        planning.publish(services.storage, plan.id, start, start)
        plans[number] = plan.id
    table = pd.DataFrame(FILED, columns=["id", "cell_code", "number"])
    table["plan_id"] = [plans[None if pd.isna(n) else int(n)] for n in table["number"]]
    names = table.rename(columns={"id": "point_id"}).assign(name="点", category="公园")
    there = frame({code: square(100 * i, 0) for i, code in enumerate("abc")})
    middles = there.geometry.representative_point()
    lies = [None if pd.isna(c) else middles["c" if c == "d" else c] for c in names["cell_code"]]
    names["placement"] = ["no_coordinates" if place is None else "placed" for place in lies]
    points = gpd.GeoDataFrame(names, geometry=lies, crs=4490)
    cases = table.assign(class_code="0101", reported_at=NOW).rename(columns={"id": "case_id"})
    with services.storage.unit_of_work() as work:
        work.records("points").append(normalize(points, POINTS))
        work.records("cases").append(normalize(cases, CASES))
        work.commit()
    with TestClient(create_app(services=services), raise_server_exceptions=False) as found:
        yield found
    services.close()


def ids(client: TestClient, url: str) -> list[str]:
    found: list[str] = []
    while url:
        body = client.get(url).json()
        found += [f["id"] for f in body["features"]]
        url = next((link["href"] for link in body["links"] if link["rel"] == "next"), "")
    return found


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_the_version_that_a_case_was_filed_under_decides(client: TestClient, limit: int) -> None:
    at = f"/api/v1/cases?limit={limit}&community"
    assert ids(client, f"{at}=m1") == ["r1", "r2"]
    assert ids(client, f"{at}=m2") == ["r3", "r4", "r5", "r7"]
    assert ids(client, f"{at}=nowhere") == []


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_points_are_where_the_version_in_force_has_them(client: TestClient, limit: int) -> None:
    at = f"/api/v1/points?limit={limit}"
    assert ids(client, f"{at}&community=m1") == ["r1"]
    assert ids(client, f"{at}&community=m2") == ["r2", "r3", "r4", "r5", "r7"]
    assert ids(client, f"{at}&community=nowhere") == []
    assert ids(client, f"{at}&community=m1&at=2026-01-15") == ["r1", "r2", "r4", "r7"]
    assert ids(client, f"{at}&cell=d") == ["r3", "r5"]
    assert ids(client, f"{at}&cell=d&at=2026-01-15") == []
    assert ids(client, f"{at}&cell=c&at=2026-01-15") == ["r3", "r5"]
    assert ids(client, f"{at}&placement=no_coordinates") == ["r6"]
    assert ids(client, f"{at}&placement=placed") == ["r1", "r2", "r3", "r4", "r5", "r7"]


def test_before_any_version_points_are_in_no_cell(client: TestClient) -> None:
    points = client.get("/api/v1/points?at=2025-12-01&f=json").json()["rows"]
    assert [p["cell_code"] for p in points] == [None] * len(FILED)
    assert ids(client, "/api/v1/points?at=2025-12-01&cell=a") == []


def test_one_point_names_the_cell_that_the_list_names(client: TestClient) -> None:
    for at, code in (("2026-01-15", "c"), ("2026-03-01", "d")):
        one = client.get(f"/api/v1/points/r3?at={at}").json()["properties"]
        rows = client.get(f"/api/v1/points?at={at}&f=json").json()["rows"]
        listed = next(p for p in rows if p["point_id"] == "r3")
        assert (one["cell_code"], listed["cell_code"]) == (code, code)
        assert one["plan_id"] == listed["plan_id"]
        duty = client.get(f"/api/v1/duties/responsible?point=r3&at={at}").json()
        assert duty["cell_code"] == code
        exported = client.get(f"/api/v1/exports/points?format=csv&at={at}").text
        assert next(x for x in exported.splitlines() if x.startswith("r3,")).count(f",{code},") == 1


def test_a_cell_narrows_its_community(client: TestClient) -> None:
    assert ids(client, "/api/v1/cases?community=m1&cell=b") == ["r2"]
    assert ids(client, "/api/v1/cases?community=m2&cell=b") == ["r4", "r7"]
    assert ids(client, "/api/v1/cases?community=m1&cell=c") == []
    assert ids(client, "/api/v1/points?community=m2&cell=b") == ["r2", "r4", "r7"]
    assert ids(client, "/api/v1/points?community=m1&cell=b") == []


@pytest.mark.parametrize(
    ("layer", "early", "late"),
    [
        ("points", ["r1", "r2", "r4", "r7"], ["r1"]),
        ("cases", ["r1", "r2", "r7"], ["r1", "r2"]),
    ],
)
def test_a_version_that_takes_effect_by_time_makes_answers_new(
    client: TestClient, layer: str, early: list[str], late: list[str]
) -> None:
    assert isinstance(client.app, FastAPI)
    services = client.app.state.services
    url = f"/api/v1/{layer}?community=m1"
    services.clock = lambda: datetime(2026, 1, 15, tzinfo=UTC)  # b is still in m1
    before = client.get(url)
    assert [f["id"] for f in before.json()["features"]] == early
    seen = {"If-None-Match": before.headers["etag"]}
    assert client.get(url, headers=seen).status_code == 304
    services.clock = lambda: NOW
    after = client.get(url, headers=seen)
    assert after.status_code == 200
    assert [f["id"] for f in after.json()["features"]] == late
