from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.batches.sampling import BalancedBatches, Batch
from training.data import TrainingData
from training.games.hashing_game import HashingGame
from training.methods.agah import Agah, AgahSettings
from training.methods.method import Problem
from training.protocol.selection import fit_method
from training.protocol.validation import embed, score
from training.towers.prototype_tower import PrototypeTower

A, V = Modality.AUDIO, Modality.VISUAL

MakeData = Callable[..., TrainingData]
SMALL = {"epochs": "12", "hidden": "32", "width": "16", "items_per_class": "4"}
WEIGHTS = {
    "triplets": 1.0,
    "magnitudes": 1.0,
    "labels": 1.0,
    "codes": 1.0,
    "quantization": 1.0,
    "game": 1.0,
}


def game_on(
    data: TrainingData, **weights: float
) -> tuple[HashingGame, dict[Modality, PrototypeTower], Batch]:
    torch.manual_seed(0)
    settings = AgahSettings(hidden=12, width=8, bits=16, dropout=0.0)
    towers = cast(dict[Modality, PrototypeTower], Agah().build(settings, Problem.of(data)))
    game = HashingGame(
        towers,
        data,
        anchors_sum=False,
        margin=0.3,
        weights={**WEIGHTS, **weights},
        penalty=10.0,
        rate=1e-3,
        visual_share=0.5,
        weight_decay=0.0,
        device=torch.device("cpu"),
    )
    return game, towers, next(iter(BalancedBatches(data, 4, 6, np.random.default_rng(0))))


def test_every_parameter_receives_gradient(make_data: MakeData) -> None:
    game, towers, batch = game_on(make_data(0))
    game.step(batch)
    for part in (*towers.values(), game.classifier, game.critics):
        for name, parameter in part.named_parameters():
            assert parameter.grad is not None, name
            last_bias = part is game.critics and name.endswith("6.bias")
            if not last_bias:  # a shift of all verdicts changes nothing
                assert parameter.grad.abs().sum() > 0, name


def test_hash_functions_leave_the_critics_alone(make_data: MakeData) -> None:
    game, towers, batch = game_on(make_data(0))
    represented = {
        m: towers[m].represent(torch.from_numpy(make_data(0).features[m][rows]))
        for m, rows in batch.rows.items()
    }
    torch.autograd.backward(game.losses(represented, batch)["loss"])
    assert all(part.grad is None for part in game.critics.parameters())
    assert all(part.requires_grad for part in game.critics.parameters())
    for tower in towers.values():
        assert all(part.grad is not None for part in tower.parameters())


def test_without_a_label_weight_there_is_no_classifier_to_train(
    make_data: MakeData,
) -> None:
    game, _, batch = game_on(make_data(0), labels=0.0)
    assert "labels" not in game.step(batch)
    assert game.classifier.weight.grad is None


def test_both_sums_of_triplets_punish_the_same_codes(make_data: MakeData) -> None:
    data = make_data(0)
    for triplets in ("active", "anchor"):
        weight = {"triplet_weight": "0.01"} if triplets == "anchor" else {}
        settings = {**SMALL, "triplets": triplets, **weight}
        fitted = fit_method("agah", "tuned", settings, data, make_data(1, per_class=4))
        assert score(fitted.towers, make_data(2)).mean > 0.7  # chance is near 0.28


def test_prototypes_are_class_means_of_both_modalities(make_data: MakeData) -> None:
    data = make_data(0)
    _, towers, _ = game_on(data)
    expected = torch.zeros(4, 8)
    for modality, tower in towers.items():
        with torch.no_grad():
            rows = tower.represent(torch.from_numpy(data.features[modality]))
        for number in range(4):
            expected[number] += rows[data.labels[modality] == number].mean(dim=0)
    expected /= expected.norm(dim=1, keepdim=True)
    for tower in towers.values():
        assert torch.allclose(tower.prototypes, expected, atol=1e-5)


def test_attention_equals_the_loop_and_passes_over_missing_prototypes() -> None:
    torch.manual_seed(0)
    tower = PrototypeTower(3, torch.nn.Identity(), width=3, bits=4, classes=3, share=0.8)
    tower.prototypes[:2] = torch.nn.functional.normalize(torch.randn(2, 3), dim=1)
    features = torch.randn(5, 3)
    for row, found in zip(features, tower.outputs(features), strict=True):
        own = row / row.norm()
        weights = [1 / (1 + torch.exp(-5 * own @ tower.prototypes[c])) for c in range(2)]
        attended = sum(w * tower.prototypes[c] for c, w in enumerate(weights))
        mixed = 0.8 * own + 0.2 * attended / sum(weights)
        assert torch.allclose(found, torch.tanh(tower.hash(mixed)), atol=1e-5)


def test_codes_of_an_item_ignore_the_norm_of_its_batch(make_data: MakeData) -> None:
    """Published code divides by the norm of the whole batch; each row's is taken here."""
    fitted = fit_method("agah", "tuned", SMALL, make_data(0), None)
    rows = torch.from_numpy(make_data(2).features[A])
    tower = cast(PrototypeTower, fitted.towers[A])
    alone = tower.represent(rows[:1])
    together = tower.represent(torch.cat([rows[:1], 100 * rows]))[:1]
    assert torch.allclose(alone, together, atol=1e-5)


def test_class_codes_pull_items_of_a_class_to_one_code(make_data: MakeData) -> None:
    settings = {**SMALL, "epochs": "25", "code_weight": "0.001"}
    fitted = fit_method("agah", "tuned", settings, make_data(0), None)
    codes, labels = embed(fitted.towers, make_data(0))[A], make_data(0).labels[A]
    within = [(codes[labels == c] @ codes[labels == c].T).mean() for c in range(4)]
    between = [(codes[labels == c] @ codes[labels != c].T).mean() for c in range(4)]
    assert min(within) > max(between) + 0.15


def test_training_without_labels_is_refused(make_data: MakeData) -> None:
    with pytest.raises(DataError, match="audio: adversary guided hashing needs labels"):
        fit_method("agah", "tuned", {}, make_data(0, labeled=False), None)
