"""POST /embed/{modality}: the embedding of a clip or of features, and nothing else."""

from __future__ import annotations

import time

from fastapi import APIRouter, Depends, Request, Response

from crossmodal.errors import ModalityError
from crossmodal.modality import parse_modality
from service.dependencies import READ, runtime
from service.openapi import documentation, schemas
from service.searching.parameters import ClipParameters
from service.searching.presentation import json_response, query_fields
from service.searching.queries import embed_query, is_upload, read_query
from service.watching.telemetry import QUERY_STAGES

router = APIRouter(tags=["embed"])


@router.post(
    "/embed/{modality}",
    dependencies=[Depends(READ)],
    response_model=None,
    responses=documentation.responses(schemas.EmbeddingReply, documentation.QUERY_ERRORS),
    openapi_extra=documentation.embed_operation(),
    summary="Embed a clip or features",
)
async def embed(request: Request) -> Response:
    """Return the unit-norm embedding of exactly one of `file` or `features`."""
    started = time.perf_counter()
    service = runtime(request)
    collection = service.collection
    modality = parse_modality(request.path_params["modality"])
    if modality not in collection.bundle.modalities:
        raise ModalityError(f"no {modality} encoder")
    with service.uploads if is_upload(request) else service.searches:
        given = await read_query(
            request, service.settings, ClipParameters, ("file", "features")
        )
        query = await service.embedding(
            lambda: embed_query(
                collection.bundle, service.decoder, service.readiness, modality, given
            )
        )
    service.telemetry.stages(query.took_ms)
    took_ms = {stage: round(query.took_ms.get(stage, 0.0), 3) for stage in QUERY_STAGES}
    body = {
        "modality": modality,
        "vector": query.vectors[0],
        "dim": collection.bundle.manifest.dim,
        "model": collection.bundle.model_id,
        "query": query_fields(query),
        "took_ms": {"total": round(1e3 * (time.perf_counter() - started), 3), **took_ms},
    }
    return json_response(request, body, collection.view)
