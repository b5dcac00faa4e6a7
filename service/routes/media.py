"""GET and HEAD /media/{id}: an item's file, whole or in part."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from service import documentation
from service.dependencies import READ, runtime
from service.problems import DETAILS, ProblemError
from service.ranges import ByteRange, parse_range

CHUNK = 256 * 1024

router = APIRouter(tags=["collection"], dependencies=[Depends(READ)])


async def get_media(request: Request) -> Response:
    """Return the media file of an item; `Range` asks for a part of it."""
    collection = runtime(request).collection
    view = collection.view
    item = view.item(request.path_params["item_id"])
    path, media_type = collection.media(item.id)
    etag = f'"{item.media_sha256}"'
    headers = {
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "content-disposition": f'attachment; filename="{item.id}"',
        "etag": etag,
        "x-view-seq": str(view.seq),
    }
    if etag in _listed(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    try:
        size = (await anyio.Path(path).stat()).st_size
    except OSError:
        raise ProblemError("not-found", DETAILS["not-found"]) from None
    wanted = request.headers.get("range")
    if request.headers.get("if-range", etag) != etag:
        wanted = None
    part = parse_range(wanted, size)
    if part is not None:
        headers["content-range"] = f"bytes {part.first}-{part.last}/{size}"
    span = part or ByteRange(0, size - 1)
    headers["content-length"] = str(span.length)
    return StreamingResponse(
        _read(path, span) if request.method == "GET" else _nothing(),
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


async def _read(path: Path, span: ByteRange) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        await file.seek(span.first)
        left = span.length
        while left > 0 and (chunk := await file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""


def _listed(header: str) -> set[str]:
    return {tag.strip().removeprefix("W/") for tag in header.split(",")}
