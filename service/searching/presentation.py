"""Presentation: items, hits and the index as JSON objects, in one shape everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response

from crossmodal.confidence import Confidence
from crossmodal.embeddings import Embeddings
from crossmodal.errors import CollectionError, UnknownItemError
from crossmodal.items import Segment
from crossmodal.modality import Direction, Modality
from index.collection import Collection
from index.views.items import StoredItem
from index.views.ranking import Hit
from index.views.view import View
from service.http.envelope import REQUEST_ID
from service.searching.queries import Query

JSON_TYPE = "application/json"


def json_response(
    request: Request,
    body: Mapping[str, Any],
    view: View,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the reply to a request that read or wrote the collection up to this view."""
    content = orjson.dumps(
        {**body, "request_id": request.scope[REQUEST_ID]},
        option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS,
    )
    return Response(
        content,
        status_code=status,
        media_type=JSON_TYPE,
        headers={"x-view-seq": str(view.seq), **(headers or {})},
    )


def index_fields(view: View, **more: Any) -> dict[str, Any]:
    """Return which index answered."""
    return {
        "version": view.version,
        "view_seq": view.seq,
        "size": {str(modality): size for modality, size in view.sizes.items()},
        "model": view.model_id,
        **more,
    }


def compares_all(view: View, gallery: Modality) -> bool:
    """Tell whether the index itself compares a query with every vector of a gallery."""
    return all(shelf.gallery.exact for shelf in view.shelves[gallery])


def query_fields(query: Query) -> dict[str, Any]:
    """Return what was searched or embedded, without its content."""
    return {
        "modality": query.modality,
        "source": query.source,
        "duration_s": query.duration_s,
        "segments": len(query.vectors),
    }


def result_fields(
    view: View,
    hits: Iterable[Hit],
    media: MediaFields,
    confidence: Confidence | None = None,
    vectors: Mapping[int, Embeddings] | None = None,
) -> list[dict[str, Any]]:
    """Return the results of a search; ``vectors`` are by rank, if they were asked for."""
    results = []
    for hit in hits:
        item = view.items[hit.item_id]
        result: dict[str, Any] = {
            "rank": hit.rank,
            "id": hit.item_id,
            "score": hit.score,
            "confidence": None if confidence is None else confidence.of(hit.score),
            "segment": segment_fields(hit.segment),
            "label": item.label,
            "metadata": item.metadata,
            **media(item),
        }
        if vectors is not None:
            result["vector"] = vectors[hit.rank]
        results.append(result)
    return results


def hit_vectors(
    view: View,
    direction: Direction,
    hits: Iterable[Hit],
    queries: Embeddings,
    same_modality_mask: Sequence[int] = (),
) -> dict[int, Embeddings]:
    """Return, by rank, the vector that gave each hit its score."""
    asked = queries.astype(np.float64)
    if direction.within:
        asked[:, list(same_modality_mask)] = 0
    found = {}
    for hit in hits:
        vectors = view.vectors(hit.item_id, direction.gallery)
        scores = (vectors.astype(np.float64) @ asked.T).max(axis=1)
        found[hit.rank] = vectors[int(np.abs(scores - hit.score).argmin())]
    return found


def item_fields(item: StoredItem, media: MediaFields) -> dict[str, Any]:
    """Return a stored item."""
    return {
        "id": item.id,
        "label": item.label,
        "metadata": item.metadata,
        "modalities": list(item.modalities),
        "seq": item.seq,
        **media(item),
    }


def segment_fields(segment: Segment) -> dict[str, float | None]:
    """Return a stretch of a clip, in seconds; an end of null is the clip's own."""
    return {"start": segment.start_s, "end": segment.end_s}


class MediaFields:
    """Says where an item's media is and of which type, null if none is there.

    Types are read from the files' first bytes, once per content.
    """

    def __init__(self, collection: Collection) -> None:
        """Describe the media of one collection."""
        self.collection = collection
        self._types: dict[str, str | None] = {}

    def __call__(self, item: StoredItem) -> dict[str, str | None]:
        """Return ``media_url`` and ``media_type``."""
        media_type = self._type(item)
        url = None if media_type is None else f"/media/{item.id}"
        return {"media_url": url, "media_type": media_type}

    def _type(self, item: StoredItem) -> str | None:
        sha256 = item.media_sha256
        if sha256 is None:
            return None
        if sha256 not in self._types:
            try:
                self._types[sha256] = self.collection.media(item.id)[1]
            except (CollectionError, UnknownItemError, OSError):
                return None  # not kept: the file may come back
        return self._types[sha256]
