"""The repair log over HTTP: page by page, by kind, cell and place, as a file, and in sum."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import geopandas as gpd
import pytest
import shapely
from starlette.testclient import TestClient

from api.app import create_app
from api.bootstrap import Services, open_services
from api.plans.repairs import Action
from api.settings import DatabaseSettings, Settings
from geodata.sources import open_source
from geodata.storage import frames
from gridsvc.quality.repair_log import COLUMNS, REASONS
from gridsvc.services import planning
from gridsvc.services.importing import import_layer
from gridsvc.services.raw import ImportOptions, ImportReport, RawLayer
from gridsvc.types import Datum
from tests.unit.gridsvc.quality_data import frame, metric, square
from tests.unit.gridsvc.test_planning import SCHEME, T0, cells

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    settings = Settings(
        database=DatabaseSettings(database_url=f"sqlite:///{tmp_path / 'plans.db'}"),
        log_level="error",
    )
    found = open_services(settings, upgrade=True)
    found.clock = lambda: NOW
    yield found
    found.close()


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services=services), raise_server_exceptions=False) as found:
        yield found


def drawn() -> gpd.GeoDataFrame:
    """Six squares in a row; every second one reaches half a metre over the next."""
    shapes = {
        f"c{i}": metric([(100 * i, 0), (100 * i + 100 + 0.5 * (i % 2), 0),
                         (100 * i + 100 + 0.5 * (i % 2), 100), (100 * i, 100)])
        for i in range(5)
    }  # fmt: skip
    parents = {"community_code": ["m"] * 6, "subdistrict_code": ["s"] * 6}
    return frame(shapes | {"c5": square(500, 0)}, **parents).reset_index()


@pytest.fixture
def report(services: Services) -> ImportReport:
    raw = RawLayer(drawn(), "drawn.gpkg", "0" * 64, "EPSG:4490", Datum.CGCS2000, None, None)
    options = ImportOptions(scheme="main", code_system="free")
    return import_layer(services.storage, raw, "cells", options)


def features(client: TestClient, address: str) -> list[dict[str, Any]]:
    answer = client.get(address)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["features"]
    return found


def test_pages_hold_every_row_once_with_its_place(client: TestClient, report: ImportReport) -> None:
    assert report.repairs is not None
    total = len(report.repairs)
    assert total > 4
    address: str | None = f"/api/v1/plans/{report.plan_id}/repairs?limit=3"
    rows: list[dict[str, Any]] = []
    while address:
        document = client.get(address).json()
        assert len(document["features"]) <= 3
        rows += document["features"]
        address = next((x["href"] for x in document["links"] if x["rel"] == "next"), None)
    assert [r["id"] for r in rows] == [str(n) for n in range(1, total + 1)]
    assert all(set(COLUMNS) <= set(r["properties"]) for r in rows)
    assert all(r["geometry"] for r in rows)
    assert sum(r["properties"]["lost_m2"] for r in rows) == report.repairs["lost_m2"].sum()


def test_rows_are_chosen_by_kind_cell_and_place(client: TestClient, report: ImportReport) -> None:
    assert report.repairs is not None
    here = f"/api/v1/plans/{report.plan_id}/repairs"
    kinds = report.repairs["action"]
    for kind in kinds.unique():
        found = features(client, f"{here}?action={kind}")
        assert len(found) == (kinds == kind).sum()
    mine = features(client, f"{here}?cell=c1")
    assert 0 < len(mine) < len(kinds)
    assert all("c1" in (r["properties"]["code"], r["properties"]["gained_by"]) for r in mine)
    west, south, east, north = report.repairs[report.repairs["code"] == "c1"].total_bounds
    near = features(client, f"{here}?bbox={west},{south},{east},{north}")
    assert {r["id"] for r in near} < {str(n) for n in range(1, len(kinds) + 1)}
    text = client.get(f"{here}?f=csv").text
    assert len(text.splitlines()) == 1 + len(kinds)
    assert client.get(f"{here}?action=nonsense").status_code == 422
    assert client.get("/api/v1/plans/nothing/repairs").status_code == 404


def test_a_page_reads_no_more_rows_than_it_shows(
    client: TestClient, report: ImportReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    decode = frames.decode_geometry

    def counted(values: Any) -> Any:
        read.append(len(values))
        return decode(values)

    monkeypatch.setattr(frames, "decode_geometry", counted)
    here = f"/api/v1/plans/{report.plan_id}/repairs?limit=2"
    ids = [r["id"] for r in features(client, f"{here}&action=overlap_resolved")]
    assert len(ids) == 2
    more = features(client, f"{here}&action=overlap_resolved&after={ids[0]}")
    assert more[0]["id"] == ids[1]  # a number is the row's own, whatever else is asked
    assert max(read) <= 3  # the page and one row that tells whether there are more


def test_the_sum_by_kind_is_that_of_the_rows(client: TestClient, report: ImportReport) -> None:
    assert report.repairs is not None
    found = client.get(f"/api/v1/plans/{report.plan_id}/repairs/summary").json()
    assert found["rows"] == len(report.repairs) == sum(a["rows"] for a in found["actions"])
    assert found["moved_area_m2"] == report.moved_area_m2
    assert found["actions"] == report.as_dict()["repair_summary"]
    overlap = next(a for a in found["actions"] if a["action"] == "overlap_resolved")
    assert overlap["area_m2"] == pytest.approx(100, rel=1e-3)
    assert overlap["width_m"] == pytest.approx(0.5, rel=0.02)


def test_the_log_is_a_layer_to_export(
    client: TestClient, report: ImportReport, tmp_path: Path
) -> None:
    assert report.repairs is not None
    here = f"/api/v1/exports/repairs?plan={report.plan_id}"
    answer = client.get(f"{here}&format=gpkg")
    assert answer.status_code == 200, answer.text
    (tmp_path / "log.gpkg").write_bytes(answer.content)
    kept = open_source(tmp_path / "log.gpkg").frame
    assert isinstance(kept, gpd.GeoDataFrame)
    assert list(kept["action"]) == list(report.repairs["action"])
    assert shapely.equals_exact(kept.geometry.to_numpy(), report.repairs.geometry.to_numpy()).all()
    one, two = (client.get(f"{here}&format=geojson").content for _ in range(2))
    assert one == two
    refused = client.get(f"{here}&format=shp")
    assert refused.status_code == 422
    assert "gpkg" in refused.text


@pytest.mark.parametrize(("after", "first"), [("1", 2), ("9" * 5000, None), ("x", 1), ("-1", 1)])
def test_any_text_may_stand_for_the_row_before(
    client: TestClient, report: ImportReport, after: str, first: int | None
) -> None:
    found = features(client, f"/api/v1/plans/{report.plan_id}/repairs?limit=1&after={after}")
    assert [row["id"] for row in found] == ([] if first is None else [str(first)])


def test_a_plan_without_repairs_has_an_empty_log(services: Services, client: TestClient) -> None:
    plan = planning.create_draft(services.storage, SCHEME, cells(), at=T0)
    assert features(client, f"/api/v1/plans/{plan.id}/repairs") == []
    summed = client.get(f"/api/v1/plans/{plan.id}/repairs/summary").json()
    assert (summed["rows"], summed["actions"]) == (0, [])


def test_every_kind_of_repair_can_be_asked_for() -> None:
    assert set(get_args(Action)) == set(REASONS)
