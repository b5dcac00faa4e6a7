import numpy as np

from training.classification.class_map import Rotated


def test_rotated_rows_are_the_features_seen_along_their_own_axes() -> None:
    draws = np.random.default_rng(0).standard_normal((30, 4))
    features = draws * [1, 2, 3, 4] + [5, 0, 0, 1]
    found = Rotated.of(features)
    np.testing.assert_allclose(found.rows @ found.vectors.T + found.mean, features)
    gram = found.rows.T @ found.rows
    np.testing.assert_allclose(gram, np.diag(found.values), atol=1e-9)
