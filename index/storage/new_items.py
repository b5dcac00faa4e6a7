"""New items: what is to be stored, and the checks that come before anything is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from crossmodal.embeddings import Embeddings, normalize, norms
from crossmodal.errors import DataError, ShapeError
from crossmodal.items import Segment, check_item_id

VECTOR_TYPE = np.dtype("<f4")
ROUNDING_TOLERANCE = 1e-5  # float32 rounding keeps norms within it at any usual width
MAX_METADATA_BYTES = 16 * 1024
MAX_METADATA_DEPTH = 8
MAX_LABEL = 1000  # characters


@dataclass(frozen=True, slots=True)
class NewVector:
    """One segment's embedding in one modality, before it is stored."""

    modality: str
    embedding: Float[np.ndarray, "dim"]
    segment: Segment = field(default_factory=Segment)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item before it is stored."""

    id: str
    vectors: Sequence[NewVector]
    label: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    media_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """An item that may be stored: its metadata as text, its vectors at unit norm."""

    item: NewItem
    metadata: str
    embeddings: Embeddings


def check_item(item: NewItem, dim: int) -> CheckedItem:
    """Return an item ready to be stored; a vector of unit norm stays bit for bit as it is.

    Raises:
        DataError: If the id is malformed, the label too long, a segment none, or the
            metadata no JSON, over 16 KiB or more than 8 levels deep.
        ShapeError: If a vector is not finite, or has another width, or a norm outside
            [1e-6, 1e6].
    """
    check_item_id(item.id)
    if item.label is not None and len(item.label) > MAX_LABEL:
        raise DataError(f"item {item.id}: a label has {MAX_LABEL} characters at most")
    for vector in item.vectors:
        _check_segment(item, vector)
    return CheckedItem(item, _metadata_text(item), _unit_rows(item, dim))


def _check_segment(item: NewItem, vector: NewVector) -> None:
    start_s, end_s = vector.segment.start_s, vector.segment.end_s
    if not (0 <= start_s < np.inf and (end_s is None or start_s <= end_s < np.inf)):
        raise DataError(
            f"item {item.id}, {vector.modality}: expected a segment with "
            "0 <= start <= end, in seconds"
        )


def _metadata_text(item: NewItem) -> str:
    if _depth(item.metadata) > MAX_METADATA_DEPTH:
        raise DataError(
            f"item {item.id}: metadata may be {MAX_METADATA_DEPTH} levels deep at most"
        )
    try:
        text = json.dumps(dict(item.metadata), ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError) as error:  # a lone surrogate is a ValueError too
        raise DataError(f"item {item.id}: metadata must be JSON: {error}") from None
    if size > MAX_METADATA_BYTES:
        raise DataError(
            f"item {item.id}: metadata may have {MAX_METADATA_BYTES} bytes as JSON at "
            f"most, these have {size}"
        )
    return text


def _depth(value: Any, level: int = 1) -> int:
    """Return how deep a JSON value is nested, or a level that is too deep."""
    members = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, Mapping | list | tuple):
        return level - 1
    if level > MAX_METADATA_DEPTH:
        return level
    return max((_depth(member, level + 1) for member in members), default=level)


def _unit_rows(item: NewItem, dim: int) -> Embeddings:
    for vector in item.vectors:
        if vector.embedding.shape != (dim,):
            raise ShapeError(
                f"item {item.id}: expected a {vector.modality} vector ({dim},), got "
                f"{vector.embedding.shape}"
            )
    rows = np.array([vector.embedding for vector in item.vectors]).reshape(-1, dim)
    try:
        lengths = norms(rows)
    except ShapeError:
        for vector, row in zip(item.vectors, rows, strict=True):
            _check_norm(item, vector, row)
        raise
    off = np.abs(lengths - 1) > ROUNDING_TOLERANCE
    rows[off] = normalize(rows[off])
    unit: Embeddings = rows.astype(np.float32)
    return unit


def _check_norm(item: NewItem, vector: NewVector, row: Float[np.ndarray, "dim"]) -> None:
    try:
        norms(row[None])
    except ShapeError as error:
        raise ShapeError(f"item {item.id}, {vector.modality}: {error}") from None
