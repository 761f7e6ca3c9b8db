"""The OpenAPI document: complete, and changed only on purpose."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.documentation import STATIC
from api.settings import Settings

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    # The address of the page says nothing of the database; none is opened here.
    found: dict[str, Any] = create_app(Settings()).openapi()
    return found


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_the_document_is_the_golden_one(
    document: dict[str, Any], pytestconfig: pytest.Config
) -> None:
    fresh = {**document, "info": {**document["info"], "version": "0"}}
    text = orjson.dumps(fresh, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    if pytestconfig.getoption("--update-golden"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_bytes(text)
    assert GOLDEN.read_bytes() == text, "look at the difference, then run with --update-golden"


def test_every_operation_declares_its_errors_as_problems(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        failures = [s for s in operation["responses"] if s.isdigit() and int(s) >= 400]
        assert {"422", "503"} <= set(failures), name
        for status in failures:
            content = operation["responses"][status]["content"]
            assert content["application/problem+json"]["schema"]["$ref"].endswith("/Problem"), name


def test_what_stands_in_front_of_every_route_is_declared(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        said = {s: r["description"] for s, r in operation["responses"].items()}
        assert "`unknown-host`" in said["400"], name
        assert "`nul-character`" in said["422"], name
        assert "`internal`" in said["500"], name
        if not name.startswith("get "):
            assert "`foreign-origin`" in said["403"], name
            assert "`too-large`" in said["413"], name


def test_every_operation_is_described(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation.get("summary"), name
        assert operation.get("description"), name
        assert operation.get("tags"), name


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = orjson.dumps(document).decode()
    for reference in set(re.findall(r'"#/components/schemas/([^"]+)"', text)):
        assert reference in document["components"]["schemas"], reference


def test_private_columns_are_not_even_parameters(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        parameters = {p["name"] for p in operation.get("parameters", [])}
        assert not parameters & {"phone", "reporter"}, name


def test_the_page_loads_local_files_only(app_client: TestClient) -> None:
    page = app_client.get("/docs")
    assert page.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sources
    assert all(s.startswith("/") and not s.startswith("//") for s in sources)
    assert "<script>" not in page.text
    if (STATIC / "swagger").is_dir():
        for source in sources:
            assert app_client.get(source).status_code == 200, source


def test_kinds_of_problems_are_described_at_their_address(app_client: TestClient) -> None:
    problem = app_client.get("/api/v1/cells/none").json()
    described = app_client.get(problem["type"]).json()
    assert described["status"] == 404
    assert described["zh"] == "没有该网格"
    assert app_client.get("/problems/none").status_code == 404
