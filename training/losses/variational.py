"""Losses of a variational autoencoder with a Gaussian latent space."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Latents = Float[Tensor, "batch latent"]


def sample(mean: Latents, log_variance: Latents) -> Latents:
    r"""Return $\mu + e^{lv / 2} \epsilon$, drawn so that both receive gradient.

    Source:
        Kingma and Welling 2014, arXiv:1312.6114.
    """
    return mean + (log_variance / 2).exp() * torch.randn_like(mean)


def divergence(
    mean: Latents, log_variance: Latents, *, summed: bool = False
) -> Float[Tensor, ""]:
    r"""Return $\operatorname{mean}_i \frac12 \sum_d (e^{lv} + \mu^2 - 1 - lv)$.

    Args:
        mean: Of the posterior.
        log_variance: Of the posterior; the prior is standard normal.
        summed: Sum over the batch too, as public code does.

    Source:
        Kingma and Welling 2014, arXiv:1312.6114, appendix B.
    """
    each = (log_variance.exp() + mean.square() - 1 - log_variance).sum(dim=1) / 2
    return each.sum() if summed else each.mean()


def reconstruction(
    features: Float[Tensor, "batch dim"],
    rebuilt: Float[Tensor, "batch dim"],
    *,
    averaged: bool = False,
) -> Float[Tensor, ""]:
    r"""Return $\operatorname{mean}_i \|x_i - \hat x_i\|^2$.

    Args:
        features: What went in.
        rebuilt: What came out.
        averaged: Average over the features too, as public code does.
    """
    squares = (features - rebuilt).square()
    return squares.mean() if averaged else squares.sum(dim=1).mean()
