"""Batches that cut an epoch into pieces: class shares kept, shuffled, or in file order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Float64, Int64

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.batches.sampling import UNPAIRED, Batch
from training.config import check_choice
from training.data import TrainingData

Rows = Int64[np.ndarray, "_"]
Places = Float64[np.ndarray, "_"]

ORDERS = ("stratified", "shuffled", "sequential")


class EpochBatches:
    """Deals every pair, and every row without a partner, once an epoch.

    Each takes a place in [0, 1); batch b of n holds the places from b/n to (b+1)/n. The
    order decides the places: ``stratified`` spreads each class evenly, so that every batch
    has its share to within one item; ``shuffled`` draws them by chance; ``sequential`` goes
    by the file, so that a file sorted by class gives batches of one class.
    """

    def __init__(
        self, data: TrainingData, count: int, rng: np.random.Generator, order: str
    ) -> None:
        """Prepare.

        Args:
            data: Labels and pairs.
            count: Batches per epoch; fewer if a batch would not hold two items per class
                on average.
            rng: Decides every draw.
            order: One of ORDERS.

        Raises:
            ConfigError: If the order is unknown.
            DataError: If a modality has fewer than two rows.
        """
        check_choice("order", order, ORDERS)
        self._data = data
        self._rng = rng
        self._order = order
        self._pairs: Mapping[Modality, Rows] = data.pairs or {}
        self._alone = {
            m: np.setdiff1d(np.arange(len(labels)), self._pairs.get(m, ()))
            for m, labels in data.labels.items()
        }
        fewest = min(len(labels) for labels in data.labels.values())
        if fewest < 2:
            raise DataError(f"{fewest} training items in a modality, expected 2 or more")
        self._count = max(1, min(count, fewest // (2 * max(1, len(data.classes)))))

    def __len__(self) -> int:
        """Batches per epoch."""
        return self._count

    def __iter__(self) -> Iterator[Batch]:
        """Deal one epoch."""
        first = self._data.modalities[0]
        paired = self._pairs.get(first, np.zeros(0, dtype=np.int64))
        pair_batch = self._batches(self._data.labels[first][paired], paired)
        alone_batch = {
            m: self._batches(self._data.labels[m][rows], rows)
            for m, rows in self._alone.items()
        }
        for number in range(self._count):
            pairs = np.flatnonzero(pair_batch == number)
            rows, members = {}, {}
            for modality, batch in alone_batch.items():
                alone = self._alone[modality][batch == number]
                own = self._pairs[modality][pairs] if len(pairs) else alone[:0]
                rows[modality] = np.concatenate([own, alone])
                members[modality] = np.append(pairs, np.full(len(alone), UNPAIRED))
            if any(len(chosen) < 2 for chosen in rows.values()):
                continue  # nothing to compare; class shares of tiny sets can leave a gap
            yield Batch(
                rows=rows,
                labels={m: self._data.labels[m][chosen] for m, chosen in rows.items()},
                pairs=members,
            )

    def _batches(self, labels: Rows, rows: Rows) -> Rows:
        """Return which batch each of some pairs or rows is in."""
        return (self._places(labels, rows) * self._count).astype(np.int64)

    def _places(self, labels: Rows, rows: Rows) -> Places:
        if self._order == "sequential":
            return rows.argsort().argsort() / max(1, len(rows))
        if self._order == "shuffled":
            return self._rng.permutation(len(rows)) / max(1, len(rows))
        places = np.zeros(len(rows))
        for number in np.unique(labels):
            members = np.flatnonzero(labels == number)
            ranks = self._rng.permutation(len(members))
            places[members] = (ranks + self._rng.random()) / len(members)
        return places
