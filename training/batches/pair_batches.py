"""Batches of whole pairs, in an order of chance or as they stand; none is dropped."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from crossmodal.errors import DataError
from training.batches.sampling import Batch
from training.data import TrainingData


class PairBatches:
    """Deals every pair once per epoch; entry i of every modality is one pair.

    Batches differ by one pair at most, so the last is no smaller than the others.
    """

    def __init__(
        self,
        data: TrainingData,
        size: int,
        rng: np.random.Generator,
        *,
        shuffle: bool = True,
    ) -> None:
        """Prepare.

        Args:
            data: Has pairs, own or drawn.
            size: Pairs per batch, about; all of them if there are fewer.
            rng: Decides the order of every epoch.
            shuffle: Whether there is an order of chance at all.

        Raises:
            DataError: If there are fewer than two pairs.
        """
        if data.pairs is None or len(next(iter(data.pairs.values()))) < 2:
            raise DataError("training on pairs needs two pairs or more, the data has fewer")
        self._data = data
        self._pairs = data.pairs
        self._count = len(next(iter(data.pairs.values())))
        self._batches = max(1, math.floor(self._count / size + 0.5))
        self._rng = rng
        self._shuffle = shuffle

    def __len__(self) -> int:
        """Batches per epoch."""
        return self._batches

    def __iter__(self) -> Iterator[Batch]:
        """Deal one epoch."""
        order = np.arange(self._count)
        if self._shuffle:
            order = self._rng.permutation(order)
        for chosen in np.array_split(order, self._batches):
            rows = {m: self._pairs[m][chosen] for m in self._data.modalities}
            yield Batch(
                rows=rows,
                labels={m: self._data.labels[m][part] for m, part in rows.items()},
                pairs=dict.fromkeys(rows, chosen),
            )
