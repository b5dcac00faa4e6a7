"""Training data made on the spot, for every test of methods."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from crossmodal.modality import Modality
from training.data import TrainingData

A, V = Modality.AUDIO, Modality.VISUAL

MakeData = Callable[..., TrainingData]


def data_of(
    features: Mapping[Modality, np.ndarray],
    labels: Mapping[Modality, Sequence[int] | np.ndarray],
    *,
    paired: bool,
    classes: int,
    sequences: Mapping[Modality, np.ndarray] | None = None,
) -> TrainingData:
    counts = {m: len(rows) for m, rows in features.items()}
    return TrainingData(
        features={m: rows.astype(np.float32) for m, rows in features.items()},
        labels={m: np.asarray(rows, dtype=np.int64) for m, rows in labels.items()},
        classes=tuple(f"class{n}" for n in range(classes)),
        pairs={m: np.arange(count) for m, count in counts.items()} if paired else None,
        ids={m: [f"{m}{n}" for n in range(count)] for m, count in counts.items()},
        pair_keys={
            m: [f"clip{n}" if paired else None for n in range(count)]
            for m, count in counts.items()
        },
        sequences=sequences or {},
    )


def make(
    seed: int = 0,
    *,
    per_class: int = 12,
    classes: int = 4,
    paired: bool = True,
    dims: Mapping[Modality, int] | None = None,
    noise: float = 0.5,
    unequal: bool = False,
    labeled: bool = True,
) -> TrainingData:
    """Class centres plus what both members of a pair share, mixed into each modality.

    The mixing is that of seed 0 always, so data of several seeds is of one kind. Sequences
    are 1 to 6 noisy readings of the row.
    """
    dims = dims or {A: 7, V: 10}
    fixed, rng = np.random.default_rng(0), np.random.default_rng(seed + 1)
    features, labels, sequences = {}, {}, {}
    event = rng.standard_normal((per_class * classes, 2))
    for modality, dim in dims.items():
        mixing = fixed.standard_normal((classes + 2, dim))
        label = np.repeat(np.arange(classes), per_class)
        shared = np.concatenate([3 * np.eye(classes)[label], event], axis=1)
        rows = shared @ mixing + noise * rng.standard_normal((len(label), dim)) + 5
        kept = np.arange(len(label))
        if unequal:
            order = rng.permutation(kept)
            kept = np.sort(order[: len(kept) - 5 * (1 + sorted(dims).index(modality))])
        features[modality] = rows[kept]
        sequences[modality] = readings(rows[kept], seed, noise)
        labels[modality] = label[kept] if labeled else np.full(len(kept), -1)
    return data_of(
        features,
        labels,
        paired=paired and not unequal,
        classes=classes,
        sequences=sequences,
    )


def readings(rows: np.ndarray, seed: int, noise: float) -> np.ndarray:
    rng = np.random.default_rng([seed, len(rows)])
    steps = rows[:, None] + noise * rng.standard_normal((len(rows), 6, rows.shape[1]))
    length = rng.integers(1, 7, len(rows))
    steps[np.arange(6) >= length[:, None]] = np.nan
    found: np.ndarray = steps.astype(np.float32)
    return found


@pytest.fixture(scope="session")
def make_data() -> MakeData:
    return make
