"""Batches of P classes with K items each, pairs kept together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from training.data import UNLABELED, TrainingData

Rows = Int64[np.ndarray, "_"]

UNPAIRED = -1


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of each modality; modalities may differ in their number of rows.

    Attributes:
        rows: Row numbers of the features.
        labels: Class of each row, -1 where unknown.
        pairs: Number of the pair each row belongs to, -1 for none.
    """

    rows: Mapping[Modality, Rows]
    labels: Mapping[Modality, Rows]
    pairs: Mapping[Modality, Rows]


class _Deck:
    """Deals its cards in shuffled order, shuffling anew when they run out."""

    def __init__(self, cards: np.ndarray, rng: np.random.Generator) -> None:
        self._cards = cards
        self._rng = rng
        self._left = np.zeros(0, dtype=np.int64)

    def deal(self, count: int) -> np.ndarray:
        """Return that many different cards, or all if there are fewer."""
        count = min(count, len(self._cards))
        hand = self._left[:count]
        self._left = self._left[count:]
        if len(hand) < count:
            fresh = self._rng.permutation(self._cards)
            again = np.isin(fresh, hand)
            more, kept = fresh[~again], fresh[again]
            missing = count - len(hand)
            hand = np.concatenate([hand, more[:missing]])
            self._left = np.concatenate([more[missing:], kept])
        return hand


@dataclass(frozen=True, slots=True)
class _Class:
    """The decks of one class, and how many pairs of it a batch holds."""

    pairs: _Deck | None
    singles: Mapping[Modality, _Deck]
    pair_count: int


class BalancedBatches:
    """Deals batches of P classes and K items per class and modality.

    A pair is dealt as one, so both members are in the batch; items without a partner are
    dealt per modality, in proportion. No pair occurs twice in a batch: a class of fewer
    than K items gives all it has. Decks go on from epoch to epoch, so every item has its
    turn. Left out are unlabeled rows without a partner and classes that some modality
    lacks, as nothing in the other answers them. Pairs without label are one more class;
    if nothing is labeled, a batch is any P × K pairs.
    """

    def __init__(
        self, data: TrainingData, classes: int, items: int, rng: np.random.Generator
    ) -> None:
        """Prepare the decks.

        Args:
            data: Labels and pairs.
            classes: P, classes per batch.
            items: K, items of each class per modality.
            rng: Decides every draw.

        Raises:
            DataError: If a modality has fewer than two rows to deal.
        """
        self._data = data
        members = _members(data, _pair_numbers(data))
        if set(members) == {UNLABELED}:
            items *= classes
        self._items = items
        self._classes = {
            number: _decks(pairs, singles, items, rng)
            for number, (pairs, singles) in members.items()
        }
        self._order = _Deck(np.array(sorted(members), dtype=np.int64), rng)
        self._per_batch = min(classes, len(members))
        largest = 0
        for modality in data.modalities:
            count = sum(
                len(pairs) + len(singles.get(modality, ()))
                for pairs, singles in members.values()
            )
            largest = max(largest, count)
            if count < 2:
                raise DataError(
                    f"{modality}: {count} training items share a class or a pair with "
                    "the other modality, expected 2 or more"
                )
        self._per_epoch = math.ceil(largest / (self._per_batch * items))

    def __len__(self) -> int:
        """Batches per epoch: enough for as many rows as the larger modality has."""
        return self._per_epoch

    def __iter__(self) -> Iterator[Batch]:
        """Deal one epoch."""
        for _ in range(self._per_epoch):
            yield self._deal()

    def _deal(self) -> Batch:
        none = np.zeros(0, dtype=np.int64)
        rows = {modality: [none] for modality in self._data.modalities}
        pairs = {modality: [none] for modality in self._data.modalities}
        for number in self._order.deal(self._per_batch):
            decks = self._classes[int(number)]
            events = none if decks.pairs is None else decks.pairs.deal(decks.pair_count)
            for modality, chosen in rows.items():
                if self._data.pairs is not None:
                    chosen.append(self._data.pairs[modality][events])
                    # not looked up by row: a row may be in several drawn pairs
                    pairs[modality].append(events)
                if modality in decks.singles:
                    alone = decks.singles[modality].deal(self._items - len(events))
                    chosen.append(alone)
                    pairs[modality].append(np.full(len(alone), UNPAIRED))
        together = {m: np.concatenate(chosen) for m, chosen in rows.items()}
        return Batch(
            rows=together,
            labels={m: self._data.labels[m][chosen] for m, chosen in together.items()},
            pairs={m: np.concatenate(numbers) for m, numbers in pairs.items()},
        )


Members = tuple[Rows, Mapping[Modality, Rows]]


def _members(data: TrainingData, pair_of: Mapping[Modality, Rows]) -> dict[int, Members]:
    """Return each class's pair numbers, and its rows without a partner."""
    none = np.zeros(0, dtype=np.int64)
    first = data.modalities[0]
    of_pairs = none if data.pairs is None else data.labels[first][data.pairs[first]]
    members: dict[int, Members] = {}
    for number in np.unique(np.concatenate([of_pairs, *data.labels.values()])):
        pairs = np.flatnonzero(of_pairs == number)
        singles = {}
        for modality, labels in data.labels.items():
            alone = (pair_of[modality] == UNPAIRED) & (labels == number)
            if number != UNLABELED and alone.any():
                singles[modality] = np.flatnonzero(alone)
        if pairs.size or len(singles) == len(data.modalities):
            members[int(number)] = (pairs, singles)
    return members


def _decks(
    pairs: Rows, singles: Mapping[Modality, Rows], items: int, rng: np.random.Generator
) -> _Class:
    alone = max((len(rows) for rows in singles.values()), default=0)
    share = math.ceil(items * len(pairs) / max(1, len(pairs) + alone))
    return _Class(
        pairs=_Deck(pairs, rng) if len(pairs) else None,
        singles={modality: _Deck(rows, rng) for modality, rows in singles.items()},
        pair_count=share,
    )


def _pair_numbers(data: TrainingData) -> dict[Modality, Rows]:
    numbers = {
        m: np.full(len(labels), UNPAIRED, dtype=np.int64)
        for m, labels in data.labels.items()
    }
    for modality, rows in (data.pairs or {}).items():
        numbers[modality][rows] = np.arange(len(rows))
    return numbers
