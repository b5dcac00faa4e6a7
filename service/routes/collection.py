"""GET /collection: what is stored and what can be asked of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from crossmodal.modality import Direction
from index.collection import Collection
from index.versions.changing import MODEL
from index.versions.listing import Role, versions
from index.work import REEMBED, SWITCH
from service.dependencies import READ, runtime
from service.openapi import documentation, schemas
from service.runtime import Runtime
from service.searching.presentation import index_fields, json_response

BUILDING = (REEMBED, SWITCH)

router = APIRouter(tags=["collection"], dependencies=[Depends(READ)])


@router.get(
    "/collection",
    response_model=None,
    responses=documentation.responses(
        schemas.CollectionReply, (*documentation.READ_ERRORS, 409)
    ),
    summary="What is stored",
)
async def get_collection(request: Request) -> Response:
    """Return sizes, directions, labels, splits, the model and its versions."""
    service = runtime(request)
    collection = service.collection
    view, manifest = collection.view, collection.bundle.manifest
    tally, versions = await service.writing(
        lambda: (view.items.tally, version_fields(service, collection))
    )
    index = index_fields(view)
    name = service.settings.collection_name or manifest.fit.get("data") or "collection"
    encoders = manifest.encoders.items()
    body = {
        "name": str(name),
        "version": index["version"],
        "view_seq": index["view_seq"],
        "items": len(view.items),
        "size": index["size"],
        "segments": {str(modality): count for modality, count in view.segments.items()},
        "directions": [str(direction) for direction in served_directions(collection)],
        "labels": sorted(tally.labels),
        "splits": sorted(tally.splits),
        "model": {
            "id": view.model_id,
            "method": manifest.method,
            "dim": manifest.dim,
            "frontends": {
                str(modality): spec.frontend.name if spec.frontend else None
                for modality, spec in encoders
            },
            "input_dims": {str(modality): spec.input_dim for modality, spec in encoders},
            "confidence": {
                str(direction): {
                    "relevance": given.relevance,
                    "base_rate": given.base_rate,
                    "calibration_error": given.calibration_error,
                    "score_at_half": given.score_at(0.5),
                }
                for direction, given in manifest.confidence.items()
            },
        },
        "versions": versions,
        "media": tally.media > 0,
    }
    return json_response(request, body, view)


def version_fields(service: Runtime, collection: Collection) -> list[dict[str, Any]]:
    """Return what is told of each version; runs in a thread."""
    jobs = service.jobs.all() if collection.writable and service.jobs else []
    running = [job for job in jobs if not job.state.ended and job.kind in BUILDING]
    told = []
    for version in versions(collection):
        job = next(
            (j for j in running if j.params.get(MODEL) == version.model_id),
            None,
        )
        if version.role is Role.CURRENT:
            state, job = "current", None
        elif job is not None:
            state = "building"
        else:
            state = "behind" if version.lacking else "ready"
        told.append(
            {
                **asdict(version),
                "state": state,
                "job": job and job.id,
                "progress": job and {"done": job.done, "total": job.total},
            }
        )
    return told


def served_directions(collection: Collection) -> list[Direction]:
    """Return the directions a search can take: across modalities first, then within."""
    pairs = [
        Direction(query, gallery)
        for query in collection.bundle.modalities
        for gallery in sorted(collection.view.sizes)
    ]
    served = filter(collection.bundle.serves, pairs)
    return sorted(served, key=lambda pair: (pair.within, pair))
