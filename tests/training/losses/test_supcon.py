import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from training.losses.supcon import supcon


def unit(rows: int, dim: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, dim, generator=generator), dim=1)


def one_way_slowly(a: Tensor, b: Tensor, positive: Tensor, tau: float) -> float:
    losses = []
    for i in range(len(a)):
        partners = [j for j in range(len(b)) if positive[i, j]]
        if not partners:
            continue
        total = sum(math.exp(float(a[i] @ b[k]) / tau) for k in range(len(b)))
        terms = [math.log(math.exp(float(a[i] @ b[j]) / tau) / total) for j in partners]
        losses.append(-sum(terms) / len(terms))
    return sum(losses) / len(losses) if losses else 0.0


@pytest.mark.parametrize("rows", [(6, 6), (5, 9), (1, 3), (2, 1)])
@pytest.mark.parametrize("tau", [0.07, 0.5])
def test_supcon_equals_the_double_loop(rows: tuple[int, int], tau: float) -> None:
    a, b = unit(rows[0], 4, 0), unit(rows[1], 4, 1)
    positive = torch.rand(rows, generator=torch.Generator().manual_seed(2)) < 0.4
    both = one_way_slowly(a, b, positive, tau) + one_way_slowly(b, a, positive.T, tau)
    assert supcon(a, b, positive, tau).item() == pytest.approx(both / 2, abs=1e-5)


def test_supcon_does_not_depend_on_which_side_is_the_query() -> None:
    a, b = unit(5, 4, 0), unit(7, 4, 1)
    positive = torch.arange(5)[:, None] % 2 == torch.arange(7) % 2
    assert torch.isclose(supcon(a, b, positive), supcon(b, a, positive.T))


def test_supcon_without_any_positive_costs_nothing_and_moves_nothing() -> None:
    a = unit(3, 4, 0).requires_grad_()
    loss = supcon(a, unit(2, 4, 1), torch.zeros(3, 2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert a.grad is not None
    assert (a.grad == 0).all()


def test_supcon_where_all_rows_agree_is_the_log_of_the_batch() -> None:
    same = F.normalize(torch.ones(6, 3), dim=1)
    loss = supcon(same, same, torch.ones(6, 6, dtype=torch.bool))
    assert loss.item() == pytest.approx(math.log(6), abs=1e-5)


def test_supcon_survives_the_coldest_temperature() -> None:
    a = unit(4, 8, 0)
    loss = supcon(a, -a, torch.eye(4, dtype=torch.bool), 0.01)
    assert 50 < loss.item() < math.inf


def test_gradient_of_supcon_agrees_with_differences() -> None:
    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    b = unit(5, 3, 1)
    positive = torch.arange(4)[:, None] % 2 == torch.arange(5) % 2

    def loss(rows: Tensor) -> Tensor:
        return supcon(F.normalize(rows, dim=1), b, positive, 0.3)

    leaf = rows.clone().requires_grad_()
    loss(leaf).backward()
    assert leaf.grad is not None
    step = 1e-2
    for i in range(4):
        for j in range(3):
            nudge = torch.zeros(4, 3)
            nudge[i, j] = step
            slope = (loss(rows + nudge) - loss(rows - nudge)).item() / (2 * step)
            assert leaf.grad[i, j].item() == pytest.approx(slope, abs=2e-3)
