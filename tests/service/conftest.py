"""A small collection with real embeddings and media, and clients of the service over it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from crossmodal.bundle import Bundle, BundleManifest, EncoderSpec, write_manifest
from crossmodal.confidence import Confidence
from crossmodal.embeddings import normalize
from crossmodal.frontends.catalog import create_frontend
from crossmodal.items import Segment
from crossmodal.media.decoder import Decoder
from crossmodal.media.limits import MediaLimits
from crossmodal.modality import Direction, Modality
from crossmodal.relevance import Relevance
from index.collection import Collection, model_of
from index.storage.database import DATABASE
from index.storage.media import MediaFiles
from index.storage.new_items import NewItem, NewVector
from index.storage.store import Store
from index.views.loading import read_galleries
from index.views.manifest import publish
from service.app import create_app
from service.settings import Settings
from tests.graphs import linear_graph
from tests.service.clips import film_clip, wav_clip
from tests.service.running import listening, running
from tests.service.toy_bundle import DIM

ITEMS = 12
LABELS = ("rain", "siren", "waves")
AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL


@pytest.fixture(scope="session")
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
            confidence={
                Direction(AUDIO, VISUAL): Confidence(
                    scores=(-0.75, 0.0, 0.75),
                    probabilities=(0.05, 0.2, 0.95),
                    relevance=Relevance.CLASS,
                    queries=40,
                    gallery=40,
                    base_rate=0.3,
                    calibration_error=0.02,
                )
            },
        ),
    )
    return Bundle.open(directory)


@pytest.fixture(scope="session")
def data_directory(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve items, i00 to i11, written as `index` writes them.

    The first two have media; i02 has two segments; the last has sound only.
    """
    rng = np.random.default_rng(7)
    directory = tmp_path_factory.mktemp("data")
    shutil.copytree(bundle.directory, directory / "bundle")
    media = MediaFiles(directory / "media", directory / "staging")
    kept = {}
    for item_id, clip in (("i00", wav_clip()), ("i01", film_clip())):
        source = directory / item_id
        source.write_bytes(clip)
        kept[item_id] = media.add(source)
        source.unlink()
    items = []
    for number in range(ITEMS):
        item_id = f"i{number:02}"
        segments = [Segment(0.0, 1.0), Segment(1.0, 2.0)] if number == 2 else [Segment()]
        modalities = [AUDIO, VISUAL] if number < ITEMS - 1 else [AUDIO]
        vectors = [
            NewVector(modality, normalize(rng.normal(size=(1, DIM)))[0], segment)
            for modality in modalities
            for segment in segments
        ]
        items.append(
            NewItem(
                id=item_id,
                vectors=vectors,
                label=LABELS[number % 3],
                metadata={
                    "split": "test" if number % 2 else "train",
                    "year": 2000 + number,
                    "place": {"city": "Lyon" if number % 2 else "Oslo"},
                    "tags": ["wet", "loud"] if number % 3 == 0 else ["dry"],
                },
                media_sha256=kept.get(item_id),
            )
        )
    model = model_of(bundle)
    store = Store.create(directory / DATABASE)
    store.add(items, model_id=model.id, dim=DIM, created=0.0)
    store.checkpoint()
    (directory / "index").mkdir()
    publish(
        directory / "index", read_galleries(store, model), seq=store.seq, model_id=model.id
    )
    store.close()
    return directory


@pytest.fixture(scope="session")
def collection(data_directory: Path) -> Iterator[Collection]:
    """The data directory, opened."""
    with Collection.open(data_directory) as opened:
        yield opened


@pytest.fixture
def copied(data_directory: Path, tmp_path: Path) -> Path:
    """A copy of the data directory, to be changed."""
    copy = tmp_path / "data"
    shutil.copytree(data_directory, copy)
    return copy


@pytest.fixture
def writable(copied: Path) -> Iterator[Collection]:
    """The copy, opened for writing."""
    with Collection.open(copied, write=True, reserve_bytes=0) as opened:
        yield opened


Connect = Callable[..., Any]


@pytest.fixture(scope="session")
def secrets() -> Mapping[str, str]:
    """One secret per role."""
    return {"read": "reading-secret", "write": "writing-secret", "admin": "admin-secret"}


@pytest.fixture(scope="session")
def api_keys(secrets: Mapping[str, str]) -> str:
    """The setting that puts those keys in force."""
    return ",".join(
        f"{role}:{hashlib.sha256(secret.encode()).hexdigest()}"
        for role, secret in secrets.items()
    )


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    """One decoder for all, since its process takes long to start."""
    # held to its processor time, not to what else the machine does
    with Decoder(MediaLimits(wall_s=600.0), workers=2) as made:
        yield made


@pytest.fixture
async def connect(collection: Collection, decoder: Decoder) -> AsyncIterator[Connect]:
    """Make a client of a service that is ready; settings as named arguments."""
    async with AsyncExitStack() as stack:

        async def make(
            held: Any = collection, *, wait: bool = True, headers: Any = None, **named: Any
        ) -> httpx.AsyncClient:
            app = create_app(Settings(**{"workers": 1, **named}), held, decoder)
            return await stack.enter_async_context(running(app, wait=wait, headers=headers))

        yield make


@pytest.fixture(scope="session")
async def client(
    collection: Collection, decoder: Decoder
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service without keys."""
    async with running(create_app(Settings(workers=1), collection, decoder)) as made:
        yield made


@pytest.fixture
def listen(collection: Collection, decoder: Decoder) -> Iterator[Callable[..., int]]:
    """Serve over a loopback socket as the process does; settings as named arguments.

    A client that the machine lets wait is not taken for a slow one.
    """
    patient = {"header_timeout_s": 600, "body_window_s": 600, "body_timeout_s": 600}
    with ExitStack() as stack:

        def serve(**named: Any) -> int:
            settings = Settings(**{"workers": 1, "port": 0, **patient, **named})
            app = create_app(settings, collection, decoder)
            return stack.enter_context(listening(app, settings))

        yield serve


@pytest.fixture(scope="session")
def clips() -> Mapping[str, bytes]:
    """Clips to upload: a sound and a silent film."""
    return {"sound": wav_clip(), "blip": wav_clip(0.5, 8000), "film": film_clip()}
