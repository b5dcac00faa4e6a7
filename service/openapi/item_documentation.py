"""Item documentation: the bodies that store items, as OpenAPI tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from service.http.bodies import JSON, MULTIPART
from service.openapi.documentation import (
    BINARY,
    FEATURES,
    IDEMPOTENCY_KEY,
    REFERENCE,
    VECTOR,
    json_operation,
    path_parameter,
)
from service.storing.clips import ClipFields, NewClipFields
from service.storing.deletions import DeletionRequest
from service.storing.new_items import (
    MAX_ITEMS,
    MAX_SEGMENTS,
    IngestRequest,
    ItemFields,
    NewItemFields,
)

MODELS = (ClipFields, NewClipFields, DeletionRequest)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "vectors": ("vector", VECTOR),
    "features": ("features", FEATURES),
}


def ingest_operation() -> dict[str, Any]:
    """Return the two bodies that store items: several as JSON, or a clip."""
    items = {"type": "array", "minItems": 1, "maxItems": MAX_ITEMS, "items": _item(("id",))}
    own = IngestRequest.model_json_schema(ref_template=f"{REFERENCE}{{model}}")
    schema = {**own, "properties": {**own["properties"], "items": items}}
    return {
        "parameters": [IDEMPOTENCY_KEY],
        "requestBody": _stored_bodies(schema, NewClipFields),
    }


def put_operation() -> dict[str, Any]:
    """Return the path and the two bodies that store an item under its id."""
    return {
        "parameters": [path_parameter("item_id", "the item's id"), IDEMPOTENCY_KEY],
        "requestBody": _stored_bodies(_item(()), ClipFields),
    }


def deletion_operation() -> dict[str, Any]:
    """Return the body of a deletion."""
    return {"parameters": [IDEMPOTENCY_KEY], **json_operation(DeletionRequest)}


def _item(required: Sequence[str]) -> dict[str, Any]:
    """Return an item with its vectors or features by modality."""
    model = NewItemFields if required else ItemFields
    own = model.model_json_schema(ref_template=f"{REFERENCE}{{model}}")
    properties = {
        **own["properties"],
        **{
            kind: {
                "type": "object",
                "description": "by modality: of the whole item, or of each segment",
                "additionalProperties": {"oneOf": [whole, _segments(name, whole)]},
            }
            for kind, (name, whole) in KINDS.items()
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "anyOf": [{"required": [*required, kind]} for kind in KINDS],
    }


def _segments(name: str, whole: dict[str, Any]) -> dict[str, Any]:
    seconds = {"type": "number", "minimum": 0, "maximum": 1e7}
    segment = {
        "type": "object",
        "required": [name],
        "additionalProperties": False,
        "properties": {
            "start": {**seconds, "default": 0},
            "end": {"anyOf": [seconds, {"type": "null"}]},
            name: whole,
        },
    }
    return {"type": "array", "minItems": 1, "maxItems": MAX_SEGMENTS, "items": segment}


def _stored_bodies(schema: dict[str, Any], clip: type[BaseModel]) -> dict[str, Any]:
    parts = {
        "type": "object",
        "required": ["file"],
        "additionalProperties": False,
        "properties": {
            "file": {**BINARY, "description": "a clip"},
            "params": {"$ref": f"{REFERENCE}{clip.__name__}"},
        },
    }
    return {
        "required": True,
        "content": {
            JSON: {"schema": schema},
            MULTIPART: {
                "schema": parts,
                "encoding": {"params": {"contentType": JSON}},
            },
        },
    }
