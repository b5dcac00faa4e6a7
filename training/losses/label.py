"""Losses of labels: on class predictions, on pairs of one class, on class centres.

Conventions: means over rows or pairs, never sums, so that a weight means the same at any
batch size; a label of -1 is unknown and costs nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from training.data import UNLABELED

Labels = Int64[Tensor, "batch"]


def label_loss(logits: Float[Tensor, "batch classes"], labels: Labels) -> Float[Tensor, ""]:
    r"""Label regression $\frac1n\sum_i \lVert P_i - Y_i\rVert_2$, rows' norms not squared.

    Args:
        logits: Linear predictions P, one column per class.
        labels: Class of each row, whose one-hot row is Y.

    Source:
        Zhen et al. 2019, Deep supervised cross-modal retrieval, equation 4; the norm is
        per row, as in the authors' code.
    """
    known = labels != UNLABELED
    wanted = F.one_hot(labels.clamp(min=0), logits.shape[1])
    norms = torch.linalg.vector_norm(logits.float() - wanted, dim=1)
    loss: Tensor = (norms * known).sum() / known.sum().clamp(min=1)
    return loss


def pair_likelihood(
    one: Float[Tensor, "rows dim"],
    other: Float[Tensor, "others dim"],
    same: Bool[Tensor, "rows others"],
) -> Float[Tensor, ""]:
    r"""Negative log-likelihood that pairs share a class, given half their cosine.

    $\frac1{nm}\sum_{ij}\log(1+e^{t_{ij}}) - s_{ij}t_{ij}$ with $t = \cos / 2$.

    Args:
        one: Rows of any length.
        other: Rows of the same or of another modality.
        same: Which pairs share a class, s.

    Source:
        Zhen et al. 2019, Deep supervised cross-modal retrieval, equation 6.
    """
    halves = F.normalize(one.float(), dim=1) @ F.normalize(other.float(), dim=1).T / 2
    return (F.softplus(halves) - same * halves).mean()


class CenterLoss(nn.Module):
    r"""Half the mean squared distance to the own class's centre, which is learned.

    $\frac1{2n}\sum_i \lVert z_i - c_{y_i}\rVert^2$. The centres take an optimiser of
    their own in the source (rate 0.5) and are dropped after training.

    Source:
        Wen et al. 2016, A discriminative feature learning approach for deep face
        recognition, equation 2.
    """

    def __init__(self, classes: int, dim: int) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.randn(classes, dim))

    def forward(
        self, embeddings: Float[Tensor, "batch dim"], labels: Labels
    ) -> Float[Tensor, ""]:
        """Return the loss of rows with known labels."""
        known = labels != UNLABELED
        apart = embeddings.float() - self.centers[labels.clamp(min=0)]
        return (apart.square().sum(dim=1) * known).sum() / known.sum().clamp(min=1) / 2
