from collections.abc import Callable

import numpy as np
import pytest
import torch

from crossmodal.modality import Modality
from training.data import TrainingData
from training.games.neighbor_game import HashPlayer, NeighborGame
from training.methods.method import Problem, Towers
from training.methods.ugach import Ugach, UgachSettings, hash_functions
from training.protocol.selection import fit_method
from training.protocol.validation import embed, score
from training.towers.code_tower import CodeTower

A, T, V = Modality.AUDIO, Modality.TEXT, Modality.VISUAL

MakeData = Callable[..., TrainingData]
SMALL = {"hidden": "32", "neighbors": "4", "pretrain": "20", "batch": "16"}


def game_on(data: TrainingData) -> NeighborGame:
    return NeighborGame(
        data,
        neighbors=4,
        standardize=True,
        margin=2.0,
        pool=0.5,
        negatives=2,
        batch=48,
        among_drawn=False,
        baseline=True,
        seed=0,
        device=torch.device("cpu"),
    )


def player_of(towers: Towers) -> HashPlayer:
    return HashPlayer(
        towers, optimizer="adam", rate=3e-3, weight_decay=0.0, decay=0.9, decay_steps=100
    )


def gradients(towers: Towers) -> list[torch.Tensor | None]:
    return [p.grad for tower in towers.values() for p in tower.parameters()]


def sides(data: TrainingData) -> tuple[Towers, Towers]:
    torch.manual_seed(0)
    settings, problem = UgachSettings(hidden=16, bits=16), Problem.of(data)
    both = hash_functions(settings, problem), hash_functions(settings, problem)
    for side in both:
        for modality, tower in side.items():
            assert isinstance(tower, CodeTower)
            tower.standardize.fit(data.features[modality])
    return both


def test_each_side_moves_all_its_parameters_and_none_of_the_other(
    make_data: MakeData,
) -> None:
    data = make_data(0)
    proposer, critic = sides(data)
    game = game_on(data)
    players = player_of(proposer), player_of(critic)
    game.train_critic(players[1], players[0])
    moved = gradients(critic)
    assert all(gradient is not None and gradient.any() for gradient in moved)
    assert not any(gradient is not None for gradient in gradients(proposer))
    game.train_generator(players[0], players[1])
    assert all(gradient is not None and gradient.any() for gradient in gradients(proposer))
    for gradient, before in zip(gradients(critic), moved, strict=True):
        assert gradient is before  # the critic's parameters were left alone


def test_generator_raises_its_reward_against_a_fixed_critic(make_data: MakeData) -> None:
    data = make_data(0)
    proposer, critic = sides(data)
    game = game_on(data)
    players = player_of(proposer), player_of(critic)
    for _ in range(20):
        game.train_critic(players[1], None)
    rewards = [game.train_generator(players[0], players[1])[1] for _ in range(120)]
    assert np.mean(rewards[-20:]) > np.mean(rewards[:20]) + 0.02


def test_critic_learns_to_tell_neighbors(make_data: MakeData) -> None:
    data = make_data(0)
    _, critic = sides(data)
    game, player = game_on(data), player_of(critic)
    losses = [game.train_critic(player, None) for _ in range(40)]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])


def test_labels_do_not_enter_the_fit(make_data: MakeData) -> None:
    labeled, bare = make_data(0), make_data(0, labeled=False)
    fits = [fit_method("ugach", "tuned", SMALL, data, None) for data in (labeled, bare)]
    with_labels, without = (embed(fit.towers, labeled) for fit in fits)
    for modality in (A, V):
        np.testing.assert_array_equal(with_labels[modality], without[modality])


def test_paper_preset_has_a_bit_per_printed_output(make_data: MakeData) -> None:
    overrides = {"hidden": "64", "rounds": "2", "pretrain": "1", "neighbors": "4"}
    fitted = fit_method("ugach", "paper", overrides, make_data(0), None)
    codes = embed(fitted.towers, make_data(0))[A]
    assert codes.shape[1] == 10
    np.testing.assert_allclose(np.abs(codes), 10**-0.5, rtol=1e-6)


@pytest.mark.parametrize("preset", ["paper", "as_coded"])
def test_code_normalizes_over_the_proposals_and_the_paper_over_the_pool(
    preset: str,
) -> None:
    settings = Ugach.presets[preset]
    coded = preset == "as_coded"
    assert (settings.normalize_over == "drawn") == coded
    assert settings.baseline == (not coded)


def test_three_modalities_share_one_graph(make_data: MakeData) -> None:
    dims = {A: 5, T: 6, V: 7}
    fitted = fit_method("ugach", "tuned", SMALL, make_data(0, dims=dims), None)
    assert score(fitted.towers, make_data(2, dims=dims)).mean > 0.5  # chance is near 0.28
