import itertools
import math

import pytest
import torch
from torch import Tensor

from crossmodal.errors import ConfigError
from training.losses.triplet import DRAWS, distances, mined_triplets, triplet_loss

MARGIN = 0.5


def rows(count: int, seed: int, dim: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dim, generator=generator, dtype=torch.float64)


def mask(count: int, others: int, share: float, seed: int) -> Tensor:
    return torch.rand(count, others, generator=torch.Generator().manual_seed(seed)) < share


def apart_slowly(x: Tensor, y: Tensor, distance: str) -> float:
    if distance == "cosine":
        return 1 - float(x @ y) / math.sqrt(float(x @ x) * float(y @ y))
    squared = sum((float(a) - float(b)) ** 2 for a, b in zip(x, y, strict=True))
    return squared if distance == "squared_euclidean" else math.sqrt(squared)


def kept_slowly(near: Tensor, far: Tensor, strategy: str) -> list[tuple[float, float]]:
    """The (positive, negative) distances of one anchor that a strategy keeps."""
    pairs = list(itertools.product(near.tolist(), far.tolist()))
    if strategy == "semi_hard":
        return [(p, n) for p, n in pairs if p < n < p + MARGIN]
    if strategy == "hard" and pairs:
        return [(max(p for p, _ in pairs), min(n for _, n in pairs))]
    return pairs


def loss_slowly(
    to_positive: Tensor, to_negative: Tensor, same: Tensor, different: Tensor, strategy: str
) -> float:
    costs = []
    for i in range(len(to_positive)):
        near, far = to_positive[i][same[i]], to_negative[i][different[i]]
        for p, n in kept_slowly(near, far, strategy):
            costs.append(max(0.0, p - n + MARGIN))
    return sum(costs) / max(1, sum(cost > 0 for cost in costs))


@pytest.mark.parametrize("distance", ["cosine", "euclidean", "squared_euclidean"])
def test_distances_equal_the_double_loop(distance: str) -> None:
    a, b = rows(4, 0), rows(5, 1)
    found = distances(a, b, distance)
    for i, j in itertools.product(range(4), range(5)):
        assert found[i, j].item() == pytest.approx(apart_slowly(a[i], b[j], distance))


@pytest.mark.parametrize("strategy", ["batch_all", "semi_hard", "hard"])
@pytest.mark.parametrize("seed", range(5))
def test_triplets_equal_the_triple_loop(strategy: str, seed: int) -> None:
    to_positive = distances(rows(6, seed), rows(7, seed + 10))
    to_negative = distances(rows(6, seed), rows(9, seed + 20))
    same, different = mask(6, 7, 0.4, seed), mask(6, 9, 0.5, seed + 1)
    found = mined_triplets(
        to_positive, to_negative, same, different, margin=MARGIN, strategy=strategy
    )
    slow = loss_slowly(to_positive, to_negative, same, different, strategy)
    assert found.item() == pytest.approx(slow, abs=1e-9)


@pytest.mark.parametrize("strategy", ["batch_all", "semi_hard", "hard"])
def test_tied_distances_count_as_in_the_triple_loop(strategy: str) -> None:
    steps = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], dtype=torch.float64)
    apart = steps[torch.randint(5, (8, 12), generator=torch.Generator().manual_seed(0))]
    same = mask(8, 12, 0.5, 3)
    found = mined_triplets(apart, apart, same, ~same, margin=MARGIN, strategy=strategy)
    slow = loss_slowly(apart, apart, same, ~same, strategy)
    assert found.item() == pytest.approx(slow, abs=1e-9)


def test_triplets_by_hand() -> None:
    apart = torch.tensor([[0.2, 0.6, 0.5, 0.9]])
    same = torch.tensor([[True, True, False, False]])
    costs = {
        "batch_all": (0.2 + 0.6 + 0.2) / 3,  # 0.2 with 0.9 is satisfied
        "semi_hard": (0.2 + 0.2) / 2,
        "hard": 0.6,
    }
    for strategy, cost in costs.items():
        found = mined_triplets(apart, apart, same, ~same, margin=0.5, strategy=strategy)
        assert found.item() == pytest.approx(cost, abs=1e-6)


def test_random_triplets_average_to_all_of_them() -> None:
    apart = distances(rows(5, 0), rows(8, 1))
    same = mask(5, 8, 0.5, 2)
    same[:, 0], same[:, 1] = True, False
    generator = torch.Generator().manual_seed(0)
    # a margin beyond every distance makes each triplet cost something
    drawn = [
        mined_triplets(
            apart, apart, same, ~same, margin=3.0, strategy="random", generator=generator
        ).item()
        for _ in range(40)
    ]
    near = [apart[i][same[i]].mean() for i in range(5)]
    far = [apart[i][~same[i]].mean() for i in range(5)]
    expected = 3 + (sum(near) - sum(far)) / 5
    spread = 1 / math.sqrt(40 * 5 * DRAWS)
    assert abs(sum(drawn) / 40 - float(expected)) < 4 * spread
    assert len(set(drawn)) == 40


@pytest.mark.parametrize("strategy", ["batch_all", "semi_hard", "hard", "random"])
@pytest.mark.parametrize("same", [True, False])
def test_batch_of_one_kind_costs_and_moves_nothing(strategy: str, same: bool) -> None:
    a = rows(4, 0).requires_grad_()
    b = rows(5, 1).requires_grad_()
    loss = triplet_loss(a, b, torch.full((4, 5), same), strategy=strategy)
    loss.backward()
    assert loss.item() == 0
    for leaf in (a, b):
        assert leaf.grad is not None
        assert (leaf.grad == 0).all()


def test_rows_neither_positive_nor_negative_do_not_matter() -> None:
    a, b = rows(4, 0), rows(6, 1)
    same = mask(4, 6, 0.5, 2)
    different = ~same
    same[:, 5] = different[:, 5] = False
    moved = b.clone()
    moved[5] *= -7
    for strategy in ("batch_all", "semi_hard", "hard"):
        one, other = (
            triplet_loss(a, rest, same, different=different, strategy=strategy)
            for rest in (b, moved)
        )
        assert one.item() == other.item()


@pytest.mark.parametrize("distance", ["cosine", "euclidean", "squared_euclidean"])
@pytest.mark.parametrize("strategy", ["batch_all", "semi_hard", "hard"])
def test_gradient_agrees_with_differences(strategy: str, distance: str) -> None:
    a, b = rows(5, 3).requires_grad_(), rows(6, 4).requires_grad_()
    same = mask(5, 6, 0.5, 5)

    def loss(a: Tensor, b: Tensor) -> Tensor:
        return triplet_loss(a, b, same, strategy=strategy, distance=distance)

    assert loss(a, b).item() > 0
    assert torch.autograd.gradcheck(loss, (a, b), eps=1e-6, atol=1e-5)


def test_gradient_survives_a_row_that_coincides_with_its_positive() -> None:
    a = rows(2, 0).requires_grad_()
    same = torch.eye(2, dtype=torch.bool)
    triplet_loss(a, a.detach(), same, distance="euclidean", margin=9.0).backward()
    assert a.grad is not None
    assert torch.isfinite(a.grad).all()


def test_single_precision_agrees_with_double_on_a_large_batch() -> None:
    a, b = rows(300, 0, 10), rows(300, 1, 10)
    labels = torch.arange(300) % 10
    same = labels[:, None] == labels
    exact = triplet_loss(a, b, same)
    found = triplet_loss(a.float(), b.float(), same)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(exact.item(), abs=1e-5)
    hinge = distances(a, b)[:, :, None] - distances(a, b)[:, None, :] + MARGIN
    kept = hinge.clamp(min=0) * (same[:, :, None] & ~same[:, None, :])
    assert exact.item() == pytest.approx((kept.sum() / (kept > 0).sum()).item(), abs=1e-9)


def test_unknown_names_are_refused() -> None:
    a, same = rows(2, 0), torch.eye(2, dtype=torch.bool)
    with pytest.raises(ConfigError, match="strategy must be one of batch_all, semi_hard"):
        triplet_loss(a, a, same, strategy="easy")
    with pytest.raises(ConfigError, match="distance must be one of cosine, euclidean"):
        triplet_loss(a, a, same, distance="manhattan")
