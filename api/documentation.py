"""The OpenAPI document and its page, from local files only."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic.json_schema import models_json_schema

import maps
from api.parameters import RepeatedParameter, UnknownParameter
from api.problems import (
    BASE,
    MEDIA_TYPE,
    TABLE,
    ForeignOrigin,
    InternalError,
    NulCharacter,
    Problem,
    UnknownHost,
    UnknownResource,
    UploadTooLarge,
    problem_responses,
)
from api.records import GeoJsonCollection, GeoJsonFeature, Rows
from gridsvc.errors import GridsvcError

TITLE = "gridsvc · 城市网格化管理"
DESCRIPTION = """城市网格化管理服务:方案、定位、责任、测评点位、案件、分析与地图。
Urban grid management: plans, locating, responsibility, evaluation points, cases, analyses, maps.

Coordinates are longitude, latitude in EPSG:4490 unless a `datum` says otherwise; instants are
ISO 8601. Errors are RFC 9457 problems in the language of `Accept-Language` or `?lang=zh|en`."""
STATIC = Path(maps.__file__).parent / "static"
"""Browser files, there once `make web` has built them."""
_METHODS = ("get", "post", "put", "patch", "delete")

_PAGE = """<!doctype html><html lang="zh"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>gridsvc API</title><link rel="stylesheet" href="/static/swagger/swagger-ui.css">
<link rel="icon" href="/static/swagger/favicon-32x32.png"></head>
<body data-openapi="/openapi.json"><div id="swagger-ui"></div>
<script src="/static/swagger/swagger-ui-bundle.js"></script>
<script src="/static/swagger/docs.js"></script></body></html>"""
_UNBUILT = """<!doctype html><html lang="zh"><head><meta charset="utf-8"><title>gridsvc API</title>
</head><body><h1>接口文档 API documentation</h1>
<p>网页资源尚未构建,请运行 <code>make web</code>。The web assets are not built; run
<code>make web</code>.</p><p><a href="/openapi.json">openapi.json</a></p></body></html>"""


def openapi_builder(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return a function that builds the OpenAPI document once.

    Errors are declared with the media type they have; the models of answers that are written as
    bytes are added.
    """

    def build() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = get_openapi(
            title=TITLE,
            version=version("gridsvc"),
            description=DESCRIPTION,
            routes=app.routes,
            license_info={"name": "MIT"},
        )
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        _, extra = models_json_schema(
            [(m, "serialization") for m in (GeoJsonCollection, GeoJsonFeature, Rows, Problem)],
            ref_template="#/components/schemas/{model}",
        )
        for name, schema in extra["$defs"].items():
            schemas.setdefault(name, schema)
        for operations in document["paths"].values():
            for method in _METHODS:
                if method in operations:
                    _language_last(operations[method])
                    _declare_common_errors(operations[method], method)
                    _errors_as_problems(operations[method])
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = document
        return document

    return build


def _language_last(operation: dict[str, Any]) -> None:
    """Put what every operation has behind what is its own."""
    operation.get("parameters", []).sort(key=lambda one: one["name"] == "lang")


def _declare_common_errors(operation: dict[str, Any], method: str) -> None:
    """Declare what the layers in front of every route may answer."""
    common: tuple[type[GridsvcError], ...] = (
        UnknownHost, NulCharacter, UnknownParameter, RepeatedParameter, InternalError,
    )  # fmt: skip
    if method != "get":
        common += (ForeignOrigin, UploadTooLarge)
    responses = operation.setdefault("responses", {})
    for status, entry in problem_responses(*common).items():
        known = responses.setdefault(str(status), {"description": ""})
        for line in entry["description"].split("; "):
            if line not in known["description"].split("; "):
                known["description"] += ("; " if known["description"] else "") + line


def _errors_as_problems(operation: dict[str, Any]) -> None:
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for status, response in operation.get("responses", {}).items():
        if status.isdigit() and int(status) >= 400:
            pages = {k: v for k, v in response.get("content", {}).items() if k == "text/html"}
            response["content"] = {MEDIA_TYPE: reference, **pages}


def add_documentation(app: FastAPI) -> None:
    """Serve ``/openapi.json``, ``/docs`` and the descriptions of problems."""
    app.openapi = openapi_builder(app)  # type: ignore[method-assign]

    @app.get("/openapi.json", include_in_schema=False)
    def document() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get("/docs", include_in_schema=False)
    def page() -> HTMLResponse:
        built = (STATIC / "swagger" / "swagger-ui-bundle.js").is_file()
        return HTMLResponse(_PAGE if built else _UNBUILT)

    @app.get(BASE + "{slug}", include_in_schema=False)
    def problem_page(slug: str) -> JSONResponse:
        for cls, kind in TABLE.items():
            if kind.slug == slug:
                text = " ".join((cls.__doc__ or "").split())
                return JSONResponse(
                    {
                        "type": BASE + kind.slug,
                        "status": kind.status,
                        "zh": kind.zh,
                        "en": kind.en,
                        "description": text,
                    }
                )
        raise UnknownResource(path=BASE + slug)
