from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from shapely.geometry import shape
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from api.app import create_app
from api.cli import analysis as commands
from api.maps import pictures
from api.settings import DatabaseSettings, Settings
from geodata.sample import SampleCity, build_city
from gridsvc.errors import BadOption, GridsvcError, NothingToWorkOn, UnknownCell, UnknownClass
from gridsvc.services.patrols import plan_patrol
from tests.unit.api.analysis_service import PLAN, store

AT = "2026-11-20T08:00:00Z"
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def city() -> SampleCity:
    return build_city(cells=120)


@pytest.fixture(scope="module")
def url(city: SampleCity, tmp_path_factory: pytest.TempPathFactory) -> str:
    return store(city, tmp_path_factory.mktemp("analysis") / "city.db")


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[TestClient]:
    settings = Settings(database=DatabaseSettings(database_url=url), log_level="error")
    with TestClient(create_app(settings), raise_server_exceptions=False) as found:
        yield found


@pytest.fixture(scope="module")
def busy_community(city: SampleCity) -> str:
    """The community with most points."""
    inside = city.points["cell_code"].map(city.cells["community_code"])
    return str(inside.value_counts().index[0])


# --- HTTP ---------------------------------------------------------------------------------------


def test_hotspots_state_how_they_were_made(client: TestClient, city: SampleCity) -> None:
    answer = client.get("/api/v1/analysis/hotspots")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/geo+json")
    document = answer.json()
    summary = document["summary"]
    assert summary["n"] + summary["n_set_aside"] + summary["n_unplaced"] == len(city.cases)
    assert summary["plan_id"] == PLAN
    assert summary["weights"] == "queen, self included"
    assert summary["correction"].startswith("Benjamini-Hochberg")
    assert sum(summary["cells"].values()) == len(city.cells) == len(document["features"])
    truth = city.truth["default_geocode"]
    assert [(p["lon"], p["lat"], p["count"]) for p in summary["piles"]] == [
        (truth["lon"], truth["lat"], truth["cases"])
    ]
    assert sum(f["properties"]["count"] for f in document["features"]) == summary["n"]


def test_filters_narrow_and_the_pile_can_stay(client: TestClient) -> None:
    def summary(query: str) -> dict[str, Any]:
        return dict(client.get(f"/api/v1/analysis/hotspots?{query}").json()["summary"])

    everything = summary("set_aside=false")
    assert everything["n_set_aside"] == 0
    one = summary("class=02&set_aside=false")
    assert 0 < one["n"] < everything["n"]
    first = summary("until=2026-05-01&set_aside=false")
    second = summary("since=2026-05-01&set_aside=false")
    assert first["n"] + second["n"] == everything["n"]
    assert first["until"] == second["since"] == "2026-04-30T16:00:00+00:00"
    assert summary("denominator=population")["denominator"] == "population"


def test_same_question_is_not_answered_twice(client: TestClient) -> None:
    first = client.get("/api/v1/analysis/hotspots")
    again = client.get(
        "/api/v1/analysis/hotspots", headers={"If-None-Match": first.headers["etag"]}
    )
    assert again.status_code == 304


def test_density_bands_are_polygons_in_ascending_order(client: TestClient) -> None:
    document = client.get("/api/v1/analysis/density?bandwidth_m=400").json()
    assert document["summary"]["density"]["bandwidth_m"] == 400
    lows = [f["properties"]["low"] for f in document["features"]]
    assert lows == sorted(lows)
    assert len(lows) >= 2
    assert all(shape(f["geometry"]).is_valid for f in document["features"])


def test_density_of_nothing_is_empty(client: TestClient) -> None:
    document = client.get("/api/v1/analysis/density?since=2030-01-01").json()
    assert document["features"] == []
    assert document["summary"]["n"] == 0


def test_coverage_names_what_is_not_covered(client: TestClient, city: SampleCity) -> None:
    document = client.get(f"/api/v1/analysis/coverage?at={AT}").json()
    vacant = [row["cell_code"] for row in document["lists"]["vacant_cells"]]
    assert sorted(vacant) == sorted(city.truth["cells_without_leader"])
    assert document["summary"]["duties"]["vacancies"] == len(vacant)
    assert document["lists"]["uncovered_territory"] == []
    short = client.get(f"/api/v1/analysis/coverage?at={AT}&lists=false&role=police").json()
    assert "lists" not in short
    assert short["summary"]["required_roles"] == ["police"]


def test_coverage_lists_points_without_a_named_person_with_their_place(
    client: TestClient, city: SampleCity
) -> None:
    document = client.get(f"/api/v1/analysis/coverage?at={AT}&role=police").json()
    held = document["summary"]["points"]
    unnamed = document["lists"]["points_without_person"]
    assert held["without_person"] == len(unnamed) == held["points"] - held["by_person_duty"] > 0
    per_cell = [f["properties"]["points_without_person"] for f in document["features"]]
    assert sum(per_cell) == len(unnamed)
    places = city.points.geometry.loc[[row["point_id"] for row in unnamed]]
    assert [row["lon"] for row in unnamed] == pytest.approx(places.x.tolist(), abs=1e-9)
    assert all(row["answering_unit"] for row in unnamed)


def test_patrol_as_geojson_and_gpx(
    client: TestClient, city: SampleCity, busy_community: str
) -> None:
    query = f"/api/v1/patrols?community={busy_community}&iterations=200&at={AT}"
    document = client.get(query).json()
    plan = document["plan"]
    assert plan["verified"] is True
    codes = city.cells.index[city.cells["community_code"] == busy_community]
    asked = city.points["cell_code"].isin(codes).sum()
    assert plan["points_visited"] + plan["points_dropped"] == asked > 0
    assert plan["area_code"] == busy_community
    gpx = client.get(query + "&f=gpx")
    assert gpx.headers["content-type"].startswith("application/gpx+xml")
    assert f"patrol-{busy_community}.gpx" in gpx.headers["content-disposition"]
    root = ET.fromstring(gpx.content)  # noqa: S314
    assert len(root.findall("{*}wpt")) == plan["points_visited"]
    accepted = client.get(query, headers={"Accept": "application/gpx+xml"})
    assert accepted.content == gpx.content
    kml = client.get(query + "&f=kml")
    assert kml.headers["content-type"].startswith("application/vnd.google-earth.kml+xml")
    assert f"patrol-{busy_community}.kml" in kml.headers["content-disposition"]
    assert ET.fromstring(kml.content).tag.endswith("}kml")  # noqa: S314
    accepted = client.get(query, headers={"Accept": "application/vnd.google-earth.kml+xml"})
    assert accepted.content == kml.content


def test_the_patrol_map_names_who_is_on_duty_at_the_instant_of_its_plan(
    client: TestClient, busy_community: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[datetime | None] = []

    def planned(*given: Any, **options: Any) -> Any:
        asked.append(options["duties_at"])
        return plan_patrol(*given, **options)

    monkeypatch.setattr(pictures, "plan_patrol", planned)
    page = f"/maps/patrol?community={busy_community}"
    for query in (f"{page}&at={AT}", page):
        assert client.get(query).status_code == 200
    assert asked == [datetime.fromisoformat(AT), None]


def test_patrol_repeats_and_starts_where_asked(
    client: TestClient, city: SampleCity, busy_community: str
) -> None:
    stop = city.points.geometry[city.points["cell_code"].notna()].iloc[0]
    query = (
        f"/api/v1/patrols?community={busy_community}&iterations=100&at={AT}"
        f"&start={stop.x},{stop.y}&max_snap_m=1000"
    )
    first, again = client.get(query), client.get(query)
    assert first.content == again.content
    starts = [f for f in first.json()["features"] if f["properties"]["kind"] == "start"]
    assert starts[0]["geometry"]["coordinates"] == [stop.x, stop.y]


def test_no_answer_holds_phone_numbers(
    client: TestClient, city: SampleCity, busy_community: str
) -> None:
    phones = set(city.staff["phone"].dropna())
    for path in ("analysis/hotspots", "analysis/coverage", f"patrols?community={busy_community}"):
        text = client.get(f"/api/v1/{path}").text
        assert not any(phone in text for phone in phones)


@pytest.mark.parametrize(
    ("query", "status", "slug"),
    [
        ("analysis/hotspots?class=zz", 422, "unknown-class"),
        ("analysis/hotspots?since=2026-02-01&until=2026-01-01", 422, "bad-input"),
        ("analysis/hotspots?permutations=9", 422, "bad-input"),
        ("analysis/hotspots?denominator=wishes", 422, "invalid-request"),
        ("analysis/hotspots?plan=gone", 404, "unknown-plan"),
        ("patrols", 422, "bad-option"),
        ("patrols?cell=1&community=2", 422, "bad-option"),
        ("patrols?cell=1", 404, "unknown-cell"),
        ("patrols?community=1", 404, "not-found"),
        ("patrols?cell=1&start=x", 422, "bad-option"),
        ("patrols?cell=1&start=400,2", 422, "invalid-coordinate"),
    ],
)
def test_bad_requests_are_problems(client: TestClient, query: str, status: int, slug: str) -> None:
    answer = client.get(f"/api/v1/{query}")
    assert answer.status_code == status
    assert answer.json()["type"] == f"/problems/{slug}"


def test_start_outside_the_network_is_refused(client: TestClient, busy_community: str) -> None:
    answer = client.get(f"/api/v1/patrols?community={busy_community}&start=117,26")
    assert answer.status_code == 422
    assert answer.json()["max_m"] == 100


# --- commands -----------------------------------------------------------------------------------


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("GRIDSVC_DATABASE_URL", url)
    app = typer.Typer()
    commands.register(app)

    def invoke(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return invoke


def test_hotspot_command_writes_geojson_and_prints_figures(
    run: Run, tmp_path: Path, city: SampleCity
) -> None:
    target = tmp_path / "hot.geojson"
    done = run("hotspot", "--since", "2026-01-01", "--class", "02", "-o", str(target))
    assert done.exit_code == 0, done.output
    document = json.loads(target.read_text())
    assert document["summary"]["classes"] == ["02"]
    assert len(document["features"]) == len(city.cells)
    assert f"n={document['summary']['n']}" in done.output


def test_hotspot_command_draws_a_map(run: Run, tmp_path: Path, city: SampleCity) -> None:
    target = tmp_path / "hot.html"
    done = run("hotspot", "-o", str(target))
    assert done.exit_code == 0, done.output
    html = target.read_text(encoding="utf-8")
    assert "<html" in html[:200].lower()
    # The same picture as the page of the service: streets, names of classes, title of the plan.
    named = city.streets["name"].dropna().unique()
    assert any(name in html for name in named)
    assert any(name in html for name in city.classes["name"].unique())


def test_patrol_command_draws_the_page_of_the_area(
    run: Run, tmp_path: Path, city: SampleCity, busy_community: str
) -> None:
    target = tmp_path / "rounds.html"
    done = run("patrol", "--community", busy_community, "--iterations", "50", "-o", str(target))
    assert done.exit_code == 0, done.output
    html = target.read_text(encoding="utf-8")
    communities = city.cells["community_name"].dropna().unique()
    assert sum(name in html for name in communities) == len(communities)


def test_patrol_command_writes_each_format(run: Run, tmp_path: Path, busy_community: str) -> None:
    for name, start in (
        ("a.gpx", "<?xml"),
        ("a.kml", "<?xml"),
        ("a.geojson", "{"),
        ("a.html", "<!DOCTYPE html>"),
    ):
        target = tmp_path / name
        done = run(
            "patrol", "--community", busy_community, "--iterations", "50", "--inspectors", "2",
            "-o", str(target),
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        assert target.read_text().lstrip().lower().startswith(start.lower())
        assert "独立核验通过" in done.output


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("hotspot", "--class", "zz"), UnknownClass),
        (("hotspot", "-o", "x.docx"), BadOption),
        (("hotspot", "--denominator", "wishes"), BadOption),
        (("patrol",), NothingToWorkOn),
        (("patrol", "--cell", "1"), UnknownCell),
        (("patrol", "--cell", "1", "--window", "dusk"), BadOption),
        (("patrol", "--cell", "1", "-o", "x.pdf"), BadOption),
    ],
)
def test_commands_refuse_what_cannot_be(
    run: Run, arguments: tuple[str, ...], error: type[GridsvcError]
) -> None:
    done = run(*arguments)
    assert isinstance(done.exception, error)
    assert done.exception.text("zh") != done.exception.text("en")


def test_coverage_says_what_was_never_imported(
    city: SampleCity, client: TestClient, tmp_path: Path
) -> None:
    summary = client.get("/api/v1/analysis/coverage").json()["summary"]
    assert summary["loaded"] == {"duties": True, "visits": True, "staff": True}
    empty = {name: getattr(city, name).iloc[:0] for name in ("duties", "visits", "staff")}
    bare = dataclasses.replace(city, **empty)
    settings = Settings(
        database=DatabaseSettings(database_url=store(bare, tmp_path / "bare.db")), log_level="error"
    )
    with TestClient(create_app(settings)) as other:
        summary = other.get("/api/v1/analysis/coverage").json()["summary"]
    assert summary["loaded"] == {"duties": False, "visits": False, "staff": False}
    assert (summary["duties"]["share"], summary["visits"]["share"]) == (None, None)
    assert summary["duties"]["cells"] == len(city.cells)
