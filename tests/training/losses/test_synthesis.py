import pytest
import torch
import torch.nn.functional as F

from training.losses.synthesis import between_classmates


def test_only_classmates_of_each_item_are_mixed() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = F.normalize(torch.randn(7, 4, generator=generator), dim=1)
    labels = torch.tensor([0, 0, 0, 1, 1, 2, -1])
    points, classes = between_classmates(rows, labels, generator)
    assert classes.tolist() == [0, 0, 0, 1, 1] * 3  # 2 and -1 have no classmate
    for number, share in enumerate((0.25, 0.5, 0.75)):
        for i in range(5):
            mates = [j for j in range(5) if labels[j] == labels[i] and i != j]
            mixed = [share * rows[i] + (1 - share) * rows[j] for j in mates]
            expected = F.normalize(torch.stack(mixed), dim=1)
            gaps = (expected - points[5 * number + i]).norm(dim=1)
            assert gaps.min() < 1e-6
    torch.testing.assert_close(points.norm(dim=1), torch.ones(15))


def test_classmates_are_drawn_evenly() -> None:
    rows = torch.eye(3)
    generator = torch.Generator().manual_seed(0)
    labels = torch.zeros(3, dtype=torch.long)
    halves = [between_classmates(rows, labels, generator)[0][3] for _ in range(400)]
    with_second = sum(float(point[1]) > 0 for point in halves)
    assert 150 < with_second < 250


def test_both_ends_receive_gradient() -> None:
    rows = F.normalize(torch.tensor([[1.0, 0.2], [0.1, 1.0]]), dim=1).requires_grad_()
    points, _ = between_classmates(rows, torch.zeros(2, dtype=torch.long))
    points[0, 0].backward()
    assert rows.grad is not None
    assert (rows.grad.abs().sum(dim=1) > 0).all()


@pytest.mark.parametrize("labels", [[0, 1, 2], [-1, -1, -1]])
def test_without_classmates_there_is_no_point(labels: list[int]) -> None:
    points, classes = between_classmates(torch.eye(3), torch.tensor(labels))
    assert points.shape == (0, 3)
    assert classes.shape == (0,)
