"""Surface: what can be sent at all: no model, no index, no path, no address to fetch."""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.routing import Mount

from service.app import create_app
from service.settings import Settings

pytestmark = pytest.mark.anyio

ADDRESS = re.compile(r"ur[il]|href|link|path|host|address|source_?file|file_?name", re.I)
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"


def request_fields(schema: Any, document: Any, seen: set[str]) -> Iterator[str]:
    """Yield the name of every field that a request may have, at any depth."""
    if isinstance(schema, list):
        for part in schema:
            yield from request_fields(part, document, seen)
    elif isinstance(schema, dict):
        reference = schema.get("$ref")
        if reference and reference not in seen:
            seen.add(reference)
            name = reference.rsplit("/", 1)[1]
            yield from request_fields(
                document["components"]["schemas"][name], document, seen
            )
        yield from schema.get("properties", {})
        if schema.get("format") in ("uri", "url", "uri-reference", "path", "file-path"):
            yield f"uri as {schema['format']}"
        for value in schema.values():
            yield from request_fields(value, document, seen)


def fields(document: dict[str, Any]) -> set[str]:
    found = set()
    for methods in document["paths"].values():
        for operation in methods.values():
            found |= {parameter["name"] for parameter in operation.get("parameters", ())}
            body = operation.get("requestBody", {})
            found |= set(request_fields(body, document, set()))
    return found


def test_no_field_of_a_request_is_an_address(collection: Any, decoder: Any) -> None:
    document = create_app(Settings(), collection, decoder).openapi()
    named = fields(document)
    assert {"vector", "id", "k", "file", "features", "field", "qrels"} <= named
    assert {name for name in named if ADDRESS.search(name)} == set()
    search = document["paths"]["/search/{direction}"]["post"]
    search["requestBody"]["content"]["application/json"]["schema"]["oneOf"].append(
        {"type": "object", "properties": {"media_url": {"type": "string"}}}
    )
    assert {name for name in fields(document) if ADDRESS.search(name)} == {"media_url"}


def test_no_route_takes_a_model_an_index_or_a_path() -> None:
    app = create_app(Settings())
    for route in app.routes:
        if isinstance(route, Mount):
            assert route.path == "/web"
            continue
        path = route.path  # type: ignore[attr-defined]
        assert ":path" not in path
        assert not re.search(r"model|bundle|index|restore|upload|load|weights", path), path
        if isinstance(route, APIRoute) and "{item_id}" not in path:
            assert set(re.findall(r"{(\w+)}", path)) <= {"direction", "modality", "job_id"}


@pytest.fixture
def listeners() -> Iterator[dict[str, socket.socket]]:
    """Whoever connects, or sends, to one of these was made to by an upload."""
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as tcp6,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp6,
    ):
        udp.bind(("127.0.0.1", 0))
        udp6.bind(("::1", 0))
        found = {"tcp": tcp, "tcp6": tcp6, "udp": udp, "udp6": udp6}
        for each in found.values():
            each.setblocking(False)
        yield found


def hits(listeners: dict[str, socket.socket]) -> list[str]:
    found = []
    for name, each in listeners.items():
        try:
            if name.startswith("tcp"):
                each.accept()[0].close()
            else:
                each.recv(1)
        except BlockingIOError:
            continue
        found.append(name)
    return found


def references(listeners: dict[str, socket.socket]) -> Iterator[bytes]:
    for name, each in listeners.items():
        host = "[::1]" if name.endswith("6") else "127.0.0.1"
        kind, port = name[:3], each.getsockname()[1]
        scheme = "udp" if kind == "udp" else "http"
        address = f"{scheme}://{host}:{port}/canary.ts"
        for text in (
            HLS.format(address),
            HLS.format(f"{kind}://{host}:{port}"),
            HLS.format(f"concat:{address}|{address}"),
            HLS.format(f"crypto:{address}"),
            HLS.format(f"subfile,,start,0,end,9,,:{address}"),
            f"ffconcat version 1.0\nfile {address}\n",
            f"#EXTM3U\n{address}\n",
            f"[playlist]\nFile1={address}\nNumberOfEntries=1\nVersion=2\n",
            f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011">'
            f"<BaseURL>{address}</BaseURL></MPD>",
            f'<smil><body><audio src="{address}"/></body></smil>',
            f"<playlist><location>{address}</location></playlist>",
            f'<asx><entry><ref href="{address}"/></entry></asx>',
            f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{address}"/></svg>',
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
            f"m=audio {port} RTP/AVP 0\n",
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 224.2.2.2/1\nt=0 0\n"
            f"m=audio {port} RTP/AVP 0\n",
            address,
        ):
            yield text.encode()


async def test_an_upload_that_names_an_address_reaches_none(
    client: Any, listeners: dict[str, socket.socket]
) -> None:
    routes = ("/search/audio2visual", "/search/visual2audio", "/embed/audio")
    for number, content in enumerate(references(listeners)):
        name = ("clip.m3u8", "clip.sdp", "clip.mp4", "clip.txt")[number % 4]
        route = routes[number % len(routes)]
        reply = await client.post(route, files={"file": (name, content)})
        assert reply.status_code in (415, 422), content
        assert b"canary" not in reply.content
    assert hits(listeners) == []


async def test_json_that_names_an_address_reaches_none(
    client: Any, listeners: dict[str, socket.socket]
) -> None:
    port = listeners["tcp"].getsockname()[1]
    address = f"http://127.0.0.1:{port}/canary"
    for body in (
        {"file": address},
        {"url": address},
        {"media_url": address},
        {"id": address},
        {"vector": address},
        {"features": address},
        {"id": "i00", "filter": {"must": [{"field": address, "eq": address}]}},
    ):
        reply = await client.post("/search/audio2visual", json=body)
        assert reply.status_code in (200, 422)
    assert hits(listeners) == []


def test_a_listener_that_was_reached_would_tell(
    listeners: dict[str, socket.socket],
) -> None:
    callers = []
    for each in listeners.values():
        caller = socket.socket(each.family, each.type)
        caller.connect(each.getsockname()[:2])
        caller.send(b"x")
        callers.append(caller)
    for each in listeners.values():
        assert select.select([each], [], [], 60)[0]
    assert hits(listeners) == list(listeners)
    for caller in callers:
        caller.close()
