from collections.abc import Callable

import numpy as np
import pytest
import torch

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.batches.sampling import Batch
from training.data import TrainingData
from training.methods.cctl import Cctl, CctlSettings, losses
from training.methods.method import Problem
from training.protocol.selection import fit_method
from training.protocol.validation import score
from training.towers.networks import modules_of

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL
FAST = {
    "least_steps": "0",
    "epochs": "25",
    "hidden": "24",
    "items_per_class": "4",
}

MakeData = Callable[..., TrainingData]


def whole(data: TrainingData) -> Batch:
    rows = {m: np.arange(len(labels)) for m, labels in data.labels.items()}
    return Batch(rows=rows, labels=data.labels, pairs=rows)


def test_it_finds_classes(make_data: MakeData) -> None:
    fitted = fit_method("cctl", "tuned", FAST, make_data(0), None)
    assert min(score(fitted.towers, make_data(2)).directions.values()) > 0.85


def test_outputs_are_class_predictions(make_data: MakeData) -> None:
    data = make_data(0)
    overrides = FAST | {"triplets": "0", "rate": "0.01", "dropout": "0"}
    fitted = fit_method("cctl", "tuned", overrides, data, None)
    for modality, rows in data.features.items():
        predicted = fitted.towers[modality].outputs(torch.from_numpy(rows))
        assert predicted.shape == (48, 4)
        assert (predicted.argmax(1).numpy() == data.labels[modality]).mean() > 0.9


@pytest.mark.parametrize("preset", ["paper", "tuned"])
def test_loss_is_its_weighted_terms_and_reaches_every_parameter(
    make_data: MakeData, preset: str
) -> None:
    data = make_data()
    torch.manual_seed(0)
    towers = Cctl().build(Cctl.presets[preset], Problem.of(data))
    predicted = {
        m: tower.train().outputs(torch.from_numpy(data.features[m]))
        for m, tower in towers.items()
    }
    terms = losses(predicted, whole(data), CctlSettings(triplets=0.3))
    assert torch.isclose(terms["loss"], terms["label"] + 0.3 * terms["triplets"])
    terms["loss"].backward()
    for name, parameter in modules_of(towers).named_parameters():
        assert parameter.grad is not None, name
        if "bias" not in name:  # biases ahead of batch norm cancel
            assert parameter.grad.abs().sum() > 0, name


def test_perfect_predictions_cost_nothing(make_data: MakeData) -> None:
    data = make_data()
    predicted = {m: torch.eye(4)[torch.from_numpy(data.labels[m])] for m in (A, V)}
    terms = losses(predicted, whole(data), CctlSettings())
    assert terms["label"].item() == 0
    assert terms["triplets"].item() == 0


def test_three_modalities_and_one_class(make_data: MakeData) -> None:
    three = make_data(0, dims={A: 5, T: 6, V: 7})
    fitted = fit_method("cctl", "tuned", FAST, three, None)
    assert min(score(fitted.towers, three).directions.values()) > 0.8
    with pytest.raises(DataError, match="CCTL needs two classes or more"):
        fit_method("cctl", "tuned", FAST, make_data(classes=1), None)
