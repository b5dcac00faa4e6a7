"""Relative distance: own partner nearer than an item of another class, unscaled rows."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

Rows = Float[Tensor, "batch dim"]


def squared_triplet(
    anchor: Rows,
    positive: Rows,
    negative: Rows,
    *,
    margin: float = 0.1,
    factor: float = 5.0,
    pooled: bool = False,
) -> Float[Tensor, ""]:
    r"""Return $\operatorname{mean}_i[m + \frac f2\|a_i-p_i\|^2 - \frac12\|a_i-n_i\|^2]_+$.

    Args:
        anchor: Outputs of one modality.
        positive: The partners' outputs in another, same order.
        negative: Outputs of items of another class there, same order.
        margin: m, in squared units.
        factor: f; above 1 it draws partners together even at equal distances.
        pooled: Sum both distances over the batch and take one hinge of the sums, as
            published code does: a satisfied triplet then cancels a violated one.

    Source:
        Wang et al. 2017, Adversarial cross-modal retrieval, and its public code.
    """
    near = factor / 2 * (anchor - positive).square().sum(dim=1)
    far = (anchor - negative).square().sum(dim=1) / 2
    if pooled:
        return (margin + near.sum() - far.sum()).clamp(min=0)
    return (margin + near - far).clamp(min=0).mean()


def dissimilar_hinge(
    left: Float[Tensor, "batch dim"],
    right: Float[Tensor, "others dim"],
    different: Bool[Tensor, "batch others"],
    margin: float = 0.1,
) -> Float[Tensor, ""]:
    r"""Return $[m - \|a_i - b_j\|^2]_+$ averaged over the pairs of different class; else 0.

    Source:
        Wang et al. 2017, simple variant of the public code, whose distance adds up the
        outputs where it means their squares; the squares are taken here.
    """
    squares = left.square().sum(dim=1)[:, None] + right.square().sum(dim=1)
    hinge = (margin - (squares - 2 * left @ right.T)).clamp(min=0) * different
    return hinge.sum() / different.sum().clamp(min=1)


def nearest_of_another_class(
    features: Float[Tensor, "batch dim"], labels: Int64[Tensor, "batch"]
) -> Int64[Tensor, "batch"]:
    """Return for each row the one of another class with the most similar features.

    A row without any keeps itself, which costs no more than the margin and pulls nothing.
    """
    unit = torch.nn.functional.normalize(features, dim=1)
    similarity = unit @ unit.T
    same = labels[:, None] == labels
    nearest = similarity.masked_fill(same, -torch.inf).argmax(dim=1)
    own = torch.arange(len(labels), device=labels.device)
    return torch.where(same.all(dim=1), own, nearest)
