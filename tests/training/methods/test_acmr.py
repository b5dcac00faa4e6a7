from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.batches.pair_batches import PairBatches
from training.data import TrainingData
from training.methods.acmr import Acmr, AcmrModel, AcmrSettings
from training.methods.method import Problem
from training.protocol.selection import fit_method
from training.protocol.validation import score

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL

MakeData = Callable[..., TrainingData]
SMALL = {"epochs": "20", "hidden": "32", "batch": "16"}


def gradients(
    data: TrainingData, settings: AcmrSettings, progress: float = 0.5
) -> Mapping[str, torch.Tensor | None]:
    """Return every parameter's gradient after one batch."""
    torch.manual_seed(0)
    towers = Acmr().build(settings, Problem.of(data))
    model = AcmrModel(towers, len(data.classes), settings)
    model.game.progress = progress
    features = {m: torch.from_numpy(rows) for m, rows in data.features.items()}
    batches = PairBatches(data, 48, np.random.default_rng(0))
    model.losses(features, next(iter(batches)))["loss"].backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("preset", ["paper", "tuned"])
@pytest.mark.parametrize("variant", ["triplet", "simple"])
def test_every_parameter_receives_gradient(
    make_data: MakeData, preset: str, variant: str
) -> None:
    settings = replace(Acmr.presets[preset], variant=variant)
    for name, gradient in gradients(make_data(0), settings).items():
        assert gradient is not None, name
        assert gradient.abs().sum() > 0, name


def test_projectors_climb_where_the_critic_descends(make_data: MakeData) -> None:
    alone = AcmrSettings(label_weight=0.0, pair_weight=0.0, dropout=0.0, game_weight=1.0)
    game = gradients(make_data(0), alone)
    unplayed = gradients(make_data(0), alone, progress=0.0)
    for name, gradient in game.items():
        if name.startswith("game.towers"):
            assert gradient is not None
            assert gradient.abs().sum() > 0
            before = unplayed[name]
            assert before is not None
            assert before.abs().sum() == 0  # the game has not begun


def test_as_coded_never_trains_its_classifier_nor_deceives_its_critic(
    make_data: MakeData,
) -> None:
    coded = Acmr.presets["as_coded"]
    found = gradients(make_data(0), coded)
    assert found["classifier.weight"] is None
    without = gradients(make_data(0), replace(coded, game="off"))
    for name, gradient in without.items():
        if name.startswith("game.towers"):
            again = found[name]
            assert gradient is not None
            assert again is not None
            assert torch.equal(gradient, again)
    assert found["game.critic.0.weight"] is not None


@pytest.mark.parametrize("variant", ["triplet", "simple"])
def test_each_variant_finds_the_class(make_data: MakeData, variant: str) -> None:
    train, validation = make_data(0), make_data(1, per_class=4)
    settings = {**SMALL, "variant": variant}
    fitted = fit_method("acmr", "tuned", settings, train, validation)
    assert score(fitted.towers, make_data(2)).mean > 0.8  # chance is near 0.28


def test_three_modalities_play_one_game(make_data: MakeData) -> None:
    data = make_data(0, dims={A: 5, T: 6, V: 7})
    fitted = fit_method("acmr", "tuned", SMALL, data, make_data(1, dims={A: 5, T: 6, V: 7}))
    assert score(fitted.towers, make_data(2, dims={A: 5, T: 6, V: 7})).mean > 0.8


def test_training_without_labels_is_refused(make_data: MakeData) -> None:
    with pytest.raises(DataError, match="needs labels"):
        fit_method("acmr", "tuned", {}, make_data(0, labeled=False), None)
