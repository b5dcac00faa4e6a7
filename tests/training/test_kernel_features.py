import numpy as np

from training.correlation.kernel_features import KernelFeatures
from training.correlation.kernels import KernelMap


def made() -> tuple[np.ndarray, KernelMap]:
    rows = np.random.default_rng(0).standard_normal((30, 4))
    return rows, KernelMap(rows[:12], 0.3)


def test_inner_products_of_landmarks_are_their_kernel() -> None:
    rows, kernel = made()
    features = KernelFeatures.of(kernel).features(rows[:12])
    expected = np.exp(-0.3 * ((rows[:12, None] - rows[None, :12]) ** 2).sum(axis=2))
    np.testing.assert_allclose(features @ features.T, expected, atol=1e-4)


def test_a_map_of_features_is_a_map_of_the_kernel() -> None:
    rows, kernel = made()
    features = KernelFeatures.of(kernel)
    weight = np.random.default_rng(1).standard_normal((12, 3))
    np.testing.assert_allclose(
        features.features(rows) @ weight,
        kernel.kernel(rows) @ features.on_kernel(weight),
        atol=1e-9,
    )
