"""Uploads: multipart as it should not be, and clips that cannot serve."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.modality import Modality
from service.problems import STATUS

pytestmark = pytest.mark.anyio

SEARCH = "/search/audio2visual"
BOUNDARY = "frontier"
FORM = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(name: str, data: bytes, extra: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode("latin-1") + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


async def expect(reply: httpx.Response, *codes: str) -> None:
    assert reply.json()["code"] in codes, reply.text
    assert reply.status_code == STATUS[reply.json()["code"]].status


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.wav", b"RIFF")
    return file.getvalue()


UNUSABLE: dict[str, tuple[str, Callable[[Any], bytes], tuple[str, ...]]] = {
    "empty": ("audio2visual", lambda clips: b"", ("undecodable",)),
    "one byte": ("audio2visual", lambda clips: b"R", ("undecodable", "unsupported-media")),
    "truncated film": (
        "visual2audio",
        lambda clips: clips["film"][: len(clips["film"]) // 2],
        ("undecodable",),
    ),
    "text": (
        "audio2visual",
        lambda clips: b"no sound at all\n" * 100,
        ("unsupported-media", "undecodable"),
    ),
    "archive": (
        "audio2visual",
        lambda clips: zipped(),
        ("unsupported-media", "undecodable"),
    ),
    "zeros": (
        "visual2audio",
        lambda clips: bytes(100_000),
        ("unsupported-media", "undecodable"),
    ),
    "soundless": ("audio2visual", lambda clips: clips["film"], ("no-usable-track",)),
    "pictureless": ("visual2audio", lambda clips: clips["sound"], ("no-usable-track",)),
    "playlist": (
        "audio2visual",
        lambda clips: b"ffconcat version 1.0\nfile README.md\n",
        ("unsupported-media", "undecodable"),
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
async def test_unusable_clips_are_refused_and_the_next_query_works(
    client: httpx.AsyncClient, clips: Any, case: str
) -> None:
    direction, make, codes = UNUSABLE[case]
    reply = await client.post(f"/search/{direction}", files={"file": ("a", make(clips))})
    await expect(reply, *codes)
    after = await client.post(SEARCH, files={"file": ("a", clips["sound"])})
    assert after.status_code == 200


async def test_an_oversized_clip_is_refused_by_its_declared_length(
    client: httpx.AsyncClient,
) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    headers = {**FORM, "content-length": str(65 * 1024 * 1024)}
    await expect(await client.post(SEARCH, content=never(), headers=headers), "too-large")


async def test_an_oversized_clip_is_refused_while_it_comes(connect: Any) -> None:
    small = await connect(max_upload=100_000)
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        yield part("file", b"")[:-2]
        while True:
            sent += 10_000
            yield bytes(10_000)

    await expect(await small.post(SEARCH, content=chunks(), headers=FORM), "too-large")
    assert sent <= 500_000


async def test_one_byte_at_a_time_is_the_same_upload(
    client: httpx.AsyncClient, clips: Any
) -> None:
    body = part("params", b'{"k": 2}') + part("file", clips["blip"]) + END

    async def drops() -> AsyncIterator[bytes]:
        for place in range(len(body)):
            yield body[place : place + 1]

    whole = await client.post(SEARCH, content=body, headers=FORM)
    drop = await client.post(SEARCH, content=drops(), headers=FORM)
    assert whole.status_code == drop.status_code == 200, whole.text
    assert whole.json()["results"] == drop.json()["results"]
    assert len(whole.json()["results"]) == 2


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (b"", ["malformed-request"]),
        (END, ["invalid-field"]),
        (b"garbage", ["malformed-request"]),
        (part("file", b"x"), ["malformed-request"]),
        (part("file", b"x") + b"--other--\r\n", ["malformed-request"]),
        (b"preamble" * 1000 + part("file", b"x") + END, ["malformed-request"]),
        ((part("file", b"x") + END).replace(b"\r\n", b"\n"), ["malformed-request"]),
        (part("file", b"x") + part("file", b"x") + END, ["invalid-field"]),
        (part("file", b"x") + part("other", b"x") + END, ["invalid-field"]),
        (part("file", b"x") + part("features", b"x") + END, ["invalid-field"]),
        (b"".join(part(f"p{n}", b"") for n in range(10_000)) + END, ["invalid-field"]),
        (part("params", b"{}") + END, ["invalid-field"]),
        (part("params", b"{") + part("file", b"x") + END, ["malformed-request"]),
        (part("params", b"[]") + part("file", b"x") + END, ["invalid-field"]),
        (part("params", b'{"k": "5"}') + part("file", b"x") + END, ["invalid-field"]),
        (part("params", b'{"id": "i00"}') + part("file", b"x") + END, ["invalid-field"]),
        (part("params", b'{"file": 1}') + part("file", b"x") + END, ["invalid-field"]),
        (part("params", b'{"vector": [1]}') + END, ["bad-vector"]),
        (part("params", b" " * 300_000) + part("file", b"x") + END, ["too-large"]),
        (
            part("params", b'{"start": 2, "end": 1}') + part("file", b"x") + END,
            ["invalid-field"],
        ),
        (part("features", b"no npy") + END, ["bad-vector"]),
        (
            part("fi\xffle".encode("latin-1").decode("latin-1"), b"x") + END,
            ["invalid-field"],
        ),
        (f"--{BOUNDARY}\r\nX: y\r\n\r\nx\r\n".encode() + END, ["malformed-request"]),
        (
            f"--{BOUNDARY}\r\n".encode() + b"A: b\r\n" * 1000 + b"\r\nx\r\n" + END,
            ["malformed-request"],
        ),
        (
            f"--{BOUNDARY}\r\nA: ".encode() + b"b" * 1_000_000 + b"\r\n\r\nx\r\n" + END,
            ["malformed-request"],
        ),
    ],
)
async def test_malformed_forms(
    client: httpx.AsyncClient, body: bytes, codes: list[str]
) -> None:
    await expect(await client.post(SEARCH, content=body, headers=FORM), *codes)


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 300,
    ],
)
async def test_forms_without_a_usable_boundary(
    client: httpx.AsyncClient, kind: str
) -> None:
    reply = await client.post(
        SEARCH, content=part("file", b"x") + END, headers={"content-type": kind}
    )
    await expect(reply, "malformed-request")


@pytest.mark.parametrize(
    "extra",
    [
        '; filename="../../etc/passwd"',
        '; filename="' + "x" * 3000 + '"',
        "; filename*=UTF-8''%2e%2e%2f",
        '; filename="\u202egpj.exe"'.encode().decode("latin-1"),
        '; filename="a\x00b"',
    ],
)
async def test_file_names_are_of_no_account(
    client: httpx.AsyncClient, clips: Any, extra: str
) -> None:
    body = part("file", clips["sound"], extra) + END
    reply = await client.post(SEARCH, content=body, headers=FORM)
    assert reply.status_code in (200, 400)
    assert "passwd" not in reply.text


@pytest.mark.parametrize("modality", ["audio", "visual"])
async def test_embed_takes_neither_vector_nor_id(
    client: httpx.AsyncClient, modality: str
) -> None:
    for body in ({"vector": [1.0] * 8}, {"id": "i00"}, {"features": [1.0], "k": 3}):
        await expect(await client.post(f"/embed/{modality}", json=body), "invalid-field")


async def test_a_file_is_no_json_field(client: httpx.AsyncClient) -> None:
    await expect(await client.post(SEARCH, json={"file": "UklGRg=="}), "invalid-field")


async def test_features_of_any_numbers_in_npy(
    client: httpx.AsyncClient, collection: Any
) -> None:
    width = collection.bundle.spec(Modality.AUDIO).input_dim
    for array in (np.ones((2, 3, 4)), np.ones(width + 1), np.full(width, np.nan)):
        file = io.BytesIO()
        np.save(file, array)
        reply = await client.post(
            "/embed/audio",
            files={"features": ("f", file.getvalue())},
            data={"params": "{}"},
        )
        await expect(reply, "bad-vector")
    assert json.loads(reply.content)["status"] == 422
