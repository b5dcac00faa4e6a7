"""Deadlines: uvicorn's HTTP protocol with limits on how slowly a request may come.

uvicorn waits for ever for the rest of a request; ASGI runs too late to see headers. So
the protocol itself watches: headers within 10 s; a body at 8 KiB/s over any 5 s and
within 30 s + size / (256 KiB/s); a reply that makes progress.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http.envelope import SECURITY_HEADERS
from service.problems import ProblemError, problem_response
from service.settings import Settings

TICK_S = 1.0


class DeadlineProtocol(HttpToolsProtocol):
    """Closes connections whose peer is too slow, sends too much, or is one too many."""

    limits: Settings

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Take what uvicorn gives."""
        super().__init__(*arguments, **named)
        self._header_timer: asyncio.TimerHandle | None = None
        self._body_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._header_bytes = 0
        self._in_headers = True
        self._body_started_s = 0.0
        self._body_bytes = 0
        self._body_size = 0
        self._window: deque[int] = deque()
        self._body_done = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, unless there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self._refuse(ProblemError("busy", "too many connections"))
            return
        self._watch_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._cancel("_header_timer", "_body_timer", "_write_timer")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, then see whether headers or body are still owed."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_headers or self._idle():  # idle: only empty lines came
            self._header_bytes += len(data)
            if self._header_bytes > self.limits.max_headers:
                self._refuse(ProblemError("malformed-request", "the headers are too long"))
            elif self._header_timer is None:
                self._watch_headers()
        elif self._header_timer is not None:
            self._cancel("_header_timer")
        if not self._body_done and self._body_timer is None:
            self._watch_body()

    def on_message_begin(self) -> None:
        """Start a request."""
        super().on_message_begin()
        self._in_headers, self._header_bytes = True, 0

    def on_headers_complete(self) -> None:
        """Start the body's account."""
        self._in_headers, self._body_done = False, False
        self._body_bytes, self._body_size = 0, _declared_size(self.headers)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count the body; once the reply is out it is read only to be thrown away."""
        self._body_bytes += len(body)
        super().on_body(body)
        if self.cycle.response_complete and self._body_bytes > 4 * self.limits.max_upload:
            self.transport.close()

    def on_message_complete(self) -> None:
        """End the body's account."""
        self._body_done = True
        self._cancel("_body_timer")
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, as a problem like any other."""
        self._refuse(ProblemError("malformed-request", "this is not a valid HTTP request"))

    def pause_writing(self) -> None:
        """Note that the peer does not read."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(
            self.limits.write_timeout_s, self.transport.abort
        )

    def resume_writing(self) -> None:
        """Note that the peer reads again."""
        self._cancel("_write_timer")
        super().resume_writing()

    def _idle(self) -> bool:
        return self._body_done and (self.cycle is None or self.cycle.response_complete)

    def _watch_headers(self) -> None:
        self._header_timer = self.loop.call_later(
            self.limits.header_timeout_s, self._headers_too_late
        )

    def _headers_too_late(self) -> None:
        limit_s = self.limits.header_timeout_s
        detail = f"the headers took longer than {limit_s:g} s"
        self._refuse(ProblemError("request-timeout", detail))

    def _watch_body(self) -> None:
        self._body_started_s = self.loop.time()
        ticks = max(1, round(self.limits.body_window_s / TICK_S))
        self._window = deque([self._body_bytes], maxlen=ticks)
        self._body_timer = self.loop.call_later(TICK_S, self._check_body)

    def _check_body(self) -> None:
        limits = self.limits
        if self.flow.read_paused:
            self._window.clear()  # it is we who do not read
        elif len(self._window) == self._window.maxlen:
            least = limits.body_window_rate * len(self._window) * TICK_S
            if self._body_bytes - self._window[0] < least:
                self._refuse(ProblemError("request-timeout", "the body came too slowly"))
                return
        size = max(self._body_size, self._body_bytes)
        allowed_s = limits.body_timeout_s + size / limits.body_rate
        if self.loop.time() - self._body_started_s > allowed_s:
            self._refuse(ProblemError("request-timeout", "the body took too long"))
            return
        self._window.append(self._body_bytes)
        self._body_timer = self.loop.call_later(TICK_S, self._check_body)

    def _refuse(self, problem: ProblemError) -> None:
        """Answer from here, if no reply has begun, and close."""
        self._cancel("_header_timer", "_body_timer")
        if self.transport.is_closing():
            return
        cycle = self.cycle
        waiting = cycle is not None and not cycle.response_complete
        answered = cycle is not None and cycle.response_started and not self._body_done
        if not answered and not (waiting and cycle.response_started):
            self.transport.write(_raw_reply(problem, self.server_state.default_headers))
        if waiting:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def _cancel(self, *names: str) -> None:
        for name in names:
            timer: asyncio.TimerHandle | None = getattr(self, name)
            if timer is not None:
                timer.cancel()
                setattr(self, name, None)


def protocol_with(limits: Settings) -> type[DeadlineProtocol]:
    """Return the protocol class for uvicorn, with these limits."""
    return type("ServiceProtocol", (DeadlineProtocol,), {"limits": limits})


def _declared_size(headers: Sequence[tuple[bytes, bytes]]) -> int:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


def _raw_reply(problem: ProblemError, defaults: Sequence[tuple[bytes, bytes]]) -> bytes:
    request_id = secrets.token_hex(8)
    response = problem_response(problem, request_id)
    headers = [
        *defaults,
        *response.raw_headers,
        *SECURITY_HEADERS,
        (b"x-request-id", request_id.encode()),
        (b"connection", b"close"),
    ]
    lines = [b"HTTP/1.1 %d \r\n" % response.status_code]
    lines += [b"%b: %b\r\n" % header for header in headers]
    return b"".join([*lines, b"\r\n", bytes(response.body)])
