"""A model of sequences over HTTP: a clip's steps in their order, and nothing else."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.modality import Modality
from index.build import build
from service.app import create_app
from service.settings import Settings
from tests.service.running import running
from tests.service.test_search import npy

pytestmark = pytest.mark.anyio

SEARCH = "/search/audio2audio"
LENGTHS = [1 + number % 7 for number in range(12)]
STEPS = np.random.default_rng(0).standard_normal((12, 7, 6)).astype(np.float32)


@pytest.fixture
async def client(
    tmp_path: Path, tiny_bundle: Callable[..., Path]
) -> AsyncIterator[httpx.AsyncClient]:
    rows = table(STEPS, id=[f"i{number:02d}" for number in range(12)], length=LENGTHS)
    write_features(tmp_path / "f.h5", FeaturesFile("made", {Modality.AUDIO: rows}))
    build(tiny_bundle(["audio"], sequences=True), tmp_path / "f.h5", tmp_path / "data")
    app = create_app(Settings(data=tmp_path / "data", workers=1))
    async with running(app) as served:
        yield served


@pytest.mark.parametrize("row", [0, 3, 6])
async def test_an_items_own_steps_find_it_with_a_score_of_one(
    client: httpx.AsyncClient, row: int
) -> None:
    own = STEPS[row, : LENGTHS[row]]
    replies = [
        await client.post(SEARCH, json={"features": own.astype(float).tolist(), "k": 1}),
        await client.post(SEARCH, files={"features": ("x", npy(own))}, params={"k": 1}),
    ]
    for reply in replies:
        (hit,) = reply.json()["results"]
        assert hit["id"] == f"i{row:02d}"
        assert hit["score"] == pytest.approx(1.0, abs=1e-6)


async def test_another_order_of_the_steps_is_another_query(
    client: httpx.AsyncClient,
) -> None:
    backwards = STEPS[6, ::-1].astype(float).tolist()
    (hit,) = (await client.post(SEARCH, json={"features": backwards, "k": 1})).json()[
        "results"
    ]
    assert hit["score"] < 0.999


@pytest.mark.parametrize("shape", [(6,), (3, 5)])
async def test_what_is_no_sequence_of_the_models_is_refused(
    client: httpx.AsyncClient, shape: tuple[int, ...]
) -> None:
    reply = await client.post(SEARCH, json={"features": np.ones(shape).tolist()})
    assert reply.status_code == 422
    assert "expected audio features (time, 6)" in reply.json()["detail"]
