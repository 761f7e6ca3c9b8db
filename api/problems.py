"""Errors over HTTP: RFC 9457 problems in Chinese or English, from one table.

Domain errors know nothing of HTTP. ``TABLE`` maps each class (subclasses follow their parents) to
a status, a slug (the end of the problem's ``type``) and a title. Anything that is not in it is a
500 whose body says nothing about the inside.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from api.languages import language_of, surface_of
from api.local_times import in_zone
from api.surfaces import http
from api.validation_texts import validation_errors
from gridsvc import errors
from gridsvc.errors import GridsvcError, InputError, Language, NotFoundError, RejectedRows
from gridsvc.quality import Certificate
from gridsvc.ways import Speak, spoken, spoken_fields

MEDIA_TYPE = "application/problem+json"
SHOWN_FAULTS = 200
"""Faults that a problem lists; ``count`` has the number of all."""
BASE = "/problems/"


# --- errors that only exist over HTTP -----------------------------------------------------------


class RequestInvalid(InputError):
    """Parameters or body of a request do not have the declared form."""

    zh = "请求中有 {count} 处不符合要求"
    en = "{count} parts of the request do not have the declared form"


class PreconditionMissing(InputError):
    """A change needs ``If-Match`` with the version that the client has seen."""

    zh = "修改前请用 If-Match 标明您看到的版本(ETag)"
    en = "state the version you have seen in If-Match (its ETag)"


class UploadTooLarge(InputError):
    """A body is larger than the settings allow."""

    zh = "上传内容超过上限 {limit_mb} MiB"
    en = "the body is larger than {limit_mb} MiB"


class UnknownResource(NotFoundError):
    """There is no such address."""

    zh = "没有这个地址:{path}"
    en = "there is nothing at {path}"


class MethodNotAllowed(InputError):
    """The address exists but not for this method."""

    zh = "此地址不支持 {method}"
    en = "{method} is not supported here"


class ForeignOrigin(InputError):
    """A page of another site tried to change something."""

    zh = "拒绝来自其他站点的修改请求"
    en = "changes requested by pages of other sites are refused"


class UnknownHost(InputError):
    """The request names a host that this service is not."""

    zh = "请求的主机名不是本服务"
    en = "the request names a host that this service is not"


class NulCharacter(InputError):
    """An address holds the character NUL, which no key or text has."""

    zh = "地址中含有空字符(%00);请去掉"
    en = "the address holds the character NUL (%00); leave it out"


class HttpFailure(InputError):
    """A request that cannot be answered for a reason of the protocol."""

    zh = "请求无法处理({status})"
    en = "the request cannot be handled ({status})"


class InternalError(GridsvcError):
    """Something went wrong inside; the log has it under the request id."""

    zh = "服务器内部错误;请把请求编号告诉管理员"
    en = "an internal error; tell the administrator the request id"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a class of errors looks over HTTP.

    ``quiet`` errors give their title as detail and none of their fields: what they hold is about
    the inside.
    """

    status: int
    slug: str
    zh: str
    en: str
    quiet: bool = False


TABLE: dict[type[GridsvcError], Kind] = {
    GridsvcError: Kind(500, "internal", "内部错误", "Internal error", quiet=True),
    InternalError: Kind(500, "internal", "内部错误", "Internal error"),
    # input
    InputError: Kind(422, "bad-input", "输入有误", "Bad input"),
    errors.InvalidCoordinate: Kind(422, "invalid-coordinate", "坐标无效", "Invalid coordinate"),
    errors.UnknownDatum: Kind(422, "unknown-datum", "未知坐标基准", "Unknown datum"),
    errors.CrsMissing: Kind(422, "crs-missing", "缺少坐标系", "Coordinate system missing"),
    errors.CrsMismatch: Kind(422, "crs-mismatch", "坐标系不一致", "Coordinate systems differ"),
    errors.WrongCrs: Kind(422, "wrong-crs", "坐标系不符", "Wrong coordinate system"),
    errors.DatumNeedsDegrees: Kind(422, "wrong-crs", "坐标系不符", "Wrong coordinate system"),
    errors.UnreadableSource: Kind(422, "unreadable-source", "文件无法读取", "Unreadable file"),
    errors.EmptySource: Kind(422, "empty-source", "文件没有记录", "Empty file"),
    errors.InvalidCode: Kind(422, "invalid-code", "编码无效", "Invalid code"),
    errors.OverlappingCells: Kind(422, "overlapping-cells", "网格重叠", "Overlapping cells"),
    errors.UnknownClass: Kind(422, "unknown-class", "未知类别", "Unknown class"),
    errors.BadOption: Kind(422, "bad-option", "选项无效", "Bad option"),
    errors.NothingToWorkOn: Kind(
        422, "nothing-to-work-on", "没有可处理的内容", "Nothing to work on"
    ),
    errors.RejectedRows: Kind(422, "rejected-rows", "记录有误", "Rows rejected"),
    errors.DecisionNeeded: Kind(422, "decision-needed", "需要人工决定", "A decision is needed"),
    RequestInvalid: Kind(422, "invalid-request", "请求不符合要求", "Invalid request"),
    HttpFailure: Kind(400, "bad-request", "请求无法处理", "Bad request"),
    UnknownHost: Kind(400, "unknown-host", "主机名不符", "Unknown host"),
    ForeignOrigin: Kind(403, "foreign-origin", "来源不允许", "Foreign origin"),
    NulCharacter: Kind(422, "nul-character", "含空字符", "NUL in the address"),
    MethodNotAllowed: Kind(405, "method-not-allowed", "方法不支持", "Method not allowed"),
    UploadTooLarge: Kind(413, "too-large", "上传过大", "Too large"),
    PreconditionMissing: Kind(428, "precondition-required", "缺少版本", "Precondition required"),
    # not found
    NotFoundError: Kind(404, "not-found", "未找到", "Not found"),
    UnknownResource: Kind(404, "not-found", "未找到", "Not found"),
    errors.OutsideCoverage: Kind(404, "outside-coverage", "不在网格内", "Outside coverage"),
    errors.UnknownCell: Kind(404, "unknown-cell", "没有该网格", "Unknown cell"),
    errors.UnknownPlan: Kind(404, "unknown-plan", "没有该方案", "Unknown plan"),
    errors.NoPlanInForce: Kind(404, "no-plan-in-force", "没有生效的方案", "No plan in force"),
    # conflicts
    errors.ConflictError: Kind(409, "conflict", "状态冲突", "Conflict"),
    errors.IllegalTransition: Kind(409, "illegal-transition", "状态不允许", "Illegal transition"),
    errors.NotScheduled: Kind(409, "not-scheduled", "方案并非待生效", "Not a scheduled version"),
    errors.AlreadyPublished: Kind(409, "already-published", "方案已发布", "Already published"),
    errors.PlanNotPublishable: Kind(409, "not-publishable", "不能发布", "Not publishable"),
    errors.DuplicateKey: Kind(409, "duplicate-key", "编号重复", "Duplicate key"),
    errors.Cancelled: Kind(409, "cancelled", "已取消", "Cancelled"),
    errors.StaleVersion: Kind(412, "stale-version", "版本已变", "Version changed"),
    # storage
    errors.StorageError: Kind(503, "storage", "数据库不可用", "Storage unavailable", quiet=True),
    errors.SchemaOutdated: Kind(503, "schema-outdated", "数据库版本不符", "Schema outdated"),
    errors.SchemaMissing: Kind(503, "schema-outdated", "数据库是空的", "Empty database"),
}


class FieldProblem(BaseModel):
    """One fault of one field of a request or file."""

    field: str = Field(description="Parameter, body path or column.")
    message: str
    row: int | None = Field(None, description="Row of the sheet (CSV, XLSX), else record number.")
    value: str | None = Field(None, description="What stands there, shortened.")
    way_out: str | None = None


class Problem(BaseModel):
    """Body of every error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Address of the description of this kind of problem.")
    title: str
    status: int
    detail: str
    instance: str | None = None
    request_id: str | None = None
    errors: list[FieldProblem] | None = None


def kind_of(cls: type[BaseException]) -> Kind:
    """Return the table's entry for a class, that of its nearest parent."""
    for parent in cls.__mro__:
        if parent in TABLE:
            return TABLE[parent]
    return TABLE[GridsvcError]


def problem_document(
    error: GridsvcError,
    language: Language,
    *,
    instance: str | None = None,
    request_id: str | None = None,
    status: int | None = None,
    speak: Speak = http,
) -> dict[str, Any]:
    """Return the problem body of an error in one language, ways out as a surface calls them."""
    kind = kind_of(type(error))
    title = kind.zh if language == "zh" else kind.en
    document: dict[str, Any] = {
        "type": BASE + kind.slug,
        "title": title,
        "status": status or kind.status,
        "detail": title if kind.quiet else error.text(language, speak),
    }
    if instance is not None:
        document["instance"] = instance
    if request_id is not None:
        document["request_id"] = request_id
    if not kind.quiet:
        document |= _facts(error, language, speak)
    return document


def _facts(error: GridsvcError, language: Language, speak: Speak) -> dict[str, Any]:
    if isinstance(error, RejectedRows):
        faults = [
            {
                "field": fault.field or "",
                "message": spoken(
                    fault.problem_zh if language == "zh" else fault.problem_en, language, speak
                ),
                "row": fault.sheet_row or fault.row,
                "value": fault.value,
                "way_out": spoken(
                    fault.way_out_zh if language == "zh" else fault.way_out_en, language, speak
                ),
            }
            for fault in error.faults[:SHOWN_FAULTS]
        ]
        return {"source": error.source, "count": error.count, "errors": faults}
    taken = {"type", "title", "status", "detail", "instance", "request_id"}
    other = "_en" if language == "zh" else "_zh"
    certificate = error.fields.get("certificate")
    standing = {} if certificate is None else {"errors": _findings(certificate, language)}
    facts = {
        name: _plain(value)
        for name, value in error.fields.items()
        if name not in taken and not name.endswith(other)
    }
    found = spoken_fields(facts, language, speak)
    return {k.removesuffix(f"_{language}"): v for k, v in found.items()} | standing


def _findings(certificate: Certificate, language: Language) -> list[dict[str, Any]]:
    """Return the findings that stand in the way of a publication as faults."""
    shown = certificate.blocking.head(SHOWN_FAULTS)
    return [
        {"field": "", "message": str(message), "row": None, "value": None, "way_out": None}
        for message in shown[f"message_{language}"]
    ]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    as_dict = getattr(value, "as_dict", None)
    return _plain(as_dict()) if callable(as_dict) else str(value)


def problem_response(
    request: Request,
    error: GridsvcError,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response for an error, in the language that the request asks for."""
    language = language_of(request)
    document = problem_document(
        error,
        language,
        instance=request.url.path,
        request_id=request.scope.get("state", {}).get("request_id"),
        status=status,
        speak=surface_of(request),
    )
    services = getattr(request.app.state, "services", None) if "app" in request.scope else None
    if services is not None:
        document["detail"] = in_zone(document["detail"], services.settings.grid.timezone)
    return Response(
        orjson.dumps(document),
        status_code=document["status"],
        media_type=MEDIA_TYPE,
        headers={
            "Content-Language": language,
            "Vary": "Accept-Language",
            "Cache-Control": "no-store",
            # Said here as well, for answers that are given in front of the common headers.
            "X-Content-Type-Options": "nosniff",
            **(headers or {}),
        },
    )


def problem_responses(*classes: type[GridsvcError]) -> dict[int | str, dict[str, Any]]:
    """Declare errors for the OpenAPI document (``responses=`` of a route).

    Several classes of one status become one entry that names each. Every route may also answer
    422 for a malformed request and 503 when the database is away.
    """
    entries: dict[int | str, dict[str, Any]] = {}
    for cls in (*classes, RequestInvalid, errors.StorageError):
        kind = kind_of(cls)
        line = f"`{kind.slug}` {kind.zh} {kind.en}"
        entry = entries.setdefault(
            kind.status,
            {"model": Problem, "description": "", "content": {MEDIA_TYPE: {}}},
        )
        if line not in entry["description"]:
            entry["description"] += ("; " if entry["description"] else "") + line
    return entries


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the application with a problem."""

    async def domain(request: Request, error: Exception) -> Response:
        assert isinstance(error, GridsvcError)  # noqa: S101
        return problem_response(request, error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        found = validation_errors(error.errors(), language_of(request))
        problem = RequestInvalid(count=len(found), errors=found)
        return problem_response(request, problem)

    async def protocol(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        if error.status_code == 404:
            return problem_response(request, UnknownResource(path=request.url.path))
        if error.status_code == 405:
            return problem_response(
                request, MethodNotAllowed(method=request.method), headers=error.headers
            )
        failure = HttpFailure(status=error.status_code)
        return problem_response(request, failure, status=error.status_code, headers=error.headers)

    async def crashed(request: Request, error: Exception) -> Response:
        return problem_response(request, InternalError())

    app.add_exception_handler(GridsvcError, domain)
    app.add_exception_handler(Exception, crashed)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, protocol)
