"""What happens around every request: host check, request id, log, headers, last resort.

Plain ASGI, because it stands in front of everything. Logs hold method, path and status, never the
query string or bodies: these may hold coordinates and personal data.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import Request

from api.problems import (
    ForeignOrigin,
    InternalError,
    NulCharacter,
    UnknownHost,
    UploadTooLarge,
    problem_response,
)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

log = structlog.get_logger("gridsvc.http")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_OTHER_SITES = (b"cross-site", b"same-site")  # same-site is another port or subdomain
_STRICT = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)
# folium writes its maps as inline scripts; every foreign text in them has passed maps.safe().
_MAPS = _STRICT.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'")


def host_name(value: str) -> str:
    """Return the host of a ``Host`` header without port and brackets, in lower case.

    Examples
    --------
    >>> host_name("LocalHost:8000"), host_name("[::1]:8000"), host_name("127.0.0.1")
    ('localhost', '::1', '127.0.0.1')
    """
    text = value.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


class HostCheck:
    """Refuses requests for other hosts, and changes asked for by pages of other sites.

    A page elsewhere can make a browser talk to a loopback service: by DNS rebinding (the host is
    then not ours) or by a form (the origin is then not ours). Another port of this machine is
    another origin as well. NUL, which no key holds and databases treat each in its own way, is
    refused here too.

    Parameters
    ----------
    app : ASGI application
    allowed : tuple of str
        Host names, without ports.
    """

    def __init__(self, app: AsgiApp, allowed: tuple[str, ...]) -> None:
        self._app = app
        self._allowed = frozenset(a.lower() for a in allowed)
        self._known: set[bytes] = set()

    def knows(self, host: bytes) -> bool:
        """Return whether a ``Host`` header has passed the check before."""
        return host in self._known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        host = origin = site = b""
        hosts = 0
        for name, value in scope["headers"]:
            if name == b"host":
                host = value
                hosts += 1
            elif name == b"origin":
                origin = value
            elif name == b"sec-fetch-site":
                site = value
        if hosts > 1 or host not in self._known:
            # Two hosts are refused (RFC 9112 §3.2): a proxy before us may have read the other one.
            if hosts > 1 or host_name(host.decode("latin-1")) not in self._allowed:
                await problem_response(Request(scope), UnknownHost())(scope, receive, send)
                return
            if len(self._known) < 64:
                self._known.add(host)
        if scope["method"] not in _SAFE_METHODS and (
            site in _OTHER_SITES or (origin and not _is_own(scope.get("scheme"), host, origin))
        ):
            await problem_response(Request(scope), ForeignOrigin())(scope, receive, send)
            return
        if b"%00" in scope["query_string"] or "\x00" in scope["path"]:
            await problem_response(Request(scope), NulCharacter())(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _is_own(scheme: str | None, host: bytes, origin: bytes) -> bool:
    """Return whether an ``Origin`` (RFC 6454) is the scheme, host and port that were asked."""
    try:
        theirs = urlsplit(origin.decode("latin-1"))
        ours = urlsplit(f"{scheme or 'http'}://{host.decode('latin-1')}")
        usual = {"http": 80, "https": 443}.get(ours.scheme)
        return bool(theirs.hostname) and (
            (theirs.scheme, theirs.hostname, theirs.port or usual)
            == (ours.scheme, ours.hostname, ours.port or usual)
        )
    except ValueError:
        return False


class RequestContext:
    """Gives each request an id, logs it, adds security headers, turns crashes into problems.

    Parameters
    ----------
    app : ASGI application
    image_source : str
        Origin of the base map tiles that maps may load, empty for none.
    """

    def __init__(self, app: AsgiApp, *, image_source: str = "") -> None:
        self._app = app
        tiles = f"img-src 'self' data: blob: {image_source}".strip()
        self._maps = _MAPS.replace("img-src 'self' data: blob:", tiles)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        head = scope["method"] == "HEAD"

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._headers(scope["path"], message, request_id)
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # RFC 9110 §9.3.2: HEAD is answered like GET, without the body.
        inner = {**scope, "method": "GET"} if head else scope
        try:
            await self._app(inner, receive, send_with_headers)
        except Exception:
            log.exception(
                "request crashed", id=request_id, method=scope["method"], path=scope["path"]
            )
            if status >= 500:
                return
            if status:
                # The answer has begun: only cutting the connection tells that it is not whole.
                raise
            response = problem_response(Request(scope), InternalError())
            await response(scope, receive, send_with_headers)
        finally:
            log.info(
                "request",
                id=request_id,
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round((time.perf_counter() - started) * 1000, 1),
            )

    def _headers(self, path: str, message: Message, request_id: str) -> list[tuple[bytes, bytes]]:
        headers = list(message.get("headers", ()))
        present = {name for name, _ in headers}
        policy = self._maps if path.startswith("/maps/") else _STRICT
        for name, value in (
            (b"x-request-id", request_id),
            (b"x-content-type-options", "nosniff"),
            (b"referrer-policy", "same-origin"),
            (b"x-frame-options", "SAMEORIGIN"),
            (b"cross-origin-opener-policy", "same-origin"),
            (b"cross-origin-resource-policy", "same-origin"),
            (b"content-security-policy", policy),
        ):
            if name not in present:
                headers.append((name, value.encode("latin-1")))
        return headers


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.match(value):
            return str(value.decode("ascii"))
    return uuid.uuid4().hex


class BodyLimit:
    """Refuses bodies that are larger than allowed, before and while they arrive.

    Parameters
    ----------
    app : ASGI application
    limit_mb : int
        MiB.
    """

    def __init__(self, app: AsgiApp, limit_mb: int) -> None:
        self._app = app
        self._limit_mb = limit_mb
        self._limit = limit_mb * 2**20

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in _SAFE_METHODS:
            await self._app(scope, receive, send)
            return
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._limit:
                await self._refuse(scope, receive, send)
                return
        seen = 0
        begun = refused = False

        async def counted() -> Message:
            nonlocal seen, refused
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                refused = True
                raise _TooMuch
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            # Frameworks answer 400 when reading the body fails; the reason is ours.
            if refused and not begun:
                raise _TooMuch
            begun = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except _TooMuch:
            if begun:
                raise
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = UploadTooLarge(limit_mb=self._limit_mb)
        await problem_response(Request(scope), error)(scope, receive, send)


class _TooMuch(Exception):
    """The body is larger than allowed."""
