from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.batches.sampling import Batch
from training.data import TrainingData
from training.methods.dscmr import Dscmr, DscmrSettings, losses
from training.methods.method import Problem
from training.protocol.selection import fit_method
from training.protocol.validation import score
from training.towers.networks import modules_of

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL
FAST = {
    "least_steps": "0",
    "epochs": "40",
    "hidden": "32",
    "dim": "8",
    "items_per_class": "6",
    "rate": "0.01",
}

MakeData = Callable[..., TrainingData]


def whole(data: TrainingData) -> Batch:
    rows = {m: np.arange(len(labels)) for m, labels in data.labels.items()}
    return Batch(rows=rows, labels=data.labels, pairs=rows)


def test_it_finds_classes_and_beats_cca(make_data: MakeData) -> None:
    fitted = fit_method("dscmr", "tuned", FAST, make_data(0), None)
    linear = fit_method("cca", "tuned", {"k": "5", "ridge": "0.1"}, make_data(0), None)
    found = score(fitted.towers, make_data(2))
    assert min(found.directions.values()) > 0.85
    assert found.mean > score(linear.towers, make_data(2)).mean


def test_pair_distance_draws_partners_together(make_data: MakeData) -> None:
    data = make_data(0)
    apart = []
    for weight in ("0", "10"):
        overrides = FAST | {"distance": weight, "likelihood": "0"}
        fitted = fit_method("dscmr", "tuned", overrides, data, None)
        a, v = (fitted.towers[m](torch.from_numpy(data.features[m])) for m in (A, V))
        apart.append(float((a - v).norm(dim=1).mean()))
    assert apart[1] < 0.7 * apart[0]


@pytest.mark.parametrize(("preset", "likelihood"), [("paper", 1e-3), ("tuned", 3.0)])
def test_loss_is_its_weighted_terms_and_reaches_every_parameter(
    make_data: MakeData, preset: str, likelihood: float
) -> None:
    data = make_data()
    settings = Dscmr.presets[preset]
    torch.manual_seed(0)
    towers = Dscmr().build(settings, Problem.of(data))
    head = nn.Linear(settings.dim, 4)
    embedded = {
        m: tower.train().outputs(torch.from_numpy(data.features[m]))
        for m, tower in towers.items()
    }
    terms = losses(embedded, head, whole(data), settings)
    expected = terms["label"] + likelihood * terms["likelihood"] + 0.1 * terms["distance"]
    assert torch.isclose(terms["loss"], expected)
    terms["loss"].backward()
    for name, parameter in modules_of(towers, head=head).named_parameters():
        assert parameter.grad is not None, name
        if "bias" not in name:  # biases ahead of batch norm cancel
            assert parameter.grad.abs().sum() > 0, name


def test_terms_by_hand() -> None:
    """Two pairs of two classes in one dimension, opposite signs."""
    rows = {m: np.arange(2) for m in (A, V)}
    batch = Batch(rows=rows, labels={m: np.array([0, 1]) for m in (A, V)}, pairs=rows)
    embedded = {A: torch.tensor([[1.0], [-1.0]]), V: torch.tensor([[2.0], [-4.0]])}
    head = nn.Linear(1, 2, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0], [-1.0]]))
    terms = losses(embedded, head, batch, DscmrSettings())
    # audio predicts (1, -1), (-1, 1); visual (2, -2), (-4, 4)
    assert terms["label"].item() == pytest.approx(1 + (5**0.5 + 5) / 2)
    # within a class cosine 1, across -1: four cells in each of three matrices
    cell = np.log1p(np.exp(0.5)) - 0.5, np.log1p(np.exp(-0.5))
    assert terms["likelihood"].item() == pytest.approx(3 * sum(cell) / 2, abs=1e-6)
    assert terms["distance"].item() == pytest.approx((1 + 3) / 2)


def test_the_last_layer_is_one_for_all_modalities(make_data: MakeData) -> None:
    fitted = fit_method("dscmr", "tuned", FAST, make_data(), None)
    audio, visual = (fitted.towers[m].state_dict() for m in (A, V))
    shared = [name for name in audio if name.startswith("network.4.")]
    assert len(shared) == 2
    for name in shared:
        assert torch.equal(audio[name], visual[name])


def test_pairs_are_drawn_where_there_are_none(make_data: MakeData) -> None:
    fitted = fit_method("dscmr", "tuned", FAST, make_data(0, unequal=True), None)
    assert "no pairs in the data: same-class pairs drawn" in fitted.notes
    assert all(record["distance"] > 0 for record in fitted.history)


def test_three_modalities_and_one_class(make_data: MakeData) -> None:
    three = make_data(0, dims={A: 5, T: 6, V: 7})
    fitted = fit_method("dscmr", "tuned", FAST, three, None)
    assert min(score(fitted.towers, three).directions.values()) > 0.8
    with pytest.raises(DataError, match="DSCMR needs two classes or more"):
        fit_method("dscmr", "tuned", FAST, make_data(classes=1), None)
