"""Orthogonality: how much two sets of outputs for the same rows share."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def orthogonality(
    one: Float[Tensor, "batch dim"], other: Float[Tensor, "batch others"]
) -> Float[Tensor, ""]:
    r"""Squared Frobenius norm $\lVert \hat P^T \hat Q \rVert_F^2 / B^2$; 0 if unrelated.

    Columns are centred over the batch, then rows scaled to unit norm, as otherwise the
    loss falls by shrinking the outputs; at most 1.

    Args:
        one: Outputs P.
        other: Outputs Q of the same rows, or of their partners.

    Source:
        Bousmalis et al. 2016, Domain separation networks, equation 5; the mean over the
        batch is this project's.
    """
    ours, theirs = (
        F.normalize(outputs.float() - outputs.float().mean(dim=0), dim=1)
        for outputs in (one, other)
    )
    return (ours.T @ theirs).square().sum() / len(one) ** 2
