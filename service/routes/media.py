"""GET and HEAD /media/{id}: an item's file, whole or in part."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from stat import S_ISREG
from typing import Any

import anyio
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from crossmodal.errors import CollectionError
from service.dependencies import READ, runtime
from service.http.ranges import ByteRange, parse_range
from service.openapi import documentation
from service.problems import ProblemError

CHUNK = 256 * 1024
NOTHING = ByteRange(0, -1)
NO_MEDIA = "no media file is stored with this item"

router = APIRouter(tags=["collection"], dependencies=[Depends(READ)])


class _FileResponse(StreamingResponse):
    """Sends a span of an open file, which stays readable even if it is deleted."""

    def __init__(self, file: anyio.AsyncFile[bytes], span: ByteRange, **named: Any) -> None:
        super().__init__(_read(file, span), **named)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._file.aclose()


async def get_media(request: Request) -> Response:
    """Return the media file of an item; `Range` asks for a part of it."""
    collection = runtime(request).collection
    view = collection.view
    item = view.item(request.path_params["item_id"])
    etag = f'"{item.media_sha256}"'
    headers = {
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "content-disposition": f'attachment; filename="{item.id}"',
        "etag": etag,
        "x-view-seq": str(view.seq),
    }
    try:
        path, media_type = collection.media(item.id)
        file = await anyio.open_file(path, "rb", opener=_open_itself)
    except (CollectionError, OSError):  # it was deleted just now, or is no file
        raise ProblemError("not-found", NO_MEDIA) from None
    try:
        if etag in _listed(request.headers.get("if-none-match", "")):
            await file.aclose()
            return Response(status_code=304, headers=headers)
        found = os.fstat(file.wrapped.fileno())
        if not S_ISREG(found.st_mode):
            raise ProblemError("not-found", NO_MEDIA)
        wanted = request.headers.get("range")
        if request.headers.get("if-range", etag) != etag:
            wanted = None
        part = parse_range(wanted, found.st_size)
    except BaseException:
        await file.aclose()
        raise
    if part is not None:
        headers["content-range"] = f"bytes {part.first}-{part.last}/{found.st_size}"
    span = part or ByteRange(0, found.st_size - 1)
    headers["content-length"] = str(span.length)
    return _FileResponse(
        file,
        span if request.method == "GET" else NOTHING,
        status_code=206 if part else 200,
        headers=headers,
        media_type=media_type,
    )


for _method in ("GET", "HEAD"):
    router.add_api_route(
        "/media/{item_id}",
        get_media,
        methods=[_method],
        response_model=None,
        include_in_schema=_method == "GET",
        responses={
            200: {"description": "the file", "content": {"*/*": {}}},
            206: {"description": "the part asked for", "content": {"*/*": {}}},
            304: {"description": "the file is the one of `If-None-Match`"},
            **documentation.responses(None, (*documentation.READ_ERRORS, 404, 409, 416)),
        },
        openapi_extra=documentation.id_operation(),
        summary="Play an item",
    )


async def _read(file: anyio.AsyncFile[bytes], span: ByteRange) -> AsyncIterator[bytes]:
    await file.seek(span.first)
    left = span.length
    while left > 0 and (chunk := await file.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk


def _open_itself(path: str, flags: int) -> int:
    """Open a file, but no link, which would lead out of the data directory, nor wait."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _listed(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
