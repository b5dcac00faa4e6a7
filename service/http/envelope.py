"""Envelope: what surrounds every request: id, headers, log line, count, last resort.

Plain ASGI, outside all routing, so that no reply can leave without it.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.problems import DETAILS, ProblemError, problem_of, problem_response
from service.watching import logs
from service.watching.telemetry import Telemetry

REQUEST_ID = "earshot.request_id"
PROBLEM = "earshot.problem"  # the code, where a request ended in one
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"))
_ACCEPTED = re.compile(rb"[A-Za-z0-9_.-]{1,64}")

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"microphone=(self), camera=(self), geolocation=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
NO_STORE = (b"cache-control", b"no-store")


class Envelope:
    """Gives each request its id and each reply its headers, and sees it end."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        """Surround an application."""
        self.app = app
        self.telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope["headers"])
        scope[REQUEST_ID] = request_id
        status = 0

        async def send_enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = list(message.get("headers", ()))
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append(NO_STORE)
                headers.extend(SECURITY_HEADERS)
                headers.append((b"x-request-id", request_id.encode()))
                message = {**message, "headers": headers}
            await send(message)

        async def answer(problem: ProblemError) -> None:
            if not status:
                scope[PROBLEM] = problem.code
                await problem_response(problem, request_id)(scope, receive, send_enveloped)

        try:
            await self.app(scope, receive, send_enveloped)
        except asyncio.CancelledError:
            await answer(ProblemError("shutting-down", DETAILS["shutting-down"]))
            raise
        except Exception as error:  # the last resort of a request
            problem = problem_of(error)
            if problem.code == "internal":
                logs.failure("failed", error, request_id=request_id)
            await answer(problem)
        finally:
            seconds = time.perf_counter() - started
            route = route_template(scope)
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.telemetry.request(method, route, status, seconds)
            code = scope.get(PROBLEM)
            if code is not None:
                self.telemetry.problem(code)
            logs.event(
                "request",
                request_id=request_id,
                method=method,
                route=route,
                status=status,
                code=code,
                ms=round(1e3 * seconds, 2),
            )


def route_template(scope: Scope) -> str:
    """Return the path a route was declared with: what may be logged and counted."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    if isinstance(path, str):
        return path
    if scope["path"] == "/":
        return "/"
    return "/web" if scope["path"].startswith("/web/") else "unmatched"


def _request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"x-request-id" and _ACCEPTED.fullmatch(value):
            return value.decode()
    return secrets.token_hex(8)
