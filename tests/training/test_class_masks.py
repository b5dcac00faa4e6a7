from collections.abc import Callable

import numpy as np
import pytest
import torch

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.batches.class_masks import class_masks, require_classes
from training.batches.sampling import Batch
from training.data import TrainingData

A, V = Modality.AUDIO, Modality.VISUAL
CPU = torch.device("cpu")

MakeData = Callable[..., TrainingData]


def batch() -> Batch:
    none = {A: np.array([-1, -1, -1]), V: np.array([-1, -1])}
    return Batch(
        rows=none, labels={A: np.array([0, 1, -1]), V: np.array([1, -1])}, pairs=none
    )


def test_masks_across_modalities_by_hand() -> None:
    same, different = class_masks(batch(), A, V, CPU)
    assert same.tolist() == [[False, False], [True, False], [False, False]]
    assert different.tolist() == [[True, False], [False, False], [False, False]]


def test_masks_within_a_modality_leave_out_the_row_itself() -> None:
    same, different = class_masks(batch(), A, A, CPU)
    assert not same.any()
    assert different.tolist() == [
        [False, True, False],
        [True, False, False],
        [False, False, False],
    ]


def test_fewer_than_two_shared_classes_are_refused(make_data: MakeData) -> None:
    require_classes(make_data(classes=2), "this method")
    for data in (make_data(classes=1), make_data(labeled=False)):
        with pytest.raises(DataError, match="method needs two classes or more that occur"):
            require_classes(data, "this method")
    with pytest.raises(DataError, match="in two or more modalities, got 4 in audio"):
        require_classes(make_data(dims={A: 5}), "this method")
