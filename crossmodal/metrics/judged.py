"""Judged embeddings: one modality's rows with what makes them relevant to others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossmodal.embeddings import Embeddings, check_unit
from crossmodal.errors import DataError, ShapeError
from crossmodal.relevance import Keys, Relevance


@dataclass(frozen=True, slots=True)
class Judged:
    """Embeddings of one modality, their item ids, labels and pair keys, in one order.

    Attributes:
        ids: Item id of each row, unique.
        embeddings: Unit-norm rows.
        labels: Class of each row, None where unknown; None if no row has one.
        pairs: Pair key of each row, equal for the modalities of one clip, None where
            it has no partner; None if no row has one.

    Raises:
        ShapeError: If the embeddings are not a finite matrix of unit-norm rows.
        DataError: If the columns differ in length or an id occurs twice.
    """

    ids: Sequence[str]
    embeddings: Embeddings
    labels: Sequence[str | None] | None = None
    pairs: Sequence[str | None] | None = None

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 2 or self.embeddings.dtype != np.float32:
            raise ShapeError(
                "expected float32 embeddings of shape (rows, dim), got "
                f"{self.embeddings.dtype} of shape {self.embeddings.shape}"
            )
        check_unit(self.embeddings)
        for name in ("ids", "labels", "pairs"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.embeddings):
                raise DataError(
                    f"expected one entry of {name} per embedding, got {len(column)} for "
                    f"{len(self.embeddings)} rows"
                )
        if len(set(self.ids)) != len(self.ids):
            twice = sorted(item for item, count in Counter(self.ids).items() if count > 1)
            raise DataError(f"ids must be unique, these occur twice: {twice[:5]}")

    def __len__(self) -> int:
        return len(self.embeddings)

    def keys(self, relevance: Relevance) -> Keys:
        """Return each row's key under a kind of relevance, None where it has none.

        Raises:
            ValueError: If that kind goes by no key.
        """
        columns = {Relevance.CLASS: self.labels, Relevance.INSTANCE: self.pairs}
        if relevance not in columns:
            raise ValueError(f"items have no key for {relevance.value} relevance")
        column = columns[relevance]
        return [None] * len(self) if column is None else column
