import itertools
import math

import pytest
import torch
from torch import Tensor

from training.losses.label import (
    CenterLoss,
    class_likelihood,
    label_loss,
    pair_likelihood,
)


def rows(count: int, dim: int, seed: int) -> Tensor:
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def test_label_loss_by_hand() -> None:
    logits = torch.tensor([[1.0, 0.0], [3.0, 1.0], [4.0, 4.0]])
    labels = torch.tensor([0, 1, 1])
    assert label_loss(logits, labels).item() == pytest.approx((0 + 3 + 5) / 3)


def test_label_loss_equals_the_loop_and_skips_unknown_labels() -> None:
    logits, labels = rows(5, 3, 0), torch.tensor([2, -1, 0, 1, -1])
    norms = []
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        if label >= 0:
            wanted = [float(column == label) for column in range(3)]
            norms.append(math.dist(row, wanted))
    assert label_loss(logits, labels).item() == pytest.approx(sum(norms) / 3, abs=1e-6)


def test_label_loss_of_perfect_and_of_unknown_rows_is_zero_with_finite_gradient() -> None:
    logits = torch.eye(3).requires_grad_()
    for labels in (torch.arange(3), torch.full((3,), -1)):
        loss = label_loss(logits, labels)
        loss.backward()
        assert loss.item() == 0
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()


def test_gradient_of_label_loss_is_the_unit_error_of_each_row() -> None:
    logits = torch.tensor([[3.0, 1.0], [4.0, 4.0]], requires_grad=True)
    label_loss(logits, torch.tensor([1, 1])).backward()
    expected = torch.tensor([[1.0, 0.0], [0.8, 0.6]]) / 2
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, expected)


def test_pair_likelihood_equals_the_double_loop() -> None:
    a, b = rows(4, 3, 0), rows(5, 3, 1)
    same = torch.rand(4, 5, generator=torch.Generator().manual_seed(2)) < 0.5
    costs = []
    for i, j in itertools.product(range(4), range(5)):
        half = float(a[i] @ b[j]) / float(a[i].norm() * b[j].norm()) / 2
        likely = 1 / (1 + math.exp(-half))
        costs.append(-math.log(likely if same[i, j] else 1 - likely))
    found = pair_likelihood(a, b, same).item()
    assert found == pytest.approx(sum(costs) / 20, abs=1e-6)


def test_pair_likelihood_does_not_depend_on_length() -> None:
    a, b, same = rows(3, 4, 0), rows(3, 4, 1), torch.eye(3, dtype=torch.bool)
    assert torch.isclose(pair_likelihood(a, b, same), pair_likelihood(5 * a, b / 3, same))


def test_gradient_of_pair_likelihood_agrees_with_differences() -> None:
    a, b = rows(3, 4, 0), rows(4, 4, 1)
    same = torch.arange(3)[:, None] % 2 == torch.arange(4) % 2
    leaf = a.clone().requires_grad_()
    pair_likelihood(leaf, b, same).backward()
    assert leaf.grad is not None
    step = 1e-2
    for i, j in itertools.product(range(3), range(4)):
        nudge = torch.zeros(3, 4)
        nudge[i, j] = step
        costs = pair_likelihood(a + nudge, b, same) - pair_likelihood(a - nudge, b, same)
        assert leaf.grad[i, j].item() == pytest.approx(costs.item() / 2 / step, abs=1e-3)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_class_likelihood_equals_the_double_loop(spread: float) -> None:
    """Without spread every cosine is 1 or -1, where the quadratic is worst."""
    a, b = (
        spread * rows(count, 3, count) + torch.ones(1, 3) * rows(count, 1, 9)
        for count in (4, 5)
    )
    labels, others = [0, -1, 2, 2], [2, 0, -1, 2, 4]
    costs = []
    for i, j in itertools.product(range(4), range(5)):
        half = float(a[i] @ b[j]) / float(a[i].norm() * b[j].norm()) / 2
        likely = 1 / (1 + math.exp(-half))
        same = labels[i] == others[j] >= 0
        costs.append(-math.log(likely if same else 1 - likely))
    found = class_likelihood(a, b, torch.tensor(labels), torch.tensor(others)).item()
    assert found == pytest.approx(sum(costs) / 20, abs=4.2e-5)


def test_class_likelihood_pulls_as_pair_likelihood_does() -> None:
    labels = torch.tensor([0, 1, 2, 0, 1, -1])
    same = (labels[:, None] == labels) & (labels >= 0)
    pulls = []
    for cost in (
        lambda one, other: pair_likelihood(one, other, same),
        lambda one, other: class_likelihood(one, other, labels, labels),
    ):
        one, other = (rows(6, 4, seed).requires_grad_() for seed in (0, 1))
        torch.autograd.backward(cost(one, other))
        pulls.append(torch.cat([one.grad, other.grad]))
    torch.testing.assert_close(pulls[1], pulls[0], rtol=0, atol=1e-3 * pulls[0].norm())


def test_class_likelihood_of_unlabeled_rows_is_finite() -> None:
    unknown = torch.full((3,), -1)
    found = class_likelihood(rows(3, 4, 0), rows(3, 4, 1), unknown, unknown)
    assert found.isfinite()


def test_center_loss_by_hand_and_its_gradients() -> None:
    loss = CenterLoss(2, 2)
    with torch.no_grad():
        loss.centers.copy_(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    embeddings = torch.tensor([[3.0, 4.0], [1.0, 3.0], [9.0, 9.0]], requires_grad=True)
    found = loss(embeddings, torch.tensor([0, 1, -1]))
    assert found.item() == pytest.approx((25 + 4) / 2 / 2)
    found.backward()
    assert embeddings.grad is not None
    expected = torch.tensor([[1.5, 2.0], [0.0, 1.0], [0.0, 0.0]])
    torch.testing.assert_close(embeddings.grad, expected)
    assert loss.centers.grad is not None
    torch.testing.assert_close(loss.centers.grad, -expected[:2])


def test_centers_move_to_the_mean_of_their_class() -> None:
    loss = CenterLoss(2, 3)
    embeddings, labels = rows(10, 3, 0), torch.arange(10) % 2
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.5)
    for _ in range(100):
        optimizer.zero_grad()
        loss(embeddings, labels).backward()
        optimizer.step()
    means = torch.stack([embeddings[labels == n].mean(0) for n in range(2)])
    torch.testing.assert_close(loss.centers.detach(), means, atol=1e-4, rtol=0)
