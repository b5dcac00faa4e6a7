"""Addresses: where a request comes from, and whether that is this machine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.types import Scope

from crossmodal.errors import ConfigError

Network = IPv4Network | IPv6Network
UNKNOWN = "unknown"
_IPV6_SITE = 64  # bits of an address that whoever holds it cannot choose


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return the networks written as ``10.0.0.0/8,…``.

    Raises:
        ConfigError: If one is no address or network.
    """
    try:
        return tuple(
            ip_network(part) for part in filter(None, map(str.strip, text.split(",")))
        )
    except ValueError as error:
        raise ConfigError(f"expected addresses or networks, {error}") from None


def caller_address(scope: Scope, proxies: Sequence[Network]) -> str:
    """Return the address to count a request against; of IPv6 its /64.

    ``X-Forwarded-For`` counts only if the peer is one of ``proxies``, and of it only the
    last entry, which is the one that the proxy wrote itself.
    """
    client = scope.get("client")
    address = client[0] if client else UNKNOWN
    if proxies and _within(address, proxies):
        forwarded = [v for name, v in scope["headers"] if name == b"x-forwarded-for"]
        if forwarded:
            address = forwarded[-1].decode("latin-1").rpartition(",")[2].strip()
    return _site(address)


@lru_cache(maxsize=64)  # asked on every request of a service without keys
def is_loopback(host: str) -> bool:
    """Tell whether an address or name can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _within(address: str, networks: Sequence[Network]) -> bool:
    try:
        return any(ip_address(address) in network for network in networks)
    except ValueError:
        return False


def _site(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return UNKNOWN
    if parsed.version == 4:
        return str(parsed)
    return str(ip_network((parsed, _IPV6_SITE), strict=False))
