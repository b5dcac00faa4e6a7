"""Real recordings, from files to HTTP: what is served is what was evaluated."""

import csv
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from crossmodal.features import write_features
from crossmodal.frontends.catalog import parse_choices
from crossmodal.media.decoder import Decoder
from crossmodal.modality import Direction, Modality, directions
from crossmodal.sources import read_source
from index.build import build
from index.collection import Collection
from service.app import create_app
from service.settings import Settings
from tests.service.running import running
from training.commands.export import export_run
from training.datasets.media import prepare_media
from training.protocol.evaluate import Evaluation, evaluate_run
from training.run import FitRequest, fit

A, V = Modality.AUDIO, Modality.VISUAL
KEPT = {
    ("audio", "train"): 8,
    ("visual", "train"): 8,
    ("audio", "test"): 3,
    ("visual", "test"): 4,
}


def part_of(source: Path, out: Path) -> Path:
    """Write a manifest of a few clips per class, their paths absolute."""
    taken: Counter[tuple[str, str, str]] = Counter()
    with (
        (source / "manifest.csv").open(newline="") as file,
        out.open("w", newline="") as kept,
    ):
        writer = csv.writer(kept)
        writer.writerow(["path", "modality", "label", "split"])
        for row in csv.DictReader(file):
            modality, label, split = row["modality"], row["label"], row["split"]
            taken[modality, label, split] += 1
            if taken[modality, label, split] <= KEPT[modality, split]:
                writer.writerow([source / row["path"], modality, label, split])
    return out


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch_module: pytest.MonkeyPatch
) -> tuple[Evaluation, Path, dict[str, Path]]:
    """Prepare, fit, evaluate, export and index the test split, by the commands' code."""
    shared = os.environ.get("EARSHOT_TEST_DATA")
    if not shared:
        pytest.skip("EARSHOT_TEST_DATA is unset: no recordings of animals")
    monkeypatch_module.setenv("EARSHOT_WEIGHTS", str(Path(shared) / "encoders"))
    folder = tmp_path_factory.mktemp("animals")
    manifest = part_of(Path(shared) / "animals_media", folder / "manifest.csv")
    items = read_source(manifest)
    prepared = prepare_media(
        items,
        parse_choices(["audio=yamnet", "visual=mobilenet"]),
        name="animals",
        record=folder / "record",
        workers=2,
        advance=lambda: None,
    )
    assert not prepared.failures
    write_features(folder / "features.h5", prepared.data)
    request = FitRequest(data=folder / "features.h5", method="earshot", overrides={})
    run = fit(request, prepared.data, folder / "run", lambda record: None)
    export_run(run, folder / "bundle")
    build(
        folder / "bundle",
        manifest,
        folder / "data",
        features=folder / "features.h5",
        split="test",
    )
    sounds = {
        item.id: item.media[A] for item in items if item.split == "test" and A in item.media
    }
    return evaluate_run(run, prepared.data), folder / "data", sounds


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def offline_ranking(evaluation: Evaluation, direction: Direction, query: str) -> list[str]:
    """Return gallery ids by rounded score, ties by id, as the index orders them."""
    queries, gallery = (
        evaluation.judged[direction.query],
        evaluation.judged[direction.gallery],
    )
    row = list(queries.ids).index(query)
    scores = gallery.embeddings.astype(np.float64) @ queries.embeddings[row].astype(
        np.float64
    )
    order = sorted(zip(np.round(-scores, 9), gallery.ids, strict=True))
    return [item_id for _, item_id in order]


@pytest.mark.anyio
async def test_uploaded_test_sounds_rank_as_offline_evaluation_ranks_them(
    served: tuple[Evaluation, Path, dict[str, Path]],
) -> None:
    evaluation, data, sounds = served
    assert len(sounds) == 27
    direction = Direction(A, V)
    with Collection.open(data) as collection, Decoder(workers=2) as decoder:
        async with running(create_app(Settings(workers=1), collection, decoder)) as client:
            for query, path in sounds.items():
                found = await ranking(client, direction, path)
                assert found == offline_ranking(evaluation, direction, query)
            answer = await client.post("/evaluate", json={"stored": True})
    offline = evaluation.summary()["directions"]
    online = answer.json()["directions"]
    for name in map(str, directions([A, V])):
        assert online[name] == pytest.approx(offline[name], abs=1e-12)
        assert offline[name]["mean_average_precision"] > 0.5
        assert offline[name]["random_mean_average_precision"] < 0.3


async def ranking(client: httpx.AsyncClient, direction: Direction, clip: Path) -> list[str]:
    answer = await client.post(
        f"/search/{direction}",
        params={"k": 1000},
        files={"file": ("clip", clip.read_bytes())},
    )
    assert answer.status_code == 200, answer.text
    return [hit["id"] for hit in answer.json()["results"]]
