"""Losses of binary codes: full bits, even bits, agreement with the codes of classes."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from training.data import UNLABELED

Codes = Float[Tensor, "batch bits"]


def quantization(codes: Codes) -> Float[Tensor, ""]:
    r"""Return $\operatorname{mean}_i\|h_i - \operatorname{sign} h_i\|^2$; 0 counts as +.

    Args:
        codes: Continuous codes in [-1, 1].
    """
    signs = torch.where(codes >= 0, 1.0, -1.0)
    return (codes - signs).square().sum(dim=1).mean()


def uneven_magnitudes(codes: Codes) -> Float[Tensor, ""]:
    r"""Return $\operatorname{mean}_i \frac1{1 + e^{\cos(|h_i|, 1)}}$.

    It is least, 0.269, where all bits of a code have one magnitude, and at most 0.5.

    Source:
        Gu et al. 2019, Adversary guided asymmetric hashing, and its public code.
    """
    cosine = torch.cosine_similarity(codes.abs(), torch.ones_like(codes))
    return (1 - torch.sigmoid(cosine)).mean()


def class_code_regression(
    codes: Codes,
    class_codes: Float[Tensor, "classes bits"],
    labels: Int64[Tensor, "batch"],
) -> Float[Tensor, ""]:
    r"""Return $\operatorname{mean}_i \sum_c (h_i^T c_c - b(2y_{ic} - 1))^2$, b the bits.

    Args:
        codes: Continuous codes in [-1, 1].
        class_codes: Codes of -1 and 1.
        labels: Class of each row; rows of unknown class cost nothing.

    Source:
        Gu et al. 2019, Adversary guided asymmetric hashing, and its public code.
    """
    known = labels != UNLABELED
    wanted = torch.full((len(codes), len(class_codes)), -1.0, device=codes.device)
    wanted[known, labels[known]] = 1
    gaps = codes @ class_codes.T - codes.shape[1] * wanted
    return (gaps.square().sum(dim=1) * known).sum() / known.sum().clamp(min=1)
