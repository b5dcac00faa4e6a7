"""New items: what a client asks to store, checked and turned into what the index takes.

Each modality comes either as vectors, embedded already, or as features, embedded here.
What is stored beside them is exactly what the client may name; nothing else is a field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from crossmodal.bundle import Bundle
from crossmodal.errors import DataError, ModalityError
from crossmodal.items import SPLITS, Segment
from crossmodal.modality import Modality, parse_modality
from index.collection import Collection
from index.storage.new_items import MAX_LABEL, NewItem, NewVector
from index.writing.operations import Put
from service.http.arrays import parse_vector
from service.problems import invalid_field
from service.runtime import Runtime
from service.searching.parameters import ClipParameters, ItemId, Strict, validate
from service.searching.queries import Given, embed_query

MAX_ITEMS = 256  # in one request
MAX_SEGMENTS = 1000  # of one item in one modality
MAX_NAME = 200  # characters of a pair or a group

Second = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]


class Described(Strict):
    """What is known of an item beside its vectors."""

    label: str | None = Field(default=None, max_length=MAX_LABEL)
    metadata: dict[str, Any] = Field(
        default={},
        description="JSON of at most 16 KiB and 8 levels; `split` is train, val or test, "
        "`pair` and `group` are text",
    )

    @field_validator("metadata")
    @classmethod
    def _check_known_keys(cls, metadata: dict[str, Any]) -> dict[str, Any]:
        if metadata.get("split") not in (None, *SPLITS):
            raise ValueError(f"split must be one of {', '.join(SPLITS)}")
        for name in ("pair", "group"):
            value = metadata.get(name)
            if value is not None and not (type(value) is str and len(value) <= MAX_NAME):
                raise ValueError(f"{name} must be text of {MAX_NAME} characters at most")
        return metadata


class ItemFields(Described):
    """One item whose id the path names."""

    vectors: dict[str, Any] = Field(default={}, description="by modality")
    features: dict[str, Any] = Field(default={}, description="by modality")


class NewItemFields(ItemFields):
    """One item of several."""

    id: ItemId


class SegmentFields(Strict):
    """A stretch of an item in seconds, and the vector or features that stand for it."""

    start: Second = 0.0
    end: Second | None = None
    vector: Any = None
    features: Any = None

    @model_validator(mode="after")
    def _check_order(self) -> SegmentFields:
        if self.end is not None and self.end <= self.start:
            raise ValueError("end must be greater than start")
        return self


class IngestRequest(Strict):
    """Several items to store."""

    items: list[dict[str, Any]] = Field(min_length=1, max_length=MAX_ITEMS)
    replace: bool = Field(
        default=False, description="whether an item of the same id gives way"
    )
    model: str | None = Field(
        default=None,
        max_length=64,
        description="the model that made the vectors; another than the collection's is 409",
    )


def read_item(
    service: Runtime,
    collection: Collection,
    item_id: str,
    fields: ItemFields,
    *,
    replace: bool,
) -> Put:
    """Return what stores an item, its features embedded; runs in a thread.

    Raises:
        ProblemError: ``invalid-field``, ``bad-vector`` or ``encoder-failing``.
        ModalityError: If the model does not encode a modality.
        ShapeError: If features do not fit.
    """
    dim = collection.bundle.manifest.dim
    if twice := fields.vectors.keys() & fields.features.keys():
        raise invalid_field(min(twice), "expected vectors or features, not both")
    if not fields.vectors and not fields.features:
        raise invalid_field("vectors", "expected vectors or features of a modality")

    def vector(modality: Modality, value: Any) -> np.ndarray:
        row: np.ndarray = parse_vector(value, dim)[0]
        return row

    def embedding(modality: Modality, value: Any) -> np.ndarray:
        given = Given("features", value, ClipParameters())
        embedded = embed_query(
            collection.bundle, service.decoder, service.readiness, modality, given
        )
        row: np.ndarray = embedded.vectors[0]
        return row

    vectors = [
        *_read(collection.bundle, fields.vectors, "vector", vector),
        *_read(collection.bundle, fields.features, "features", embedding),
    ]
    item = NewItem(
        id=item_id, label=fields.label, metadata=fields.metadata, vectors=vectors
    )
    return checked(collection, Put(item=item, replace=replace))


def checked(collection: Collection, put: Put) -> Put:
    """Return a put that the index will take.

    Raises:
        ProblemError: ``invalid-field``, if it would refuse it.
    """
    try:
        collection.check(put)
    except DataError as error:
        # written for whoever sent the item, and naming nothing but its id
        raise invalid_field("item", str(error)) from None
    return put


def _read(
    bundle: Bundle,
    given: Mapping[str, Any],
    name: str,
    row: Callable[[Modality, Any], np.ndarray],
) -> list[NewVector]:
    vectors = []
    for text, value in given.items():
        modality = parse_modality(text)
        if modality not in bundle.modalities:
            raise ModalityError(f"no {modality} encoder")
        if not _has_segments(value):
            vectors.append(NewVector(modality, row(modality, value)))
            continue
        if len(value) > MAX_SEGMENTS:
            raise invalid_field(modality, f"expected at most {MAX_SEGMENTS} segments")
        for part in value:
            fields = validate(SegmentFields, part)
            if {"vector", "features"} & fields.model_fields_set != {name}:
                raise invalid_field(modality, f"expected each segment to have its {name}")
            stretch = Segment(fields.start, fields.end)
            vectors.append(
                NewVector(modality, row(modality, getattr(fields, name)), stretch)
            )
    return vectors


def _has_segments(value: Any) -> bool:
    return type(value) is list and bool(value) and all(type(v) is dict for v in value)
