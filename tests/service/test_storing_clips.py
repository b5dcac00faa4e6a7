"""Clips stored over HTTP: embedded in what they have, kept once, and playable."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest

from crossmodal.modality import Modality
from index.collection import Collection
from service.openapi import schemas
from tests.service.clips import film_clip, wav_clip

pytestmark = pytest.mark.anyio

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL


@pytest.fixture
async def client(connect: Any, writable: Collection) -> httpx.AsyncClient:
    made: httpx.AsyncClient = await connect(writable)
    return made


@pytest.fixture(scope="session")
def talkie(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A film with sound, both of noise."""
    path = tmp_path_factory.mktemp("talkie") / "talkie.mp4"
    rng = np.random.default_rng(4)
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", rate=8)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=16_000, layout="mono")
        for _ in range(16):
            pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            container.mux(pictures.encode(frame))
        for start in range(0, 32_000, 1000):
            samples = rng.normal(0, 0.2, (1, 1000)).astype(np.float32)
            piece = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            piece.sample_rate, piece.pts = 16_000, start
            container.mux(sound.encode(piece))
        container.mux(pictures.encode())
        container.mux(sound.encode())
    return path.read_bytes()


async def store(client: httpx.AsyncClient, clip: bytes, **params: Any) -> httpx.Response:
    files = {"file": ("../evil.png", clip), "params": (None, json.dumps(params))}
    return await client.post("/items", files=files)


async def test_a_clip_is_embedded_in_each_modality_as_a_query_would_be(
    client: httpx.AsyncClient, writable: Collection, talkie: bytes
) -> None:
    clips = {"both": talkie, "sound": wav_clip(seed=9), "film": film_clip()}
    has = {"both": (AUDIO, VISUAL), "sound": (AUDIO,), "film": (VISUAL,)}
    for item_id, clip in clips.items():
        reply = await store(client, clip, id=item_id, label="rain", metadata={"n": 1})
        assert reply.status_code == 201, reply.text
        schemas.WrittenReply.model_validate(reply.json())
        assert reply.headers["location"] == f"/items/{item_id}"
        view = writable.view
        assert int(reply.headers["x-view-seq"]) == reply.json()["view_seq"] == view.seq
        stored = view.item(item_id)
        assert (stored.modalities, stored.label) == (has[item_id], "rain")
        for modality in has[item_id]:
            embedded = await client.post(f"/embed/{modality}", files={"file": ("a", clip)})
            np.testing.assert_allclose(
                view.vectors(item_id, modality)[0], embedded.json()["vector"], atol=1e-6
            )
        media = await client.get(f"/media/{item_id}")
        assert media.content == clip
        found = await client.post(
            f"/search/{has[item_id][0]}2{has[item_id][-1]}",
            files={"file": ("a", clip), "params": (None, '{"k": 50}')},
        )
        assert item_id in {one["id"] for one in found.json()["results"]}


async def test_a_stretch_is_stored_as_a_segment(
    client: httpx.AsyncClient, writable: Collection
) -> None:
    clip = wav_clip(seconds=4)
    await store(client, clip, id="a", start=1, end=3)
    sent = {"file": ("a", clip), "params": (None, '{"start": 1, "end": 3}')}
    embedded = (await client.post("/embed/audio", files=sent)).json()
    view = writable.view
    np.testing.assert_allclose(view.vectors("a", AUDIO)[0], embedded["vector"], atol=1e-6)
    (hits,) = view.search(AUDIO, view.vectors("a", AUDIO), 1)
    assert (hits[0].item_id, hits[0].segment.start_s) == ("a", 1.0)
    assert hits[0].segment.end_s == pytest.approx(3.0, abs=0.05)


async def test_media_are_kept_once_if_at_all_and_go_with_the_last_item(
    client: httpx.AsyncClient, copied: Path
) -> None:
    def kept() -> int:
        return sum(path.is_file() for path in (copied / "media").rglob("*"))

    before, clip = kept(), wav_clip(seed=11)
    await store(client, clip, id="a", keep_media=False)
    assert kept() == before
    assert (await client.get("/media/a")).status_code == 404
    await store(client, clip, id="b")
    await store(client, clip, id="c")
    assert kept() == before + 1
    await client.delete("/items/b")
    assert (await client.get("/media/c")).content == clip
    await client.delete("/items/c")
    deadline = time.monotonic() + 120  # the last claim may be given back after the answer
    while kept() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert kept() == before
    assert list((copied / "staging").iterdir()) == []


async def test_an_id_that_is_taken_keeps_what_it_has_unless_told_otherwise(
    client: httpx.AsyncClient, writable: Collection
) -> None:
    before = writable.view.vectors("i04", AUDIO)
    reply = await store(client, wav_clip(), id="i04")
    assert (reply.status_code, reply.json()["items"][0]["status"]) == (200, "exists")
    np.testing.assert_array_equal(writable.view.vectors("i04", AUDIO), before)
    reply = await store(client, wav_clip(), id="i04", replace=True)
    assert (reply.status_code, reply.json()["items"][0]["status"]) == (200, "replaced")
    assert writable.view.item("i04").modalities == (AUDIO,)
    put = await client.put(
        "/items/fresh?label=rain", files={"file": ("a", wav_clip(seed=5))}
    )
    assert (put.status_code, put.json()["status"]) == (201, "created")
    assert writable.view.item("fresh").label == "rain"
    assert (await client.get("/media/fresh")).status_code == 200


async def test_a_clip_sent_again_under_a_key_is_answered_alike(
    client: httpx.AsyncClient, writable: Collection
) -> None:
    def sent(seed: int) -> dict[str, Any]:  # each with a boundary of its own
        return {
            "files": {"file": ("a", wav_clip(seed=seed)), "params": (None, '{"id": "a"}')},
            "headers": {"idempotency-key": "k"},
        }

    first = await client.post("/items", **sent(1))
    again = await client.post("/items", **sent(1))
    assert first.request.headers["content-type"] != again.request.headers["content-type"]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json()["items"] == again.json()["items"]
    assert first.json()["view_seq"] == again.json()["view_seq"] == writable.view.seq
    other = await client.post("/items", **sent(2))
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-conflict")


@pytest.mark.parametrize(
    ("files", "status", "code"),
    [
        ({"file": b"no media at all"}, 415, "unsupported-media"),
        ({"file": b""}, 422, "undecodable"),
        ({"file": wav_clip(0.0)}, 422, "no-usable-track"),
        ({"params": b'{"id": "a"}'}, 422, "invalid-field"),
        ({"file": wav_clip(), "features": b"x"}, 422, "invalid-field"),
        ({"file": wav_clip(), "params": b"{"}, 400, "malformed-request"),
        ({"file": wav_clip(), "params": b"{}"}, 422, "invalid-field"),
        ({"file": wav_clip(), "params": b'{"id": "a/b"}'}, 422, "invalid-field"),
        ({"file": wav_clip(), "params": b'{"id": "a", "x": 1}'}, 422, "invalid-field"),
        ({"file": wav_clip(), "params": b'{"id": "a", "k": 3}'}, 422, "invalid-field"),
        (
            {"file": wav_clip(), "params": b'{"id": "a", "start": 9}'},
            422,
            "no-usable-track",
        ),
    ],
)
async def test_a_clip_that_cannot_serve_stores_nothing(
    client: httpx.AsyncClient,
    writable: Collection,
    copied: Path,
    files: Any,
    status: int,
    code: str,
) -> None:
    seq = writable.view.seq
    if "params" not in files:
        files = {**files, "params": b'{"id": "a"}'}
    reply = await client.post("/items", files={n: (None, v) for n, v in files.items()})
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert writable.view.seq == seq
    assert sum(path.is_file() for path in (copied / "media").rglob("*")) == 2


async def test_a_failing_encoder_stores_nothing(
    client: httpx.AsyncClient, writable: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    seq = writable.view.seq
    width = writable.bundle.spec(AUDIO).input_dim

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("crossmodal.encoder.OnnxEncoder.embed", broken)
    batch = {"items": [{"id": "a", "features": {"audio": [1.0] * width}}]}
    for reply in (
        await store(client, wav_clip(), id="a"),
        await client.post("/items", json=batch),
    ):
        assert (reply.status_code, reply.json()["code"]) == (503, "encoder-failing")
    assert writable.view.seq == seq
