"""Known features: rows computed before, found again by the content they came from."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import NamedTuple

import numpy as np

from crossmodal.feature_tables import ModalityFeatures
from crossmodal.items import Segment
from crossmodal.modality import Modality


class KnownRow(NamedTuple):
    """Features of one stretch, and the seconds that were read of it."""

    features: np.ndarray
    duration_s: float


class KnownFeatures:
    """Rows of a features file by modality, the file's sha256 and the stretch.

    The same bytes, stretch and front end give the same features, so they need not be
    computed again; whoever makes this has compared the front ends.
    """

    def __init__(self, tables: Mapping[Modality, ModalityFeatures]) -> None:
        self._rows: dict[tuple[Modality, str, Segment], KnownRow] = {}
        self._splits: dict[str, str] = {}
        for modality, table in tables.items():
            for item_id, split in zip(table.id, table.split, strict=True):
                if split:
                    self._splits[str(item_id)] = str(split)
            for row, sha256 in enumerate(map(str, table.media)):
                duration_s = float(table.duration[row])
                if not sha256 or isnan(duration_s):
                    continue
                end_s = float(table.end[row])
                segment = Segment(float(table.start[row]), None if isnan(end_s) else end_s)
                known = KnownRow(table.item(row), duration_s)
                self._rows[modality, sha256, segment] = known

    def __len__(self) -> int:
        return len(self._rows)

    def split_of(self, item_id: str) -> str | None:
        """Return the split that the rows of an item are of; None if they say none."""
        return self._splits.get(item_id)

    def find(self, modality: Modality, sha256: str, segment: Segment) -> KnownRow | None:
        """Return the row of this content and stretch; None if there is none."""
        return self._rows.get((modality, sha256, segment))
