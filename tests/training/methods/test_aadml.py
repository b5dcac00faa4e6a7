from collections.abc import Callable

import numpy as np
import pytest
import torch

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.batches.sampling import Batch
from training.data import TrainingData
from training.losses.triplet import triplet_loss
from training.methods.aadml import Aadml, AadmlSettings, proxied, proxies_of
from training.methods.method import Problem, flat_state
from training.protocol.selection import fit_method
from training.protocol.validation import score
from training.towers.networks import modules_of
from training.towers.tower import unit_norm

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL
FAST = {
    "least_steps": "0",
    "epochs": "25",
    "hidden": "24",
    "dim": "6",
    "items_per_class": "4",
}

MakeData = Callable[..., TrainingData]


def whole(data: TrainingData) -> Batch:
    rows = {m: np.arange(len(labels)) for m, labels in data.labels.items()}
    return Batch(rows=rows, labels=data.labels, pairs=rows)


@pytest.mark.parametrize("loss", ["triplet", "contrastive"])
def test_it_finds_classes(make_data: MakeData, loss: str) -> None:
    overrides = FAST | {"loss": loss, "rate": "0.003"}
    fitted = fit_method("aadml", "tuned", overrides, make_data(0), None)
    assert min(score(fitted.towers, make_data(2)).directions.values()) > 0.85


@pytest.mark.parametrize("preset", ["paper", "tuned"])
@pytest.mark.parametrize("loss", ["triplet", "contrastive"])
def test_loss_reaches_every_parameter(make_data: MakeData, preset: str, loss: str) -> None:
    data = make_data()
    preset_settings = Aadml.presets[preset]
    settings = AadmlSettings(dim=preset_settings.dim, loss=loss, margin=1.0)
    torch.manual_seed(0)
    towers = Aadml().build(preset_settings, Problem.of(data))
    proxies = proxies_of(settings, data.modalities)
    embedded = {
        m: tower.train()(torch.from_numpy(data.features[m])) for m, tower in towers.items()
    }
    proxied(embedded, proxies, whole(data), settings).backward()
    for name, parameter in modules_of(towers, proxies=proxies).named_parameters():
        assert parameter.grad is not None, name
        if "bias" not in name:  # biases ahead of batch norm cancel
            assert parameter.grad.abs().sum() > 0, name


def test_items_that_coincide_are_their_own_proxies(make_data: MakeData) -> None:
    """Where a class is one point, neighbours change nothing and triplets are plain."""
    data = make_data()
    generator = torch.Generator().manual_seed(0)
    rows = {
        m: unit_norm(torch.randn(4, 6, generator=generator))[
            torch.from_numpy(data.labels[m])
        ]
        for m in (A, V)
    }
    settings = AadmlSettings(dim=6, margin=0.8)
    found = proxied(rows, proxies_of(settings, data.modalities), whole(data), settings)
    same = torch.from_numpy(data.labels[A][:, None] == data.labels[V])
    plain = triplet_loss(rows[A], rows[V], same, margin=0.8)
    plain = plain + triplet_loss(rows[V], rows[A], same.T, margin=0.8)
    assert torch.isclose(found, plain, atol=1e-5)


def test_towers_hold_no_attention(make_data: MakeData) -> None:
    overrides = FAST | {"epochs": "1"}
    fitted = fit_method("aadml", "tuned", overrides, make_data(), None)
    assert not [name for name in flat_state(fitted.towers) if "ask" in name]


def test_three_modalities_and_one_class(make_data: MakeData) -> None:
    three = make_data(0, dims={A: 5, T: 6, V: 7})
    fitted = fit_method("aadml", "tuned", FAST, three, None)
    assert min(score(fitted.towers, three).directions.values()) > 0.7
    with pytest.raises(DataError, match="anchor-aware metric learning needs two classes"):
        fit_method("aadml", "tuned", FAST, make_data(classes=1), None)
