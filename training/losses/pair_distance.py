"""Pair distance: how far the members of a pair are apart."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def pair_distance(
    one: Float[Tensor, "pairs dim"], other: Float[Tensor, "pairs dim"]
) -> Float[Tensor, ""]:
    r"""Mean Euclidean distance $\frac1n\sum_i \lVert z_i - z'_i\rVert_2$; 0 for no pair.

    Args:
        one: Embeddings of one modality, of any length.
        other: Embeddings of the partners, same order.

    Source:
        Zhen et al. 2019, Deep supervised cross-modal retrieval, equation 9; the norm is
        per row, as in the authors' code, where the print has one norm of the matrix.
    """
    apart = torch.linalg.vector_norm(one.float() - other.float(), dim=1)
    mean: Tensor = apart.sum() / max(1, len(apart))
    return mean
