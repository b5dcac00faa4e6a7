"""Stored items as a view knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from crossmodal.modality import Modality


class StoredItem(NamedTuple):
    """An item of a view.

    ``modalities`` are those that can be searched in; ``metadata`` holds ``split``,
    ``pair`` and ``group`` where known, beside what the client gave. ``created`` is in
    Unix seconds.
    """

    id: str
    seq: int
    label: str | None
    metadata: Mapping[str, Any]
    modalities: tuple[Modality, ...]
    media_sha256: str | None
    created: float

    @property
    def split(self) -> str | None:
        """The part of the data set it belongs to: train, val or test."""
        return self.metadata.get("split")

    @property
    def pair(self) -> str | None:
        """The key shared by all that shows the same event: given, or its own id.

        None for an item of one modality without a given key: it has no partner.
        """
        given = self.metadata.get("pair")
        return given or (self.id if len(self.modalities) > 1 else None)
