from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.data import TrainingData
from training.losses.triplet import triplet_loss
from training.methods.method import Problem, flat_state
from training.methods.two_stage_triplet import TwoStageTriplet, across_modalities
from training.protocol.selection import Fitted, fit_method
from training.protocol.validation import score
from training.towers.networks import modules_of
from training.towers.tower import unit_norm

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL
FAST = {
    "least_steps": "0",
    "epochs": "20",
    "hidden": "24",
    "dim": "6",
    "items_per_class": "4",
}

MakeData = Callable[..., TrainingData]


def test_it_finds_classes_in_two_stages(make_data: MakeData) -> None:
    overrides = FAST | {"second_share": "0.25"}
    fitted = fit_method("two_stage_triplet", "tuned", overrides, make_data(0), None)
    assert min(score(fitted.towers, make_data(2)).directions.values()) > 0.85
    assert [record["epoch"] for record in fitted.history] == list(range(1, 26))
    assert [record["stage"] for record in fitted.history] == [1.0] * 20 + [2.0] * 5


def test_no_share_leaves_out_the_second_stage(make_data: MakeData) -> None:
    overrides = FAST | {"second_share": "0", "epochs": "2"}
    fitted = fit_method("two_stage_triplet", "tuned", overrides, make_data(0), None)
    assert [record["stage"] for record in fitted.history] == [1.0, 1.0]


@pytest.mark.parametrize("preset", ["paper", "tuned"])
def test_both_stages_reach_every_parameter(make_data: MakeData, preset: str) -> None:
    data = make_data()
    settings = TwoStageTriplet.presets[preset]
    labels = {m: torch.from_numpy(data.labels[m]) for m in (A, V)}
    for strategy, synthesis in ((settings.first, False), (settings.second, True)):
        torch.manual_seed(0)
        towers = TwoStageTriplet().build(settings, Problem.of(data))
        embedded = {
            m: tower.train()(torch.from_numpy(data.features[m]))
            for m, tower in towers.items()
        }
        across_modalities(
            embedded, labels, margin=2.0, strategy=strategy, synthesis=synthesis
        ).backward()
        for name, parameter in modules_of(towers).named_parameters():
            assert parameter.grad is not None, name
            if "bias" not in name:  # biases ahead of batch norm cancel
                assert parameter.grad.abs().sum() > 0, name


def test_without_synthesis_it_is_plain_triplets(make_data: MakeData) -> None:
    data = make_data()
    labels = {m: torch.from_numpy(data.labels[m]) for m in (A, V)}
    generator = torch.Generator().manual_seed(0)
    rows = {m: unit_norm(torch.randn(48, 5, generator=generator)) for m in (A, V)}
    same = labels[A][:, None] == labels[V]
    plain = triplet_loss(rows[A], rows[V], same, margin=0.4, strategy="semi_hard")
    plain = plain + triplet_loss(rows[V], rows[A], same.T, margin=0.4, strategy="semi_hard")
    found = across_modalities(
        rows, labels, margin=0.4, strategy="semi_hard", synthesis=False
    )
    assert torch.isclose(found, plain)


def test_a_synthetic_negative_between_two_others_may_be_the_hardest() -> None:
    """Anchor east; negatives north-east and south-east: their middle is the anchor."""
    east, diagonal = [1.0, 0.0], 0.5**0.5
    rows = {
        A: torch.tensor([east]),
        V: torch.tensor([east, [diagonal, diagonal], [diagonal, -diagonal]]),
    }
    labels = {A: torch.tensor([0]), V: torch.tensor([0, 1, 1])}

    def audio_anchor(synthesis: bool) -> float:
        found = across_modalities(
            rows, labels, margin=0.5, strategy="hard", synthesis=synthesis
        )
        return found.item()

    # audio is the only anchor with both a positive and a negative
    assert audio_anchor(False) == pytest.approx(0 - (1 - diagonal) + 0.5, abs=1e-6)
    assert audio_anchor(True) == pytest.approx(0 - 0 + 0.5, abs=1e-6)


def test_three_modalities_and_one_class(make_data: MakeData) -> None:
    three = make_data(0, dims={A: 5, T: 6, V: 7})
    fitted = fit_method("two_stage_triplet", "tuned", FAST, three, None)
    assert min(score(fitted.towers, three).directions.values()) > 0.7
    with pytest.raises(DataError, match="two-stage triplet training needs two classes"):
        fit_method("two_stage_triplet", "tuned", FAST, make_data(classes=1), None)


@pytest.mark.parametrize("validated", [True, False])
def test_the_second_stage_starts_at_the_epoch_kept_of_the_first(
    make_data: MakeData, validated: bool
) -> None:
    """At next to no learning rate it ends where it started.

    What is learned does not hold for the validation data, whose visual classes are all
    called by another's name, so the first stage is best before it has learned much.
    """
    data = make_data(1)
    misnamed = {A: data.labels[A], V: (data.labels[V] + 1) % 4}
    validation = replace(data, labels=misnamed) if validated else None

    def fitted(second_share: str) -> Fitted:
        overrides = FAST | {"epochs": "8", "batch_norm": "false", "second_rate": "1e-6"}
        return fit_method(
            "two_stage_triplet",
            "tuned",
            overrides | {"second_share": second_share},
            make_data(0),
            validation,
        )

    first, both = fitted("0"), fitted("0.1").training
    assert first.training is not None
    assert both is not None
    assert (first.training.best_epoch < 8) is validated
    kept = flat_state(first.towers)
    for name, tensor in both.last_state.items():
        assert torch.allclose(tensor, kept[name], atol=1e-4), name
