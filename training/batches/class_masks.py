"""Class masks: which rows of a batch are of one class, and which of different ones."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.batches.sampling import Batch
from training.data import UNLABELED, TrainingData

Mask = Bool[Tensor, "rows others"]


def class_masks(
    batch: Batch, one: Modality, other: Modality, device: torch.device
) -> tuple[Mask, Mask]:
    """Return which pairs of rows share a class, and which are known not to.

    A row without label is neither; within one modality a row is neither to itself.
    """
    labels, others = (
        torch.from_numpy(batch.labels[modality]).to(device) for modality in (one, other)
    )
    known = (labels != UNLABELED)[:, None] & (others != UNLABELED)
    same = labels[:, None] == others
    different = known & ~same
    same = known & same
    if one == other:
        same.fill_diagonal_(False)
    return same, different


def require_classes(train: TrainingData, title: str) -> None:
    """Check that two classes are present in every modality, so that triplets exist.

    Raises:
        DataError: If they are not; the message says how many are.
    """
    shared = np.arange(len(train.classes))
    for labels in train.labels.values():
        shared = np.intersect1d(shared, labels[labels != UNLABELED])
    if len(train.modalities) < 2 or shared.size < 2:
        raise DataError(
            f"{title} needs two classes or more that occur in two or more modalities, "
            f"got {shared.size} in {', '.join(train.modalities)}"
        )
