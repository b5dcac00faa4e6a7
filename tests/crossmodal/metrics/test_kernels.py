from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations, product
from math import log2

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from crossmodal.metrics import kernels

Kernel = Callable[..., float]
Plain = Callable[[tuple[bool, ...]], float]


def ranking(*relevant: int) -> np.ndarray:
    return np.array(relevant, dtype=np.bool_)


def hits(order: tuple[bool, ...], k: int) -> int:
    return sum(order[:k])


def precisions(order: tuple[bool, ...], k: int) -> float:
    ranks = [rank for rank, hit in enumerate(order[:k], 1) if hit]
    return sum(hits(order, rank) / rank for rank in ranks)


def first(order: tuple[bool, ...]) -> int:
    return order.index(True) + 1


def gain(order: tuple[bool, ...], k: int) -> float:
    return sum(1 / log2(rank + 1) for rank, hit in enumerate(order[:k], 1) if hit)


# Each metric as its textbook says it, for one order without ties.
PLAIN: dict[tuple[Kernel, int | None], Plain] = {
    (kernels.average_precision, None): lambda o: precisions(o, len(o)) / sum(o),
    (kernels.first_relevant_rank, None): first,
    (kernels.reciprocal_rank, None): lambda o: 1 / first(o),
    **{
        (kernel, k): plain
        for k in (1, 2, 3, 9)
        for kernel, plain in (
            (
                kernels.average_precision_at_k_over_min,
                lambda o, k=k: precisions(o, k) / min(sum(o), k),
            ),
            (
                kernels.average_precision_at_k_over_hits,
                lambda o, k=k: precisions(o, k) / max(hits(o, k), 1),
            ),
            (kernels.precision_at_k, lambda o, k=k: hits(o, k) / k),
            (kernels.recall_at_k, lambda o, k=k: hits(o, k) / sum(o)),
            (kernels.hit_rate_at_k, lambda o, k=k: float(hits(o, k) > 0)),
            (
                kernels.ndcg_at_k,
                lambda o, k=k: gain(o, k) / gain((True,) * sum(o), k),
            ),
        )
    },
}


def tied_rankings(length: int) -> Iterator[tuple[tuple[bool, ...], tuple[int, ...]]]:
    for relevant in product([False, True], repeat=length):
        for cuts in product([0, 1], repeat=length - 1):
            if any(relevant):
                yield relevant, tuple(np.cumsum([0, *cuts]).tolist())


def orders_within(
    relevant: tuple[bool, ...], tie_group: tuple[int, ...]
) -> Iterator[tuple[bool, ...]]:
    groups = [
        [hit for hit, number in zip(relevant, tie_group, strict=True) if number == wanted]
        for wanted in range(tie_group[-1] + 1)
    ]
    for parts in product(*(permutations(group) for group in groups)):
        yield tuple(hit for part in parts for hit in part)


@pytest.mark.parametrize(
    ("relevant", "expected"),
    [([1, 1, 0], 1), ([0, 1], 1 / 2), ([1, 0, 0, 0, 1], 7 / 10), ([0, 1, 1], 7 / 12)],
)
def test_average_precision_by_hand(relevant: list[int], expected: float) -> None:
    assert kernels.average_precision(ranking(*relevant)) == pytest.approx(
        expected, abs=1e-15
    )


def test_average_precision_of_two_tied_items_one_relevant_is_three_quarters() -> None:
    tie = np.array([0, 0])
    assert kernels.average_precision(ranking(0, 1), tie) == pytest.approx(3 / 4, abs=1e-15)
    assert kernels.average_precision(ranking(1, 0), tie) == pytest.approx(3 / 4, abs=1e-15)


def test_cut_average_precision_bears_its_denominator_as_the_docstring_says() -> None:
    two = ranking(1, 0, 0, 1)
    assert kernels.average_precision_at_k_over_min(two, 3) == pytest.approx(1 / 2)
    assert kernels.average_precision_at_k_over_hits(two, 3) == pytest.approx(1)
    four = ranking(1, 0, 0, 1, 1, 1)
    assert kernels.average_precision_at_k_over_min(four, 3) == pytest.approx(1 / 3)
    assert kernels.average_precision_at_k_over_hits(four, 3) == pytest.approx(1)


def test_hit_rate_and_recall_differ_when_several_items_are_relevant() -> None:
    relevant = ranking(1, 0, 1, 1)
    assert kernels.hit_rate_at_k(relevant, 2) == 1
    assert kernels.recall_at_k(relevant, 2) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("kernel", "k"), PLAIN)
def test_a_tied_value_is_the_mean_over_every_order_of_the_tied_items(
    kernel: Kernel, k: int | None
) -> None:
    plain = PLAIN[kernel, k]
    arguments = () if k is None else (k,)
    for relevant, tie_group in tied_rankings(4):
        orders = list(orders_within(relevant, tie_group))
        expected = sum(plain(order) for order in orders) / len(orders)
        value = kernel(ranking(*relevant), *arguments, tie_group=np.array(tie_group))
        assert value == pytest.approx(expected, abs=1e-12), (relevant, tie_group)


@pytest.mark.parametrize(("kernel", "k"), PLAIN)
def test_without_ties_a_value_is_the_textbook_one(kernel: Kernel, k: int | None) -> None:
    rng = np.random.default_rng(3)
    arguments = () if k is None else (k,)
    for _ in range(20):
        relevant = rng.random(40) < 0.2
        relevant[rng.integers(40)] = True
        expected = PLAIN[kernel, k](tuple(relevant.tolist()))
        assert kernel(relevant, *arguments) == pytest.approx(expected, abs=1e-12)
        untied = np.arange(40)
        assert kernel(relevant, *arguments, tie_group=untied) == kernel(
            relevant, *arguments
        )


def test_average_precision_agrees_with_scikit_learn_on_distinct_scores() -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        scores = np.sort(rng.standard_normal(200))[::-1]
        relevant = rng.random(200) < 0.1
        relevant[7] = True
        theirs = average_precision_score(relevant, scores)
        assert kernels.average_precision(relevant) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("k", [1, 5, 50])
def test_ndcg_agrees_with_scikit_learn_which_averages_ties_too(k: int) -> None:
    rng = np.random.default_rng(6)
    scores = np.sort(rng.integers(0, 12, 50))[::-1]
    relevant = rng.random(50) < 0.3
    theirs = ndcg_score([relevant], [scores], k=k)
    ours = kernels.ndcg_at_k(relevant, k, tie_group=-scores)
    assert ours == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(("kernel", "k"), PLAIN)
def test_nothing_relevant_raises(kernel: Kernel, k: int | None) -> None:
    with pytest.raises(ValueError, match="at least one relevant item"):
        kernel(ranking(0, 0), *(() if k is None else (k,)))


@pytest.mark.parametrize("k", [0, -1])
@pytest.mark.parametrize("kernel", dict.fromkeys(f for f, k in PLAIN if k is not None))
def test_a_cutoff_below_one_raises(kernel: Kernel, k: int) -> None:
    with pytest.raises(ValueError, match=f"k must be 1 or more, got {k}"):
        kernel(ranking(1, 0), k)


def test_tie_groups_of_another_length_raise() -> None:
    with pytest.raises(ValueError, match="expected a tie group for each of 3 ranks, got 2"):
        kernels.average_precision(ranking(1, 0, 1), np.array([0, 0]))


def test_tie_groups_that_are_not_adjacent_raise() -> None:
    with pytest.raises(ValueError, match="tied ranks must be adjacent"):
        kernels.average_precision(ranking(1, 0, 1), np.array([0, 1, 0]))
