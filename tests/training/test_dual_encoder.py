from collections.abc import Callable

import numpy as np
import pytest
import torch

from crossmodal.modality import Modality
from training.batches.sampling import BalancedBatches, Batch
from training.data import TrainingData
from training.fitting.dual_encoder import DualEncoder, partners, positives
from training.losses.info_nce import info_nce
from training.losses.supcon import supcon
from training.towers.tower import MlpTower

A, V, T = Modality.AUDIO, Modality.VISUAL, Modality.TEXT

MakeData = Callable[..., TrainingData]


def batch_of(labels: dict, pairs: dict) -> Batch:
    return Batch(
        rows={m: np.arange(len(values)) for m, values in labels.items()},
        labels={m: np.array(values) for m, values in labels.items()},
        pairs={m: np.array(values) for m, values in pairs.items()},
    )


def test_positives_share_a_class_or_are_partners() -> None:
    batch = batch_of(
        {A: [0, 1, -1, -1], V: [1, 0, -1]}, {A: [-1, -1, 7, -1], V: [-1, -1, 7]}
    )
    expected = [
        [False, True, False],
        [True, False, False],
        [False, False, True],
        [False, False, False],
    ]
    assert positives(batch, A, V).tolist() == expected


def test_partners_are_found_wherever_they_stand() -> None:
    batch = batch_of({A: [0, 0, 0, 0], V: [0, 0, 0]}, {A: [5, -1, 3, 9], V: [-1, 3, 5]})
    ours, theirs = partners(batch, A, V)
    assert sorted(zip(ours.tolist(), theirs.tolist(), strict=True)) == [(0, 2), (2, 1)]


def model_for(data: TrainingData) -> DualEncoder:
    torch.manual_seed(0)
    towers = {
        m: MlpTower(rows.shape[1], 4, hidden=8, layers=1, dropout=0.0)
        for m, rows in data.features.items()
    }
    return DualEncoder(towers, 0.07)


@pytest.mark.parametrize("modalities", [(A, V), (A, T, V)])
def test_losses_are_averaged_over_every_pair_of_modalities(
    make_data: MakeData, modalities: tuple[Modality, ...]
) -> None:
    data = make_data(dims={m: 5 + n for n, m in enumerate(modalities)})
    model = model_for(data).eval()
    features = {m: torch.from_numpy(rows) for m, rows in data.features.items()}
    (batch, *_) = BalancedBatches(data, 3, 4, np.random.default_rng(0))
    terms = model.losses(features, batch, eta=0.5)
    embedded = {m: model.towers[m.value](features[m][batch.rows[m]]) for m in modalities}
    same = torch.from_numpy(batch.labels[A])[:, None] == torch.from_numpy(batch.labels[A])
    by_class, by_pair = [], []
    for number, one in enumerate(sorted(modalities)):
        for other in sorted(modalities)[number + 1 :]:
            by_class.append(supcon(embedded[one], embedded[other], same).item())
            by_pair.append(info_nce(embedded[one], embedded[other]).item())
    assert terms["supcon"].item() == pytest.approx(np.mean(by_class), rel=1e-4)
    assert terms["info_nce"].item() == pytest.approx(np.mean(by_pair), rel=1e-4)
    expected = np.mean(by_class) + 0.5 * np.mean(by_pair)
    assert terms["loss"].item() == pytest.approx(expected, rel=1e-4)


def test_every_parameter_and_the_temperature_receive_gradient(make_data: MakeData) -> None:
    data = make_data()
    model = model_for(data).train()
    features = {m: torch.from_numpy(rows) for m, rows in data.features.items()}
    (batch, *_) = BalancedBatches(data, 3, 4, np.random.default_rng(0))
    model.losses(features, batch, eta=0.5)["loss"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if ".hidden.0.bias" not in name:  # batch norm cancels it
            assert parameter.grad.abs().sum() > 0, name


def test_data_without_pairs_has_no_pair_term(make_data: MakeData) -> None:
    data = make_data(unequal=True)
    features = {m: torch.from_numpy(rows) for m, rows in data.features.items()}
    (batch, *_) = BalancedBatches(data, 3, 4, np.random.default_rng(0))
    terms = model_for(data).losses(features, batch, eta=1.0)
    assert terms["info_nce"].item() == 0
    assert terms["loss"].item() == terms["supcon"].item() > 0


@pytest.mark.parametrize(("value", "kept"), [(9.0, 0.5), (1e-5, 0.01), (0.1, 0.1)])
def test_temperature_is_kept_in_bounds(
    make_data: MakeData, value: float, kept: float
) -> None:
    model = model_for(make_data())
    with torch.no_grad():
        model.log_temperature.fill_(np.log(value))
    model.clamp_temperature()
    assert model.temperature.item() == pytest.approx(kept, rel=1e-5)
