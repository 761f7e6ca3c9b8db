"""``GET /api/v1/locate`` answered in front of the application.

A small ASGI layer: it reads the query, looks the place up and joins bytes that were encoded once
per cell and class of cases. Everything else passes through. Errors are the same problems as
everywhere. Put it inside the host check and outside everything slow.

The layer never waits for storage in the event loop: what has to be read is read in a thread.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

import orjson
from fastapi import Request
from starlette.responses import Response

from api.bootstrap import Services
from api.parameters import LANGUAGES, check_names
from api.problems import TABLE, Kind, problem_response
from gridsvc.datum import convert
from gridsvc.errors import GridsvcError, InvalidCoordinate, OutsideCoverage
from gridsvc.locate import Location
from gridsvc.locate.locator import OUTSIDE
from gridsvc.services.along import Beside
from gridsvc.services.snapshots import Snapshot
from gridsvc.types import Datum

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

PATH = "/api/v1/locate"
PARAMETERS = ("lon", "lat", "datum", "accuracy", "at", "known_at", "category", "lang")
"""Those of the documented route (a test compares them)."""
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
HEADERS = (
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_STRAIGHT = (Datum.WGS84, Datum.CGCS2000)


class BadQuery(InvalidCoordinate):
    """A parameter of the query is missing or cannot be read."""

    zh = "参数 {field}(“{value}”)无效:{reason_zh}"
    en = "parameter {field} ('{value}') is invalid: {reason_en}"


TABLE[BadQuery] = Kind(422, "invalid-request", "请求不符合要求", "Invalid request")


class FastPath:
    """Answers ``GET /api/v1/locate`` and passes all other requests on.

    Parameters
    ----------
    app : ASGI application
        What the other requests are for.
    services : Services, optional
        By default those of ``scope["app"].state``.
    """

    def __init__(self, app: AsgiApp, services: Services | None = None) -> None:
        self._app = app
        self._given = services

    def _services(self, scope: Scope) -> Services:
        if self._given is not None:
            return self._given
        services: Services = scope["app"].state.services
        return services

    def at_once(self, services: Services, query_string: bytes) -> bytes | None:
        """Return the answer to a query when nothing has to be read, waited for or explained."""
        try:
            query = read_query(query_string, services)
            if query.known_at is not None:
                return None
            at = query.at or services.clock()
            snapshot = services.desk.ready(at)
            return None if snapshot is None else encode(snapshot, query, at)
        except GridsvcError:
            return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if scope["path"] != PATH or method not in ("GET", "HEAD"):
            try:
                await self._app(scope, receive, send)
            finally:
                if method not in _SAFE_METHODS:
                    self._services(scope).locators.expire()  # something may have been published
            return
        try:
            services = self._services(scope)
            query = read_query(scope["query_string"], services)
            at = query.at or services.clock()
            snapshot = services.desk.ready(at) if query.known_at is None else None
            if snapshot is None:
                snapshot = await asyncio.to_thread(services.desk.snapshot, at, query.known_at)
            body = encode(snapshot, query, at)
        except GridsvcError as error:
            response: Response = problem_response(Request(scope), error)
            await response(scope, receive, send)
            return
        headers = (*HEADERS, (b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


class Query:
    """The finished parameters of one request; ``x, y`` are in the storage datum."""

    # What a plain request leaves as it is costs nothing as an attribute of the class.
    datum = "wgs84"
    accuracy: float | None = None
    at: datetime | None = None
    known_at: datetime | None = None
    category: str | None = None

    def __init__(self, lon: float, lat: float) -> None:
        self.lon = self.x = lon
        self.lat = self.y = lat

    def convert_from(self, datum: str) -> None:
        """Set the datum of the coordinates given."""
        self.datum = datum
        if datum not in _STRAIGHT and math.isfinite(self.lon) and math.isfinite(self.lat):
            x, y = convert(self.lon, self.lat, datum, Datum.WGS84)
            self.x, self.y = float(x), float(y)


def read_query(raw: bytes, services: Services) -> Query:
    """Return the parameters of a query string; one that is empty is as good as not given.

    Raises
    ------
    BadQuery, UnknownDatum, UnreadableInstant, UnknownParameter, RepeatedParameter
    """
    if raw[:4] == b"lon=":
        # The usual spelling, two plain numbers; anything else is read with care.
        lon_text, _, lat_text = raw[4:].partition(b"&lat=")
        try:
            return Query(float(lon_text), float(lat_text))
        except ValueError:
            pass
    values: dict[str, str] = {}
    names: list[str] = []
    for part in raw.decode("latin-1").split("&"):
        name, equals, value = part.partition("=")
        if "%" in part or "+" in part:
            name, value = unquote_plus(name), unquote_plus(value)
        if name or equals:
            names.append(name)
        if value:
            values[name] = value
    check_names(names, PARAMETERS)
    lang = values.pop("lang", None)
    if lang is not None and lang not in LANGUAGES:
        raise BadQuery(
            field="lang", value=lang[:40],
            reason_zh="应为 zh 或 en", reason_en="zh or en is expected",
        )  # fmt: skip
    query = Query(_number(values, "lon"), _number(values, "lat"))
    if "accuracy" in values:
        query.accuracy = _number(values, "accuracy")
    if query.accuracy is not None and not 0.0 <= query.accuracy < math.inf:
        raise BadQuery(
            field="accuracy", value=values["accuracy"][:40],
            reason_zh="应为不小于 0 的米数", reason_en="metres from 0 on are expected",
        )  # fmt: skip
    if "at" in values:
        from api.dependencies import parse_instant

        query.at = parse_instant(values["at"], services.settings.grid.timezone)
    if "known_at" in values:
        from api.dependencies import parse_instant

        zone = services.settings.grid.timezone
        query.known_at = parse_instant(values["known_at"], zone, field="known_at")
    if "datum" in values:
        query.convert_from(Datum.parse(values["datum"]).value)
    query.category = values.get("category")
    return query


def _number(values: dict[str, str], name: str) -> float:
    text = values.get(name)
    if text is None:
        raise BadQuery(field=name, value="", reason_zh="缺少该参数", reason_en="it is missing")
    try:
        return float(text)
    except ValueError:
        raise BadQuery(
            field=name, value=text[:40], reason_zh="不是数字", reason_en="it is not a number"
        ) from None


def encode(snapshot: Snapshot, query: Query, at: datetime) -> bytes:
    """Return the answer as JSON: the same document as ``gridsvc.services.answers.assemble``.

    Raises
    ------
    InvalidCoordinate, OutsideCoverage, UnknownClass
    """
    x, y = query.x, query.y
    locator = snapshot.locator
    if query.accuracy is None and -180.0 <= x <= 180.0 and -90.0 <= y <= 90.0:
        position, distance, across = locator.find_inside(x, y)
        if across != -1 and (snapshot.along is None or not snapshot.along.beside(x, y)):
            # The usual case: inside one cell, at most one neighbour across the nearest boundary,
            # no road or river near that somebody answers for.
            memo = snapshot.memo
            middle, shared = memo.get((position, query.category)) or _pieces(
                snapshot, position, query
            )
            metres = b"%.2f" % distance
            if across == OUTSIDE:
                beyond, point = b"", b'],"nearest_point":'
            else:
                beyond = (memo.get(across) or _head(snapshot, across)) + metres
                point = b'}],"nearest_point":'
            return b"".join(
                (
                    _place(snapshot, query, at, False), b',"boundary_distance_m":', metres, middle,
                    beyond, point, _near(snapshot, x, y), shared,
                )
            )  # fmt: skip
    location = locator.locate(x, y, accuracy_m=query.accuracy)
    code = location.code
    if code is None:
        snapshot.case_class(query.category)
        raise outside(query.lon, query.lat, location)
    neighbours = b",".join(
        [
            b"%b%.2f}" % (_head(snapshot, locator.position_of(n.code)), n.distance_m)
            for n in location.neighbours
        ]
    )
    beside = snapshot.beside(x, y)
    shared = _pieces(snapshot, locator.position_of(code), query, beside)[1]
    return (
        b'%b,"boundary_distance_m":%.2f,"ambiguous":%b,"covering":%b,"beside":%b,"neighbours":[%b],'
        b'"nearest_point":%b%b'
    ) % (
        _place(snapshot, query, at, location.on_border), location.boundary_distance_m or 0.0,
        b"true" if location.ambiguous else b"false", orjson.dumps(location.covering),
        orjson.dumps([b.document() for b in beside]), neighbours, _near(snapshot, x, y), shared,
    )  # fmt: skip


def _place(snapshot: Snapshot, query: Query, at: datetime, on_border: bool) -> bytes:
    stored = {"lon": query.x, "lat": query.y, "crs": "EPSG:4490"}
    document = {
        "lon": query.lon, "lat": query.lat, "datum": query.datum, "stored": stored, "at": at,
        "known_at": query.known_at, "accuracy_m": query.accuracy, "on_border": on_border,
        "deadline": None if query.category is None else snapshot.deadline(query.category, at),
    }  # fmt: skip
    return orjson.dumps(document)[:-1]


def _near(snapshot: Snapshot, x: float, y: float) -> bytes:
    near = snapshot.records.nearest.nearest(x, y)
    if near is None:
        return b"null"
    number, distance_m = near
    key = ~number  # positions of cells are the numbers from 0 on
    head: bytes | None = snapshot.memo.get(key)
    if head is None:
        document = orjson.dumps(snapshot.point(number))[:-1] + b',"distance_m":'
        head = snapshot.remember(key, document)
    return b"%b%.2f}" % (head, distance_m)


def _pieces(
    snapshot: Snapshot, position: int, query: Query, beside: tuple[Beside, ...] = ()
) -> tuple[bytes, bytes]:
    """Return what is written between two distances inside a cell, and what ends every answer."""
    key: tuple[Any, ...] = (position, query.category, *((b.kind, b.code) for b in beside))
    found: tuple[bytes, bytes] | None = snapshot.memo.get(key)
    if found is None:
        code = snapshot.locator.codes[position]
        covering = orjson.dumps([code])
        middle = b',"ambiguous":false,"covering":%b,"beside":[],"neighbours":[' % covering
        shared = b"," + orjson.dumps(snapshot.cell(code, query.category, beside))[1:]
        found = snapshot.remember(key, (middle, shared))
    return found


def _head(snapshot: Snapshot, position: int) -> bytes:
    """Return a neighbour up to its distance."""
    found: bytes | None = snapshot.memo.get(position)
    if found is None:
        code = snapshot.locator.codes[position]
        document = orjson.dumps({"code": code, "name": snapshot.cell_name(code)})
        found = snapshot.remember(position, document[:-1] + b',"distance_m":')
    return found


def outside(lon: float, lat: float, location: Location) -> OutsideCoverage:
    """Return the error for a place in no cell, naming the nearest one."""
    return OutsideCoverage(
        lon=lon,
        lat=lat,
        nearest_cell=location.nearest_code,
        distance_m=round(location.nearest_distance_m or 0.0, 2),
    )
