"""Clips to store: decoded in the child, embedded in every modality they have."""

from __future__ import annotations

from contextlib import suppress

from pydantic import Field
from starlette.requests import Request

from crossmodal.bundle import Bundle
from crossmodal.embed import EmbeddedClip, embed_clip
from crossmodal.errors import MediaError, NoTrackError
from crossmodal.items import Segment
from crossmodal.media.decoder import Decoder
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.writing.operations import Put
from service.http.bodies import MULTIPART, check_body
from service.http.uploads import read_parts
from service.problems import invalid_field
from service.runtime import Runtime
from service.searching.parameters import ClipParameters, ItemId
from service.searching.queries import MAX_PARAMS, Blame
from service.settings import KIB, Settings
from service.storing.new_items import Described, checked


class ClipFields(ClipParameters, Described):
    """What goes with a clip whose id the path names."""

    keep_media: bool = Field(
        default=True, description="whether to keep the file, so that it can be played"
    )


class NewClipFields(ClipFields):
    """What goes with a clip."""

    id: ItemId
    replace: bool = Field(
        default=False, description="whether an item of the same id gives way"
    )


async def read_clip(request: Request, settings: Settings) -> tuple[bytes, bytes]:
    """Return the parts ``file`` and ``params`` of a clip to store.

    Raises:
        ProblemError: If the body is unusable or has no clip.
    """
    total = settings.max_upload + MAX_PARAMS + 16 * KIB
    check_body(request, total, MULTIPART)
    limits = {"file": settings.max_upload, "params": MAX_PARAMS}
    parts = await read_parts(request, limits, total)
    if "file" not in parts:
        raise invalid_field("file", "expected a clip")
    return bytes(parts["file"]), bytes(parts.get("params", b"{}"))


def read_clip_item(
    service: Runtime,
    collection: Collection,
    clip: bytes,
    item_id: str,
    fields: ClipFields,
    *,
    replace: bool,
) -> Put:
    """Return what stores a clip; runs in a thread that decodes.

    Raises:
        MediaError: If the clip cannot serve.
        ProblemError: ``invalid-field`` or ``encoder-failing``.
    """
    bundle = collection.bundle
    modalities = tuple(m for m in bundle.modalities if bundle.spec(m).frontend is not None)
    if not modalities:
        raise invalid_field("file", "this model takes ready features or vectors")
    with Blame(service.readiness, MediaError):
        found = _embed(bundle, service.decoder, clip, modalities, fields)
    vectors = []
    for embedded in found:
        service.telemetry.stages(embedded.took_ms)
        stretch = _stretch(fields.start or 0.0, embedded.duration_s)
        vectors += [
            NewVector(modality, row, stretch)
            for modality, rows in embedded.embeddings.items()
            for row in rows
        ]
    item = NewItem(
        id=item_id, label=fields.label, metadata=fields.metadata, vectors=vectors
    )
    media = clip if fields.keep_media else None
    return checked(collection, Put(item=item, media=media, replace=replace))


def _embed(
    bundle: Bundle,
    decoder: Decoder,
    clip: bytes,
    modalities: tuple[Modality, ...],
    fields: ClipFields,
) -> list[EmbeddedClip]:
    """Return the embeddings: of all modalities at once, or of each that has a track."""

    def embed(*wanted: Modality) -> EmbeddedClip:
        start_s = fields.start or 0.0
        return embed_clip(bundle, clip, wanted, decoder, start_s=start_s, end_s=fields.end)

    try:
        return [embed(*modalities)]
    except NoTrackError:
        if len(modalities) == 1:
            raise
    found = []
    for modality in modalities:
        with suppress(NoTrackError):
            found.append(embed(modality))
    if not found:
        raise NoTrackError("the clip has no usable track of the model's modalities")
    return found


def _stretch(start_s: float, duration_s: float) -> Segment:
    """Return what was decoded; a still picture has no end."""
    return Segment(start_s, start_s + duration_s if duration_s > 0 else None)
