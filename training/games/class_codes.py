"""Class codes: one binary code per class that the codes of its items agree with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Signs = Float[Tensor, "_ bits"]


def update_class_codes(
    class_codes: Float[Tensor, "classes bits"],
    items: Sequence[tuple[Signs, Float[Tensor, "_ classes"]]],
) -> Float[Tensor, "classes bits"]:
    r"""Return class codes that fit the items' codes no worse, one bit at a time.

    Each bit of all classes takes the sign that lessens $\sum_i \sum_c (b_i^T c_c - b\,
    s_{ic})^2$ the most while the others stay; the previous class codes join the items,
    each belonging to its own class, which keeps classes apart. A tie keeps the bit.

    Args:
        class_codes: The previous ones, of -1 and 1.
        items: For each modality the items' codes of -1 and 1, and 1 where an item is of
            the class, -1 where not.

    Source:
        Gu et al. 2019, Adversary guided asymmetric hashing; discrete cyclic coordinate
        descent after Shen et al. 2015, Supervised discrete hashing.
    """
    classes, bits = class_codes.shape
    own = 2 * torch.eye(classes, device=class_codes.device) - 1
    blocks = [*items, (class_codes, own)]
    agreement = torch.stack([bits * wanted.T @ codes for codes, wanted in blocks]).sum(0)
    gram = torch.stack([codes.T @ codes for codes, _ in blocks]).sum(0)
    found = class_codes.clone()
    for bit in range(bits):
        others = found @ gram[:, bit] - found[:, bit] * gram[bit, bit]
        pull = agreement[:, bit] - others
        found[:, bit] = torch.where(pull == 0, found[:, bit], pull.sign())
    return found
