"""InfoNCE: tell each item's own partner from the rest of the batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Paired = Float[Tensor, "batch dim"]


def info_nce(
    query: Paired, gallery: Paired, temperature: Float[Tensor, ""] | float = 0.07
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE with in-batch negatives; 0 for an empty batch.

    Args:
        query: Unit-norm embeddings of one modality.
        gallery: Unit-norm embeddings of the same clips in another, same order.
        temperature: Divides the cosine similarities; positive, no unit.

    Source:
        Radford et al. 2021, arXiv:2103.00020, figure 3.
    """
    logits = query.float() @ gallery.float().T / temperature
    if not len(logits):
        return logits.sum()
    pairs = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2
