import numpy as np

from training.class_map import Rotated

RNG = np.random.default_rng(0)


def test_rotated_rows_are_the_features_seen_along_their_own_axes() -> None:
    features = RNG.standard_normal((30, 4)) * [1, 2, 3, 4] + [5, 0, 0, 1]
    chosen = np.arange(0, 30, 3)
    whole = Rotated.of(features)
    for found, seen in ((whole, features), (whole.part(chosen), features[chosen])):
        np.testing.assert_allclose(found.rows @ found.vectors.T + found.mean, seen)
        gram = found.rows.T @ found.rows
        np.testing.assert_allclose(gram, np.diag(found.values), atol=1e-9)
