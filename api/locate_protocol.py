"""Located places answered where the request was parsed (docs/adr/0014-answers-at-the-parser.md).

Most of what an ASGI request costs is its scope, its task and the two messages of its answer. The
usual locate request needs none of them: everything its answer holds is in memory, nothing waits.
So the HTTP protocol of uvicorn asks the application for the answer as soon as the headers are
parsed. Whatever is not usual in any way takes the way of every other request, through ASGI; other
servers serve all requests that way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.fastpath import HEADERS, PATH

# Under this name the application leaves, in the state of its ASGI lifespan, the function that
# answers a query string and a host at once, or gives ``None``.
STATE_KEY = "locate_at_once"
AtOnce = Callable[[bytes, bytes], bytes | None]

_PREFIX = PATH.encode("ascii") + b"?"
_QUERY = len(_PREFIX)
_NOT_USUAL = frozenset((b"content-length", b"transfer-encoding", b"expect", b"upgrade"))


class LocateProtocol(HttpToolsProtocol):
    """HTTP/1.1 that answers ``GET /api/v1/locate`` without an ASGI task when that is possible."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at_once: AtOnce | None = self.app_state.get(STATE_KEY)
        self._head = b""
        self._head_of: object = None
        self._idle_from: float | None = None

    # --- one request ------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a request; its ASGI scope is made when it turns out to be needed."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Answer at once, or start the ASGI application."""
        if self.url.startswith(_PREFIX) and self._answer():
            return
        # An earlier request of the same bytes may have been answered at once; this one may take
        # longer than a connection is kept idle.
        self._unset_keepalive_if_required()
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End a request; one that was answered at once has ended already."""
        if self.cycle is not None:
            super().on_message_complete()

    def _answer(self) -> bool:
        at_once, parser, cycle = self._at_once, self.parser, self.cycle
        if (
            at_once is None
            or parser.get_method() != b"GET"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or (cycle is not None and not cycle.response_complete)
            or self.flow.write_paused
            or self.limit_concurrency is not None
            or self.config.access_log
            or self.root_path
        ):
            return False
        host = None
        for name, value in self.headers:
            if name == b"host":
                if host is not None:
                    return False
                host = value
            elif name in _NOT_USUAL:
                return False
        if host is None or self.transport.is_closing():
            return False
        body = at_once(self.url[_QUERY:], host)
        if body is None:
            return False
        defaults = self.server_state.default_headers
        if self._head_of is not defaults:  # made anew by uvicorn every second, with the date
            self._head_of = defaults
            lines = [b"%b: %b\r\n" % pair for pair in (*defaults, *HEADERS)]
            self._head = b"HTTP/1.1 200 OK\r\n" + b"".join(lines) + b"content-length: "
        self.transport.write(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))
        self.server_state.total_requests += 1
        self._idle_from = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        return True

    # --- idle connections -------------------------------------------------------------------------
    # Cancelling a timer and starting it anew is felt in a request as short as this one: it goes
    # on, and when it ends asks what has happened meanwhile.

    def _unset_keepalive_if_required(self) -> None:
        self._idle_from = None

    def _cancel_timer(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def on_response_complete(self) -> None:
        """Go on with requests that wait, or begin to count the time of idleness."""
        self._cancel_timer()
        super().on_response_complete()
        self._idle_from = self.loop.time()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that was idle for long enough."""
        self.timeout_keep_alive_task = None
        if self._idle_from is None:
            return  # busy; counting begins with the end of the answer
        rest = self._idle_from + self.timeout_keep_alive - self.loop.time()
        if rest > 0.0:
            self.timeout_keep_alive_task = self.loop.call_later(
                rest, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._cancel_timer()
        super().connection_lost(exc)
