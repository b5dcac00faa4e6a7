"""Bodies: read under a limit, and JSON taken strictly.

Length, type and encoding are judged from the headers before a byte is read; a body
that declares no length is counted while it comes.
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from service.problems import ProblemError

JSON_DEPTH = 32
JSON = "application/json"
MULTIPART = "multipart/form-data"
OCTETS = "application/octet-stream"


def content_type(request: Request) -> str:
    """Return the body's media type without parameters, in lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def has_body(request: Request) -> bool:
    """Tell whether the headers announce a body."""
    headers = request.headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def check_body(request: Request, limit: int, *accepted: str) -> str:
    """Return the body's media type, judged by the headers alone.

    Raises:
        ProblemError: ``length-required``, ``unsupported-media``, ``too-large`` or
            ``malformed-request``.
    """
    headers = request.headers
    length = headers.get("content-length")
    if length is None and "transfer-encoding" not in headers:
        raise ProblemError("length-required", "send Content-Length or a chunked body")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError("unsupported-media", "send the body without a content encoding")
    kind = content_type(request)
    if kind not in accepted:
        expected = " or ".join(accepted)
        raise ProblemError("unsupported-media", f"expected a body of {expected}")
    if length is not None:
        if not (length.isascii() and length.isdigit() and len(length) < 20):
            raise _malformed("Content-Length is not a number of bytes")
        if int(length) > limit:
            raise too_large(limit)
    return kind


async def read_body(request: Request, limit: int) -> bytes | bytearray:
    """Return the whole body.

    Raises:
        ProblemError: ``too-large``, as soon as more than the limit has come.
        ClientDisconnect: If the client went away.
    """
    receive = request.receive
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    first: bytes = message.get("body", b"")
    if len(first) > limit:
        raise too_large(limit)
    if not message.get("more_body", False):
        return first
    body = bytearray(first)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > limit:
            raise too_large(limit)
    return body


async def read_json(request: Request, limit: int) -> dict[str, Any]:
    """Return the body's JSON object; see `parse_json`."""
    return parse_json(await read_body(request, limit))


def parse_json(text: bytes | bytearray) -> dict[str, Any]:
    """Return a JSON object nested at most 32 deep.

    The parser refuses NaN, numbers beyond a double, lone surrogates and bad UTF-8; of a
    key given twice the last one counts.

    Raises:
        ProblemError: ``malformed-request`` if it is no such JSON, ``invalid-field`` if it
            is no object.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise _malformed("the body is not valid JSON in UTF-8") from None
    # without so many brackets it cannot be so deep: the usual case costs one count
    brackets = text.count(b"[") + text.count(b"{")
    if brackets > JSON_DEPTH and _deeper_than(value, JSON_DEPTH):
        raise _malformed(f"the JSON is nested deeper than {JSON_DEPTH}")
    if not isinstance(value, dict):
        raise ProblemError("invalid-field", "expected a JSON object")
    return value


def too_large(limit: int) -> ProblemError:
    """Return the 413 that names the limit."""
    return ProblemError("too-large", f"at most {limit} bytes are accepted here")


def _malformed(detail: str) -> ProblemError:
    return ProblemError("malformed-request", detail)


def _deeper_than(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [
            child
            for container in level
            if isinstance(container, dict | list)
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
