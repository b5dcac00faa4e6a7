"""Logs: one JSON object a line, found by its request id, and nothing of what was sent."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.encoder import OnnxEncoder
from service.watching import logs

pytestmark = pytest.mark.anyio

ROOT = str(Path(__file__).parents[2])
FIELDS = {"time", "level", "event", "request_id", "method", "route", "status", "code", "ms"}
MARK = "SENT-BY-THE-CLIENT"
# ways to begin a line, to end one early, and to speak to a terminal
NASTY = (
    f'\n{{"event": "{MARK}"}}',
    f"\r\n{MARK}",
    f'", "event": "{MARK}',
    f"\u2028{MARK}\u2029\x85",
    f"\x1b[31m{MARK}\x7f\x9b2J",
    f"%0d%0a{MARK}",
    f"\ud7ff\ufeff\u202e{MARK}",
)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the service writes to its log, formatted as it formats it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonLines())
    root = logging.getLogger()
    before = logs.LOGGER.level
    root.addHandler(handler)
    logs.LOGGER.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    logs.LOGGER.setLevel(before)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    text = stream.getvalue()
    assert text.isascii()
    assert all(letter.isprintable() for letter in text.replace("\n", ""))
    found = [json.loads(line) for line in text.splitlines()]
    return [line for line in found if "event" in line]


async def test_every_request_has_one_line_with_its_id(
    client: httpx.AsyncClient, written: io.StringIO
) -> None:
    await client.get("/items?limit=2", headers={"x-request-id": "mine-1"})
    refused = await client.post("/search/audio2visual", json={"vector": [1.0]})
    first, second = (line for line in lines(written) if line["event"] == "request")
    assert set(first) == set(second) == FIELDS
    assert (first["request_id"], first["route"]) == ("mine-1", "/items")
    assert (first["status"], first["code"]) == (200, None)
    assert second["request_id"] == refused.json()["request_id"]
    assert (second["status"], second["code"]) == (422, "bad-vector")
    assert second["route"] == "/search/{direction}"


@pytest.mark.parametrize("nasty", NASTY)
async def test_nothing_that_is_sent_gets_into_a_line(
    connect: Any,
    api_keys: str,
    secrets: Any,
    written: io.StringIO,
    clips: Any,
    nasty: str,
) -> None:
    client = await connect(api_keys=api_keys, failed_rate=0)
    text = nasty.encode("utf-8", "surrogatepass")
    key = [(b"authorization", f"Bearer {secrets['read']}".encode())]
    wrong = [(b"authorization", b"Bearer " + text)]
    told = [(b"x-request-id", text), (b"user-agent", text), (b"referer", text)]
    quoted = "".join(f"%{byte:02x}" for byte in text)
    for headers in (key, wrong):
        every = [*headers, *told]
        await client.get(f"/{quoted}", headers=every)
        await client.get(f"/items/{quoted}", headers=every)
        await client.get(f"/items?cursor={quoted}&{quoted}={quoted}", headers=every)
        await client.post(f"/search/{quoted}", json={"id": "i00"}, headers=every)
        await client.post(
            "/search/audio2visual", json={"id": nasty, nasty: nasty}, headers=every
        )
        await client.post(
            "/search/batch",
            json={"searches": [{"direction": nasty, "id": nasty}]},
            headers=every,
        )
        await client.post(
            "/search/audio2visual",
            content=b'--x\r\nContent-Disposition: form-data; name="'
            + text
            + b'"; filename="'
            + text
            + b'"\r\n\r\n'
            + text,
            headers=[*every, (b"content-type", b"multipart/form-data; boundary=x")],
        )
    found = [line for line in lines(written) if line["event"] == "request"]
    assert len(found) == 14
    for line in found:
        assert set(line) == FIELDS
        assert MARK not in json.dumps(line)


async def test_no_key_no_digest_and_no_path_is_written(
    connect: Any,
    api_keys: str,
    secrets: Any,
    written: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    data_directory: Path,
    tmp_path: Path,
) -> None:
    client = await connect(api_keys=api_keys)
    monkeypatch.setattr("service.searching.gathering.search", lambda *_: [][1])
    for role in secrets:
        key = {"authorization": f"Bearer {secrets[role]}"}
        reply = await client.post("/search/audio2visual", json={"id": "i00"}, headers=key)
        assert reply.status_code == 500
    missing = tmp_path / "nowhere"
    missing.mkdir()
    (missing / "items.db").write_bytes(b"no database")
    broken = await connect(None, data=missing)
    assert (await broken.get("/readyz")).status_code == 503
    text = written.getvalue()
    assert "IndexError" in text  # where it failed is there
    assert '"not ready"' in text
    for hidden in (*secrets.values(), *api_keys.split(","), ROOT, str(tmp_path)):
        assert hidden not in text
    failed = next(line for line in lines(written) if line["event"] == "failed")
    assert failed["request_id"]
    assert any(
        place.startswith("service/searching/gathering.py:") for place in failed["trace"]
    )


async def test_a_failing_encoder_is_found_by_the_clients_request_id(
    connect: Any, clips: Any, written: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await connect()

    def broken(self: OnnxEncoder, features: Any) -> Any:
        return np.full((len(features), self.dim), np.nan, dtype=np.float32)

    monkeypatch.setattr(OnnxEncoder, "forward", broken)
    reply = await client.post("/search/audio2visual", files={"file": ("a", clips["sound"])})
    assert reply.json()["code"] == "encoder-failing"
    (line,) = (line for line in lines(written) if line["event"] == "embedding failed")
    assert line["request_id"] == reply.json()["request_id"]
    assert line["trace"]


@pytest.mark.parametrize("nasty", NASTY)
def test_whatever_a_record_holds_stays_on_its_line(
    written: io.StringIO, nasty: str
) -> None:
    logs.event(nasty, detail=nasty)
    logging.getLogger("some.library").warning("says %s", nasty)
    try:
        raise ValueError(nasty)
    except ValueError as error:
        logs.failure("failed", error)
    text = written.getvalue()
    assert len(text.splitlines()) == text.count("\n") == 3
    first, second, third = lines(written)
    assert first["detail"] == nasty
    assert second["event"] == f"says {nasty}"
    assert MARK not in json.dumps(third)


@pytest.mark.parametrize("nasty", NASTY[:2])
def test_a_formatter_that_writes_text_as_it_comes_is_found_out(
    written: io.StringIO, nasty: str
) -> None:
    (handler,) = (h for h in logging.getLogger().handlers if _writes_to(h, written))
    handler.setFormatter(logging.Formatter('{"event": "%(message)s"}'))
    logs.event(nasty)
    with pytest.raises((AssertionError, json.JSONDecodeError)):
        lines(written)


def _writes_to(handler: logging.Handler, stream: io.StringIO) -> bool:
    return getattr(handler, "stream", None) is stream
