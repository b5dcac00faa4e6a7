"""Dependencies: what a route asks for before it runs: a role, and the service itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from math import ceil
from typing import TYPE_CHECKING

from fastapi import Request
from starlette.types import Scope

from service.access.addresses import caller_address, is_loopback
from service.access.keys import Role, key_of
from service.access.origins import check_page
from service.access.rates import Rates
from service.problems import ProblemError

if TYPE_CHECKING:
    from service.runtime import Runtime


KEY = "earshot.key"  # the key a request came with


def runtime(request: Request) -> Runtime:
    """Return the running service that the application was made with."""
    found: Runtime = request.app.state.runtime
    return found


def require(role: Role) -> Callable[[Request], Awaitable[None]]:
    """Return a dependency that lets only holders of the role pass, and not too often."""

    async def authorize(request: Request) -> None:
        service = runtime(request)
        settings = service.settings
        if settings.keys:
            _check_key(service, request.scope, role)
            return
        _check_local(request.scope)
        check_page(request.scope, settings.origins)
        if settings.rate:
            _count(service.rates, caller_address(request.scope, settings.proxies))

    return authorize


READ = require(Role.READ)
WRITE = require(Role.WRITE)
ADMIN = require(Role.ADMIN)


def _check_key(service: Runtime, scope: Scope, role: Role) -> None:
    settings = service.settings
    proofs = [value for name, value in scope["headers"] if name == b"authorization"]
    key = key_of(proofs, settings.keys)
    if key is None:
        # a right key is let in all the same, so that no one locks out another
        _count(service.failed_rates, caller_address(scope, settings.proxies))
        raise ProblemError(
            "unauthenticated",
            "send a valid key as Authorization: Bearer KEY",
            headers={"www-authenticate": "Bearer"},
        )
    _count(service.rates, key.digest)
    scope[KEY] = key
    if key.role < role:
        raise ProblemError("forbidden", f"this needs a key of role {role.name.lower()}")


def _count(rates: Rates, caller: Hashable) -> None:
    wait_s = rates.take(caller)
    if wait_s:
        raise ProblemError(
            "rate-limited",
            "more requests than allowed; wait as Retry-After says",
            headers={"retry-after": str(ceil(wait_s))},
        )


def _check_local(scope: Scope) -> None:
    """Without keys, serve only those who came in through a loopback address."""
    address = (scope.get("server") or ("localhost",))[0]
    numeric = address[:1].isdigit() or ":" in address
    if numeric and not is_loopback(address):
        raise ProblemError("forbidden", "without keys only this machine is served")
