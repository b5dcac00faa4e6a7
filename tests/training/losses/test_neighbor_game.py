import math

import pytest
import torch
from torch import Tensor

from training.losses.neighbor_game import (
    critic_hinges,
    policy_loss,
    propose,
    squared_distances,
)


def drawn(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def test_squared_distances_equal_the_double_loop() -> None:
    a, b = drawn(4, 3, 0), drawn(5, 3, 1)
    for i in range(4):
        for j in range(5):
            expected = sum((a[i, d] - b[j, d]).item() ** 2 for d in range(3))
            assert squared_distances(a, b)[i, j].item() == pytest.approx(expected, rel=1e-5)


def test_hinge_by_hand() -> None:
    true, proposed = torch.tensor([[1.0, 1.0]]), torch.tensor([[0.5, 4.0]])
    assert critic_hinges(true, proposed, 2.0).tolist() == [[2.5, 0.0]]


def test_gradient_of_the_hinge_agrees_with_differences() -> None:
    leaves = [drawn(3, 2, seed).double().abs().requires_grad_() for seed in range(2)]
    assert torch.autograd.gradcheck(lambda a, b: critic_hinges(a, b, 1.0), leaves)


def test_proposals_follow_the_softmax_of_nearness() -> None:
    distances = torch.tensor([[0.0, 1.0, 2.0]])
    found = propose(distances, 20_000, generator=torch.Generator().manual_seed(0))
    shares = torch.bincount(found[0], minlength=3) / 20_000
    expected = torch.tensor([1.0, math.exp(-1), math.exp(-2)])
    assert torch.allclose(shares, expected / expected.sum(), atol=0.02)


def test_barred_candidates_are_drawn_only_where_there_are_no_others() -> None:
    barred = torch.tensor([[True, False, True], [True, True, True]])
    found = propose(torch.zeros(2, 3), 50, barred=barred)
    assert set(found[0].tolist()) == {1}
    assert set(found[1].tolist()) == {0, 1, 2}


@pytest.mark.parametrize("baseline", [True, False])
@pytest.mark.parametrize("among_drawn", [True, False])
def test_policy_loss_equals_the_loop(baseline: bool, among_drawn: bool) -> None:
    distances = drawn(3, 5, 0).abs()
    chosen, rewards = torch.tensor([[0, 2], [1, 4], [3, 2]]), drawn(3, 2, 1)
    total = 0.0
    for i in range(3):
        over = chosen[i].tolist() if among_drawn else range(5)
        mass = sum(math.exp(-distances[i, j].item()) for j in over)
        for n, j in enumerate(chosen[i].tolist()):
            share = math.exp(-distances[i, j].item()) / mass
            gain = rewards[i, n].item() - (rewards.mean().item() if baseline else 0)
            total -= math.log(share) * gain
    found = policy_loss(
        distances, chosen, rewards, baseline=baseline, among_drawn=among_drawn
    )
    assert found.item() == pytest.approx(total / 6, abs=1e-5)


def test_descent_on_the_policy_loss_raises_the_expected_reward() -> None:
    """Averaged over many draws, the gradient is that of the expectation itself."""
    distances = drawn(1, 4, 0).abs().requires_grad_()
    value = drawn(1, 4, 1)
    expectation = ((-distances).softmax(1) * value).sum()
    (exact,) = torch.autograd.grad(expectation, distances)
    chosen = propose(distances, 200_000, generator=torch.Generator().manual_seed(0))
    loss = policy_loss(distances, chosen, value.expand(1, 4).gather(1, chosen))
    (found,) = torch.autograd.grad(loss, distances)
    assert torch.allclose(-found, exact, atol=0.01)
