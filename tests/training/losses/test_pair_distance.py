import math

import pytest
import torch

from training.losses.pair_distance import pair_distance


def test_distance_by_hand_and_its_gradient() -> None:
    one = torch.tensor([[3.0, 4.0], [1.0, 1.0]], requires_grad=True)
    other = torch.tensor([[0.0, 0.0], [1.0, 3.0]], requires_grad=True)
    found = pair_distance(one, other)
    assert found.item() == pytest.approx((5 + 2) / 2)
    found.backward()
    expected = torch.tensor([[0.3, 0.4], [0.0, -0.5]])
    assert one.grad is not None
    assert other.grad is not None
    torch.testing.assert_close(one.grad, expected)
    torch.testing.assert_close(other.grad, -expected)


def test_distance_equals_the_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(5, 3, generator=generator) for _ in range(2))
    apart = [math.dist(x, y) for x, y in zip(one.tolist(), other.tolist(), strict=True)]
    assert pair_distance(one, other).item() == pytest.approx(sum(apart) / 5, abs=1e-6)


def test_pairs_that_coincide_and_no_pair_at_all_cost_nothing() -> None:
    for rows in (torch.ones(2, 3), torch.ones(0, 3)):
        leaf = rows.requires_grad_()
        found = pair_distance(leaf, leaf.detach())
        found.backward()
        assert found.item() == 0
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()
