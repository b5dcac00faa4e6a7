"""Supervised contrastive loss across modalities: several positives per anchor."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def supcon(
    query: Float[Tensor, "queries dim"],
    gallery: Float[Tensor, "rows dim"],
    positive: Bool[Tensor, "queries rows"],
    temperature: Float[Tensor, ""] | float = 0.07,
) -> Float[Tensor, ""]:
    r"""Symmetric multi-positive contrastive loss, positives averaged outside the log.

    $-\frac1{|A|}\sum_{i \in A}\frac1{|P_i|}\sum_{j \in P_i}
    \log\frac{e^{s_{ij}/\tau}}{\sum_k e^{s_{ik}/\tau}}$, the mean of both directions.

    Conventions: A holds the anchors with a positive; the others serve as negatives only.
    A batch without any positive costs 0.

    Args:
        query: Unit-norm embeddings of one modality.
        gallery: Unit-norm embeddings of another; their number may differ.
        positive: Which gallery rows answer which query.
        temperature: Divides the cosine similarities; positive, no unit.

    Source:
        Khosla et al. 2020, arXiv:2004.11362, equation 2, across modalities.
    """
    logits = query.float() @ gallery.float().T / temperature
    return (_one_way(logits, positive) + _one_way(logits.T, positive.T)) / 2


def _one_way(
    logits: Float[Tensor, "anchors rows"], positive: Bool[Tensor, "anchors rows"]
) -> Float[Tensor, ""]:
    counts = positive.sum(dim=1)
    if not positive.any():
        return logits.sum() * 0
    log_share = logits - torch.logsumexp(logits, dim=1, keepdim=True)
    per_anchor = (log_share * positive).sum(dim=1) / counts.clamp(min=1)
    return -per_anchor.sum() / (counts > 0).sum()
