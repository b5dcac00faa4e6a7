"""Steps: made-up features spread over time, their mean over time what they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crossmodal.errors import ConfigError
from crossmodal.features import FeaturesFile

FEWEST, MOST = 2, 100
WOBBLE = 0.5  # deviation of a step from its item's row, over the deviation of all rows


def over_time(data: FeaturesFile, steps: int, *, seed: int = 0) -> FeaturesFile:
    """Return the data set with a time axis.

    An item has 2 to ``steps`` steps, the same number in every modality. Its steps scatter
    about its row and have it for their mean, so that methods of pooled rows find what they
    found before; what follows its last step is zeros.

    Args:
        data: Features (items, dim), the modalities' rows being the same clips.
        steps: Length of the time axis.
        seed: What all chance follows from.

    Raises:
        ConfigError: If the number of steps is out of range.
    """
    if not FEWEST <= steps <= MOST:
        raise ConfigError(f"--steps {steps}: expected {FEWEST} to {MOST}")
    rng = np.random.default_rng([seed, steps])
    count = len(next(iter(data.modalities.values())))
    length = rng.integers(FEWEST, steps + 1, count)
    own = (np.arange(steps) < length[:, None])[:, :, None]
    modalities = {}
    for modality, rows in data.modalities.items():
        shape = (count, steps, rows.features.shape[1])
        wobble = rng.standard_normal(shape, dtype=np.float32) * own
        wobble -= wobble.sum(axis=1, keepdims=True) / length[:, None, None] * own
        wobble *= np.float32(WOBBLE * rows.features.std())
        wobble += rows.features[:, None] * own
        modalities[modality] = replace(rows, features=wobble, length=length)
    return FeaturesFile(data.name, modalities)
