"""Plans, cells, points, cases and duties of the sample city over HTTP."""

from __future__ import annotations

import csv
import io
from typing import Any

import pandas as pd
import pytest
import shapely
from shapely.geometry import shape
from starlette.testclient import TestClient

from geodata.sample import SampleCity
from gridsvc.services.joining import responsible


def everything(client: Any, url: str) -> list[dict[str, Any]]:
    """Follow the next links of a list to its end."""
    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    while url:
        assert url not in seen
        seen.add(url)
        page = client.get(url)
        assert page.status_code == 200, page.text
        body = page.json()
        items = body.get("features", body.get("rows"))
        assert body["numberReturned"] == len(items)
        rows += items
        url = next((link["href"] for link in body["links"] if link["rel"] == "next"), "")
    return rows


def test_health_names_the_plan_in_force(app_client: TestClient) -> None:
    body = app_client.get("/healthz").json()
    assert body["status"] == "ok"
    assert body["cells"] == 702
    plan = app_client.get("/api/v1/plans/in-force").json()
    assert plan["id"] == body["plan_id"]
    assert plan["status"] == "published"
    assert plan["certified"] is True


def test_all_cells_exactly_once_whatever_the_page_size(
    app_client: TestClient, sample_city: SampleCity
) -> None:
    for limit in (100, 351, 702, 10_000):
        codes = [f["id"] for f in everything(app_client, f"/api/v1/cells?limit={limit}")]
        assert codes == sorted(sample_city.cells.index)


def test_cells_come_back_as_they_were_certified(
    app_client: TestClient, sample_city: SampleCity
) -> None:
    features = everything(app_client, "/api/v1/cells")
    served = [shape(f["geometry"]) for f in features]
    assert shapely.coverage_is_valid(served)
    wanted = sample_city.cells.loc[[f["id"] for f in features], "geometry"].to_numpy()
    assert shapely.equals_exact(shapely.normalize(served), shapely.normalize(wanted), 2e-9).all()


def test_cells_by_box_community_and_code(app_client: TestClient, sample_city: SampleCity) -> None:
    cells = sample_city.cells
    west, south, east, north = cells.geometry.iloc[5].bounds
    box = f"{west},{south},{east},{north}"
    got = {f["id"] for f in everything(app_client, f"/api/v1/cells?bbox={box}")}
    wanted = set(cells.index[cells.intersects(shapely.box(west, south, east, north))])
    assert got == wanted
    community = cells["community_code"].iloc[0]
    got = {f["id"] for f in everything(app_client, f"/api/v1/cells?community={community}")}
    assert got == set(cells.index[cells["community_code"] == community])
    one, two = cells.index[0], cells.index[-1]
    got = {f["id"] for f in everything(app_client, f"/api/v1/cells?code={one}&code={two}")}
    assert got == {one, two}
    assert app_client.get(f"/api/v1/cells/{one}").json()["id"] == one


def test_etags_save_the_body_and_change_with_the_question(app_client: TestClient) -> None:
    first = app_client.get("/api/v1/points?limit=5")
    etag = first.headers["etag"]
    again = app_client.get("/api/v1/points?limit=5", headers={"If-None-Match": etag})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == etag
    other = app_client.get("/api/v1/points?limit=6", headers={"If-None-Match": etag})
    assert other.status_code == 200
    as_csv = app_client.get("/api/v1/points?limit=5&f=csv", headers={"If-None-Match": etag})
    assert as_csv.status_code == 200


@pytest.mark.parametrize(
    ("accept", "query", "kind"),
    [
        ("*/*", "", "application/geo+json"),
        ("application/geo+json", "", "application/geo+json"),
        ("text/csv", "", "text/csv"),
        ("application/json", "", "application/json"),
        ("application/json", "&f=csv", "text/csv"),
        ("text/csv", "&f=geojson", "application/geo+json"),
    ],
)
def test_formats_by_accept_and_by_parameter(
    app_client: TestClient, accept: str, query: str, kind: str
) -> None:
    answer = app_client.get(f"/api/v1/points?limit=3{query}", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(kind)
    if kind == "text/csv":
        assert len(list(csv.DictReader(io.StringIO(answer.text)))) == 3


def test_points_by_cell_and_category_with_visits(
    app_client: TestClient, sample_city: SampleCity
) -> None:
    points = everything(app_client, "/api/v1/points?visits=true")
    assert len(points) == 519
    assert all({"last_visit", "days_since", "due"} <= set(p["properties"]) for p in points)
    one = points[0]
    cell = one["properties"]["cell_code"]
    here = everything(app_client, f"/api/v1/points?cell={cell}")
    assert {p["id"] for p in here} == {
        p["id"] for p in points if p["properties"]["cell_code"] == cell
    }
    category = one["properties"]["category"]
    got = everything(app_client, f"/api/v1/points?category={category}")
    assert len(got) == int((sample_city.points["category"] == category).sum())
    visits = everything(app_client, f"/api/v1/points/{one['id']}/visits")
    latest = max((v["visited_at"] for v in visits), default=None)
    assert latest == one["properties"]["last_visit"]


def points_seen(city: SampleCity, since: str, until: str | None = None) -> set[str]:
    """Return the points with a visit in a half-open period of days of the city."""
    when = city.visits["visited_at"]
    inside = when >= pd.Timestamp(since, tz="Asia/Shanghai")
    if until is not None:
        inside &= when < pd.Timestamp(until, tz="Asia/Shanghai")
    return set(city.visits.loc[inside, "point_id"])


def test_points_by_when_they_were_visited(app_client: TestClient, sample_city: SampleCity) -> None:
    days = sample_city.visits["visited_at"].dt.tz_convert("Asia/Shanghai").dt.normalize()
    last = days.max()
    since, until, recent = (str((last - pd.Timedelta(days=ago)).date()) for ago in (3, 2, 1))
    wanted = points_seen(sample_city, since, until)
    assert 0 < len(wanted) < 519

    def ids(query: str) -> list[str]:
        return [p["id"] for p in everything(app_client, f"/api/v1/points?{query}&limit=100")]

    period = f"since={since}&until={until}"
    assert ids(period) == sorted(wanted)
    fresh = points_seen(sample_city, recent)
    unseen = sorted(set(sample_city.points.index) - fresh)
    assert 0 < len(unseen) < 519
    assert ids(f"unvisited_since={recent}") == unseen
    both = sorted(wanted - fresh)
    assert ids(f"{period}&unvisited_since={recent}") == both
    # As it stood at the end of the period, what came later does not count.
    before = sorted(set(sample_city.points.index) - wanted)
    assert ids(f"unvisited_since={since}&at={until}") == before
    assert ids(f"since={since}&at={until}") == sorted(wanted)
    place = sample_city.points.loc[sorted(wanted)[0]]
    here = ids(f"{period}&cell={place['cell_code']}")
    cells = sample_city.points["cell_code"]
    assert here == [p for p in sorted(wanted) if cells[p] == place["cell_code"]]
    x, y = place.geometry.x, place.geometry.y
    assert ids(f"{period}&bbox={x},{y},{x},{y}") == [sorted(wanted)[0]]
    community = str(place["cell_code"])[:12]
    inside = ids(f"{period}&community={community}")
    assert inside == [p for p in sorted(wanted) if str(cells[p]).startswith(community)]
    rows = app_client.get(f"/api/v1/points?{period}&f=json&limit=3").json()
    assert [row["point_id"] for row in rows["rows"]] == sorted(wanted)[:3]


def test_lists_by_visits_have_an_etag_of_their_own(app_client: TestClient) -> None:
    tags = {}
    for query in ("", "?since=2026-01-01", "?unvisited_since=2026-01-01"):
        answer = app_client.get(f"/api/v1/points{query}")
        tags[query] = answer.headers["etag"]
        again = app_client.get(
            f"/api/v1/points{query}", headers={"If-None-Match": answer.headers["etag"]}
        )
        assert again.status_code == 304, query
    assert len(set(tags.values())) == 3


@pytest.mark.parametrize(
    ("path", "start", "end"),
    [
        ("/api/v1/points?since=2026-03-02&until=2026-03-01", "since", "until"),
        ("/api/v1/points?unvisited_since=2999-01-01", "unvisited_since", "at"),
        ("/api/v1/points?unvisited_since=2026-03-01&at=2026-02-01", "unvisited_since", "at"),
        ("/api/v1/cases?since=2026-03-01&until=2026-03-01", "since", "until"),
        ("/api/v1/analysis/hotspots?since=2026-03-02&until=2026-03-01", "since", "until"),
        ("/maps/hotspot?since=2026-03-02&until=2026-03-01", "since", "until"),
    ],
)
def test_periods_that_hold_nothing_are_refused(
    app_client: TestClient, path: str, start: str, end: str
) -> None:
    answer = app_client.get(path)
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["start"], problem["end"]) == (start, end)
    assert "时段为空" in problem["detail"]
    assert "T" in problem["since"]


def test_cases_by_time_and_class_add_up(app_client: TestClient, sample_city: SampleCity) -> None:
    cases = sample_city.cases
    since, until = (
        pd.Timestamp("2026-03-01", tz="Asia/Shanghai"),
        pd.Timestamp("2026-03-08", tz="Asia/Shanghai"),
    )
    wanted = cases[(cases["reported_at"] >= since) & (cases["reported_at"] < until)]
    got = everything(app_client, "/api/v1/cases?since=2026-03-01&until=2026-03-08&limit=200")
    assert [c["id"] for c in got] == sorted(wanted.index)
    major = wanted["major_code"].iloc[0]
    got = everything(
        app_client, f"/api/v1/cases?since=2026-03-01&until=2026-03-08&category={major}"
    )
    assert {c["id"] for c in got} == set(wanted.index[wanted["major_code"] == major])


def test_unplaced_cases_are_kept_with_their_reason(
    app_client: TestClient, sample_city: SampleCity
) -> None:
    kinds = ("placed", "on_border", "outside", "no_coordinates", "invalid_coordinates")
    counts = {
        kind: len(everything(app_client, f"/api/v1/cases?limit=10000&placement={kind}&f=json"))
        for kind in kinds
    }
    assert sum(counts.values()) == len(sample_city.cases)
    assert counts["no_coordinates"] + counts["invalid_coordinates"] == int(
        sample_city.cases.geometry.isna().sum()
    )


def test_responsible_persons_over_http_equal_the_join(
    app_client: TestClient, sample_city: SampleCity
) -> None:
    at = pd.Timestamp("2026-06-01T00:00:00Z")
    cells = sample_city.cells.sample(25, random_state=1)
    join = responsible(cells, sample_city.duties, at.to_pydatetime())
    for code in cells.index:
        body = app_client.get(
            f"/api/v1/duties/responsible?cell={code}&at=2026-06-01T00:00:00Z"
        ).json()
        rows = join[join["key"] == code]
        assert sorted(p["duty_id"] for p in body["persons"]) == sorted(rows["duty_id"])
        assert body["responsible_unit"]["rule"] == "territory"


def test_the_unit_of_a_class_and_the_rule(app_client: TestClient, sample_city: SampleCity) -> None:
    code = sample_city.cells.index[0]
    rules = set()
    for class_code, row in sample_city.classes.iterrows():
        body = app_client.get(
            f"/api/v1/duties/responsible?cell={code}&category={class_code}"
        ).json()
        unit = body["responsible_unit"]
        rules.add(unit["rule"])
        assert unit["unit_id"] in sample_city.units.index
        if unit["rule"] == "unit_kind":
            assert sample_city.units.loc[unit["unit_id"], "kind"] == row["unit_kind"]
        assert body["class_name"] == row["name"]
    assert "none" not in rules


def test_gaps_name_cells(app_client: TestClient) -> None:
    body = app_client.get("/api/v1/duties/gaps?role=cell_leader").json()
    assert body["cells"] == 702
    assert {v["role"] for v in body["vacancies"]} <= {"cell_leader"}
    nobody = app_client.get("/api/v1/duties/gaps?role=astronaut").json()
    assert len(nobody["vacancies"]) == 702


def test_plans_by_time_cell_and_box(app_client: TestClient, sample_city: SampleCity) -> None:
    def ids(query: str) -> list[str]:
        return [plan["id"] for plan in app_client.get(f"/api/v1/plans?{query}").json()["plans"]]

    plan = app_client.get("/api/v1/plans/in-force").json()
    every = ids("")
    assert plan["id"] in every
    assert ids(f"at={plan['effective_from'].replace('+', '%2B')}") == [plan["id"]]
    assert ids("at=1990-01-01") == []
    assert plan["id"] in ids(f"cell={sample_city.cells.index[0]}")
    assert ids("cell=999") == []
    x, y = sample_city.cells.geometry.iloc[0].representative_point().coords[0]
    assert plan["id"] in ids(f"bbox={x},{y},{x},{y}")
    assert ids("bbox=0,0,1,1") == []
    assert ids(f"status=published&cell={sample_city.cells.index[0]}&at=2026-06-01") == [plan["id"]]


def test_plans_as_features_with_etags(app_client: TestClient) -> None:
    plan = app_client.get("/api/v1/plans/in-force").json()
    answer = app_client.get("/api/v1/plans?f=geojson")
    assert answer.headers["content-type"] == "application/geo+json"
    accepted = app_client.get("/api/v1/plans", headers={"Accept": "application/geo+json"})
    assert accepted.content == answer.content
    one = next(f for f in answer.json()["features"] if f["id"] == plan["id"])
    assert one["properties"] == plan
    city = app_client.get(f"{plan['links']['areas']}?level=city").json()["features"][0]
    assert one["geometry"] == city["geometry"]
    for url in ("/api/v1/plans", "/api/v1/plans?f=geojson", plan["links"]["self"]):
        first = app_client.get(url)
        assert first.status_code == 200
        same = {"If-None-Match": first.headers["etag"]}
        assert app_client.get(url, headers=same).status_code == 304, url


def test_certificate_areas_and_findings(app_client: TestClient) -> None:
    plan = app_client.get("/api/v1/plans/in-force").json()
    assert app_client.get(plan["links"]["certificate"]).json()["certificate"]["ok"] is True
    assert app_client.get(plan["links"]["findings"]).json()["features"] == []
    levels = {
        level: len(app_client.get(f"{plan['links']['areas']}?level={level}").json()["features"])
        for level in ("community", "subdistrict", "city")
    }
    assert levels == {"community": 168, "subdistrict": 10, "city": 1}
    lineage = app_client.get(f"/api/v1/plans/{plan['id']}/lineage")
    assert lineage.status_code == 200


@pytest.mark.parametrize(
    ("url", "status", "slug"),
    [
        ("/api/v1/cells/999", 404, "unknown-cell"),
        ("/api/v1/cells?plan=nothing", 404, "unknown-plan"),
        ("/api/v1/cells?at=1999-01-01", 404, "no-plan-in-force"),
        ("/api/v1/cells?limit=10001", 422, "invalid-request"),
        ("/api/v1/cells?bbox=1,2,3", 422, "bad-input"),
        ("/api/v1/cells?bbox=118,26,117,27", 422, "invalid-coordinate"),
        ("/api/v1/points/nothing", 404, "not-found"),
        ("/api/v1/cases?category=nothing", 422, "unknown-class"),
        ("/api/v1/cases?since=tomorrow", 422, "bad-input"),
        ("/api/v1/duties/responsible", 422, "bad-input"),
        ("/api/v1/duties/responsible?cell=nothing", 404, "unknown-cell"),
        ("/api/v1/plans/nothing", 404, "unknown-plan"),
        ("/api/v1/plans/nothing/certificate", 404, "unknown-plan"),
        ("/api/v1/jobs/nothing", 404, "not-found"),
        ("/api/v1/nothing", 404, "not-found"),
    ],
)
def test_bad_questions_get_problems(
    app_client: TestClient, url: str, status: int, slug: str
) -> None:
    for language in ("zh", "en"):
        answer = app_client.get(url, headers={"Accept-Language": language})
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["content-language"] == language
        assert answer.json()["type"] == f"/problems/{slug}"


def test_duties_as_features_have_the_geometry_of_their_targets(
    app_client: TestClient, sample_city: SampleCity
) -> None:
    url = "/api/v1/duties?history=true&limit=10000"
    answer = app_client.get(f"{url}&f=geojson")
    assert answer.headers["content-type"] == "application/geo+json"
    accepted = app_client.get(url, headers={"Accept": "application/geo+json"})
    assert accepted.json()["features"] == answer.json()["features"]
    same = {"If-None-Match": answer.headers["etag"]}
    assert app_client.get(f"{url}&f=geojson", headers=same).status_code == 304
    features = answer.json()["features"]
    assert [f["id"] for f in features] == sorted(sample_city.duties.index)
    cells, points = sample_city.cells.geometry, sample_city.points.geometry
    seen = set()
    for one in features:
        kind, code = one["properties"]["target_kind"], one["properties"]["target_code"]
        if one["geometry"] is None:
            assert kind == "class", one
            continue
        shape = shapely.geometry.shape(one["geometry"])
        seen.add(kind)
        if kind in ("cell", "point"):
            assert shape.equals((cells if kind == "cell" else points)[code]), code
        elif kind in ("community", "subdistrict"):
            inside = cells[cells.index.str.startswith(code)]
            assert shape.contains(shapely.union_all(list(inside.representative_point())))
    assert {"cell", "point", "community"} <= seen
    rows = app_client.get(url).json()["rows"]
    assert [row["duty_id"] for row in rows] == [one["id"] for one in features]


@pytest.mark.parametrize(
    "query", ["cell=1&community=2", "cell=1&target_kind=point", "community=2&target=3"]
)
def test_two_targets_of_one_duty_are_refused(app_client: TestClient, query: str) -> None:
    problem = app_client.get(f"/api/v1/duties?{query}").json()
    assert problem["status"] == 422
    assert all(
        part.split("=")[0].removesuffix("_kind") in problem["detail"] for part in query.split("&")
    )


@pytest.mark.parametrize("path", ["/api/v1/classes", "/api/v1/points/x/visits"])
def test_rows_without_geometry_are_not_offered_as_geojson(
    app_client: TestClient, path: str
) -> None:
    problem = app_client.get(f"{path}?f=geojson").json()
    assert problem["status"] == 422
    assert problem["errors"][0]["field"] == "query.f"


def test_duties_of_a_box_are_those_whose_targets_meet_it(
    app_client: TestClient, sample_city: SampleCity
) -> None:
    cells, duties = sample_city.cells, sample_city.duties
    cell = cells.geometry.iloc[100].representative_point()
    box = (cell.x - 0.002, cell.y - 0.002, cell.x + 0.002, cell.y + 0.002)
    met = cells[cells.intersects(shapely.box(*box))]
    points = sample_city.points
    near = points[points.intersects(shapely.box(*box))]
    targets = {("cell", c) for c in met.index} | {("point", p) for p in near.index}
    targets |= {("community", c) for c in met["community_code"]}
    targets |= {("subdistrict", c) for c in met["subdistrict_code"]}
    pairs = zip(duties["target_kind"], duties["target_code"], strict=True)
    kinds = ("cell", "point", "community", "subdistrict", "city")
    wanted = {
        str(key)
        for key, (kind, code) in zip(duties.index, pairs, strict=True)
        if (kind, code) in targets or kind == "city"
    }
    url = f"/api/v1/duties?history=true&limit=5000&bbox={','.join(map(str, box))}"
    rows = app_client.get(url).json()["rows"]
    assert {r["duty_id"] for r in rows if r["target_kind"] in kinds} == wanted
    assert 0 < len(wanted) < len(duties)
    assert len({r["target_kind"] for r in rows}) > 1
    away = app_client.get("/api/v1/duties?bbox=0,0,1,1").json()
    assert away["rows"] == []
    assert app_client.get("/api/v1/duties?at=1990-01-01&bbox=0,0,1,1").status_code == 404
