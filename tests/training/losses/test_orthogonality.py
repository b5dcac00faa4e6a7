import math

import pytest
import torch
from torch import Tensor

from training.losses.orthogonality import orthogonality


def rows(count: int, dim: int, seed: int) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def test_orthogonality_equals_the_triple_loop() -> None:
    one, other = rows(6, 2, 0) + 3, rows(6, 4, 1)
    unit = []
    for outputs in (one, other):
        columns = list(zip(*outputs.tolist(), strict=True))
        means = [sum(column) / 6 for column in columns]
        centred = [
            [x - m for x, m in zip(row, means, strict=True)] for row in outputs.tolist()
        ]
        unit.append([[x / math.hypot(*row) for x in row] for row in centred])
    total = 0.0
    for a in range(2):
        for b in range(4):
            total += sum(unit[0][i][a] * unit[1][i][b] for i in range(6)) ** 2
    assert orthogonality(one, other).item() == pytest.approx(total / 36, abs=1e-6)


def test_same_line_costs_one_and_unrelated_columns_nothing() -> None:
    line = torch.tensor([[-1.0, 0.0], [1.0, 0.0], [-2.0, 0.0], [2.0, 0.0]])
    assert orthogonality(line, 5 * line + 7).item() == pytest.approx(1)
    crossed = torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    assert orthogonality(line[:, :1], crossed).item() == pytest.approx(0)


def test_shrinking_does_not_lower_it() -> None:
    one, other = rows(8, 3, 0), rows(8, 3, 1)
    assert orthogonality(one / 100, other).item() == pytest.approx(
        orthogonality(one, other).item(), rel=1e-4
    )


def test_constant_outputs_give_finite_gradients() -> None:
    one = torch.ones(5, 3, requires_grad=True)
    torch.autograd.backward(orthogonality(one, rows(5, 2, 0)))
    assert one.grad is not None
    assert one.grad.isfinite().all()


def test_gradient_agrees_with_differences() -> None:
    one, other = rows(5, 3, 0).requires_grad_(), rows(5, 2, 1)
    torch.autograd.backward(orthogonality(one, other))
    step = 1e-2
    for i in range(5):
        for j in range(3):
            nudge = torch.zeros(5, 3)
            nudge[i, j] = step
            with torch.no_grad():
                above, below = (orthogonality(one + n, other) for n in (nudge, -nudge))
            assert one.grad is not None
            assert one.grad[i, j].item() == pytest.approx(
                (above - below).item() / (2 * step), abs=1e-3
            )
