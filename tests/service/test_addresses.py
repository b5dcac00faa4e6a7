"""Addresses: whom a request is counted against, whatever it claims."""

from __future__ import annotations

import pytest

from crossmodal.errors import ConfigError
from service.access.addresses import UNKNOWN, caller_address, is_loopback, parse_networks


def address(peer: str | None, *forwarded: bytes, proxies: str = "") -> str:
    scope = {
        "client": None if peer is None else (peer, 4711),
        "headers": [(b"x-forwarded-for", value) for value in forwarded],
    }
    return caller_address(scope, parse_networks(proxies))


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "expected"),
    [
        ("10.0.0.9", [b"1.2.3.4"], "", "10.0.0.9"),
        ("10.0.0.9", [b"1.2.3.4"], "10.0.0.8", "10.0.0.9"),
        ("10.0.0.9", [b"1.2.3.4"], "10.0.0.0/8", "1.2.3.4"),
        ("10.0.0.9", [b"6.6.6.6, 1.2.3.4"], "10.0.0.0/8", "1.2.3.4"),
        ("10.0.0.9", [b"6.6.6.6", b"1.2.3.4"], "10.0.0.0/8", "1.2.3.4"),
        ("10.0.0.9", [], "10.0.0.0/8", "10.0.0.9"),
        ("10.0.0.9", [b"\xff not an address"], "10.0.0.0/8", UNKNOWN),
        ("2001:db8:1:2:3:4:5:6", [], "", "2001:db8:1:2::/64"),
        (None, [b"1.2.3.4"], "0.0.0.0/0", UNKNOWN),
    ],
)
def test_addresses(
    peer: str | None, forwarded: list[bytes], proxies: str, expected: str
) -> None:
    assert address(peer, *forwarded, proxies=proxies) == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost"])
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0.0.0.0",
        "10.0.0.1",
        "::",
        "127.0.0.1.evil.example",
        "localhost.evil",
        "2130706433",
    ],
)
def test_other_machines(host: str) -> None:
    assert not is_loopback(host)


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected addresses or networks"):
        parse_networks("10.0.0.0/8, proxy")
