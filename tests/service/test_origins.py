"""Origins: a page of another site gets nowhere near a service without keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from crossmodal.errors import ConfigError
from service.access.origins import parse_origins
from service.settings import read_settings

pytestmark = pytest.mark.anyio

SEARCH = "/search/audio2visual"
QUERY = {"id": "i00"}


def code(reply: httpx.Response) -> str:
    return "ok" if reply.status_code == 200 else str(reply.json()["code"])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "ok"),
        ({"origin": "http://test"}, "ok"),
        ({"origin": "http://test", "sec-fetch-site": "same-origin"}, "ok"),
        ({"sec-fetch-site": "none"}, "ok"),
        ({"origin": "http://evil.example"}, "forbidden"),
        ({"origin": "http://evil.example", "sec-fetch-site": "same-origin"}, "forbidden"),
        ({"origin": "http://test.evil.example"}, "forbidden"),
        ({"origin": "http://test:81"}, "forbidden"),
        ({"origin": "null"}, "forbidden"),
        ({"origin": ""}, "forbidden"),
        ({"origin": "file://"}, "forbidden"),
        ({"sec-fetch-site": "cross-site"}, "forbidden"),
        ({"sec-fetch-site": "same-site"}, "forbidden"),
    ],
)
async def test_posts_of_other_sites_are_refused_without_keys(
    client: httpx.AsyncClient, headers: Mapping[str, str], expected: str
) -> None:
    assert code(await client.post(SEARCH, json=QUERY, headers=headers)) == expected
    assert code(await client.post("/evaluate", json={}, headers=headers)) == (
        "invalid-field" if expected == "ok" else expected
    )
    # what only reads is left to the browser, which shows the page nothing of it
    assert code(await client.get("/version", headers=headers)) == "ok"


async def test_two_origins_are_not_one(client: httpx.AsyncClient) -> None:
    headers = [("origin", "http://test"), ("origin", "http://evil.example")]
    assert code(await client.post(SEARCH, json=QUERY, headers=headers)) == "forbidden"


async def test_with_keys_the_key_is_what_counts(
    connect: Any, api_keys: str, secrets: Mapping[str, str]
) -> None:
    client = await connect(api_keys=api_keys)
    foreign = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    key = {"authorization": f"Bearer {secrets['read']}"}
    assert code(await client.post(SEARCH, json=QUERY, headers=foreign)) == "unauthenticated"
    assert code(await client.post(SEARCH, json=QUERY, headers=foreign | key)) == "ok"


async def test_a_listed_origin_may_post(connect: Any) -> None:
    client = await connect(cors_origins="https://app.example")
    for origin, expected in (
        ("https://app.example", "ok"),
        ("http://app.example", "forbidden"),
        ("https://app.example.evil", "forbidden"),
        ("null", "forbidden"),
    ):
        reply = await client.post(SEARCH, json=QUERY, headers={"origin": origin})
        assert code(reply) == expected, origin


def test_a_name_that_leads_here_is_not_this_machine(listen: Any) -> None:
    port = listen()

    def ask(host: str, path: str = "/collection") -> int:
        return httpx.get(
            f"http://127.0.0.1:{port}{path}", headers={"host": host}
        ).status_code

    assert ask(f"127.0.0.1:{port}") == ask(f"localhost:{port}") == ask("[::1]:9") == 200
    assert ask("localhost") == 200
    for host in (
        f"evil.example:{port}",
        "10.0.0.1",
        "127.0.0.1.nip.example",
        "localhost.x",
    ):
        assert ask(host) == 403, host
    assert ask("evil.example", "/livez") == 200


@pytest.mark.parametrize(
    "text",
    [
        *("*", "null", "https://*", "https://*.example", "app.example", "https://a/"),
        *("HTTPS://A", "https://a b", "file://", "https://a:999999", "https://user@a"),
    ],
)
def test_what_is_no_exact_origin_is_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="entry 2 is no origin"):
        parse_origins(f"https://a, {text}")
    monkeypatch.setenv("EARSHOT_CORS_ORIGINS", text)
    with pytest.raises(ConfigError, match=r"EARSHOT_CORS_ORIGINS: .*entry 1"):
        read_settings()


def test_origins_are_taken_as_written() -> None:
    text = "https://a.example, http://localhost:3000,http://[::1]:8080"
    assert parse_origins(text) == tuple(part.strip() for part in text.split(","))
