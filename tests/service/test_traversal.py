"""Traversal: no path, id or link leads to a file that is not to be had."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from index.collection import Collection

pytestmark = pytest.mark.anyio

PLACES = (
    *("etc/passwd", "items.db", "app.py", "../app.py", "bundle/manifest.json", "LOCK"),
    *("../../pyproject.toml", "../settings.py", "proc/self/environ", "index/CURRENT"),
)
STEPS = (
    *("../", "..\\", "%2e%2e/", "%2e%2e%2f", "..%2f", "..%5c", "%2e%2e%5c", ".%2e/"),
    *("..%252f", "%252e%252e%252f", "..%c0%af", "%c0%ae%c0%ae/", "..%ef%bc%8f"),
    *("....//", "..;/", "..%00/", "..%0a/", ".../...//", "/", "//", "///", "%2f", "\\\\"),
    *("file:///", "file://localhost/", "C:\\", "~/", "$HOME/", "{}/", "%u002e%u002e%u2215"),
)
OPEN = Path("/proc/self/fd")
PREFIXES = ("/media/", "/items/", "/web/", "/embed/", "/")
PAYLOADS = [step * times + place for step in STEPS for times in (1, 6) for place in PLACES]
# what each of those files, and no reply, holds
MARKS = (
    *(b"root:", b"SQLite format", b"def create_app", b"class Settings", b"[project]"),
    *(b"PATH=", b'"bases"', b'"encoders"'),
)


def ask(port: int, target: str) -> tuple[int, bytes]:
    """Send a request target as it is: a client library would tidy it up."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return int(answer.split(b" ", 2)[1]), answer


def test_no_spelling_of_a_path_reads_a_file(listen: Any) -> None:
    assert len(PAYLOADS) >= 60
    port = listen()
    for prefix in PREFIXES:
        for payload in PAYLOADS:
            status, answer = ask(port, prefix + payload)
            assert status in (400, 404, 405, 422), (prefix, payload, status)
            assert not any(mark in answer for mark in MARKS), (prefix, payload)
    assert ask(port, "/web/index.html")[0] == 200
    assert ask(port, "/media/i00")[0] == 200


@pytest.mark.parametrize("payload", PAYLOADS[::7])
async def test_no_id_in_a_body_reads_a_file(client: Any, payload: str) -> None:
    for body in (
        {"id": payload},
        {"id": "i00", "exclude": [payload]},
        {"searches": [{"direction": "audio2visual", "id": payload}]},
    ):
        path = "/search/batch" if "searches" in body else "/search/audio2visual"
        reply = await client.post(path, json=body)
        told = reply.json()
        told = told["results"][0]["body"] if "results" in told else told
        assert told["code"] == "invalid-field"


async def test_a_link_among_the_media_is_not_followed(
    connect: Any, data_directory: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data_directory, copy)
    outside = tmp_path / "secret"
    outside.write_bytes(b"RIFF....WAVE secret")
    with Collection.open(copy) as collection:
        path, _ = collection.media("i00")
        other, _ = collection.media("i01")
        client = await connect(collection)
        assert (await client.get("/media/i00")).status_code == 200
        path.unlink()
        path.symlink_to(outside)
        other.unlink()
        other.mkdir()
        for method in ("GET", "HEAD"):
            for item in ("i00", "i01"):
                reply = await client.request(method, f"/media/{item}")
                assert b"secret" not in reply.content
                assert reply.status_code == 404, (method, item)


async def test_a_file_that_goes_while_it_is_sent_is_sent_whole(
    connect: Any, data_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data_directory, copy)
    with Collection.open(copy) as collection:
        client = await connect(collection)
        path, _ = collection.media("i00")
        content = path.read_bytes()
        outside = tmp_path / "secret"
        outside.write_bytes(b"x" * len(content))
        from service.routes import media

        looked = media.parse_range

        def swap(*arguments: Any) -> Any:  # after the file was opened
            path.unlink()
            path.symlink_to(outside)
            return looked(*arguments)

        monkeypatch.setattr("service.routes.media.parse_range", swap)
        reply = await client.get("/media/i00")
        assert (reply.status_code, reply.content) == (200, content)
        assert (await client.get("/media/i00")).status_code == 404


async def test_no_file_stays_open(client: Any) -> None:
    def files() -> int:
        return sum("/media/" in os.path.realpath(link) for link in OPEN.iterdir())

    etag = (await client.get("/media/i00")).headers["etag"]
    before = files()
    for headers in ({}, {"range": "bytes=0-1"}, {"range": "bytes=9999999-"}):
        for method in ("GET", "HEAD"):
            await client.request(method, "/media/i00", headers=headers)
    await client.get("/media/i00", headers={"if-none-match": etag})
    assert files() == before == 0
