import pytest
import torch
import torch.nn.functional as F

from training.losses.all_triplets import all_triplets


def drawn(rows: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, 3, generator=torch.Generator().manual_seed(seed))


def test_all_triplets_equal_the_triple_loop() -> None:
    a, b = drawn(4, 0), drawn(6, 1)
    labels, others = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 0, 1, 1, 1, 3])
    same = labels[:, None] == others
    total = 0.0
    for i in range(4):
        for j in range(6):
            for k in range(6):
                if same[i, j] and not same[i, k]:
                    near = 1 - F.cosine_similarity(a[i], b[j], dim=0).item()
                    far = 1 - F.cosine_similarity(a[i], b[k], dim=0).item()
                    total += max(0.0, near - far + 0.3)
    assert total > 0
    assert all_triplets(a, b, same, ~same).item() == pytest.approx(total / 4, rel=1e-5)


def test_gradient_agrees_with_differences() -> None:
    leaves = [drawn(3, seed).double().requires_grad_() for seed in (2, 3)]
    same = torch.eye(3, dtype=torch.bool)
    assert torch.autograd.gradcheck(lambda a, b: all_triplets(a, b, same, ~same), leaves)


def test_without_triplets_nothing_is_lost_and_nothing_moves() -> None:
    a = drawn(2, 4).requires_grad_()
    none = torch.zeros(2, 2, dtype=torch.bool)
    loss = all_triplets(a, a.detach(), none, none)
    loss.backward()
    assert loss.item() == 0
    assert a.grad is not None
    assert (a.grad == 0).all()
