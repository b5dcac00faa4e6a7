"""Direct routes: called with the request, since they read everything from it themselves.

FastAPI solves a route's dependencies, signature and body anew for every request. Where
there is nothing to solve, that costs more than parsing a query.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send


class DirectRoute(APIRoute):
    """A route whose dependencies are functions of the request, as its endpoint is.

    OpenAPI shows it like any other; errors go to the application's handlers.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **named: Any) -> None:
        """Take what FastAPI gives."""
        super().__init__(path, endpoint, **named)
        checks: list[Callable[[Request], Awaitable[None]]] = [
            depends.dependency for depends in self.dependencies if depends.dependency
        ]
        answer: Callable[[Request], Awaitable[Response]] = endpoint

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive, send)
            for check in checks:
                await check(request)
            response = await answer(request)
            await response(scope, receive, send)

        self.app = serve
