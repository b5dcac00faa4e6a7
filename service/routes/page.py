"""The page: a folder of static files, without data and therefore open to all."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

WEB = Path(__file__).resolve().parent.parent / "web"
REVALIDATE = {"cache-control": "no-cache"}


class _Assets(StaticFiles):
    """Static files that a browser asks about each time, so that updates show at once."""

    def file_response(self, *arguments: object, **named: object) -> Response:
        response = super().file_response(*arguments, **named)  # type: ignore[arg-type]
        response.headers.update(REVALIDATE)
        return response


def add_page(app: FastAPI, folder: Path = WEB) -> None:
    """Serve the page at / and its assets below /web/, if the folder is there."""
    index = folder / "index.html"
    if not index.is_file():
        return

    async def page(_: Request) -> Response:
        return FileResponse(index, headers=REVALIDATE)

    app.add_route("/", page, methods=["GET", "HEAD"], include_in_schema=False)
    app.mount("/web", _Assets(directory=folder), name="web")
