"""Duties for roads, rivers and fields: in which box they lie, and their targets as geometry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from starlette.testclient import TestClient

from api.app import create_app
from api.bootstrap import open_services
from api.settings import DatabaseSettings, Settings
from gridsvc.layers import DUTIES, EXCLUSIONS, FACILITIES, STREETS, normalize
from gridsvc.services import planning
from tests.unit.api.test_spatial_filters import NOW, SCHEME, T0, cells
from tests.unit.gridsvc.quality_data import frame, square

TARGETS = {
    "road": "列东街", "river": "sha", "field": "north", "class": "0101", "cell": "a",
}  # fmt: skip


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Two cells; a river and a field lie beside them, another field is a facility."""
    settings = Settings(
        database=DatabaseSettings(database_url=f"sqlite:///{tmp_path / 'duties.db'}"),
        log_level="error",
    )
    services = open_services(settings, upgrade=True)
    services.clock = lambda: NOW
    beside = frame({"sha": square(-100, 0), "north": square(0, 100)})
    beside = beside.rename_axis("exclusion_id").assign(kind=["river", "farmland"])
    plan = planning.create_draft(
        services.storage, SCHEME, cells({"a": "m1", "b": "m1"}),
        normalize(beside, EXCLUSIONS), at=T0,
    )  # fmt: skip
    planning.publish(services.storage, plan.id, T0, T0)
    middle = frame({"f1": square(100, 0)}).geometry.representative_point()
    built = gpd.GeoDataFrame(
        {"facility_id": ["f1"], "name": ["田"], "kind": ["field"]},
        geometry=middle.to_numpy(), crs=4490,
    )  # fmt: skip
    west, south, east, _ = frame({"f1": square(100, 0)}).total_bounds
    street = gpd.GeoDataFrame(
        {"street_id": ["s1"], "name": [TARGETS["road"]], "highway": ["primary"]},
        geometry=[shapely.LineString([(west, south), (east, south)])], crs=4490,
    )  # fmt: skip
    kinds = [*TARGETS, "field"]
    duties = pd.DataFrame(
        {
            "duty_id": [*TARGETS, "built"],
            "person_id": "P1",
            "role": "chief",
            "target_kind": kinds,
            "target_code": [*TARGETS.values(), "f1"],
            "valid_from": T0,
            "recorded_at": datetime(2026, 1, 1, tzinfo=UTC),
        }
    )
    with services.storage.unit_of_work() as work:
        work.records("facilities").append(normalize(built, FACILITIES))
        work.records("streets").append(normalize(street, STREETS))
        work.records("duties").append(normalize(duties, DUTIES))
        work.commit()
    with TestClient(create_app(services=services), raise_server_exceptions=False) as found:
        yield found
    services.close()


def listed(client: TestClient, query: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/duties?{query}")
    assert answer.status_code == 200, answer.text
    return {one["id"]: one["geometry"] for one in answer.json()["features"]}


def box(shape: Any) -> str:
    west, south, east, north = shape.buffer(-1e-5).bounds
    return f"f=geojson&bbox={west},{south},{east},{north}"


def test_every_kind_of_target_but_a_class_has_its_geometry(client: TestClient) -> None:
    found = listed(client, "f=geojson")
    assert {key: shape and shape["type"] for key, shape in found.items()} == {
        "road": "LineString", "river": "Polygon", "field": "Polygon", "built": "Point",
        "cell": "Polygon", "class": None,
    }  # fmt: skip
    assert set(listed(client, "f=geojson&target_kind=field")) == {"field", "built"}


@pytest.mark.parametrize(
    ("x", "y", "there"),
    [
        (-100, 0, {"river"}),
        (0, 100, {"field"}),
        (100, 0, {"built"}),
        (0, 0, {"cell"}),
        (900, 900, set()),
    ],
)
def test_a_box_has_the_duties_whose_target_meets_it(
    client: TestClient, x: float, y: float, there: set[str]
) -> None:
    around = frame({"x": square(x, y)}).geometry.iloc[0]
    assert set(listed(client, box(around))) == there
