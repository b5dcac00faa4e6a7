"""Documentation: the parts of OpenAPI that hand-read bodies cannot declare themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from crossmodal.items import ITEM_ID
from service.http.bodies import JSON, MULTIPART, OCTETS
from service.openapi import schemas
from service.openapi.evaluation_schemas import EvaluationReply
from service.problems import MEDIA_TYPE, STATUS
from service.searching.batches import MAX_SEARCHES
from service.searching.parameters import ClipParameters, SearchParameters

REPLIES: tuple[type[BaseModel], ...] = (
    schemas.Alive,
    schemas.BatchReply,
    schemas.CollectionReply,
    schemas.DeletedReply,
    schemas.EmbeddingReply,
    EvaluationReply,
    schemas.Health,
    schemas.ItemWithIdReply,
    schemas.ItemWrittenReply,
    schemas.ItemsReply,
    schemas.JobWithIdReply,
    schemas.JobsReply,
    schemas.SearchReply,
    schemas.Version,
    schemas.Vitals,
    schemas.WrittenReply,
)
REFERENCE = "#/components/schemas/"
READ_ERRORS = (401, 403, 429, 500, 503)
BODY_ERRORS = (400, 408, 411, 413, 415, 422)
QUERY_ERRORS = (*READ_ERRORS, *BODY_ERRORS, 404, 409)
KEPT_ERRORS = (*READ_ERRORS, 409, 507)  # of whatever writes
WRITE_ERRORS = (*KEPT_ERRORS, *BODY_ERRORS)

NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 1}
FEATURES = {
    "description": "front-end features: (dim), or (time, dim)",
    "oneOf": [NUMBERS, {"type": "array", "items": NUMBERS, "minItems": 1}],
}
VECTOR = {**NUMBERS, "description": "an embedding of the model's dim; scaled to unit norm"}
IDENTITY = {
    "type": "string",
    "pattern": f"^{ITEM_ID.pattern}$",
    "description": "a stored item, searched with its own vector",
}
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    "description": "makes sending the request again harmless: it is answered alike",
}
BINARY = {"type": "string", "contentMediaType": OCTETS}
FLOATS = {
    "type": "string",
    "format": "binary",
    "description": "a vector as float32 numbers, little-endian, 4 bytes each",
}


def responses(
    model: type[BaseModel] | None,
    statuses: Sequence[int],
    also: Mapping[int, type[BaseModel]] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """Return every status an operation can answer, with its shape."""
    shapes = dict(also or {})
    if model is not None:
        shapes[200] = model
    # given as models, each would be compiled at every start, for no reply to pass through
    table: dict[int | str, dict[str, Any]] = {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {JSON: {"schema": {"$ref": f"{REFERENCE}{shape.__name__}"}}},
        }
        for status, shape in shapes.items()
    }
    for status in sorted(statuses):
        codes = [code for code, kind in STATUS.items() if kind.status == status]
        table[status] = {
            "description": " or ".join(f"`{code}`" for code in codes),
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"{REFERENCE}ProblemReply"}}},
        }
    return table


def search_operation() -> dict[str, Any]:
    """Return the parameters and the bodies of a search."""
    bodies = _bodies(
        SearchParameters, {"features": FEATURES, "vector": VECTOR, "id": IDENTITY}
    )
    bodies["content"][OCTETS] = {"schema": FLOATS}
    return {
        "parameters": [
            path_parameter("direction", "QUERY2GALLERY, as in audio2visual"),
            *_query_parameters(SearchParameters),
            {
                "name": "id",
                "in": "query",
                "required": False,
                "schema": IDENTITY,
                "description": "a stored item to search with, in place of a body",
            },
        ],
        "requestBody": bodies,
    }


def embed_operation() -> dict[str, Any]:
    """Return the parameters and both bodies of an embedding."""
    return {
        "parameters": [
            path_parameter("modality", "audio or visual"),
            *_query_parameters(ClipParameters),
        ],
        "requestBody": _bodies(ClipParameters, {"features": FEATURES}),
    }


def batch_operation() -> dict[str, Any]:
    """Return the body of a batch: the variants of a search, each with its direction."""
    direction = {"type": "string", "description": "QUERY2GALLERY, as in audio2visual"}
    variants = _variants(
        SearchParameters,
        {"features": FEATURES, "vector": VECTOR, "id": IDENTITY},
        {"direction": direction},
    )
    searches = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_SEARCHES,
        "items": {"oneOf": variants},
    }
    schema = {
        "type": "object",
        "required": ["searches"],
        "additionalProperties": False,
        "properties": {"searches": searches},
    }
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


def json_operation(model: type[BaseModel]) -> dict[str, Any]:
    """Return the one JSON body of an operation."""
    schema = {"schema": {"$ref": f"{REFERENCE}{model.__name__}"}}
    return {"requestBody": {"required": True, "content": {JSON: schema}}}


def query_operation(model: type[BaseModel]) -> dict[str, Any]:
    """Return the query string of an operation."""
    return {"parameters": _query_parameters(model)}


def id_operation(*, writes: bool = False) -> dict[str, Any]:
    """Return the path parameter of an operation on one item."""
    more = [IDEMPOTENCY_KEY] if writes else []
    return {"parameters": [path_parameter("item_id", "the item's id"), *more]}


def complete(schema: dict[str, Any], models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """Return the schema with its components: all replies, and the models of requests."""
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    own_models: tuple[type[BaseModel], ...] = (
        schemas.ProblemReply,
        SearchParameters,
        ClipParameters,
    )
    for reply in REPLIES:
        own = reply.model_json_schema(
            ref_template=f"{REFERENCE}{{model}}", mode="serialization"
        )
        components.update(own.pop("$defs", {}))
        components[reply.__name__] = own
    for model in (*own_models, *models):
        own = model.model_json_schema(ref_template=f"{REFERENCE}{{model}}")
        components.update(own.pop("$defs", {}))
        components[model.__name__] = own
    components.pop("HTTPValidationError", None)
    components.pop("ValidationError", None)
    schema["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "when keys are set"}
    }
    schema["security"] = [{}, {"key": []}]
    return schema


def _variants(
    model: type[BaseModel], sources: dict[str, Any], more: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return one object per source of a query; ``more`` are required beside it."""
    own = model.model_json_schema(ref_template=f"{REFERENCE}{{model}}")
    named = {n: s for n, s in own["properties"].items() if n not in ("start", "end")}
    return [
        {
            "type": "object",
            "title": source,
            "required": [*more, source],
            "additionalProperties": False,
            "properties": {**more, source: schema, **named},
        }
        for source, schema in sources.items()
    ]


def _bodies(model: type[BaseModel], sources: dict[str, Any]) -> dict[str, Any]:
    variants = _variants(model, sources, {})
    uploads = [
        {
            "type": "object",
            "required": [part],
            "additionalProperties": False,
            "properties": {
                part: {**BINARY, "description": text},
                "params": {"$ref": f"{REFERENCE}{model.__name__}"},
            },
        }
        for part, text in (("file", "a clip"), ("features", "features as .npy"))
    ]
    return {
        "required": False,
        "content": {
            JSON: {"schema": {"oneOf": variants}},
            MULTIPART: {
                "schema": {"oneOf": uploads},
                "encoding": {"params": {"contentType": JSON}},
            },
        },
    }


def _query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    own = model.model_json_schema(ref_template=f"{REFERENCE}{{model}}")
    parameters = []
    for name, schema in own["properties"].items():
        parameter: dict[str, Any] = {"name": name, "in": "query", "required": False}
        if name == "filter":
            parameter["content"] = {JSON: {"schema": schema}}
        else:
            parameter["schema"] = schema
        if name == "exclude":
            parameter |= {"style": "form", "explode": False}
        parameters.append(parameter)
    return parameters


def path_parameter(name: str, text: str) -> dict[str, Any]:
    """Return a parameter of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": text,
    }
