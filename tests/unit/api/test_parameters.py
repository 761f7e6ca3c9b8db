"""Requests say only what is read: anything else is refused by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from fastapi import Depends, FastAPI, File, Form, Query, UploadFile
from starlette.testclient import TestClient

from api.parameters import (
    Names,
    RepeatedParameter,
    UnknownParameter,
    check_names,
    closest_first,
    only_what_is_read,
)
from api.problems import add_problem_handlers

if TYPE_CHECKING:
    from collections.abc import Iterator


def operations(client: TestClient) -> Iterator[tuple[str, str, list[str]]]:
    """Yield method, an address and the query parameters of every documented operation."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        address = re.sub(r"\{\w+\}", "x", path)
        for method, operation in methods.items():
            declared = [p["name"] for p in operation["parameters"] if p["in"] == "query"]
            yield method, address, declared


def test_every_operation_refuses_what_it_does_not_declare(app_client: TestClient) -> None:
    tried = 0
    for method, address, declared in operations(app_client):
        answer = app_client.request(method, f"{address}?clas=1", headers={"Accept-Language": "en"})
        problem = answer.json()
        tried += 1
        assert answer.status_code == 422, (method, address)
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["type"] == "/problems/unknown-parameter", (method, address)
        assert problem["field"] == "clas"
        assert "'clas'" in problem["detail"]
        assert sorted(problem["known"]) == sorted(declared), (method, address)
        assert "lang" in declared, (method, address)
    assert tried > 30


def test_every_operation_refuses_a_single_value_given_twice(app_client: TestClient) -> None:
    for method, address, _ in operations(app_client):
        answer = app_client.request(method, f"{address}?lang=zh&lang=en")
        assert answer.status_code == 422, (method, address)
        assert answer.json()["type"] == "/problems/repeated-parameter", (method, address)


def test_lists_may_be_given_several_times(app_client: TestClient) -> None:
    answer = app_client.get("/api/v1/cases?category=01&category=02&status=closed&limit=1")
    assert answer.status_code == 200
    twice = app_client.get("/api/v1/cases?category=01&category=02&limit=1&limit=2").json()
    assert (twice["field"], twice["count"]) == ("limit", 2)
    assert "limit" in twice["detail"]


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("/api/v1/cases?class=01", "category"),
        ("/api/v1/cases?cell_code=1", "cell"),
        ("/api/v1/cases?from=2026-01-01", "since"),
        ("/api/v1/cases?page=2", "after"),
        ("/api/v1/cells?boundingbox=1,2,3,4", "bbox"),
        ("/api/v1/analysis/hotspots?category=01", "class"),
        ("/api/v1/patrols?inspector=2", "inspectors"),
        ("/api/v1/exports/cells?f=csv", "format"),
        ("/maps/hotspot?category=01", "class"),
        ("/api/v1/plans/x/certificate?at=2026-01-01", "lang"),
    ],
)
def test_what_was_probably_meant_comes_first(
    app_client: TestClient, address: str, meant: str
) -> None:
    problem = app_client.get(address).json()
    assert problem["status"] == 422
    assert problem["known"][0] == meant
    assert re.search(rf"此地址可用:{meant}\b", problem["detail"])


def test_a_browser_gets_a_page_that_names_the_parameter(app_client: TestClient) -> None:
    answer = app_client.get(
        "/maps/coverage?cel=350404001001001&language=en", headers={"Accept": "text/html"}
    )
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
    assert "there is no parameter &#39;cel&#39;; this address knows: cell" in answer.text


@pytest.mark.parametrize(
    "address",
    ["/?language=en&from=message", "/docs?x=1", "/openapi.json?x=1", "/problems/storage?x=1"],
)
def test_pages_without_questions_take_any_address(app_client: TestClient, address: str) -> None:
    assert app_client.get(address).status_code == 200


def test_names_are_compared_as_they_are_meant(app_client: TestClient) -> None:
    for written in ("c%6Cas%73=1", "clas%73", "class=", "%63lass=1&lang=zh"):
        problem = app_client.get(f"/api/v1/points?{written}").json()
        assert problem["field"] == "class", written
    assert app_client.get("/api/v1/points?limit=1&&lang=en&").status_code == 200


def test_long_names_are_shortened_and_templates_are_texts() -> None:
    with pytest.raises(UnknownParameter) as long:
        check_names(["x" * 999], ["limit"])
    assert len(long.value.field) == 40
    with pytest.raises(UnknownParameter, match=r"\{known\}"):
        check_names(["{known}"], ["limit"])
    with pytest.raises(UnknownParameter, match="knows: —"):
        check_names(["limit"], [])
    assert f"{Names(('a', 'b')):, }" == "a, b"


def test_spelling_counts_before_words_for_the_same_thing() -> None:
    assert closest_first("categry", ["cell", "class", "category"])[0] == "category"
    assert closest_first("class", ["cell", "class_code", "category"])[0] == "class_code"
    assert closest_first("qqq", ["b", "a"]) == ["b", "a"]


def test_names_given_again() -> None:
    check_names(["a", "b", "b"], ["a", "b"], ["b"])
    with pytest.raises(RepeatedParameter) as twice:
        check_names(["a", "b", "a", "a"], ["a", "b"])
    assert (twice.value.field, twice.value.count) == ("a", 3)


def test_the_import_form_knows_its_fields(app_client: TestClient) -> None:
    before = app_client.get("/api/v1/jobs").json()
    for field, meant in (("map", "mapping"), ("parent-crs", "parent_crs"), ("srid", "crs")):
        answer = app_client.post(
            "/api/v1/imports",
            data={"as": "points", field: "x"},
            files={"file": ("a.csv", b"point_id\n1\n")},
        )
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (422, "/problems/unknown-parameter")
        assert (problem["field"], problem["known"][0]) == (field, meant)
    assert app_client.get("/api/v1/jobs").json() == before


@pytest.fixture
def form_client() -> TestClient:
    app = FastAPI(dependencies=[Depends(only_what_is_read)])
    add_problem_handlers(app)

    @app.post("/forms")
    def take(
        file: UploadFile,
        as_layer: Annotated[str, Form(alias="as")],
        tags: Annotated[list[str] | None, Form()] = None,
        more: Annotated[list[UploadFile] | None, File()] = None,
        page: Annotated[int, Query()] = 0,
    ) -> dict[str, Any]:
        return {"as": as_layer, "tags": tags, "more": len(more or ()), "page": page}

    return TestClient(app)


def send(client: TestClient, fields: list[tuple[str, str]], query: str = "") -> Any:
    parts = [(name, (None, value)) for name, value in fields]
    files: Any = [*parts, ("file", ("a.csv", b"1")), ("more", ("b", b"2")), ("more", ("c", b"3"))]
    return client.post(f"/forms{query}", files=files)


def test_forms_are_held_to_their_fields(form_client: TestClient) -> None:
    fine = send(form_client, [("as", "cells"), ("tags", "a"), ("tags", "b")], "?page=2")
    assert fine.json() == {"as": "cells", "tags": ["a", "b"], "more": 2, "page": 2}
    unknown = send(form_client, [("as", "cells"), ("layer", "x")])
    assert unknown.status_code == 422
    assert unknown.json()["field"] == "layer"
    assert unknown.json()["known"][0] == "as"
    assert sorted(unknown.json()["known"]) == ["as", "file", "more", "tags"]
    twice = send(form_client, [("as", "cells"), ("as", "points")])
    assert twice.json()["type"] == "/problems/repeated-parameter"
    assert send(form_client, [("as", "cells")], "?as=cells").json()["field"] == "as"
