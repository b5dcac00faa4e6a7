"""A small paired data set with classes and events, as a features file."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.modality import Modality
from training.compare.job import run_job
from training.compare.places import Places
from training.compare.pool import Task
from training.compare.source import Source

A, V = Modality.AUDIO, Modality.VISUAL
CLASSES, PER_CLASS = 3, 20

MakeFile = Callable[..., Path]


def features_of(*, paired: bool = True, seed: int = 0, steps: int = 0) -> FeaturesFile:
    """Class centres plus an event both modalities see, plus noise; 6 of 20 are tested.

    With steps, each is a noisy reading of the row, and an item has 1 to all of them.
    """
    rng = np.random.default_rng(seed)
    count = CLASSES * PER_CLASS
    label = np.repeat(np.arange(CLASSES), PER_CLASS)
    split = np.tile(np.repeat(["train", "test"], [14, 6]), CLASSES)
    event = rng.standard_normal((count, 2))
    shared = np.concatenate([2 * np.eye(CLASSES)[label], event], axis=1)
    tables = {}
    for modality, dim in ((A, 6), (V, 8)):
        mixing = rng.standard_normal((shared.shape[1], dim))
        rows = shared @ mixing + 0.8 * rng.standard_normal((count, dim))
        if steps:
            rows = rows[:, None] + 0.3 * rng.standard_normal((count, steps, dim))
        tables[modality] = table(
            rows.astype(np.float32),
            id=[f"{modality}{n}" for n in range(count)],
            label=[f"class{n}" for n in label],
            split=split,
            pair=[f"clip{n}" for n in range(count)] if paired else None,
            length=1 + np.arange(count) % steps if steps else None,
        )
    return FeaturesFile("made", tables)


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    def make(name: str = "features.h5", **options: object) -> Path:
        path = tmp_path / name
        write_features(path, features_of(**options))  # type: ignore[arg-type]
        return path

    return make


def run_here(
    tasks: Sequence[Task], path: Path, places: Places, workers: int
) -> Iterator[Task]:
    """Run jobs in this process, one by one."""
    source = Source(path)
    for job, key in tasks:
        run_job(job, key, source, places)
        yield job, key


@pytest.fixture
def execute() -> Callable[..., Iterator[Task]]:
    return run_here
