"""Upload, job with progress, draft, publication: the planner's way over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from starlette.testclient import TestClient

from api.app import create_app
from api.bootstrap import open_services
from api.cli.main import build
from api.settings import DatabaseSettings, ServerSettings, Settings
from geodata.storage import open_storage
from gridsvc.services.importing import import_layer

LATER = "2027-01-01"


@pytest.fixture
def client(demo_db: Path, tmp_path: Path) -> Iterator[TestClient]:
    """A client that may change things, on a database of its own."""
    copy = tmp_path / "copy.db"
    source = open_storage(f"sqlite:///{demo_db}")
    source.backup(copy)
    source.dispose()
    settings = Settings(
        database=DatabaseSettings(database_url=f"sqlite:///{copy}"),
        server=ServerSettings(max_upload_mb=8),
        log_level="error",
    )
    services = open_services(settings)
    with TestClient(create_app(services=services), raise_server_exceptions=False) as found:
        yield found
    services.close()


def upload(
    client: Any,
    name: str,
    content: bytes,
    layer: str,
    beside: dict[str, tuple[str, bytes]] | None = None,
    **form: str,
) -> dict[str, Any]:
    files = {"file": (name, content), **(beside or {})}
    answer = client.post("/api/v1/imports", files=files, data={"as": layer, **form})
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert answer.headers["location"] == job["links"]["self"]
    return job


def follow(client: Any, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the states that the event stream tells, the last one final."""
    with client.stream("GET", job["links"]["events"]) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [
            json.loads(line.removeprefix("data: "))
            for line in answer.iter_lines()
            if line.startswith("data: ")
        ]


def test_a_file_becomes_a_draft_and_the_plan_in_force(client: TestClient) -> None:
    before = client.get("/healthz").json()["plan_id"]
    cells = client.get("/api/v1/cells?limit=10000").content
    states = follow(client, upload(client, "网格.geojson", cells, "cells", title="修订"))
    versions = [s["version"] for s in states]
    assert versions == sorted(versions)
    last = states[-1]
    assert last["state"] == "done", last["problem"]
    assert last["progress"] == 1.0
    assert last["result"]["imported"] == 702
    plan = client.get(f"/api/v1/plans/{last['result']['plan_id']}")
    assert plan.json()["status"] == "draft"
    address = f"/api/v1/plans/{plan.json()['id']}/publish"

    blind = client.post(address, json={})
    assert (blind.status_code, blind.json()["type"]) == (428, "/problems/precondition-required")
    stale = client.post(address, json={}, headers={"If-Match": 'W/"old-1"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/stale-version")
    wrong = client.post(
        address, json={"effective_from": "soon"}, headers={"If-Match": plan.headers["etag"]}
    )
    assert wrong.status_code == 422
    done = client.post(
        address, json={"effective_from": LATER}, headers={"If-Match": plan.headers["etag"]}
    )
    assert done.status_code == 200, done.text
    assert done.json()["status"] == "published"
    assert done.headers["etag"] != plan.headers["etag"]
    again = client.post(address, json={}, headers={"If-Match": done.headers["etag"]})
    assert again.status_code == 409

    assert client.get("/api/v1/plans/in-force?at=2026-06-01").json()["id"] == before
    assert client.get(f"/api/v1/plans/in-force?at={LATER}").json()["id"] == plan.json()["id"]
    lineage = client.get(f"/api/v1/plans/{plan.json()['id']}/lineage?since={before}").json()
    assert lineage["counts"] == {"U": 702}


def test_points_are_placed_and_the_report_counts_them(client: TestClient) -> None:
    points = client.get("/api/v1/points?limit=3").json()
    features = points["features"]
    features[0]["geometry"]["coordinates"] = [100.0, 30.0]
    for feature in features:
        feature["properties"]["point_id"] = f"new-{feature['id']}"
    content = json.dumps({"type": "FeatureCollection", "features": features}).encode()
    last = follow(client, upload(client, "points.geojson", content, "points"))[-1]
    assert last["state"] == "done", last["problem"]
    placements = {k: v for k, v in last["result"]["placements"].items() if v}
    placements.pop("total", None)
    assert placements == {
        "placed": 2, "outside": 1,
    }  # fmt: skip
    kept = client.get(f"/api/v1/points/new-{features[0]['id']}").json()
    assert kept["properties"]["placement"] == "outside"


@pytest.mark.parametrize(
    ("name", "content", "layer", "slug"),
    [
        ("empty.geojson", b"", "points", "empty-source"),
        ("text.geojson", b"not geojson", "points", "unreadable-source"),
        ("nothing.geojson", b'{"type":"FeatureCollection","features":[]}', "cells", "empty-source"),
        ("nothing.zip", b"PK\x05\x06" + b"\0" * 18, "cells", "unreadable-source"),
    ],
)
def test_bad_files_fail_with_a_problem_and_change_nothing(
    client: TestClient, name: str, content: bytes, layer: str, slug: str
) -> None:
    before = client.get("/api/v1/plans").json(), client.get("/api/v1/points").headers["etag"]
    last = follow(client, upload(client, name, content, layer))[-1]
    assert last["state"] == "failed"
    assert last["problem"]["type"] == f"/problems/{slug}"
    assert name in last["problem"]["detail"]
    assert "/tmp" not in json.dumps(last)  # noqa: S108
    assert (client.get("/api/v1/plans").json(), client.get("/api/v1/points").headers["etag"]) == (
        before
    )


def test_points_given_for_cells_name_row_and_way_out(client: TestClient) -> None:
    points = client.get("/api/v1/points?limit=3").content
    last = follow(client, upload(client, "p.geojson", points, "cells"))[-1]
    assert last["state"] == "failed"
    assert last["problem"]["status"] == 422


def test_a_dry_run_keeps_nothing(client: TestClient) -> None:
    before = client.get("/api/v1/plans").json()
    cells = client.get("/api/v1/cells?limit=10000").content
    last = follow(client, upload(client, "c.geojson", cells, "cells", dry_run="true"))[-1]
    assert last["state"] == "done", last["problem"]
    assert last["result"]["dry_run"] is True
    assert client.get("/api/v1/plans").json() == before


def test_a_river_that_is_not_registered_needs_a_decision(client: TestClient) -> None:
    cells = client.get("/api/v1/cells?limit=10000").content
    job = upload(client, "c.geojson", cells, "cells", keep_exclusions="false")
    last = follow(client, job)[-1]
    assert last["state"] == "failed"
    assert last["problem"]["type"] == "/problems/decision-needed"


def collection(features: list[dict[str, Any]]) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def test_columns_of_places_and_constants_are_fields_of_the_form(client: TestClient) -> None:
    point = client.get("/api/v1/points?limit=1&placement=placed").json()["features"][0]
    lon, lat = point["geometry"]["coordinates"]
    table = f"编号,经,纬,名\nT1,{lon},{lat},样点\n".encode()
    refused = follow(client, upload(client, "t.csv", table, "points"))[-1]
    assert refused["state"] == "failed"
    assert "表单字段 mapping=" in json.dumps(refused["problem"], ensure_ascii=False)
    form: dict[str, Any] = {
        "mapping": '{"point_id": "编号", "name": "名", "lon": "经", "lat": "纬"}',
        "constants": json.dumps({"category": point["properties"]["category"]}),
        "datum": "cgcs2000",
    }
    last = follow(client, upload(client, "t.csv", table, "points", **form))[-1]
    assert last["state"] == "done", last["problem"]
    kept = client.get("/api/v1/points/T1").json()
    assert kept["properties"]["cell_code"] == point["properties"]["cell_code"]
    assert kept["properties"]["category"] == point["properties"]["category"]


def test_swapped_axes_are_exchanged_when_asked(client: TestClient) -> None:
    point = client.get("/api/v1/points?limit=1&placement=placed").json()["features"][0]
    cell = point["properties"]["cell_code"]
    point["properties"]["point_id"] = "swapped"
    point["geometry"]["coordinates"].reverse()
    content = collection([point])
    assert follow(client, upload(client, "s.geojson", content, "points"))[-1]["state"] == "failed"
    last = follow(client, upload(client, "s.geojson", content, "points", swap="all"))[-1]
    assert last["state"] == "done", last["problem"]
    kept = client.get("/api/v1/points/swapped").json()
    assert kept["properties"]["cell_code"] == cell


def test_parents_and_exclusions_come_beside_the_cells(client: TestClient) -> None:
    plan = client.get("/api/v1/plans/in-force").json()["id"]
    cells = client.get("/api/v1/cells?limit=10000").json()["features"]
    for feature in cells:
        feature["properties"] = {
            "code": f"x{feature['id']}",
            "name": feature["properties"]["name"],
        }
    areas = client.get(f"/api/v1/plans/{plan}/areas?level=community").json()["features"]
    parents = [
        {
            **area,
            "properties": {
                "社区": area["properties"]["code"],
                "名": area["properties"]["name"],
                "街": area["properties"]["code"][:9],
            },
        }
        for area in areas
    ]
    river = client.get(f"/api/v1/plans/{plan}/exclusions").content
    beside = {
        "parent": ("社区.geojson", collection(parents)),
        "exclusions": ("river.geojson", river),
    }
    form: dict[str, Any] = {
        "scheme": "foreign",
        "code_system": "free",
        "keep_exclusions": "false",
        "parent_mapping": '{"code": "社区", "name": "名", "subdistrict_code": "街"}',
    }
    job = upload(client, "格.geojson", collection(cells), "cells", beside, **form)
    last = follow(client, job)[-1]
    assert last["state"] == "done", last["problem"]
    draft = client.get(f"/api/v1/plans/{last['result']['plan_id']}").json()
    assert draft["cell_count"] == len(cells)
    made = client.get(f"/api/v1/cells?plan={draft['id']}&limit=10000").json()["features"]
    assert all(f["properties"]["community_code"] == f["id"].removeprefix("x")[:12] for f in made)


def test_an_empty_file_field_of_a_browser_is_no_file(client: TestClient) -> None:
    point = client.get("/api/v1/points?limit=1&placement=placed").json()["features"][0]
    lon, lat = point["geometry"]["coordinates"]
    table = f"编号,经,纬\nT2,{lon},{lat}\n".encode()
    boundary = "x" * 20
    parts = [
        ('name="as"', b"points"),
        ('name="mapping"', '{"point_id": "编号", "lon": "经", "lat": "纬"}'.encode()),
        ('name="datum"', b"wgs84"),
        (
            'name="constants"',
            json.dumps({"name": "点", "category": point["properties"]["category"]}).encode(),
        ),
        ('name="file"; filename="t.csv"', table),
        ('name="parent"; filename=""', b""),
    ]
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + text + b"\r\n"
        for head, text in parts
    )
    answer = client.post(
        "/api/v1/imports",
        content=body + f"--{boundary}--\r\n".encode(),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )
    assert answer.status_code == 202, answer.text
    last = follow(client, answer.json())[-1]
    assert last["state"] == "done", last["problem"]


def test_every_option_of_the_command_is_a_field_of_the_form(client: TestClient) -> None:
    command: Any = typer.main.get_command(build("import"))
    options = {
        name
        for parameter in command.commands["import"].params
        for name in parameter.opts
        if name.startswith("--")
    }
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    name = next(n for n in schemas if n.startswith("Body_import_file"))
    told = " ".join(str(p.get("description", "")) for p in schemas[name]["properties"].values())
    # The log of repairs is a layer of the API, the zone a setting of the service, help is /docs.
    apart = {"--log", "--timezone", "--help"}
    assert {o for o in options - apart if o not in told} == set()


@pytest.mark.parametrize(
    ("form", "status", "slug"),
    [
        ({"as": "cells", "decisions": '{"a": 1}'}, 422, "bad-input"),
        ({"as": "nonsense"}, 422, "invalid-request"),
        ({}, 422, "invalid-request"),
        ({"as": "points", "mapping": "[1]"}, 422, "bad-input"),
        ({"as": "points", "mapping": "{"}, 422, "bad-input"),
        ({"as": "points", "datum": "mars"}, 422, "unknown-datum"),
        ({"as": "points", "at": "someday"}, 422, "bad-input"),
        ({"as": "points", "swap": "perhaps"}, 422, "invalid-request"),
        ({"as": "points", "date_order": "dym"}, 422, "invalid-request"),
        ({"as": "cells", "snap_m": "-1"}, 422, "invalid-request"),
    ],
)
def test_bad_forms_are_refused_at_once(
    client: TestClient, form: dict[str, str], status: int, slug: str
) -> None:
    answer = client.post("/api/v1/imports", files={"file": ("a.csv", b"x\n1\n")}, data=form)
    assert answer.status_code == status
    assert answer.json()["type"] == f"/problems/{slug}"


def test_types_of_files_that_cannot_be_read_are_refused(client: TestClient) -> None:
    answer = client.post(
        "/api/v1/imports", files={"file": ("../a.exe", b"MZ")}, data={"as": "cells"}
    )
    assert answer.status_code == 422
    assert answer.json()["source"] == "a.exe"


def test_uploads_need_one_process(client: Any) -> None:
    settings = client.app.state.services.settings
    settings.server = settings.server.model_copy(update={"workers": 2})
    answer = client.post(
        "/api/v1/imports", files={"file": ("a.csv", b"x\n1\n")}, data={"as": "points"}
    )
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/conflict"
    assert client.get("/api/v1/jobs").json()["jobs"] == []


def test_uploads_over_the_limit_are_refused(client: TestClient) -> None:
    big = b"x" * (9 * 2**20)
    answer = client.post("/api/v1/imports", files={"file": ("a.csv", big)}, data={"as": "points"})
    assert answer.status_code == 413


def test_a_cancelled_import_keeps_nothing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go = threading.Event(), threading.Event()
    real = import_layer

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert go.wait(30)
        return real(*arguments)

    monkeypatch.setattr("api.imports.routes.import_layer", slow)
    before = client.get("/api/v1/plans").json()
    cells = client.get("/api/v1/cells?limit=10000").content
    job = upload(client, "c.geojson", cells, "cells")
    assert begun.wait(60)
    assert client.delete(job["links"]["self"]).status_code == 200
    go.set()
    assert follow(client, job)[-1]["state"] == "cancelled"
    assert client.get("/api/v1/plans").json() == before
    assert client.delete(job["links"]["self"]).status_code == 409
    assert [j["state"] for j in client.get("/api/v1/jobs").json()["jobs"]] == ["cancelled"]


def test_cells_get_both_parents_from_two_uploads(client: TestClient) -> None:
    """Free codes and no columns; the layers of parents come as parts of one form."""

    def layer(widths: list[int], codes: list[str]) -> bytes:
        west, features = 118.0, []
        for width, code in zip(widths, codes, strict=True):
            a, b = west, round(west + 0.01 * width, 6)
            ring = [[a, 26.2], [b, 26.2], [b, 26.21], [a, 26.21], [a, 26.2]]
            features.append({"type": "Feature", "properties": {"code": code, "name": code},
                             "geometry": {"type": "Polygon", "coordinates": [ring]}})  # fmt: skip
            west = b
        return json.dumps({"type": "FeatureCollection", "features": features}).encode()

    beside = {
        "communities": ("c.geojson", layer([2, 2], ["甲", "乙"])),
        "subdistricts": ("s.geojson", layer([4], ["一"])),
    }
    job = upload(client, "cells.geojson", layer([1] * 4, list("abcd")), "cells", beside,
                 scheme="other", title="另一座城")  # fmt: skip
    last = follow(client, job)[-1]
    assert last["state"] == "done", last["problem"]
    found = client.get(f"/api/v1/cells?plan={last['result']['plan_id']}").json()["features"]
    above = [
        (f["properties"]["community_code"], f["properties"]["subdistrict_code"]) for f in found
    ]
    assert above == [("甲", "一")] * 2 + [("乙", "一")] * 2
