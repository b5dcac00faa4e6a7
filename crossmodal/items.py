"""Items: what is stored, searched and trained on under one id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossmodal.errors import DataError
from crossmodal.modality import Modality

ITEM_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
SPLITS = ("train", "val", "test")


def check_item_id(item_id: str) -> str:
    """Return the id unchanged if it may name an item.

    Raises:
        DataError: If it is not 1 to 64 letters, digits, ``_`` or ``-``.
    """
    if not ITEM_ID.fullmatch(item_id):
        raise DataError("an item id must be 1 to 64 letters, digits, '_' or '-'")
    return item_id


@dataclass(frozen=True, slots=True)
class Segment:
    """Part of an item, in seconds from its start; None means to the end."""

    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceItem:
    """One row of a media source: a clip on disk and what is known of it.

    ``media`` maps each modality the item offers to the file it comes from; a video
    with both tracks names one file twice. ``pair`` is equal for the items that show
    the same event, which is what instance relevance means; ``group`` is equal for
    items that must stay on one side of a split (source video, actor).
    """

    id: str
    media: Mapping[Modality, Path]
    label: str | None = None
    split: str | None = None
    pair: str | None = None
    group: str | None = None
    segment: Segment = Segment()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_item_id(self.id)
        if self.split is not None and self.split not in SPLITS:
            raise DataError(
                f"item {self.id}: split must be train, val or test, got {self.split!r}"
            )
