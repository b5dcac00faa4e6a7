r"""Expected metrics of many rankings at once, over random orders within ties.

Conventions: as in `crossmodal.metrics.kernels`, whose functions are these for one
ranking. Each returns one float64 per ranking, NaN where nothing is relevant. With $n$
items in a tie group, $r$ of them relevant, $s$ items and $p$ relevant ones above, the
item at place $j$ of the group is relevant with probability $r/n$, and given that, expects
$p + (j-1)\frac{r-1}{n-1}$ relevant ones above it.

Source:
    McSherry & Najork 2008, Computing information retrieval performance measures
    efficiently in the presence of tied scores, ECIR.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int

from crossmodal.metrics.ties import TieGroups

PerRanking = Float64[np.ndarray, "rankings"]


def average_precision(groups: TieGroups, k: int | None = None) -> PerRanking:
    """Return AP of the whole ranking, or cut at k and divided by min(R, k)."""
    above, size = groups.above, groups.size
    seen = size if k is None else np.clip(k - above, 0, size)
    gain = (groups.before + 1.0) / (above + 1.0)
    if k is not None:
        gain *= seen > 0
    tied = np.flatnonzero(size > 1)
    if tied.size:
        gain[tied] = _tied_gain(
            above[tied], size[tied], seen[tied], groups.relevant[tied], groups.before[tied]
        )
    best = groups.total if k is None else np.minimum(groups.total, k)
    return _per_ranking(groups, gain, best)


def precision_at_k(groups: TieGroups, k: int) -> PerRanking:
    """Return the expected share of relevant items among the first k."""
    return _per_ranking(groups, _found(groups, k), np.full(groups.rankings, k))


def recall_at_k(groups: TieGroups, k: int) -> PerRanking:
    """Return the expected share of the relevant items that the first k hold."""
    return _per_ranking(groups, _found(groups, k), groups.total)


def hit_rate_at_k(groups: TieGroups, k: int) -> PerRanking:
    """Return the probability that the first k hold at least one relevant item."""
    first = np.flatnonzero(groups.before == 0)
    above, size, relevant = groups.above[first], groups.size[first], groups.relevant[first]
    unseen = size - np.clip(k - above, 0, size)
    room = np.maximum(unseen, relevant)  # below: too few places to hide them all in
    missed = np.exp(_log_choose(room, relevant) - _log_choose(size, relevant))
    return _at_first(groups, first, np.where(unseen < relevant, 1.0, 1.0 - missed))


def first_relevant_rank(groups: TieGroups) -> PerRanking:
    """Return the expected rank, from 1, of the best relevant item."""
    first = np.flatnonzero(groups.before == 0)
    inside = (groups.size[first] + 1) / (groups.relevant[first] + 1)
    return _at_first(groups, first, groups.above[first] + inside)


def reciprocal_rank(groups: TieGroups) -> PerRanking:
    """Return the expected reciprocal of the best relevant item's rank."""
    first = np.flatnonzero(groups.before == 0)
    above, size, relevant = groups.above[first], groups.size[first], groups.relevant[first]
    value = 1.0 / (above + 1.0)
    mixed = np.flatnonzero(relevant < size)
    ties = np.stack([above[mixed], size[mixed], relevant[mixed]], axis=1)
    distinct, which = np.unique(ties, axis=0, return_inverse=True)
    value[mixed] = np.array([_tied_reciprocal(*tie) for tie in distinct.tolist()])[which]
    return _at_first(groups, first, value)


def ndcg_at_k(groups: TieGroups, k: int) -> PerRanking:
    """Return expected DCG with gain 1 and discount log2(rank + 1), over the best DCG."""
    discount = np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))
    summed = np.concatenate([[0.0], discount])
    end = np.minimum(groups.above + groups.size, k)
    shared = summed[end] - summed[np.minimum(groups.above, k)]
    gain = shared * groups.relevant / groups.size
    best = summed[np.minimum(groups.total, k)]
    return _per_ranking(groups, gain, best)


def _tied_gain(
    above: Int[np.ndarray, "groups"],
    size: Int[np.ndarray, "groups"],
    seen: Int[np.ndarray, "groups"],
    relevant: Int[np.ndarray, "groups"],
    before: Int[np.ndarray, "groups"],
) -> Float64[np.ndarray, "groups"]:
    """Sum precision over the relevant ones among a tie's first ``seen`` places."""
    last = above + seen
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, last.max() + 1))])
    inverses = harmonic[last] - harmonic[above]
    growth = (relevant - 1) / np.maximum(size - 1, 1)
    precisions = (before + 1) * inverses + growth * (seen - (above + 1) * inverses)
    gain: Float64[np.ndarray, "groups"] = relevant / size * precisions
    return gain


def _tied_reciprocal(above: int, size: int, relevant: int) -> float:
    """Return the expected reciprocal rank of the first relevant item of a tie."""
    place = np.arange(1, size - relevant + 2)
    ways = _log_choose(size - place, relevant - 1) - _log_choose(size, relevant)
    return float(np.sum(np.exp(ways) / (above + place)))


def _found(groups: TieGroups, k: int) -> Float64[np.ndarray, "groups"]:
    seen = np.clip(k - groups.above, 0, groups.size)
    found: Float64[np.ndarray, "groups"] = seen / groups.size * groups.relevant
    return found


def _per_ranking(
    groups: TieGroups,
    gain: Float64[np.ndarray, "groups"],
    best: Int[np.ndarray, "rankings"] | Float64[np.ndarray, "rankings"],
) -> PerRanking:
    summed = np.bincount(groups.ranking, weights=gain, minlength=groups.rankings)
    answered = groups.total > 0
    return np.where(answered, summed / np.where(answered, best, 1), np.nan)


def _at_first(
    groups: TieGroups,
    first: Int[np.ndarray, "answered"],
    value: Float64[np.ndarray, "answered"],
) -> PerRanking:
    per_ranking = np.full(groups.rankings, np.nan)
    per_ranking[groups.ranking[first]] = value
    return per_ranking


def _log_choose(
    n: Int[np.ndarray, "*places"] | int, r: Int[np.ndarray, "*places"] | int
) -> Float64[np.ndarray, "*places"] | np.float64:
    from scipy.special import gammaln  # here: a service that only searches needs none

    chosen: Float64[np.ndarray, "*places"] | np.float64 = (
        gammaln(np.add(n, 1)) - gammaln(np.subtract(n, r) + 1) - gammaln(np.add(r, 1))
    )
    return chosen
