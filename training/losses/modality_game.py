"""The modality game: a critic tells modalities apart, towers learn to hide theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return rows.view_as(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradients[0], None


def reverse_gradient(
    rows: Float[Tensor, "batch dim"], weight: float
) -> Float[Tensor, "batch dim"]:
    """Return the rows as they are; their gradient comes back times minus the weight.

    One descent on a critic's loss then trains the critic to tell and what lies before it
    to deceive.

    Source:
        Ganin and Lempitsky 2015, arXiv:1409.7495.
    """
    reversed_rows: Tensor = _Reversal.apply(rows, weight)  # type: ignore[no-untyped-call]
    return reversed_rows


def game_weight(progress: float) -> float:
    r"""Return $\frac{2}{1 + e^{-10 p}} - 1$: the game starts at 0 and nears 1.

    Args:
        progress: Share of the training that is done, in [0, 1].

    Source:
        Ganin and Lempitsky 2015, arXiv:1409.7495.
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1


def modality_loss(
    logits: Sequence[Float[Tensor, "_ modalities"]],
) -> Float[Tensor, ""]:
    r"""Return $-\sum_m \operatorname{mean}_i \log p(m \mid z^m_i)$.

    Args:
        logits: The critic's answer to the rows of every modality, in the order of its
            outputs.

    Source:
        Wang et al. 2017, Adversarial cross-modal retrieval; for two modalities this is
        their loss.
    """
    parts = []
    for number, answer in enumerate(logits):
        truth = torch.full((len(answer),), number, device=answer.device)
        parts.append(F.cross_entropy(answer.float(), truth))
    return torch.stack(parts).sum()
