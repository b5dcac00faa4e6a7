"""A small collection with real embeddings and media, and clients of the service over it."""

from __future__ import annotations

import hashlib
import io
import wave
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import onnx
import pytest
from fastapi import FastAPI
from onnx import TensorProto, helper, numpy_helper

from crossmodal.bundle import Bundle, BundleManifest, EncoderSpec, write_manifest
from crossmodal.embeddings import normalize
from crossmodal.errors import UnknownItemError
from crossmodal.frontends.catalog import create_frontend
from crossmodal.modality import Modality
from index.flat import FlatGallery
from index.items import StoredItem
from index.ranking import Shelf
from index.view import View
from service.app import create_app
from service.settings import Settings

DIM, ITEMS = 8, 12
LABELS = ("rain", "siren", "waves")
AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL


@dataclass
class FakeCollection:
    """What the service needs of a collection, over a view that tests make themselves."""

    bundle: Bundle
    view: View
    files: Mapping[str, tuple[Path, str]]
    degraded: str | None = None

    def media(self, item_id: str) -> tuple[Path, str]:
        self.view.item(item_id)
        if item_id not in self.files:
            raise UnknownItemError("this item has no media")
        return self.files[item_id]

    def close(self) -> None:
        raise AssertionError("the service must not close a collection it was given")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A linear encoder behind each of the front ends that need no weights."""
    directory = tmp_path_factory.mktemp("bundle")
    names = {AUDIO: "logmel", VISUAL: "framestats"}
    encoders = {}
    for seed, (modality, name) in enumerate(names.items()):
        spec = create_frontend(name).spec
        weights = np.random.default_rng(seed).normal(size=(spec.pooled_dim, DIM))
        graph = linear_graph(weights.astype(np.float32))
        (directory / f"{modality}.onnx").write_bytes(graph)
        encoders[modality] = EncoderSpec(
            file=f"{modality}.onnx", input_dim=spec.pooled_dim, frontend=spec
        )
    write_manifest(
        directory,
        BundleManifest(
            method="random",
            dim=DIM,
            encoders=encoders,
            classes=LABELS,
            same_modality_mask=(DIM - 1,),
            fit={"data": "toy"},
        ),
    )
    return Bundle.open(directory)


def linear_graph(weights: np.ndarray) -> bytes:
    """Return an ONNX graph: features times weights, scaled to unit norm."""
    width, dim = weights.shape
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["product"]),
        helper.make_node("LpNormalization", ["product"], ["embedding"], axis=1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", dim])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def collection(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> FakeCollection:
    """Twelve items, i00 to i11; the last has sound only, the first two have media."""
    rng = np.random.default_rng(7)
    folder = tmp_path_factory.mktemp("media")
    sound, film = folder / "sound", folder / "film"
    sound.write_bytes(wav_clip())
    film.write_bytes(film_clip())
    files = {"i00": (sound, "audio/wav"), "i01": (film, "video/mp4")}
    items = {}
    for number in range(ITEMS):
        item_id = f"i{number:02}"
        path = files.get(item_id, (None, ""))[0]
        items[item_id] = StoredItem(
            id=item_id,
            seq=number + 1,
            label=LABELS[number % 3],
            metadata={
                "split": "test" if number % 2 else "train",
                "pair": item_id,
                "year": 2000 + number,
                "place": {"city": "Lyon" if number % 2 else "Oslo"},
                "tags": ["wet", "loud"] if number % 3 == 0 else ["dry"],
            },
            modalities=(AUDIO, VISUAL) if number < ITEMS - 1 else (AUDIO,),
            media_sha256=hashlib.sha256(path.read_bytes()).hexdigest() if path else None,
            created=0.0,
        )
    shelves = {}
    for offset, modality in enumerate((AUDIO, VISUAL)):
        members = [item for item in items.values() if modality in item.modalities]
        vectors = normalize(rng.normal(size=(len(members), DIM)))
        seqs = np.arange(len(members), dtype=np.int64) * 2 + 1 + offset
        shelves[modality] = (
            Shelf(
                gallery=FlatGallery.of(seqs, vectors),
                seqs=seqs,
                items=members,
                starts_s=np.zeros(len(members)),
                ends_s=np.full(len(members), np.nan),
            ),
        )
    view = View(
        seq=24,
        model_id=bundle.model_id,
        dim=DIM,
        items=items,
        shelves=shelves,
        unserved={},
        version="0123456789abcdef",
    )
    return FakeCollection(bundle=bundle, view=view, files=files)


Connect = Callable[..., Any]


@pytest.fixture
async def connect(collection: FakeCollection) -> AsyncIterator[Connect]:
    """Make a client of a service that is ready; settings as named arguments."""
    async with AsyncExitStack() as stack:

        async def make(
            held: Any = collection, *, wait: bool = True, headers: Any = None, **named: Any
        ) -> httpx.AsyncClient:
            app = create_app(Settings(**{"workers": 1, **named}), held)
            return await stack.enter_async_context(running(app, wait=wait, headers=headers))

        yield make


@pytest.fixture
async def client(connect: Connect) -> httpx.AsyncClient:
    """A client of a service without keys."""
    made: httpx.AsyncClient = await connect()
    return made


@asynccontextmanager
async def running(
    app: FastAPI, *, wait: bool = True, headers: Any = None
) -> AsyncIterator[httpx.AsyncClient]:
    """Run an application's life and give a client of it."""
    transport = httpx.ASGITransport(app=app)
    client = httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)
    async with app.router.lifespan_context(app), client:
        if wait:
            await app.state.runtime.opened()
        yield client


def wav_clip(seconds: float = 1.0, rate: int = 16_000, seed: int = 0) -> bytes:
    """Return a WAV file of noise."""
    samples = np.random.default_rng(seed).normal(0, 4000, int(seconds * rate))
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(rate)
        written.writeframes(np.clip(samples, -32768, 32767).astype("<i2").tobytes())
    return file.getvalue()


def film_clip(seconds: float = 1.0, fps: int = 8) -> bytes:
    """Return an MP4 file of noise pictures without sound."""
    rng = np.random.default_rng(1)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(int(seconds * fps)):
            pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


@pytest.fixture(scope="session")
def clips() -> Mapping[str, bytes]:
    """Clips to upload: a sound and a silent film."""
    return {"sound": wav_clip(), "film": film_clip()}
