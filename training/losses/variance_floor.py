"""Variance floor: keeps outputs from collapsing to a point."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def variance_floor(
    rows: Float[Tensor, "batch dim"], floor: float = 1.0
) -> Float[Tensor, ""]:
    r"""Return $\operatorname{mean}_d[f - \sigma_d]_+$ over the batch's deviations.

    Args:
        rows: Outputs of one modality.
        floor: f, in units of the outputs.

    Source:
        Bardes et al. 2022, VICReg, arXiv:2105.04906, equation 1.
    """
    deviation = (rows.var(dim=0, correction=0) + 1e-4).sqrt()
    return (floor - deviation).clamp(min=0).mean()
