"""Triplet loss: an anchor is nearer to each positive than to each negative, by a margin.

Conventions: with D the distances, a triplet costs ``[D_ap - D_an + margin]_+``; the loss
is the sum over the triplets that a strategy keeps, divided by the number of those that
cost something, so that satisfied triplets do not dilute the others (at least 1). All
triplets are counted by sorting, in memory and time quadratic in the batch up to a
logarithm; the cube of triplets is never formed.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from training.config import check_choice

Distances = Float[Tensor, "anchors others"]

STRATEGIES = ("batch_all", "semi_hard", "hard", "random")
DISTANCES = ("cosine", "euclidean", "squared_euclidean")
DRAWS = 150


def triplet_loss(
    anchor: Float[Tensor, "anchors dim"],
    other: Float[Tensor, "others dim"],
    same: Bool[Tensor, "anchors others"],
    *,
    different: Bool[Tensor, "anchors others"] | None = None,
    margin: float = 0.5,
    strategy: str = "batch_all",
    distance: str = "cosine",
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Triplet loss with positives and negatives from one set of rows.

    Args:
        anchor: Embeddings; cosine distance takes any length.
        other: Embeddings that positives and negatives come from.
        same: Which others are an anchor's positives.
        different: Which are its negatives; all that are not positive, if not given.
        margin: In units of the distance.
        strategy: One of STRATEGIES, as in ``mined_triplets``.
        distance: One of DISTANCES.
        generator: Draws the random triplets.

    Raises:
        ConfigError: If strategy or distance is unknown.

    Source:
        Schroff et al. 2015, arXiv:1503.03832; across modalities with the cosine distance
        Zeng et al. 2020, arXiv:1908.03737.
    """
    apart = distances(anchor, other, distance)
    negatives = ~same if different is None else different
    return mined_triplets(
        apart,
        apart,
        same,
        negatives,
        margin=margin,
        strategy=strategy,
        generator=generator,
    )


def distances(
    anchor: Float[Tensor, "anchors dim"],
    other: Float[Tensor, "others dim"],
    distance: str = "cosine",
) -> Distances:
    """Return the distance of every anchor to every other row, in float32 or wider.

    Args:
        anchor: Rows of any length.
        other: Rows of any length.
        distance: ``cosine`` is 1 - cosine, in [0, 2].

    Raises:
        ConfigError: If the distance is unknown.
    """
    check_choice("distance", distance, DISTANCES)
    with torch.autocast(anchor.device.type, enabled=False):
        anchor, other = _wide(anchor), _wide(other)
        if distance == "cosine":
            unit = torch.nn.functional.normalize
            apart = 1 - unit(anchor, dim=1) @ unit(other, dim=1).T
        else:
            # the expansion |x|^2 + |y|^2 - 2xy would lose near neighbours to rounding
            apart = torch.cdist(anchor, other, compute_mode="donot_use_mm_for_euclid_dist")
    return apart.square() if distance == "squared_euclidean" else apart


def mined_triplets(
    to_positive: Float[Tensor, "anchors positives"],
    to_negative: Float[Tensor, "anchors negatives"],
    same: Bool[Tensor, "anchors positives"],
    different: Bool[Tensor, "anchors negatives"],
    *,
    margin: float = 0.5,
    strategy: str = "batch_all",
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Triplet loss of distances; positives and negatives may be of different modalities.

    ``batch_all`` takes every triplet, ``semi_hard`` those with ``D_ap < D_an < D_ap +
    margin``, ``hard`` each anchor's farthest positive with its nearest negative,
    ``random`` draws 150 triplets per anchor, with replacement.

    Args:
        to_positive: Distance of each anchor to the rows positives come from.
        to_negative: Distance of each anchor to the rows negatives come from.
        same: Which of the former are an anchor's positives.
        different: Which of the latter are its negatives.
        margin: In units of the distance.
        strategy: One of STRATEGIES.
        generator: Draws the random triplets; torch's own if not given.

    Raises:
        ConfigError: If the strategy is unknown.
    """
    check_choice("strategy", strategy, STRATEGIES)
    if strategy == "hard":
        return _hardest(to_positive, to_negative, same, different, margin)
    if strategy == "random":
        return _drawn(to_positive, to_negative, same, different, margin, generator)
    nearest = strategy == "semi_hard"
    with torch.no_grad():
        of_positive, of_negative = _active(
            to_positive.detach(), to_negative.detach(), same, different, margin, nearest
        )
    total = of_positive.sum()
    # float64, as two sums over all triplets are subtracted
    cost = (to_positive.double() * of_positive).sum() + margin * total
    cost = cost - (to_negative.double() * of_negative).sum()
    return (cost / total.clamp(min=1)).to(to_positive.dtype)


def _active(
    to_positive: Float[Tensor, "anchors positives"],
    to_negative: Float[Tensor, "anchors negatives"],
    same: Bool[Tensor, "anchors positives"],
    different: Bool[Tensor, "anchors negatives"],
    margin: float,
    semi_hard: bool,
) -> tuple[Float64[Tensor, "anchors positives"], Float64[Tensor, "anchors negatives"]]:
    """Return in how many kept, costing triplets of its anchor each distance takes part."""
    infinity = float("inf")
    ranked, order = to_negative.masked_fill(~different, infinity).sort(dim=1)
    # the negatives of a positive are those of ranks first to last, last excluded
    reach = (to_positive + margin).masked_fill(~same, -infinity)
    last = torch.searchsorted(ranked, reach)
    first = torch.zeros_like(last)
    if semi_hard:
        start = to_positive.masked_fill(~same, -infinity)
        first = torch.searchsorted(ranked, start, right=True)
        last = torch.maximum(first, last)
    one = same.long()
    steps = one.new_zeros(len(ranked), ranked.shape[1] + 1)
    steps.scatter_add_(1, first, one).scatter_add_(1, last, -one)
    by_rank = steps.cumsum(dim=1)[:, :-1]
    of_negative = torch.zeros_like(by_rank).scatter_(1, order, by_rank)
    return ((last - first) * one).double(), of_negative.double()


def _hardest(
    to_positive: Float[Tensor, "anchors positives"],
    to_negative: Float[Tensor, "anchors negatives"],
    same: Bool[Tensor, "anchors positives"],
    different: Bool[Tensor, "anchors negatives"],
    margin: float,
) -> Float[Tensor, ""]:
    usable = same.any(dim=1) & different.any(dim=1)
    if not usable.any():
        return (to_positive.sum() + to_negative.sum()) * 0
    infinity = float("inf")
    farthest = to_positive.masked_fill(~same, -infinity)[usable].amax(dim=1)
    nearest = to_negative.masked_fill(~different, infinity)[usable].amin(dim=1)
    return _mean_of_costs(farthest - nearest + margin)


def _drawn(
    to_positive: Float[Tensor, "anchors positives"],
    to_negative: Float[Tensor, "anchors negatives"],
    same: Bool[Tensor, "anchors positives"],
    different: Bool[Tensor, "anchors negatives"],
    margin: float,
    generator: torch.Generator | None,
) -> Float[Tensor, ""]:
    usable = same.any(dim=1) & different.any(dim=1)
    if not usable.any():
        return (to_positive.sum() + to_negative.sum()) * 0
    near = same[usable].float().multinomial(DRAWS, True, generator=generator)
    far = different[usable].float().multinomial(DRAWS, True, generator=generator)
    return _mean_of_costs(
        to_positive[usable].gather(1, near) - to_negative[usable].gather(1, far) + margin
    )


def _mean_of_costs(differences: Tensor) -> Float[Tensor, ""]:
    costs = differences.clamp(min=0)
    return costs.sum() / (costs > 0).sum().clamp(min=1)


def _wide(rows: Tensor) -> Tensor:
    return rows if rows.dtype == torch.float64 else rows.float()
