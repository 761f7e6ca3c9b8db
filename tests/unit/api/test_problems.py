"""Every error class has its problem, in both languages, and says nothing of the inside."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
from fastapi import APIRouter, FastAPI, Query, Request
from pydantic import BaseModel
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from api import problems
from api.languages import accepted
from api.middleware import BodyLimit, HostCheck, RequestContext, host_name
from api.problems import (
    MEDIA_TYPE,
    TABLE,
    add_problem_handlers,
    kind_of,
    problem_document,
    problem_response,
    problem_responses,
)
from gridsvc import errors
from gridsvc.errors import Fault, GridsvcError, RejectedRows, StorageError, UnknownCell


def classes() -> list[type[GridsvcError]]:
    found = {
        cls
        for module in (errors, problems)
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, GridsvcError)
    }
    return sorted(found, key=lambda c: c.__name__)


@pytest.mark.parametrize("cls", classes(), ids=lambda c: c.__name__)
def test_each_error_class_has_its_own_line(cls: type[GridsvcError]) -> None:
    assert cls in TABLE
    kind = TABLE[cls]
    assert 400 <= kind.status < 600
    assert kind.zh
    assert kind.en
    assert kind.slug == kind.slug.lower().replace(" ", "-")


@pytest.mark.parametrize(
    ("cls", "status"),
    [
        (errors.InputError, 422),
        (errors.NotFoundError, 404),
        (errors.ConflictError, 409),
        (errors.StaleVersion, 412),
        (errors.StorageError, 503),
        (problems.PreconditionMissing, 428),
    ],
)
def test_statuses_follow_the_class(cls: type[GridsvcError], status: int) -> None:
    special = type("Special", (cls,), {})
    assert kind_of(special).status == status


def test_facts_are_members_and_only_in_the_language_asked_for() -> None:
    error = errors.InvalidCoordinate(lon=1.0, lat=float("nan"), hint_zh="颠倒", hint_en="swapped")
    english = problem_document(error, "en")
    assert english["hint"] == "swapped"
    assert "颠倒" not in str(english)
    assert english["lat"] == "nan"
    assert "swapped" not in str(problem_document(error, "zh"))


def test_rejected_rows_are_listed_with_row_field_and_way_out() -> None:
    fault = Fault(3, "code", "x", "重复", "repeats row 1", "改号", "give a new one")
    body = problem_document(RejectedRows(source="a.csv", faults=[fault]), "en")
    assert body["errors"] == [
        {"field": "code", "message": "repeats row 1", "row": 3, "value": "x",
         "way_out": "give a new one"}
    ]  # fmt: skip


def test_storage_errors_keep_their_reason_to_the_log() -> None:
    body = problem_document(StorageError(reason="host=db.internal password=x"), "en")
    assert "internal" not in str(body)
    assert body["status"] == 503


def test_declared_responses_join_classes_of_one_status() -> None:
    declared = problem_responses(UnknownCell, errors.UnknownPlan)
    assert set(declared) == {404, 422, 503}
    assert "unknown-cell" in declared[404]["description"]
    assert "unknown-plan" in declared[404]["description"]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "zh"),
        ("en", "en"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("fr,zh-CN;q=0.4,en;q=0.3", "zh"),
        ("zh;q=0,en;q=0.1", "en"),
        ("*", "zh"),
        ("en;q=nonsense", "zh"),
        (";;;,,,q=", "zh"),
    ],
)
def test_accept_language(header: str, expected: str) -> None:
    assert accepted(header, "zh") == expected


# --- over HTTP ----------------------------------------------------------------------------------


class Body(BaseModel):
    """A body."""

    count: int


def small_app(limit_mb: int = 1) -> ASGIApp:
    app = FastAPI(openapi_url=None)
    app.state.language = "zh"
    router = APIRouter()

    @router.get("/cell")
    def cell() -> None:
        raise UnknownCell(plan="p", code="<script>")

    @router.get("/crash")
    def crash() -> None:
        raise RuntimeError("secret 13900000000")

    @router.get("/number")
    def number(n: int = Query(ge=1)) -> int:
        return n

    @router.post("/body")
    def body(body: Body) -> int:
        return body.count

    app.include_router(router)
    add_problem_handlers(app)
    return HostCheck(RequestContext(BodyLimit(app, limit_mb)), ("testserver", "localhost", "::1"))


@pytest.fixture
def client() -> TestClient:
    return TestClient(small_app(), raise_server_exceptions=False)


def test_a_domain_error_is_a_problem_in_the_language_asked_for(client: TestClient) -> None:
    zh = client.get("/cell")
    en = client.get("/cell", headers={"Accept-Language": "en"})
    assert zh.status_code == en.status_code == 404
    assert zh.headers["content-type"] == en.headers["content-type"] == MEDIA_TYPE
    assert zh.headers["content-language"] == "zh"
    assert "没有网格" in zh.json()["detail"]
    assert "has no cell" in en.json()["detail"]
    assert en.json()["code"] == "<script>"
    assert en.json()["instance"] == "/cell"
    assert client.get("/cell?lang=en").json()["title"] == en.json()["title"]


def test_a_crash_says_nothing_but_its_request_id(client: TestClient) -> None:
    answer = client.get("/crash", headers={"X-Request-ID": "abc-1"})
    assert answer.status_code == 500
    assert answer.json()["request_id"] == "abc-1" == answer.headers["x-request-id"]
    assert "secret" not in answer.text
    assert "13900000000" not in answer.text
    assert "Traceback" not in answer.text


def test_a_strange_request_id_is_replaced(client: TestClient) -> None:
    answer = client.get("/cell", headers={"X-Request-ID": "a b\x7f" * 40})
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    ("url", "field", "message"),
    [("/number", "query.n", "缺少必填项"), ("/number?n=0", "query.n", "应不小于 1"),
     ("/number?n=x", "query.n", "应为整数")],
)  # fmt: skip
def test_malformed_parameters_name_the_field(
    client: TestClient, url: str, field: str, message: str
) -> None:
    body = client.get(url).json()
    assert body["status"] == 422
    assert body["type"].endswith("/invalid-request")
    assert (body["errors"][0]["field"], body["errors"][0]["message"]) == (field, message)


def test_malformed_bodies(client: TestClient) -> None:
    broken = client.post("/body", content=b"{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 422
    assert broken.json()["errors"][0]["message"] == "不是有效的 JSON"
    wrong = client.post("/body", json={"count": "many"}).json()
    assert wrong["errors"][0]["field"] == "body.count"


def test_missing_addresses_and_methods(client: TestClient) -> None:
    assert client.get("/nothing").json()["type"].endswith("/not-found")
    answer = client.delete("/number")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.headers["content-type"] == MEDIA_TYPE


def test_large_bodies_are_refused_declared_or_streamed(client: TestClient) -> None:
    big = b"x" * (2**20 + 1)
    declared = client.post("/body", content=big, headers={"Content-Type": "application/json"})
    assert declared.status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(5):
            yield b"x" * 300_000

    streamed = client.post("/body", content=pieces(), headers={"Content-Type": "application/json"})
    assert streamed.status_code == 413
    assert streamed.json()["type"].endswith("/too-large")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1", ""])
def test_other_hosts_are_refused(client: TestClient, host: str) -> None:
    answer = client.get("/number?n=1", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["type"].endswith("/unknown-host")


@pytest.mark.parametrize("host", ["testserver", "LOCALHOST:8000", "[::1]:8000"])
def test_own_hosts_are_served(client: TestClient, host: str) -> None:
    assert client.get("/number?n=1", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:8000", "http://localhost:8000", 200),
        ("LOCALHOST:8000", "http://localhost:8000", 200),
        ("localhost", "http://localhost:80", 200),
        ("[::1]:8000", "http://[::1]:8000", 200),
        ("localhost:8000", None, 200),
        ("localhost:8000", "http://evil.example", 403),
        ("localhost:8000", "null", 403),
        ("localhost:8000", "http://localhost:8001", 403),  # another service of this machine
        ("localhost:8000", "http://localhost", 403),
        ("localhost:8000", "https://localhost:8000", 403),
        ("localhost:8000", "http://[::1]:8000", 403),  # allowed as a host, but not the one asked
        ("localhost:8000", "http://localhost:x", 403),
    ],
)
def test_pages_of_other_origins_cannot_change_anything(
    client: TestClient, host: str, origin: str | None, status: int
) -> None:
    headers = {"Host": host} if origin is None else {"Host": host, "Origin": origin}
    assert client.post("/body", json={"count": 1}, headers=headers).status_code == status
    assert client.get("/number?n=1", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("site", "status"),
    [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)],
)
def test_what_browsers_say_of_the_site_decides_too(
    client: TestClient, site: str, status: int
) -> None:
    headers = {"Sec-Fetch-Site": site}
    assert client.post("/body", json={"count": 1}, headers=headers).status_code == status
    assert client.get("/number?n=1", headers=headers).status_code == 200


@pytest.mark.parametrize("url", ["/number?n=1&x=%00", "/number?%00=1&n=1", "/cell%00", "/%00"])
def test_nul_in_an_address_is_refused_once(client: TestClient, url: str) -> None:
    answer = client.get(url)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert answer.json()["type"].endswith("/nul-character")


def test_security_headers_are_on_every_answer(client: TestClient) -> None:
    for answer in (client.get("/number?n=1"), client.get("/cell"), client.get("/crash")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe-inline" not in answer.headers["content-security-policy"].split("style")[0]


def test_host_names() -> None:
    assert host_name("[::1]") == "::1"
    assert host_name(" A.B:1 ") == "a.b"


def test_head_is_get_without_a_body(client: TestClient) -> None:
    answer = client.head("/number?n=1")
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["content-length"] == client.get("/number?n=1").headers["content-length"]
    assert client.head("/nothing").status_code == 404


def test_a_problem_cannot_be_taken_for_a_page() -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    request = Request({**scope, "app": FastAPI()})
    answer = problem_response(request, errors.UnknownPlan(plan="<b>"))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "application/problem+json"
