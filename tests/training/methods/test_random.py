from collections.abc import Callable

import numpy as np
import torch

from crossmodal.modality import Modality
from training.data import TrainingData
from training.methods.random import HashTower
from training.protocol.selection import fit_method
from training.protocol.validation import embed, score

A, V = Modality.AUDIO, Modality.VISUAL

MakeData = Callable[..., TrainingData]


def test_random_scores_as_chance_predicts(make_data: MakeData) -> None:
    """E[AP] = (1/N) [(R-1)/(N-1) (N - H_N) + H_N] for R relevant items among N."""
    data = make_data(0, per_class=25, classes=4)
    n, r = 100, 25
    harmonic = sum(1 / k for k in range(1, n + 1))
    expected = ((r - 1) / (n - 1) * (n - harmonic) + harmonic) / n
    found = [
        score(fit_method("random", "tuned", {}, data, None, seed=seed).towers, data).mean
        for seed in range(20)
    ]
    spread = np.std(found) / np.sqrt(20)
    assert abs(np.mean(found) - expected) < 4 * spread
    assert spread < 0.005


def test_seeds_and_modalities_draw_differently(make_data: MakeData) -> None:
    data = make_data(0, dims={A: 6, V: 6})
    twins = {m: data.features[A] for m in (A, V)}
    one, other = (
        fit_method("random", "tuned", {}, data, None, seed=seed).towers for seed in (0, 1)
    )
    rows = torch.from_numpy(twins[A])
    drawn = [one[A](rows), one[V](rows), other[A](rows)]
    for number, first in enumerate(drawn):
        for second in drawn[number + 1 :]:
            assert (first * second).sum(dim=1).abs().mean() < 0.3


def test_near_features_draw_unrelated_directions() -> None:
    rows = torch.zeros(500, 4)
    rows[:, 0] = torch.arange(500) * 1e-6
    drawn = HashTower(64)(rows)
    cosines = drawn @ drawn.T
    cosines.fill_diagonal_(0)
    assert cosines.abs().max() < 0.75
    assert cosines.mean().abs() < 0.01
    assert drawn.mean(dim=0).abs().max() < 0.03


def test_equal_features_draw_one_direction_and_zero_has_no_sign() -> None:
    rows = torch.tensor([[0.0, 1.0], [-0.0, 1.0], [1.0, 0.0]])
    drawn = HashTower(8)(rows)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.allclose(drawn[0], drawn[2])


def test_random_embeds_what_it_never_saw(make_data: MakeData) -> None:
    fitted = fit_method("random", "tuned", {}, make_data(0), None)
    for rows in embed(fitted.towers, make_data(3)).values():
        assert np.unique(rows.round(5), axis=0).shape[0] == len(rows)
