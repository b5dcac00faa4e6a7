"""Metrics of one ranking, from booleans: neither scores nor ids can enter.

Conventions:
    ``relevant`` says, best rank first, whether each item of the gallery is relevant; the
    ranking is complete, so R counts every relevant item there is. ``tie_group`` bears
    the same number for ranks whose scores tie; each value is then the expectation over
    random orders of the tied items, hence the order in which they are handed in does
    not matter. A ranking without a relevant item has no value: every metric raises.
    Ranks count from 1. `recall_at_k` is the share of the relevant items found,
    `hit_rate_at_k` whether any is; image-text papers call the second R@K. They agree
    when one item is relevant. AP is over the full ranking; a cut-off bears its
    denominator in the name, because libraries divide by R (ranx), by min(R, k) or by
    the hits (torchmetrics, ACMR's code). One hit at rank 1 with R = 2 and k = 3 gives
    0.5, 0.5 and 1.0; with R = 4 and k = 3, 0.25, 0.333 and 1.0.

Source:
    Manning, Raghavan & Schütze, Introduction to Information Retrieval, §8.4; ties:
    McSherry & Najork 2008.
"""

from __future__ import annotations

from math import comb

import numpy as np
from jaxtyping import Bool, Float64, Int

from crossmodal.metrics import expectations
from crossmodal.metrics.ties import TieGroups, group_ranking

Relevant = Bool[np.ndarray, "rank"]
TieGroup = Int[np.ndarray, "numbers"]


def average_precision(relevant: Relevant, tie_group: TieGroup | None = None) -> float:
    r"""Return AP of one full ranking: $\frac1R\sum_{r} P@r\,[rel_r]$.

    Raises:
        ValueError: If nothing is relevant, or the tie groups do not fit.
    """
    return _only(expectations.average_precision(_groups(relevant, tie_group)))


def average_precision_at_k_over_min(
    relevant: Relevant, k: int, tie_group: TieGroup | None = None
) -> float:
    """Return the first k ranks' summed precision at hits, divided by min(R, k).

    Raises:
        ValueError: If nothing is relevant, k < 1, or the tie groups do not fit.
    """
    return _only(expectations.average_precision(_groups(relevant, tie_group, k), k))


def average_precision_at_k_over_hits(
    relevant: Relevant, k: int, tie_group: TieGroup | None = None
) -> float:
    """Return the first k ranks' mean precision at hits; 0 without a hit.

    For comparison with papers that divide so: it rewards a ranking for missing items.

    Raises:
        ValueError: If nothing is relevant, k < 1, or the tie groups do not fit.
    """
    groups = _groups(relevant, tie_group, k)
    whole = int(np.sum(groups.above + groups.size <= k))
    hits = int(groups.relevant[:whole].sum())
    gained = sum(
        _summed_precision(*place)
        for place in zip(
            groups.above[:whole].tolist(),
            groups.size[:whole].tolist(),
            groups.relevant[:whole].tolist(),
            groups.before[:whole].tolist(),
            strict=True,
        )
    )
    if whole == len(groups.above) or groups.above[whole] >= k:
        return gained / hits if hits else 0.0
    above, size = int(groups.above[whole]), int(groups.size[whole])
    answers, places = int(groups.relevant[whole]), k - above
    value = 0.0
    for found in range(max(0, answers - (size - places)), min(answers, places) + 1):
        chance = comb(answers, found) * comb(size - answers, places - found)
        precisions = gained + _summed_precision(above, places, found, hits)
        value += chance / comb(size, places) * precisions / max(hits + found, 1)
    return value


def precision_at_k(relevant: Relevant, k: int, tie_group: TieGroup | None = None) -> float:
    """Return the share of relevant items in the first k ranks; ranks beyond count as none.

    Raises:
        ValueError: If nothing is relevant, k < 1, or the tie groups do not fit.
    """
    return _only(expectations.precision_at_k(_groups(relevant, tie_group, k), k))


def recall_at_k(relevant: Relevant, k: int, tie_group: TieGroup | None = None) -> float:
    """Return the share of the relevant items that the first k ranks hold.

    Raises:
        ValueError: If nothing is relevant, k < 1, or the tie groups do not fit.
    """
    return _only(expectations.recall_at_k(_groups(relevant, tie_group, k), k))


def hit_rate_at_k(relevant: Relevant, k: int, tie_group: TieGroup | None = None) -> float:
    """Return 1 if the first k ranks hold a relevant item, else 0; in ties, its chance.

    Raises:
        ValueError: If nothing is relevant, k < 1, or the tie groups do not fit.
    """
    return _only(expectations.hit_rate_at_k(_groups(relevant, tie_group, k), k))


def first_relevant_rank(relevant: Relevant, tie_group: TieGroup | None = None) -> float:
    """Return the (expected) rank of the best relevant item.

    Raises:
        ValueError: If nothing is relevant, or the tie groups do not fit.
    """
    return _only(expectations.first_relevant_rank(_groups(relevant, tie_group)))


def reciprocal_rank(relevant: Relevant, tie_group: TieGroup | None = None) -> float:
    """Return the (expected) reciprocal of the best relevant item's rank.

    Raises:
        ValueError: If nothing is relevant, or the tie groups do not fit.
    """
    return _only(expectations.reciprocal_rank(_groups(relevant, tie_group)))


def ndcg_at_k(relevant: Relevant, k: int, tie_group: TieGroup | None = None) -> float:
    """Return DCG of the first k ranks over the best possible; gain 1, log2 discount.

    Raises:
        ValueError: If nothing is relevant, k < 1, or the tie groups do not fit.

    Source:
        Järvelin & Kekäläinen 2002, Cumulated gain-based evaluation of IR techniques,
        with the discount 1 / log2(rank + 1).
    """
    return _only(expectations.ndcg_at_k(_groups(relevant, tie_group, k), k))


def _groups(relevant: Relevant, tie_group: TieGroup | None, k: int = 1) -> TieGroups:
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")
    if not relevant.any():
        raise ValueError("a ranking needs at least one relevant item to have a metric")
    return group_ranking(relevant, tie_group)


def _only(values: Float64[np.ndarray, "rankings"]) -> float:
    return float(values[0])


def _summed_precision(above: int, size: int, relevant: int, before: int) -> float:
    """Sum precision at the relevant items of one whole tie, in expectation."""
    growth = (relevant - 1) / max(size - 1, 1)
    return sum(
        relevant / size * (before + 1 + growth * (place - 1)) / (above + place)
        for place in range(1, size + 1)
    )
