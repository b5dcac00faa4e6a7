"""Queries: what a client searches or embeds with, from a request to unit-norm rows.

A query is exactly one of a clip, ready features, a vector, or a stored item's id. It is
read in the event loop and embedded in a worker thread.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from starlette.datastructures import QueryParams
from starlette.requests import Request

from crossmodal.bundle import Bundle
from crossmodal.embed import embed_clip, embed_features
from crossmodal.embeddings import Embeddings
from crossmodal.errors import CrossmodalError, DecoderBusyError, MediaError, ShapeError
from crossmodal.media.decoder import Decoder
from crossmodal.modality import Modality
from service.http.arrays import parse_features, parse_npy, parse_vector
from service.http.bodies import (
    JSON,
    MULTIPART,
    OCTETS,
    check_body,
    content_type,
    has_body,
    parse_json,
    read_body,
    read_json,
)
from service.http.uploads import read_parts
from service.problems import DETAILS, ProblemError, invalid_field
from service.searching.parameters import (
    ClipParameters,
    ItemId,
    Strict,
    parse_parameters,
    validate,
)
from service.settings import KIB, Settings
from service.watching.readiness import Readiness

MAX_PARAMS = 256 * KIB
NONE = QueryParams()
SOURCES = ("file", "features", "vector", "id")

Parameters = TypeVar("Parameters", bound=ClipParameters)


class _Id(Strict):
    id: ItemId


@dataclass(frozen=True, slots=True)
class Given(Generic[Parameters]):
    """A request as read: the one query it holds, and its parameters."""

    source: str
    value: Any
    parameters: Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query embedded: rows (n, dim), n > 1 where a stored item has segments."""

    modality: Modality
    source: str
    vectors: Embeddings
    duration_s: float | None = None
    item_id: str | None = None
    took_ms: Mapping[str, float] = field(default_factory=dict)


def is_upload(request: Request) -> bool:
    """Tell from the headers whether the query comes as a file."""
    return content_type(request) == MULTIPART


async def read_query(
    request: Request,
    settings: Settings,
    model: type[Parameters],
    sources: tuple[str, ...] = SOURCES,
) -> Given[Parameters]:
    """Return the query and parameters of a request, checked but not embedded.

    Raises:
        ProblemError: If the body is unusable, a parameter is wrong, or the query is not
            exactly one of the sources.
    """
    if is_upload(request):
        given = await _read_upload(request, settings)
    elif not has_body(request) and "id" in request.query_params:
        given = {}
    else:
        octets = (OCTETS,) if "vector" in sources else ()
        kind = check_body(request, settings.max_json, JSON, MULTIPART, *octets)
        if kind == OCTETS:
            given = {"vector": bytes(await read_body(request, settings.max_json))}
        else:
            given = await read_json(request, settings.max_json)
    query_params = request.query_params
    if "id" in query_params and "id" in sources:
        if "id" in given:
            raise invalid_field("id", "given twice")
        given["id"] = query_params["id"]
        query_params = type(query_params)(
            [(name, value) for name, value in query_params.multi_items() if name != "id"]
        )
    return choose_query(given, model, sources, query_params)


def choose_query(
    fields: Mapping[str, Any],
    model: type[Parameters],
    sources: tuple[str, ...],
    query_params: QueryParams = NONE,
) -> Given[Parameters]:
    """Return the one query among the fields of a request, and its parameters.

    Raises:
        ProblemError: ``invalid-field``.
    """
    given = dict(fields)
    named = [source for source in sources if source in given]
    if len(named) != 1:
        raise invalid_field("body", f"expected exactly one of {', '.join(sources)}")
    source = named[0]
    value = given.pop(source)
    parameters = parse_parameters(model, given, query_params)
    if source == "id":
        value = validate(_Id, {"id": value}).id
    elif source == "file" and not isinstance(value, bytes):
        raise invalid_field("file", "send the clip as a part of multipart/form-data")
    if source != "file" and not parameters.start is parameters.end is None:
        raise invalid_field("start", "start and end apply to a file only")
    return Given(source, value, parameters)


async def _read_upload(request: Request, settings: Settings) -> dict[str, Any]:
    overhead = 16 * KIB  # boundaries and part headers
    total = settings.max_upload + MAX_PARAMS + overhead
    check_body(request, total, MULTIPART)
    limits = {
        "file": settings.max_upload,
        "features": settings.max_upload,
        "params": MAX_PARAMS,
    }
    parts = await read_parts(request, limits, total)
    given = parse_json(parts["params"]) if "params" in parts else {}
    for name in ("file", "features"):
        if name in parts:
            if name in given:
                raise invalid_field(name, "given twice")
            given[name] = bytes(parts[name])
    return given


def embed_query(
    bundle: Bundle,
    decoder: Decoder,
    readiness: Readiness,
    modality: Modality,
    given: Given[Any],
) -> Query:
    """Return a file's, features' or vector's embedding; runs in a worker thread.

    Raises:
        MediaError: If the file cannot serve.
        ProblemError: ``bad-vector``, ``invalid-field`` or ``encoder-failing``.
    """
    if given.source == "vector":
        vector = parse_vector(given.value, bundle.manifest.dim)
        return Query(modality=modality, source="vector", vectors=vector)
    if given.source == "features":
        return _embed_features(bundle, readiness, modality, given.value)
    return _embed_file(bundle, decoder, readiness, modality, given)


def _embed_features(
    bundle: Bundle, readiness: Readiness, modality: Modality, value: Any
) -> Query:
    array = parse_npy(value) if isinstance(value, bytes) else parse_features(value)
    started = time.perf_counter()
    with Blame(readiness, ShapeError):
        vectors = embed_features(bundle, modality, array)
    took_ms = {"encode": 1e3 * (time.perf_counter() - started)}
    return Query(modality=modality, source="features", vectors=vectors, took_ms=took_ms)


def _embed_file(
    bundle: Bundle,
    decoder: Decoder,
    readiness: Readiness,
    modality: Modality,
    given: Given[Any],
) -> Query:
    if bundle.spec(modality).frontend is None:
        raise invalid_field("file", "this model takes ready features, a vector or an id")
    with Blame(readiness, MediaError):
        clip = embed_clip(
            bundle,
            given.value,
            (modality,),
            decoder,
            start_s=given.parameters.start or 0.0,
            end_s=given.parameters.end,
        )
    return Query(
        modality=modality,
        source="file",
        vectors=clip.embeddings[modality],
        duration_s=clip.duration_s,
        took_ms=clip.took_ms,
    )


class Blame:
    """Tells failures of the input from failures of the encoder, and counts the latter."""

    def __init__(self, readiness: Readiness, innocent: type[CrossmodalError]) -> None:
        self._readiness = readiness
        self._innocent = innocent

    def __enter__(self) -> None:
        if self._readiness.encoder_failing:
            raise ProblemError("encoder-failing", DETAILS["encoder-failing"])

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        innocent = (self._innocent, DecoderBusyError)
        if not isinstance(error, Exception) or isinstance(error, innocent):
            return
        self._readiness.encoder_failed()
        raise ProblemError("encoder-failing", DETAILS["encoder-failing"]) from error
