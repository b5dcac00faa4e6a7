import math

import pytest
import torch
from torch import Tensor

from training.losses.relative_distance import (
    dissimilar_hinge,
    nearest_of_another_class,
    squared_triplet,
)


def drawn(rows: int, columns: int, seed: int) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def half_square(a: Tensor, b: Tensor) -> float:
    return sum((x - y) ** 2 for x, y in zip(a.tolist(), b.tolist(), strict=True)) / 2


@pytest.mark.parametrize("factor", [1.0, 5.0])
def test_triplet_equals_the_loop(factor: float) -> None:
    a, p, n = drawn(6, 3, 0), 0.3 * drawn(6, 3, 1), drawn(6, 3, 2)
    near = [factor * half_square(x, y) for x, y in zip(a, p, strict=True)]
    far = [half_square(x, y) for x, y in zip(a, n, strict=True)]
    each = [max(0.0, 0.1 + x - y) for x, y in zip(near, far, strict=True)]
    assert 0 < sum(value > 0 for value in each) <= 6
    found = squared_triplet(a, p, n, margin=0.1, factor=factor)
    assert found.item() == pytest.approx(sum(each) / 6, rel=1e-5)
    together = max(0.0, 0.1 + sum(near) - sum(far))
    found = squared_triplet(a, p, n, margin=0.1, factor=factor, pooled=True)
    assert found.item() == pytest.approx(together, rel=1e-5, abs=1e-5)


def test_pooled_hinge_lets_a_satisfied_triplet_cancel_a_violated_one() -> None:
    anchor = torch.zeros(2, 1)
    positive = torch.tensor([[0.0], [2.0]])
    negative = torch.tensor([[4.0], [0.0]])
    rows = anchor, positive, negative
    assert squared_triplet(*rows, margin=0.0, factor=1.0, pooled=True).item() == 0
    assert squared_triplet(*rows, margin=0.0, factor=1.0).item() == 1


def test_gradient_of_the_triplet_agrees_with_differences() -> None:
    leaves = [drawn(4, 2, seed).double().requires_grad_() for seed in range(3)]
    assert torch.autograd.gradcheck(lambda *rows: squared_triplet(*rows), leaves)


def test_push_between_classes_equals_the_double_loop() -> None:
    left, right = 0.3 * drawn(4, 3, 0), 0.3 * drawn(5, 3, 1)
    different = torch.rand(4, 5, generator=torch.Generator().manual_seed(2)) < 0.6
    terms = [
        max(0.0, 0.8 - 2 * half_square(left[i], right[j]))
        for i in range(4)
        for j in range(5)
        if different[i, j]
    ]
    found = dissimilar_hinge(left, right, different, 0.8)
    assert found.item() == pytest.approx(sum(terms) / len(terms), abs=1e-5)
    assert 0 < found.item() < math.inf


def test_push_without_two_classes_is_nothing() -> None:
    rows = drawn(3, 2, 0).requires_grad_()
    loss = dissimilar_hinge(rows, rows.detach(), torch.zeros(3, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert rows.grad is not None
    assert (rows.grad == 0).all()


def test_gradient_of_the_push_agrees_with_differences() -> None:
    leaves = [0.1 * drawn(3, 2, seed).double() for seed in range(2)]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    different = ~torch.eye(3, dtype=torch.bool)
    assert torch.autograd.gradcheck(lambda a, b: dissimilar_hinge(a, b, different), leaves)


def test_nearest_of_another_class_by_hand() -> None:
    features = torch.tensor([[1.0, 0.0], [2.0, 0.1], [1.0, 1.0], [0.0, 1.0]])
    labels = torch.tensor([0, 0, 1, 1])
    assert nearest_of_another_class(features, labels).tolist() == [2, 2, 1, 1]


def test_a_single_class_has_no_negative_but_the_item_itself() -> None:
    labels = torch.zeros(3, dtype=torch.int64)
    assert nearest_of_another_class(drawn(3, 2, 0), labels).tolist() == [0, 1, 2]
