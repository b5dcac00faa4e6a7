import pytest
import torch

from training.losses.variance_floor import variance_floor


def test_floor_equals_the_loop_over_outputs() -> None:
    rows = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    missing = []
    for column in rows.T.tolist():
        mean = sum(column) / 7
        deviation = (sum((value - mean) ** 2 for value in column) / 7 + 1e-4) ** 0.5
        missing.append(max(0.0, 1.0 - deviation))
    assert variance_floor(rows).item() == pytest.approx(sum(missing) / 4, abs=1e-5)


def test_spread_rows_cost_nothing_and_a_point_costs_the_floor() -> None:
    assert variance_floor(torch.tensor([[-2.0], [2.0]])).item() == 0
    assert variance_floor(torch.ones(5, 3), 0.5).item() == pytest.approx(0.49, abs=1e-6)


def test_gradient_of_the_floor_agrees_with_differences() -> None:
    rows = 0.5 * torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).double()
    assert torch.autograd.gradcheck(variance_floor, [rows.requires_grad_()])
