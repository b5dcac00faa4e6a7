import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from training.losses.info_nce import info_nce
from training.losses.supcon import supcon


def two(rows: int, dim: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [
        F.normalize(torch.randn(rows, dim, generator=generator), dim=1) for _ in range(2)
    ]


def test_info_nce_of_indistinguishable_pairs_is_log_batch() -> None:
    same = F.normalize(torch.ones(8, 4), dim=1)
    assert info_nce(same, same).item() == pytest.approx(math.log(8))


def test_info_nce_equals_the_double_loop() -> None:
    a, b = two(5, 3, 0)
    total = 0.0
    for x, y in ((a, b), (b, a)):
        for i in range(5):
            scores = [math.exp(float(x[i] @ y[j]) / 0.2) for j in range(5)]
            total -= math.log(scores[i] / sum(scores)) / 5
    assert info_nce(a, b, 0.2).item() == pytest.approx(total / 2, abs=1e-5)


def test_info_nce_is_supcon_with_the_partner_as_only_positive() -> None:
    a, b = two(6, 4, 1)
    assert torch.isclose(info_nce(a, b), supcon(a, b, torch.eye(6, dtype=torch.bool)))


@pytest.mark.parametrize("rows", [0, 1])
def test_info_nce_of_no_choice_costs_nothing(rows: int) -> None:
    a = F.normalize(torch.ones(rows, 3), dim=1).requires_grad_()
    loss = info_nce(a, a.detach())
    loss.backward()
    assert loss.item() == 0
    assert a.grad is not None
    assert a.grad.abs().sum() == 0


def test_both_sides_and_the_temperature_receive_gradient() -> None:
    a, b = (rows.requires_grad_() for rows in two(4, 3, 2))
    temperature = torch.tensor(0.1, requires_grad=True)
    info_nce(a, b, temperature).backward()
    for leaf in (a, b, temperature):
        assert leaf.grad is not None
        assert leaf.grad.abs().sum() > 0
