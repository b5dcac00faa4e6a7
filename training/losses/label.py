"""Losses of labels: on class predictions, on pairs of one class, on class centres.

Conventions: means over rows or pairs, never sums, so that a weight means the same at any
batch size; a label of -1 is unknown and costs nothing.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from training.data import UNLABELED

Labels = Int64[Tensor, "batch"]

# log(2 cosh(t/2)) is log 2 + t^2/8 - t^4/192 + ...; on |t| <= 1/2 the line in t^2 that is
# nearest to the last term differs from it by 1/24576.
EVEN = math.log(2) + 1 / 24576, 1 / 8 - 1 / 768


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


def class_likelihood(
    one: Float[Tensor, "rows dim"],
    other: Float[Tensor, "others dim"],
    labels: Int64[Tensor, "rows"],
    other_labels: Int64[Tensor, "others"],
) -> Float[Tensor, ""]:
    r"""``pair_likelihood`` of rows whose labels say which pairs share a class, from sums.

    The pairs are never listed, so the cost is linear in the rows. With unit rows u and v,
    $\sum t$ comes from the sums of rows, $\sum s t$ from those of each class, and
    $\sum t^2 = \langle U^T U, V^T V\rangle / 4$. The rest of $\log(1+e^t) = t/2 +
    \log(2\cosh(t/2))$ is even: on $|t| \le 1/2$ the quadratic of least error stands for
    it, which is off by 4.1e-5 at most.

    Args:
        one: Rows of any length.
        other: Rows of the same or of another modality.
        labels: Class of each row; a row of unknown class shares none.
        other_labels: Likewise.
    """
    ours, theirs = (F.normalize(rows.float(), dim=1) for rows in (one, other))
    pairs = len(ours) * len(theirs)
    classes = 1 + int(torch.maximum(labels.max(), other_labels.max()).clamp(min=0))
    sums = [
        rows.new_zeros(classes + 1, rows.shape[1]).index_add(0, numbers + 1, rows)
        for rows, numbers in ((ours, labels), (theirs, other_labels))
    ]  # the unlabeled come first
    linear = sums[0].sum(dim=0) @ sums[1].sum(dim=0) / 2
    shared = (sums[0][1:] * sums[1][1:]).sum() / 2
    squares = ((ours.T @ ours) * (theirs.T @ theirs)).sum() / 4
    loss: Tensor = EVEN[0] + (EVEN[1] * squares + linear / 2 - shared) / pairs
    return loss


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
