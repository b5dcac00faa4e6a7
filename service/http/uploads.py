"""Uploads: multipart bodies parsed while they come, into memory and under limits.

Only the parts asked for are taken, each once; the first other one ends the reading. The
client's file name and content type are never looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from service.http.bodies import too_large
from service.problems import ProblemError, invalid_field

PART_HEADERS, PART_HEADER_BYTES = 8, 4096


@dataclass(slots=True)
class _Part:
    name: str
    limit: int
    data: bytearray


class _Collector:
    """Takes the parser's events; keeps the parts that are allowed."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._part: _Part | None = None
        self.parts: dict[str, bytearray] = {}
        self.ended = False

    def on_part_begin(self) -> None:
        self._disposition = b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in options:
            raise _malformed("each part needs a Content-Disposition name")
        name = options[b"name"].decode("latin-1")
        if name not in self._limits:
            allowed = ", ".join(self._limits)
            raise invalid_field("body", f"expected only the parts {allowed}")
        if name in self.parts:
            raise invalid_field(name, "this part was sent twice")
        self._part = _Part(name, self._limits[name], bytearray())
        self.parts[name] = self._part.data

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        if part is None:
            raise _malformed("data outside a part")
        if len(part.data) + end - start > part.limit:
            raise too_large(part.limit)
        part.data += memoryview(data)[start:end]

    def on_part_end(self) -> None:
        self._part = None

    def on_end(self) -> None:
        self.ended = True


async def read_parts(
    request: Request, limits: Mapping[str, int], total: int
) -> Mapping[str, bytearray]:
    """Return the parts of a multipart body by name.

    Args:
        request: A request whose content type is multipart/form-data.
        limits: The parts allowed and the most bytes of each.
        total: The most bytes of the whole body.

    Raises:
        ProblemError: ``malformed-request``, ``invalid-field`` for a part that is unknown or
            comes twice, ``too-large``.
        ClientDisconnect: If the client went away.
    """
    _, options = parse_options_header(request.headers.get("content-type"))
    collector = _Collector(limits)
    try:
        parser = MultipartParser(
            options.get(b"boundary", b"") or _no_boundary(),
            {
                "on_part_begin": collector.on_part_begin,
                "on_header_field": collector.on_header_field,
                "on_header_value": collector.on_header_value,
                "on_header_end": collector.on_header_end,
                "on_headers_finished": collector.on_headers_finished,
                "on_part_data": collector.on_part_data,
                "on_part_end": collector.on_part_end,
                "on_end": collector.on_end,
            },
            max_header_count=PART_HEADERS,
            max_header_size=PART_HEADER_BYTES,
        )
        received, more = 0, True
        while more:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            received += len(chunk)
            if received > total:
                raise too_large(total)
            parser.write(chunk)
    except FormParserError:
        raise _malformed("the multipart body is malformed") from None
    if not collector.ended:
        raise _malformed("the multipart body ends before its boundary")
    return collector.parts


def _no_boundary() -> bytes:
    raise _malformed("the multipart content type names no boundary")


def _malformed(detail: str) -> ProblemError:
    return ProblemError("malformed-request", detail)
