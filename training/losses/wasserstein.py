"""Wasserstein critic with a gradient penalty."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def critic_loss(
    critic: Callable[[Tensor], Tensor],
    real: Float[Tensor, "batch dim"],
    fake: Float[Tensor, "others dim"],
    *,
    penalty: float = 10.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    r"""Return $\bar D(fake) - \bar D(real) + \lambda\,\overline{(\|\nabla D\| - 1)^2}$.

    The gradient is taken at points between real and fake rows, each coordinate at a share
    of its own.

    Args:
        critic: Gives a column of scores.
        real: Rows it should score high.
        fake: Rows it should score low.
        penalty: Lambda.
        generator: Draws the shares; torch's own if not given.

    Source:
        Gulrajani et al. 2017, arXiv:1704.00028; the shares as in the public code of Gu et
        al. 2019.
    """
    real, fake = real.detach(), fake.detach()
    count = min(len(real), len(fake))
    share = torch.rand(real[:count].shape, generator=generator, device=real.device)
    between = (share * real[:count] + (1 - share) * fake[:count]).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    steep = (slope.norm(dim=1) - 1).square().mean()
    loss: Tensor = critic(fake).mean() - critic(real).mean() + penalty * steep
    return loss
