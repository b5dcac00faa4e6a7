"""Origins: which pages of which sites a browser may let talk to the service.

A service without keys answers everyone on this machine, and a browser on this machine
runs pages of any site. Such a page cannot read a reply unless CORS lets it, but it can
send a POST, and by a name of its own that leads to 127.0.0.1 it could even read. So
without keys a request must name this machine as its host, and one that may change or cost
something must come from the service's own page, from a listed origin, or from no page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from starlette.types import Scope

from crossmodal.errors import ConfigError
from service.access.addresses import is_loopback
from service.problems import ProblemError

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:\d{1,5})?")
_HARMLESS = ("GET", "HEAD", "OPTIONS")
_FOREIGN_SITES = (b"cross-site", b"same-site")


def parse_origins(text: str) -> tuple[str, ...]:
    """Return the origins written as ``https://host,http://host:port,…``.

    Raises:
        ConfigError: If one is not exactly an origin; ``*`` and ``null`` are not.
    """
    origins = tuple(filter(None, map(str.strip, text.split(","))))
    for number, origin in enumerate(origins, start=1):
        if _ORIGIN.fullmatch(origin) is None:
            raise ConfigError(
                f"entry {number} is no origin: expected https://host or https://host:port "
                "in lower case, without a path; * and null are refused"
            )
    return origins


def check_page(scope: Scope, allowed: Sequence[str]) -> None:
    """Check that no page of another site is behind a request to a service without keys.

    Raises:
        ProblemError: ``forbidden``.
    """
    hosts, origins, sites = [], [], []
    for name, value in scope["headers"]:
        if name == b"host":
            hosts.append(value)
        elif name == b"origin":
            origins.append(value)
        elif name == b"sec-fetch-site":
            sites.append(value)
    if _by_socket(scope) and not all(is_loopback(_host(host)) for host in hosts):
        raise ProblemError(
            "forbidden",
            "without keys the service answers to localhost and 127.0.0.1 only; "
            "EARSHOT_API_KEYS opens it",
        )
    if scope["method"] in _HARMLESS:
        return
    own = _own_or_listed(origins, hosts, allowed)
    if not own or (not origins and any(site in _FOREIGN_SITES for site in sites)):
        raise ProblemError("forbidden", "without keys pages of other sites are refused")


def _own_or_listed(
    origins: Iterable[bytes], hosts: Sequence[bytes], allowed: Sequence[str]
) -> bool:
    return all(
        origin.decode("latin-1") in allowed or origin.partition(b"://")[2] in hosts
        for origin in origins
    )


def _by_socket(scope: Scope) -> bool:
    """Tell whether a socket's address was reached; in-process clients have but a name."""
    address = (scope.get("server") or ("",))[0]
    return address[:1].isdigit() or ":" in address


def _host(header: bytes) -> str:
    text = header.decode("latin-1").lower()
    return text if text.endswith("]") else text.rpartition(":")[0] or text
