"""One small comparison, made once for all tests of the report."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.modality import Modality
from training.compare.comparison import compare
from training.compare.job import run_job
from training.compare.places import Places
from training.compare.pool import Task
from training.compare.request import CompareRequest, parse_entries
from training.compare.results import Results
from training.compare.source import Source

A, V = Modality.AUDIO, Modality.VISUAL
CLASSES = ("cat & dog", "<owl>", "siren")
PER_CLASS = 20


def write_data(path: Path) -> Path:
    """Class centres plus an event both modalities see, plus noise; 6 of 20 are tested."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(len(CLASSES)), PER_CLASS)
    count = len(label)
    event = rng.standard_normal((count, 2))
    shared = np.concatenate([2 * np.eye(len(CLASSES))[label], event], axis=1)
    tables = {}
    for modality, dim in ((A, 6), (V, 8)):
        mixing = rng.standard_normal((shared.shape[1], dim))
        rows = shared @ mixing + 0.8 * rng.standard_normal((count, dim))
        tables[modality] = table(
            rows.astype(np.float32),
            id=[f"{modality}{n}" for n in range(count)],
            label=[CLASSES[n] for n in label],
            split=np.tile(np.repeat(["train", "test"], [14, 6]), len(CLASSES)),
            pair=[f"clip{n}" for n in range(count)],
        )
    write_features(path, FeaturesFile("made", tables))
    return path


def run_here(
    tasks: Sequence[Task], path: Path, places: Places, workers: int
) -> Iterator[Task]:
    source = Source(path)
    for job, key in tasks:
        run_job(job, key, source, places)
        yield job, key


@pytest.fixture(scope="session")
def features_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "features.h5")


@pytest.fixture(scope="session")
def results(features_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    request = CompareRequest(
        data=features_path,
        entries=parse_entries(
            "random,cca,cca@paper,c_cca,posterior_product,supcon", "tuned"
        ),
        overrides={
            "supcon": {"epochs": "3"},
            "posterior_product": {"classifier": "logistic"},
        },
        seeds=(0, 1),
    )
    return compare(request, tmp_path_factory.mktemp("compared") / "out", run_here)
