"""Dependencies: what a route asks for before it runs: a role, and the service itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fastapi import Request

from service.keys import Role, role_of
from service.problems import ProblemError
from service.settings import is_loopback

if TYPE_CHECKING:
    from service.runtime import Runtime


def runtime(request: Request) -> Runtime:
    """Return the running service that the application was made with."""
    found: Runtime = request.app.state.runtime
    return found


def require(role: Role) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency that lets only holders of the role pass."""

    async def authorize(request: Request) -> None:
        keys = runtime(request).settings.keys
        if not keys:
            _check_local(request)
            return
        proofs = [v for name, v in request.scope["headers"] if name == b"authorization"]
        held = role_of(proofs, keys)
        if held is None:
            raise ProblemError(
                "unauthenticated",
                "send a valid key as Authorization: Bearer KEY",
                headers={"www-authenticate": "Bearer"},
            )
        if held < role:
            raise ProblemError("forbidden", f"this needs a key of role {role.name.lower()}")

    # a plain name for the test that compares every route with the committed table
    authorize.role = role  # type: ignore[attr-defined]
    return authorize


READ = require(Role.READ)


def _check_local(request: Request) -> None:
    """Without keys, serve only those who came in through a loopback address."""
    address = (request.scope.get("server") or ("localhost",))[0]
    numeric = address[:1].isdigit() or ":" in address
    if numeric and not is_loopback(address):
        raise ProblemError("forbidden", "without keys only this machine is served")
