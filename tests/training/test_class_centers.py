import pytest
import torch

from training.fitting.class_centers import ClassCenters

CPU = torch.device("cpu")


def test_a_step_moves_centers_towards_their_items_by_hand() -> None:
    centers = ClassCenters(3, 1, learned=True, device=CPU)
    centers.centers.copy_(torch.tensor([[0.0], [10.0], [5.0]]))
    rows = torch.tensor([[1.0], [3.0], [6.0], [7.0]])
    loss = centers.loss(rows, torch.tensor([0, 0, 1, -1]))
    assert loss.item() == pytest.approx((1 + 9 + 16) / 3 / 2)
    centers.after_step()
    # gradient of class 0: ((0 - 1) + (0 - 3)) / 3; of class 1: (10 - 6) / 3
    expected = torch.tensor([[2 / 3], [10 - 2 / 3], [5.0]])
    assert torch.allclose(centers.centers, expected)


def test_steps_follow_the_gradient_of_the_loss() -> None:
    torch.manual_seed(0)
    centers = ClassCenters(4, 3, learned=True, device=CPU)
    rows, labels = torch.randn(9, 3), torch.randint(4, (9,))
    leaf = centers.centers.clone().requires_grad_()
    (((rows - leaf[labels]).square().sum(dim=1)).mean() / 2).backward()
    assert leaf.grad is not None
    expected = leaf.detach() - 0.5 * leaf.grad
    centers.loss(rows, labels)
    centers.after_step()
    assert torch.allclose(centers.centers, expected, atol=1e-6)


def test_centers_of_chance_are_new_at_every_step() -> None:
    centers = ClassCenters(4, 3, learned=False, device=CPU)
    before = centers.centers.clone()
    centers.loss(torch.zeros(2, 3), torch.tensor([0, 1]))
    centers.after_step()
    assert not (centers.centers == before).any()


def test_saved_centers_come_back() -> None:
    centers, others = (ClassCenters(4, 3, learned=True, device=CPU) for _ in range(2))
    others.load(*centers.saved())
    assert torch.equal(others.centers, centers.centers)
