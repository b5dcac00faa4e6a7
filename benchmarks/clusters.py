"""Embeddings as trained encoders give them: in clusters of unequal size, few directions.

Every item has one vector per modality, near the same center; queries are drawn like items
that are not stored. Uniformly random vectors would be as far from each other as they can,
which no encoder's are, and would make every approximate index look worse than it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from crossmodal.modality import Modality

MODALITIES = (Modality.AUDIO, Modality.VISUAL)
ITEMS_PER_CLUSTER = 200
NOISE = 0.7  # of an item about its center, whose norm is 1
DECAY = 0.5  # the i-th direction has variance (i + 1) ** -DECAY


class Clusters:
    """Centers in a space of ``dim`` dimensions, and draws about them."""

    def __init__(self, items: int, dim: int, seed: int, noise: float = NOISE) -> None:
        """Place the centers for so many items, which stand about them this far."""
        self._rng = np.random.default_rng(seed)
        self._noise = noise
        self._scales = (np.arange(dim) + 1.0) ** (-DECAY / 2)
        count = max(2, items // ITEMS_PER_CLUSTER)
        self._centers = self._unit(self._rng.standard_normal((count, dim)) * self._scales)
        shares = 1 / np.arange(1, count + 1) ** 0.5
        self._shares = shares / shares.sum()

    def draw(
        self, count: int, modalities: Sequence[Modality] = MODALITIES
    ) -> Mapping[Modality, np.ndarray]:
        """Return unit-norm float32 rows (count, dim) of each modality, item by item."""
        about = self._centers[self._rng.choice(len(self._centers), count, p=self._shares)]
        rows = {}
        for modality in modalities:
            noise = self._rng.standard_normal(about.shape) * self._scales
            noise *= self._noise / np.sqrt((self._scales**2).sum())
            rows[modality] = self._unit(about + noise).astype(np.float32)
        return rows

    def queries(self, count: int) -> np.ndarray:
        """Return sounds (count, dim) that nothing stored belongs to."""
        return self.draw(count, (Modality.AUDIO,))[Modality.AUDIO]

    @staticmethod
    def _unit(rows: np.ndarray) -> np.ndarray:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def nearest(queries: np.ndarray, stored: np.ndarray, k: int) -> np.ndarray:
    """Return the rows (queries, k) of the largest inner products, by brute force."""
    exact = stored.astype(np.float64)
    scores = (exact @ query.astype(np.float64) for query in queries)
    return np.stack([np.argsort(-each, kind="stable")[:k] for each in scores])
