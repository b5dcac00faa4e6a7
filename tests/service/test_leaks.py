"""Leaks: two thousand replies to nonsense hold nothing of it, of keys, or of the inside."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from index.collection import Collection
from service.http.bodies import JSON, MULTIPART
from service.watching import logs

pytestmark = pytest.mark.anyio

REPLIES = int(os.environ.get("EARSHOT_LEAK_REPLIES", "2000"))
NUMBER, WORD = 0.7312984651, "Zq7SENTzq"
ROUTES = (
    *("/search/audio2visual", "/search/batch", "/embed/audio", "/evaluate", "/items"),
    *(
        "/items/i00",
        "/media/i00",
        "/collection",
        "/healthz",
        "/readyz",
        "/version",
        "/docs",
    ),
)
METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")
FIELDS = (
    *(
        "vector",
        "id",
        "features",
        "file",
        "k",
        "offset",
        "exclude",
        "filter",
        "start",
        "end",
    ),
    *(
        "exact",
        "with_vector",
        "group_by",
        "score_threshold",
        "searches",
        "direction",
        "stored",
    ),
    *("queries", "qrels", "label", "must", "field", "eq"),
    f"{WORD} !",  # a plain name would be told: it says which field is wrong
)
LEAKS = (
    re.compile(r"Traceback|File \"|site-packages|\.py\b|\bline \d+"),
    re.compile(r"/(?:work|home|root|usr|tmp|var|etc|proc|opt)/"),
    re.compile(r"\b(?:numpy|pydantic|orjson|starlette|fastapi|onnx|faiss|sqlite3)\b", re.I),
    re.compile(r"(?:Key|Type|Value|Index|Attribute|Runtime|Assertion)Error"),
    re.compile(r"0x[0-9a-f]{8,}|object at "),
    re.compile(re.escape(str(NUMBER)[:8])),
    re.compile(WORD),
)


class Nonsense:
    """Draws requests: some nearly right, most wrong, all reproducible."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def one_of(self, choices: Any) -> Any:
        return choices[int(self._rng.integers(len(choices)))]

    def text(self) -> str:
        letters = string.printable + "\x00\x1b\x7f\u202e\u2028é\ud7ff"
        drawn = "".join(self.one_of(letters) for _ in range(int(self._rng.integers(12))))
        return self.one_of((drawn, WORD, f"{WORD}\n{drawn}", "i00", "../" + WORD, "audio"))

    def value(self, depth: int = 0) -> Any:
        plain = (
            *(NUMBER, -1, 0, 10**30, 1.5, True, None, "", WORD, [NUMBER] * 8, [WORD] * 3),
            *([NUMBER] * 7, {}, [], [[]], "i00", {"must": []}, {f"{WORD} !": WORD}, 7),
        )
        if depth > 2 or self._rng.random() < 0.6:
            return self.one_of((*plain, self.text()))
        if self._rng.random() < 0.5:
            return [self.value(depth + 1) for _ in range(int(self._rng.integers(4)))]
        return {
            self.one_of(FIELDS): self.value(depth + 1)
            for _ in range(int(self._rng.integers(4)))
        }

    def body(self) -> tuple[bytes, str]:
        fields = {
            self.one_of(FIELDS): self.value() for _ in range(int(self._rng.integers(1, 5)))
        }
        if self._rng.random() < 0.4:
            fields |= {"vector": [NUMBER] * 8}
        raw = bytearray(json.dumps(fields).encode())
        if self._rng.random() < 0.3:
            for place in self._rng.integers(0, len(raw), 3):
                raw[place] = self._rng.integers(256)
        kind = self.one_of(
            (JSON, JSON, JSON, f"{MULTIPART}; boundary=x", "text/plain", WORD)
        )
        if kind.startswith(MULTIPART):
            part = self.one_of(("file", "features", "params", WORD)).encode()
            head = b'--x\r\nContent-Disposition: form-data; name="' + part + b'"\r\n\r\n'
            raw = bytearray(head + bytes(raw) + b"\r\n--x--\r\n")
        return bytes(raw), kind

    def request(self, client: httpx.AsyncClient, keys: Mapping[str, str]) -> httpx.Request:
        body, kind = self.body()
        key = self.one_of((*keys.values(), *keys.values(), WORD, ""))
        path = self.one_of(ROUTES)
        if self._rng.random() < 0.1:
            path += "/" + "".join(f"%{byte:02x}" for byte in self.text().encode())
        query = {self.one_of(FIELDS): self.text()} if self._rng.random() < 0.2 else None
        return client.build_request(
            self.one_of(METHODS),
            path,
            params=query,
            content=body,
            headers=[
                (b"authorization", b"Bearer " + key.encode()),
                (b"content-type", kind.encode()),
                (b"x-request-id", f" {self.text()} ".encode()),
                (b"range", self.one_of((b"bytes=0-3", b"bytes=9-", WORD.encode()))),
            ],
        )


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonLines())
    logging.getLogger().addHandler(handler)
    before = logs.LOGGER.level
    logs.LOGGER.setLevel(logging.DEBUG)
    yield stream
    logging.getLogger().removeHandler(handler)
    logs.LOGGER.setLevel(before)


def leaks(text: str, hidden: list[str]) -> list[str]:
    found = [pattern.pattern for pattern in LEAKS if pattern.search(text)]
    found += [secret for secret in hidden if secret in text]
    controls = (letter for letter in text if not letter.isprintable() and letter != "\n")
    return found + [repr(letter) for letter in controls]


async def test_nonsense_is_told_nothing(
    connect: Any,
    api_keys: str,
    secrets: Mapping[str, str],
    writable: Collection,
    logged: io.StringIO,
) -> None:
    client = await connect(writable, api_keys=api_keys, failed_rate=0)
    hidden = [*secrets.values(), *(entry.split(":")[1] for entry in api_keys.split(","))]
    hidden += [str(writable.directory), str(writable.directory.parent), str(Path.cwd())]
    nonsense = Nonsense(seed=0)
    statuses: dict[int, int] = {}
    for _ in range(REPLIES):
        request = nonsense.request(client, secrets)
        reply = await client.send(request)
        statuses[reply.status_code] = statuses.get(reply.status_code, 0) + 1
        told = "\n".join(f"{name}: {value}" for name, value in reply.headers.items())
        if reply.status_code >= 400:
            told += "\n" + reply.text
        assert leaks(told, hidden) == [], (request.method, request.url, request.content)
    assert 500 not in statuses
    assert {200, 401, 404, 405, 422} <= set(statuses)
    lines = logged.getvalue()
    assert lines.count('"event":"request"') == REPLIES
    assert leaks(lines, hidden) == []


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last)",
        "/tmp/data/items.db",
        "KeyError: 'x'",
        "Input should be 0.7312984651",
        f"unknown id {WORD}",
        "said\x1b[31m",
        "see service/app.py",
        "<object at 0x7f1234567890>",
        "the-key",
    ],
)
def test_what_would_be_a_leak_is_found(text: str) -> None:
    assert leaks(text, ["the-key"])
