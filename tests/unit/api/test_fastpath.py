from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.bootstrap import Services
from api.fastpath import PARAMETERS
from api.locate.schemas import LocateAnswer
from api.settings import Settings
from gridsvc.datum import convert
from gridsvc.errors import StorageError
from gridsvc.services.answers import assemble
from tests.unit.api.locate_app import Watch, serve
from tests.unit.gridsvc.test_locate_services import publish_third
from tests.unit.locate_city import HANDOVER, NOW, SECOND, code

PATH = "/api/v1/locate"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[TestClient, Services]]:
    with serve(tmp_path) as pair:
        yield pair


@pytest.fixture
def client(served: tuple[TestClient, Services]) -> TestClient:
    return served[0]


def problem(response: Any, status: int, slug: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["type"].endswith("/" + slug)
    assert document["title"]
    assert document["detail"]
    return document


@pytest.mark.parametrize(
    "query",
    [
        "lon=117.605&lat=26.205",
        "lon=117.6095&lat=26.2095&accuracy=80",
        "lon=117.61&lat=26.21",
        "lon=117.605&lat=26.205&category=0101",
        "lon=117.605&lat=26.205&at=2018-06-01",
    ],
)
def test_bytes_hold_the_document_of_the_desk(
    served: tuple[TestClient, Services], query: str
) -> None:
    client, services = served
    response = client.get(f"{PATH}?{query}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    document = response.json()
    LocateAnswer.model_validate(document, strict=True)
    asked = dict(part.split("=") for part in query.split("&"))
    at = NOW if "at" not in asked else NOW.replace(year=2018)
    expected = assemble(
        services.desk.snapshot(at),
        float(asked["lon"]),
        float(asked["lat"]),
        at,
        accuracy_m=float(asked["accuracy"]) if "accuracy" in asked else None,
        category=asked.get("category"),
    )
    for volatile in ("at", "datum", "stored"):
        document.pop(volatile)
        expected.pop(volatile, None)
    assert document == expected


def test_the_deadline_is_that_of_each_instant(client: TestClient) -> None:
    place = {"lon": 117.605, "lat": 26.205}
    assert client.get(PATH, params=place).json()["deadline"] is None
    due = [
        client.get(PATH, params=place | {"category": "0101", "at": at}).json()["deadline"]["due_at"]
        for at in ("2019-06-03T09:00", "2019-06-03T09:30", "2019-06-07T17:00")
    ]
    assert due == [
        "2019-06-03T07:00:00+00:00", "2019-06-03T07:30:00+00:00", "2019-06-10T03:00:00+00:00",
    ]  # fmt: skip


def test_answers_are_the_same_without_the_fast_path(tmp_path: Path, client: TestClient) -> None:
    folder = tmp_path / "slow"
    folder.mkdir()
    with serve(folder, fast=False) as (slow, _):
        for query in (
            "lon=117.605&lat=26.205&accuracy=10",
            "lon=117.7&lat=26.205",
            "lon=117.605&lat=26.205&category=9999",
        ):
            one, two = client.get(f"{PATH}?{query}"), slow.get(f"{PATH}?{query}")
            assert one.status_code == two.status_code
            assert one.json() == two.json()


def test_border_and_corner(client: TestClient) -> None:
    document = client.get(PATH, params={"lon": 117.61, "lat": 26.21}).json()
    assert document["on_border"] is True
    assert document["ambiguous"] is True
    assert client.get(PATH, params={"lon": 117.605, "lat": 26.205}).json()["ambiguous"] is False
    assert document["cell_code"] == code(1)
    assert document["covering"] == [code(1), code(2), code(4), code(5)]
    assert document["boundary_distance_m"] == 0.0


def test_datum_is_converted_and_named(client: TestClient) -> None:
    lon, lat = (float(v) for v in convert(117.605, 26.205, "wgs84", "gcj02"))
    document = client.get(PATH, params={"lon": lon, "lat": lat, "datum": "GCJ02"}).json()
    assert document["datum"] == "gcj02"
    assert (document["lon"], document["lat"]) == (lon, lat)
    assert document["stored"]["lon"] == pytest.approx(117.605, abs=1e-7)
    assert document["stored"]["lat"] == pytest.approx(26.205, abs=1e-7)
    assert document["cell_code"] == code(1)


def test_outside_coverage(client: TestClient) -> None:
    response = client.get(PATH, params={"lon": 117.7, "lat": 26.205})
    document = problem(response, 404, "outside-coverage")
    assert document["nearest_cell"] == code(3)
    assert document["distance_m"] == pytest.approx(6996, abs=1)


@pytest.mark.parametrize(
    ("query", "slug", "word"),
    [
        ("", "invalid-request", "lon"),
        ("lon=117.6", "invalid-request", "lat"),
        ("lon=abc&lat=26.2", "invalid-request", "lon"),
        ("lon=26.2&lat=117.6", "invalid-coordinate", "颠倒"),
        ("lon=nan&lat=26.2", "invalid-coordinate", "nan"),
        ("lon=117.6&lat=inf&datum=gcj02", "invalid-coordinate", "inf"),
        ("lon=117.6&lat=26.2&datum=mars", "unknown-datum", "mars"),
        ("lon=117.6&lat=26.2&accuracy=-1", "invalid-request", "accuracy"),
        ("lon=117.6&lat=26.2&accuracy=nan", "invalid-request", "accuracy"),
        ("lon=117.6&lat=26.2&category=9999", "unknown-class", "9999"),
        ("lon=117.6&lat=26.2&at=yesterday", "bad-input", "yesterday"),
        ("lon=1%00&lat=%ff", "invalid-request", "lon"),
    ],
)
def test_bad_queries_say_what_is_wrong(
    client: TestClient, query: str, slug: str, word: str
) -> None:
    document = problem(client.get(f"{PATH}?{query}"), 422, slug)
    assert word in document["detail"]


@pytest.mark.parametrize(
    ("query", "name", "meant"),
    [
        ("class=0101", "class", "category"),
        ("Accuracy=5", "Accuracy", "accuracy"),
        ("acuracy=5", "acuracy", "accuracy"),
        ("crs=4490", "crs", "datum"),
        ("foo", "foo", None),
        ("=5", "", None),
        ("%63lass=1", "class", "category"),
        ("c+t=1", "c t", None),
    ],
)
@pytest.mark.parametrize("fast", [True, False])
def test_unknown_parameters_are_named_with_those_that_are_known(
    tmp_path: Path, query: str, name: str, meant: str | None, fast: bool
) -> None:
    with serve(tmp_path, fast=fast) as (client, _):
        for address in (f"lon=117.605&lat=26.205&{query}", f"{query}&lat=26.205&lon=117.605"):
            document = problem(client.get(f"{PATH}?{address}"), 422, "unknown-parameter")
            assert document["field"] == name
            assert f"“{name}”" in document["detail"]
            assert sorted(document["known"]) == sorted(PARAMETERS)
            if meant is not None:
                assert document["known"][0] == meant


@pytest.mark.parametrize("query", ["lat=26.205", "category=0101&category=0102", "lang=zh&lang=en"])
@pytest.mark.parametrize("fast", [True, False])
def test_a_parameter_given_twice_is_refused(tmp_path: Path, query: str, fast: bool) -> None:
    with serve(tmp_path, fast=fast) as (client, _):
        answer = client.get(f"{PATH}?lon=117.605&lat=26.205&{query}")
        document = problem(answer, 422, "repeated-parameter")
        assert document["field"] == query.partition("=")[0]
        assert document["count"] == 2


@pytest.mark.parametrize("fast", [True, False])
def test_language_is_a_parameter_as_everywhere(tmp_path: Path, fast: bool) -> None:
    with serve(tmp_path, fast=fast) as (client, _):
        place = "lon=117.605&lat=26.205"
        assert client.get(f"{PATH}?{place}&lang=en").status_code == 200
        assert client.get(f"{PATH}?{place}&").status_code == 200
        wrong = problem(client.get(f"{PATH}?lang=fr&{place}"), 422, "invalid-request")
        assert "lang" in str(wrong)
        english = problem(client.get(f"{PATH}?{place}&lang=en&x=1"), 422, "unknown-parameter")
        assert english["detail"].startswith("there is no parameter 'x'; this address knows: ")


def test_the_documented_parameters_are_those_that_are_read() -> None:
    documented = create_app(Settings()).openapi()["paths"][PATH]["get"]["parameters"]
    assert {one["name"] for one in documented} == set(PARAMETERS)


def test_language_of_problems(client: TestClient) -> None:
    english = client.get(f"{PATH}?lon=1", headers={"Accept-Language": "en"})
    assert "missing" in english.json()["detail"]
    assert english.headers["content-language"] == "en"
    assert "缺少" in client.get(f"{PATH}?lon=1").json()["detail"]


def test_no_plan_in_force(client: TestClient) -> None:
    response = client.get(f"{PATH}?lon=117.605&lat=26.205&at=2017-01-01")
    problem(response, 404, "no-plan-in-force")


def test_zone_of_the_instant(client: TestClient) -> None:
    """A date begins at midnight in the city's zone, eight hours before UTC."""
    plain = client.get(f"{PATH}?lon=117.615&lat=26.205&at=2019-01-01").json()
    assert plain["plan"]["id"] == "main-1"
    for text in ("2019-01-01T08:00:00%2B08:00", "2019-01-01T08:00:00+08:00", "2019-01-01T00:00Z"):
        document = client.get(f"{PATH}?lon=117.615&lat=26.205&at={text}").json()
        assert document["plan"]["id"] == "main-2", text


def test_time_passing_changes_the_persons(served: tuple[TestClient, Services]) -> None:
    client, services = served

    def worker() -> str:
        document = client.get(f"{PATH}?lon=117.605&lat=26.205").json()
        return str(document["persons"]["grid_worker"][0]["name"])

    watch = services.clock
    assert isinstance(watch, Watch)
    assert worker() == "张三"
    watch.now = HANDOVER - timedelta(microseconds=1)
    assert worker() == "张三"
    watch.now = HANDOVER
    assert worker() == "李四"


def test_answers_cannot_be_taken_for_pages(client: TestClient) -> None:
    answer = client.get(f"{PATH}?lon=117.605&lat=26.205")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_answers_hold_no_phone_numbers(client: TestClient) -> None:
    text = client.get(f"{PATH}?lon=117.605&lat=26.205&category=0101").text
    assert "13800000000" not in text
    assert "phone" not in text


def test_head_has_the_length_and_no_body(client: TestClient) -> None:
    url = f"{PATH}?lon=117.605&lat=26.205&at=2019-06-01"
    head, get = client.head(url), client.get(url)
    assert head.status_code == 200
    assert head.content == b""
    assert abs(int(head.headers["content-length"]) - len(get.content)) == 0


def test_other_requests_pass_through(client: TestClient) -> None:
    assert client.get("/api/v1/nothing").status_code == 404
    assert client.delete(PATH + "?lon=117.605&lat=26.205").status_code == 405


def test_a_write_is_seen_by_the_next_request(served: tuple[TestClient, Services]) -> None:
    client, services = served
    url = f"{PATH}?lon=117.615&lat=26.205"
    assert client.get(url).json()["plan"]["id"] == "main-2"
    publish_third(services.storage, SECOND + timedelta(days=1))
    # Another process wrote: trusted for a while.
    assert client.get(url).json()["plan"]["id"] == "main-2"
    # Any request that may write makes the next one look.
    client.post(PATH, json={"lon": [], "lat": []})
    assert client.get(url).json()["plan"]["id"] == "main-3"
    assert client.get(url).json()["cell_code"] == code(1)


def test_storage_that_fails_is_a_problem_without_details(
    served: tuple[TestClient, Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, services = served

    def away() -> str:
        raise StorageError(reason="secret host refused")

    monkeypatch.setattr(services.storage, "version_stamp", away)
    response = client.get(f"{PATH}?lon=117.605&lat=26.205")
    document = problem(response, 503, "storage")
    assert "secret" not in str(document)


def test_hostile_names_are_plain_json(served: tuple[TestClient, Services]) -> None:
    client, services = served
    name = '"},{"<img src=x onerror=alert(1)>\\\u2028网格'
    with services.storage.unit_of_work() as work:
        staff = work.records("staff").frame(where={"name": "张三"})
        staff["name"] = name
        work.records("staff").upsert(staff)
        work.commit()
    document = client.get(f"{PATH}?lon=117.605&lat=26.205").json()
    assert document["persons"]["grid_worker"][0]["name"] == name
