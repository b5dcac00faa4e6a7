"""All triplets of an anchor added up: more triplets weigh more."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from training.losses.triplet import distances


def all_triplets(
    anchor: Float[Tensor, "anchors dim"],
    other: Float[Tensor, "others dim"],
    same: Bool[Tensor, "anchors others"],
    different: Bool[Tensor, "anchors others"],
    margin: float = 0.3,
) -> Float[Tensor, ""]:
    r"""Return $\operatorname{mean}_i\sum_{jk}[d_{ij} - d_{ik} + m]_+$.

    The distance d is the cosine distance. Every triplet is formed, anchor by anchor, in
    memory quadratic in the others.

    Args:
        anchor: Codes of any length.
        other: Codes that positives and negatives come from.
        same: Which others are an anchor's positives.
        different: Which are its negatives.
        margin: In units of the distance.

    Source:
        Gu et al. 2019, Adversary guided asymmetric hashing, and its public code.
    """
    apart = distances(anchor, other)
    sums = [
        (row[near][:, None] - row[far] + margin).clamp(min=0).sum()
        for row, near, far in zip(apart, same, different, strict=True)
    ]
    return torch.stack(sums).mean()
