"""Complete cross triplets: anchor, positive and negative of every mix of modalities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations_with_replacement, product

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from crossmodal.modality import Modality
from training.losses.triplet import distances, mined_triplets

Masks = tuple[Bool[Tensor, "rows others"], Bool[Tensor, "rows others"]]


def cross_triplets(
    embedded: Mapping[Modality, Float[Tensor, "_ dim"]],
    masks: Callable[[Modality, Modality], Masks],
    *,
    margin: float = 0.5,
    strategy: str = "batch_all",
    distance: str = "cosine",
) -> Float[Tensor, ""]:
    """Mean triplet loss over the triples of modalities that are not all the same.

    With two modalities these are six of eight; they share three distance matrices.

    Args:
        embedded: Rows of each modality.
        masks: Returns which rows of two modalities share a class and which differ; within
            one modality a row is neither to itself.
        margin: In units of the distance.
        strategy: As in ``mined_triplets``.
        distance: As in ``distances``.

    Source:
        Zeng et al. 2022, Complete cross-triplet loss in label space for audio-visual
        cross-modal retrieval, as we read "complete".
    """
    modalities = sorted(embedded)
    apart: dict[tuple[Modality, Modality], Tensor] = {}
    for one, other in combinations_with_replacement(modalities, 2):
        apart[one, other] = distances(embedded[one], embedded[other], distance)
        apart[other, one] = apart[one, other].T
    kinds = {pair: masks(*pair) for pair in apart}
    losses = [
        mined_triplets(
            apart[anchor, positive],
            apart[anchor, negative],
            kinds[anchor, positive][0],
            kinds[anchor, negative][1],
            margin=margin,
            strategy=strategy,
        )
        for anchor, positive, negative in product(modalities, repeat=3)
        if len({anchor, positive, negative}) > 1
    ]
    return torch.stack(losses).mean()
