"""Earshot tower: the scores of its kernels, item by item."""

import numpy as np
import pytest
import torch

from training.towers.earshot_tower import KernelView


@pytest.mark.parametrize("rooted", [False, True])
def test_scores_are_those_of_the_double_loop(rooted: bool) -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((9, 4)).astype(np.float32)
    landmarks = rng.standard_normal((5, 4)).astype(np.float32)
    linear = rng.standard_normal((4, 3)).astype(np.float32)
    kernel = rng.standard_normal((2, 5, 3)).astype(np.float32)
    view = KernelView(4, 3, shapes=("gaussian", "laplacian"), rooted=rooted)
    rows = view.fit_rows(features)
    view.set_maps(landmarks.astype(np.float64), [0.3, 0.2], linear, kernel)
    with torch.inference_mode():
        found = view(torch.from_numpy(features)).numpy()
    for number, row in enumerate(rows):
        expected = row @ linear
        for place, z in enumerate(landmarks):
            expected = expected + np.exp(-0.3 * ((row - z) ** 2).sum()) * kernel[0, place]
            expected = expected + np.exp(-0.2 * abs(row - z).sum()) * kernel[1, place]
        np.testing.assert_allclose(found[number], expected, atol=1e-5)
