from collections.abc import Callable

import pytest
import torch
from torch import nn

from crossmodal.errors import DivergenceError
from training.correlation.linear_cca import pair_moments
from training.data import TrainingData
from training.towers.correlated_tower import CorrelatedTower, fit_projections


def test_a_network_that_has_died_is_one_clear_error(
    make_data: Callable[..., TrainingData],
) -> None:
    train = make_data(0)
    towers = {}
    for modality, rows in train.features.items():
        layer = nn.Linear(rows.shape[1], 3)
        nn.init.zeros_(layer.weight)
        towers[modality] = CorrelatedTower(rows.shape[1], layer, outputs=3, components=2)
    left, right = train.modalities
    with pytest.raises(DivergenceError, match="hardly vary any more; lower the learning"):
        fit_projections(
            towers,
            train,
            {m: torch.from_numpy(rows) for m, rows in train.features.items()},
            lambda outputs: pair_moments(outputs[left], outputs[right]),
            ridge=0.1,
        )
