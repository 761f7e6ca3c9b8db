"""``at`` and ``known_at`` on every surface: which plan, which duties, what was known of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from starlette.testclient import TestClient
from typer.testing import CliRunner

from api.app import create_app
from api.bootstrap import Services
from api.cli.main import build
from api.settings import Settings
from geodata.sources import open_source
from gridsvc import layers
from gridsvc.services.locating import LocatorCache
from tests.unit.api.locate_app import Watch
from tests.unit.gridsvc.test_along import add_duties, add_road, duty
from tests.unit.locate_city import COMMUNITY, code, open_filled

RECORDED = datetime(2019, 5, 20, tzinfo=UTC)
BEFORE, AFTER = "2019-05-19", "2019-05-21"
THEN = "2019-03-01"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("times")
    storage = open_filled(folder)
    add_road(storage)
    add_duties(storage, duty("L1", "P2", "collector", "cell", code(2), RECORDED))
    reports = gpd.GeoDataFrame(
        {
            "case_id": ["C1", "C2", "C3"],
            "class_code": ["0101"] * 3,
            "reported_at": ["2019-02-01T01:30Z", "2019-04-05T00:00Z", "2019-05-09T22:10Z"],
        },
        geometry=[
            shapely.Point(117.605, 26.205), shapely.Point(117.615, 26.205), shapely.Point(118, 27)
        ],
        crs=4490,
    )  # fmt: skip
    with storage.unit_of_work() as work:
        work.records("cases").append(layers.normalize(reports, layers.CASES))
        work.commit()
    storage.dispose()
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    from geodata.storage import open_storage

    storage = open_storage(f"sqlite:///{folder / 'city.db'}")
    locators = LocatorCache(storage, scheme_id="main", recheck_s=3600.0)
    services = Services(Settings(), storage, locators, clock=Watch())
    with TestClient(create_app(services=services), base_url="http://127.0.0.1") as client:
        yield client
    storage.dispose()


def get(client: TestClient, path: str, **query: str) -> Any:
    response = client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(("known", "seen"), [(BEFORE, False), (AFTER, True), ("", True)])
def test_a_duty_is_seen_from_its_record_on(client: TestClient, known: str, seen: bool) -> None:
    asked = {"at": THEN, **({"known_at": known} if known else {})}
    listed = get(client, "/api/v1/duties", f="json", **asked)["rows"]
    assert ("L1" in [row["duty_id"] for row in listed]) is seen
    history = get(client, "/api/v1/duties", f="json", history="true", **asked)["rows"]
    assert ("L1" in [row["duty_id"] for row in history]) is seen
    who = get(client, "/api/v1/duties/responsible", cell=code(2), **asked)
    assert ("collector" in [p["role"] for p in who["persons"]]) is seen
    gaps = get(client, "/api/v1/duties/gaps", role="collector", **asked)
    assert (code(2) not in [row["cell_code"] for row in gaps["vacancies"]]) is seen
    cover = get(client, "/api/v1/analysis/coverage", role="collector", **asked)
    vacant = [row["cell_code"] for row in cover["lists"]["vacant_cells"]]
    assert (code(2) not in vacant) is seen
    place = get(client, "/api/v1/locate", lon="117.615", lat="26.206", **asked)
    assert ("collector" in place["persons"]) is seen
    assert (place["known_at"] is None) is (known == "")


def test_the_fast_path_keeps_plain_answers_plain(client: TestClient) -> None:
    place = {"lon": "117.615", "lat": "26.206"}
    assert "collector" in get(client, "/api/v1/locate", **place)["persons"]
    assert "collector" not in get(client, "/api/v1/locate", **place, known_at=BEFORE)["persons"]
    assert "collector" in get(client, "/api/v1/locate", **place)["persons"]


def run(folder: Path, *arguments: str) -> Any:
    environment = {
        "GRIDSVC_DATABASE_URL": f"sqlite:///{folder / 'city.db'}", "GRIDSVC_GRID__SCHEME": "main",
    }  # fmt: skip
    result = CliRunner().invoke(build(), ["--json", *arguments], env=environment)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(("at", "plan", "cells"), [("2018-06-01", "main-1", 5), ("", "main-2", 6)])
def test_commands_take_the_plan_of_the_instant(
    folder: Path, tmp_path: Path, at: str, plan: str, cells: int
) -> None:
    then = ("--at", at) if at else ()
    target = tmp_path / "cells.gpkg"
    assert run(folder, "export", "cells", "-o", str(target), *then)["rows"] == cells
    assert len(open_source(target).frame) == cells
    points = tmp_path / "points.csv"
    run(folder, "export", "points", "-o", str(points), *then)
    assert set(pd.read_csv(points, dtype=str)["plan_id"].dropna()) == {plan}
    assert run(folder, "hotspot", *then)["plan_id"] == plan
    rounds = run(folder, "patrol", "--community", COMMUNITY, "--max-snap", "5000", *then)
    assert rounds["plan_id"] == plan
    for kind in ("plan", "hotspot", "coverage"):
        page = str(tmp_path / f"{kind}.html")
        assert run(folder, "map", kind, "-o", page, *then)["plan"] == plan
    area = ("--community", COMMUNITY)
    drawn = run(folder, "map", "patrol", "-o", str(tmp_path / "patrol.html"), *area, *then)
    assert drawn["plan"] == plan


def test_hot_spots_state_the_time_of_what_they_counted(folder: Path, client: TestClient) -> None:
    expected = {
        "n": 2, "n_unplaced": 1, "since": None, "until": None,
        "first": "2019-02-01T01:30:00+00:00", "last": "2019-04-05T00:00:00+00:00",
    }  # fmt: skip
    for found in (
        run(folder, "hotspot"),
        get(client, "/api/v1/analysis/hotspots", set_aside="false")["summary"],
    ):
        assert {key: found[key] for key in expected} == expected
    environment = {"GRIDSVC_DATABASE_URL": f"sqlite:///{folder / 'city.db'}"}
    told = CliRunner().invoke(build(), ["hotspot"], env=environment).output
    assert "首末案件 2019-02-01 09:30 – 2019-04-05 08:00" in told
    page = client.get("/maps/hotspot").text
    assert "首末案件时间" in page
    assert "2019-02-01 09:30" in page
    none = run(folder, "hotspot", "--since", "2020-01-01")
    assert (none["n"], none["first"], none["last"]) == (0, None, None)
