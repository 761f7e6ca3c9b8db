"""What is answered where it was parsed equals, byte for byte, what ASGI answers."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from api.app import create_app
from api.bootstrap import Services
from api.locate_protocol import LocateProtocol
from api.settings import Settings
from gridsvc.services.locating import LocatorCache
from tests.unit.api.locate_app import Watch
from tests.unit.locate_city import open_filled

PATH = "/api/v1/locate"
INSIDE = "lon=117.605&lat=26.205"
KEEP_ALIVE_S = 1


class Counting(LocateProtocol):
    """Counts what it answered itself."""

    at_once = 0

    def _answer(self) -> bool:
        answered = super()._answer()
        type(self).at_once += answered
        return answered


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Line:
    """One connection, written and read by hand."""

    port: int
    sock: socket.socket = field(init=False)
    rest: bytes = b""

    def __post_init__(self) -> None:
        self.sock = socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def send(self, *requests: str) -> None:
        self.sock.sendall("".join(requests).encode("latin-1"))

    def read(self, *, body: bool = True) -> Answer:
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        length = int(headers["content-length"]) if body else 0
        while len(self.rest) < length:
            self._more()
        content, self.rest = self.rest[:length], self.rest[length:]
        return Answer(int(first.split()[1]), headers, content)

    def _more(self) -> None:
        got = self.sock.recv(65536)
        assert got, f"the connection was closed after {self.rest!r}"
        self.rest += got

    def is_closed(self) -> bool:
        return self.sock.recv(1) == b""


@dataclass
class Server:
    port: int
    host: str
    app: Any

    def request(
        self, target: str = f"{PATH}?{INSIDE}", *extra: str, method: str = "GET", host: str = ""
    ) -> str:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host or self.host}", *extra]
        return "\r\n".join(lines) + "\r\n\r\n"

    def through_asgi(self, target: str = f"{PATH}?{INSIDE}", method: str = "GET") -> str:
        """Return a request that states the length of no body, which sends it through ASGI."""
        return self.request(target, "Content-Length: 0", method=method)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    storage = open_filled(tmp_path_factory.mktemp("city"))
    locators = LocatorCache(storage, scheme_id="main", recheck_s=3600.0)
    app = create_app(services=Services(Settings(), storage, locators, clock=Watch()))

    async def with_slow(scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the application, and ``/slow``, which takes longer than idleness is borne."""
        if scope["type"] == "http" and scope["path"] == "/slow":
            import asyncio

            await asyncio.sleep(KEEP_ALIVE_S * 2)
            length = (b"content-length", b"4")
            await send({"type": "http.response.start", "status": 200, "headers": [length]})
            await send({"type": "http.response.body", "body": b"done"})
            return
        await app(scope, receive, send)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = uvicorn.Config(
        with_slow, host="127.0.0.1", port=port, log_level="error", access_log=False,
        http=Counting, timeout_keep_alive=KEEP_ALIVE_S,
    )  # fmt: skip
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    end = time.monotonic() + 60
    while not running.started and time.monotonic() < end and thread.is_alive():
        time.sleep(0.02)
    assert running.started
    served = Server(port, f"127.0.0.1:{port}", app)
    line = Line(port)
    line.send(served.request())  # reads the city, and makes the host known
    assert line.read().status == 200
    line.sock.close()
    yield served
    running.should_exit = True
    thread.join(timeout=30)
    storage.dispose()


@pytest.fixture
def line(server: Server) -> Iterator[Line]:
    Counting.at_once = 0
    connection = Line(server.port)
    yield connection
    connection.sock.close()


def without_date(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    return answer.status, {k: v for k, v in answer.headers.items() if k != "date"}, answer.body


def both(server: Server, line: Line, target: str) -> tuple[Answer, Answer]:
    line.send(server.request(target))
    first = line.read()
    line.send(server.through_asgi(target))
    return first, line.read()


@pytest.mark.parametrize(
    "query",
    [
        INSIDE,
        "lat=26.205&lon=117.605",
        "lon=117.6095&lat=26.2095&accuracy=80",
        "lon=117.61&lat=26.21",
        "lon=117.605&lat=26.205&category=0101",
        "lon=117.605&lat=26.205&at=2018-06-01",
        "lon=117.61&lat=26.2&datum=gcj02",
        "lon=117.605&lat=26.205&lang=en",
    ],
)
def test_an_answer_at_once_equals_that_through_asgi(server: Server, line: Line, query: str) -> None:
    line.send(server.through_asgi(f"{PATH}?{query}"))
    second = line.read()  # reads the past, for later ones
    line.send(server.request(f"{PATH}?{query}"))
    first = line.read()
    assert first.status == 200
    assert without_date(first) == without_date(second)
    assert "date" in first.headers
    assert Counting.at_once == 1


@pytest.mark.parametrize(
    "target",
    [
        f"{PATH}?lon=118&lat=27",  # outside
        f"{PATH}?lon=x&lat=26.2",
        f"{PATH}?lon=117.605",
        f"{PATH}?lon=nan&lat=26.2",
        f"{PATH}?{INSIDE}&colour=red",
        f"{PATH}?{INSIDE}&category=none",
        f"{PATH}?{INSIDE}&category=%00",
        f"{PATH}?{INSIDE}&at=1999-01-01",
        f"{PATH}?",
        PATH,
        "/api/v1/locates?" + INSIDE,
        "/api/v1/lo%63ate?" + INSIDE,
        "/healthz",
    ],
)
def test_what_needs_words_goes_through_asgi(server: Server, line: Line, target: str) -> None:
    first, second = both(server, line, target)
    assert Counting.at_once == 0
    for answer in (first, second):
        answer.headers.pop("x-request-id", None)
    assert without_date(first)[:2] == without_date(second)[:2]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.floats(117.59, 117.64) | st.floats(allow_nan=True),
    st.floats(26.19, 26.23) | st.sampled_from([26.2, 26.21, 26.22]),
    st.none() | st.floats(0, 2000),
)
def test_any_place_is_answered_alike(
    server: Server, line: Line, lon: float, lat: float, accuracy: float | None
) -> None:
    more = "" if accuracy is None else f"&accuracy={accuracy!r}"
    first, second = both(server, line, f"{PATH}?lon={lon!r}&lat={lat!r}{more}")
    assert first.status == second.status
    assert first.body == second.body


@pytest.mark.parametrize(
    ("extra", "method"),
    [
        (["Connection: close"], "GET"),
        (["Content-Length: 0"], "GET"),
        (["Transfer-Encoding: chunked"], "GET"),
        (["Upgrade: h2c", "Connection: Upgrade"], "GET"),
        ([], "OPTIONS"),
    ],
)
def test_unusual_requests_go_through_asgi(
    server: Server, line: Line, extra: list[str], method: str
) -> None:
    end = "0\r\n\r\n" if "Transfer-Encoding: chunked" in extra else ""
    line.send(server.request(f"{PATH}?{INSIDE}", *extra, method=method) + end)
    assert line.read().status == (200 if method == "GET" else 405)
    assert Counting.at_once == 0


def test_head_has_the_length_and_no_body(server: Server, line: Line) -> None:
    line.send(server.request(method="HEAD"))
    head = line.read(body=False)
    line.send(server.request())
    body = line.read()
    assert head.headers["content-length"] == str(len(body.body))
    assert Counting.at_once == 1


def test_an_older_protocol_is_answered_and_closed(server: Server, line: Line) -> None:
    line.send(f"GET {PATH}?{INSIDE} HTTP/1.0\r\nHost: {server.host}\r\n\r\n")
    assert line.read().status == 200
    assert Counting.at_once == 0
    assert line.is_closed()


def test_foreign_hosts_are_refused(server: Server, line: Line) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example"):
        line.send(server.request(host=host))
        assert line.read().status == 400
    for path in (f"{PATH}?{INSIDE}", "/healthz"):
        for first, second in (("evil.example", server.host), (server.host, "evil.example")):
            line.send(server.request(path, f"Host: {second}", host=first))
            assert line.read().status == 400
    assert Counting.at_once == 0


def test_answers_come_in_the_order_of_the_questions(server: Server, line: Line) -> None:
    east = server.request(f"{PATH}?lon=117.625&lat=26.215")
    health = server.request("/healthz")
    line.send(server.request(), health, east, server.through_asgi(), server.request(), health)
    bodies = [line.read().body for _ in range(6)]
    assert b'"cell_code":"350400001001001"' in bodies[0]
    assert b'"cell_code":"350400001001006"' in bodies[2]
    assert bodies[0] == bodies[3] == bodies[4]
    assert bodies[1] == bodies[5] != bodies[0]


def test_a_question_may_come_in_pieces(server: Server, line: Line) -> None:
    for piece in server.request():
        line.send(piece)
    assert line.read().status == 200
    assert Counting.at_once == 1


def test_slow_readers_get_everything(server: Server, line: Line) -> None:
    count = 8000  # more than the buffers of both sides hold
    sender = threading.Thread(target=lambda: line.send(*[server.request()] * count))
    sender.start()
    time.sleep(0.3)
    answers = {line.read().body for _ in range(count)}
    sender.join(timeout=20)
    assert len(answers) == 1
    assert 0 < Counting.at_once < count  # what comes while the buffer is full has to wait


def test_an_idle_connection_is_closed(server: Server, line: Line) -> None:
    for _ in range(3):
        line.send(server.request())
        assert line.read().status == 200
        time.sleep(KEEP_ALIVE_S * 0.6)  # each question begins the count anew
    assert Counting.at_once == 3
    begun = time.monotonic()
    assert line.is_closed()
    assert time.monotonic() - begun < KEEP_ALIVE_S * 10


@pytest.mark.parametrize("together", [True, False])
def test_what_takes_long_is_not_cut_off_after_an_answer_at_once(
    server: Server, line: Line, together: bool
) -> None:
    if together:
        line.send(server.request(), server.request("/slow"))
        assert line.read().status == 200
    else:
        line.send(server.request())
        assert line.read().status == 200
        line.send(server.request("/slow"))
    assert line.read().body == b"done"
    line.send(server.request())
    assert line.read().status == 200
    assert line.is_closed()


def test_broken_requests_are_refused(server: Server, line: Line) -> None:
    line.send(server.request())
    assert line.read().status == 200
    line.send("GET /api/v1/locate?lon=1 2 HTTP/1.1\r\n\r\n")
    assert line.read().status == 400
    assert line.is_closed()


def test_a_server_that_ends_closes_idle_connections(tmp_path: Path) -> None:
    storage = open_filled(tmp_path)
    locators = LocatorCache(storage, scheme_id="main", recheck_s=3600.0)
    app = create_app(services=Services(Settings(), storage, locators, clock=Watch()))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", http=LocateProtocol)
    )
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started and thread.is_alive():
        time.sleep(0.02)
    line = Line(port)
    for _ in range(2):
        line.send(f"GET {PATH}?{INSIDE} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert line.read().status == 200
    running.should_exit = True
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert line.is_closed()
    line.sock.close()
    storage.dispose()
