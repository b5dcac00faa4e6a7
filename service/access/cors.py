"""CORS: the origins a browser may let read replies, each named exactly.

No credentials are ever allowed: keys travel in ``Authorization``, which a page of a listed
origin sets itself. ``*`` does not occur.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFLIGHT: tuple[tuple[bytes, bytes], ...] = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, DELETE"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Idempotency-Key, If-None-Match, Range, X-Request-ID",
    ),
    (b"access-control-max-age", b"600"),
)
EXPOSED = (
    b"access-control-expose-headers",
    b"Content-Range, ETag, Retry-After, X-Request-ID, X-View-Seq",
)
VARY = (b"vary", b"Origin")


class Cors:
    """Answers preflights of listed origins and marks what such an origin may read."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        """Surround an application."""
        self.app = app
        self.origins = frozenset(origin.encode() for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        origin = _only(scope, b"origin")
        listed = origin if origin in self.origins else None
        asked = _only(scope, b"access-control-request-method")
        if listed is not None and asked is not None and scope["method"] == "OPTIONS":
            start: Message = {"type": "http.response.start", "status": 204}
            await send({**start, "headers": [_allow(listed), *PREFLIGHT, VARY]})
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                marks = [VARY] if listed is None else [_allow(listed), EXPOSED, VARY]
                message = {**message, "headers": [*message.get("headers", ()), *marks]}
            await send(message)

        await self.app(scope, receive, send_marked)


def _allow(origin: bytes) -> tuple[bytes, bytes]:
    return (b"access-control-allow-origin", origin)


def _only(scope: Scope, name: bytes) -> bytes | None:
    values = [value for header, value in scope["headers"] if header == name]
    return values[0] if len(values) == 1 else None
