from collections.abc import Callable

import numpy as np
import pytest
import torch

from crossmodal.modality import Modality
from training.batches.pair_batches import PairBatches
from training.data import TrainingData
from training.methods.method import Problem
from training.methods.ucal import Ucal, UcalModel
from training.protocol.selection import fit_method
from training.protocol.validation import embed, score
from training.towers.networks import NetworkTower

A, V = Modality.AUDIO, Modality.VISUAL

MakeData = Callable[..., TrainingData]
SMALL = {"epochs": "20", "hidden": "32", "batch": "16"}


@pytest.mark.parametrize("preset", ["paper", "tuned"])
def test_every_parameter_receives_gradient(make_data: MakeData, preset: str) -> None:
    data, settings = make_data(0), Ucal.presets[preset]
    torch.manual_seed(0)
    model = UcalModel(Ucal().build(settings, Problem.of(data)), settings)
    model.game.progress = 0.5
    features = {m: torch.from_numpy(rows) for m, rows in data.features.items()}
    batch = next(iter(PairBatches(data, 48, np.random.default_rng(0))))
    terms = model.losses(features, batch)
    terms["loss"].backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert ("spread" in terms) == (preset == "tuned")


def test_labels_do_not_enter_the_fit(make_data: MakeData) -> None:
    labeled, bare = make_data(0), make_data(0, labeled=False)
    fits = [fit_method("ucal", "tuned", SMALL, data, None) for data in (labeled, bare)]
    with_labels, without = (embed(fit.towers, labeled) for fit in fits)
    for modality in (A, V):
        np.testing.assert_array_equal(with_labels[modality], without[modality])


def test_partners_distance_alone_collapses_and_the_floor_prevents_it(
    make_data: MakeData,
) -> None:
    """All items at one point is the minimum of the objective without a floor."""
    data = make_data(0)
    rows = torch.from_numpy(data.features[A])
    spread = {}
    for floor in ("0", "0.5"):
        overrides = {**SMALL, "var_floor": floor, "game": "off", "dropout": "0"}
        overrides["epochs"] = "60"
        tower = fit_method("ucal", "tuned", overrides, data, None).towers[A]
        assert isinstance(tower, NetworkTower)
        spread[floor] = tower.outputs(rows).std(dim=0).mean().item()
    assert spread["0"] < 0.15
    assert spread["0.5"] > 0.2


def test_pairs_alone_teach_the_classes(make_data: MakeData) -> None:
    fitted = fit_method("ucal", "tuned", SMALL, make_data(0), make_data(1, per_class=4))
    assert score(fitted.towers, make_data(2)).mean > 0.6  # chance is near 0.28
