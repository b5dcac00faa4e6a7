"""Synthetic embeddings: points between two items of one class, on the unit sphere."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from training.data import UNLABELED

SHARES = (0.25, 0.5, 0.75)


def between_classmates(
    embeddings: Float[Tensor, "batch dim"],
    labels: Int64[Tensor, "batch"],
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "more dim"], Int64[Tensor, "more"]]:
    r"""Return points $\mathrm{norm}(\lambda z_i + (1-\lambda) z_j)$ and their labels.

    Every labeled item with a classmate draws one, j, at random, and gives a point for each
    $\lambda$ of 0.25, 0.5 and 0.75; gradients flow to both.

    Args:
        embeddings: Unit-norm rows of one modality.
        labels: Class of each row, -1 where unknown.
        generator: Draws the classmates; torch's own if not given.

    Source:
        Zeng et al. 2023, Two-stage triplet loss training with curriculum augmentation,
        arXiv:2310.13451; which points are synthesised is our choice.
    """
    mates = (labels[:, None] == labels) & (labels != UNLABELED)[:, None]
    mates = mates.fill_diagonal_(False)
    rows = mates.any(dim=1).nonzero()[:, 0]
    if not len(rows):
        return embeddings[:0], labels[:0]
    drawn = mates[rows].float().multinomial(1, generator=generator)[:, 0]
    points = [
        F.normalize(share * embeddings[rows] + (1 - share) * embeddings[drawn], dim=1)
        for share in SHARES
    ]
    return torch.cat(points), labels[rows].repeat(len(SHARES))
