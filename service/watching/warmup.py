"""Warm-up: one query through every stage, before the first client pays for loading."""

from __future__ import annotations

import io
import wave

import numpy as np

from crossmodal.bundle import Bundle
from crossmodal.embed import embed_features
from crossmodal.embeddings import Embeddings
from crossmodal.errors import CollectionError, FrontEndError
from crossmodal.frontends.frontend import FrontEnd
from crossmodal.media.decoder import Decoder
from crossmodal.media.tracks import AudioRequest, Frames, Track, VisualRequest
from crossmodal.modality import Modality
from index.collection import Collection

SECONDS = 2
PLACES = 10
TOLERANCE = 1e-4  # of a unit vector's product with itself in float32
_SEED = 0


def warm_up(collection: Collection, decoder: Decoder) -> list[str]:
    """Decode, embed and search once per modality; return what does not work.

    Raises:
        CollectionError: If a search finds nothing, or a stored vector not itself.
    """
    bundle = collection.bundle
    reasons = []
    queries: dict[Modality, Embeddings] = {}
    for modality in bundle.modalities:
        try:
            frontend = bundle.frontend(modality)
        except FrontEndError as error:
            reasons.append(f"{modality} clips cannot be embedded: {error}")
            continue
        if frontend is not None:
            try:
                queries[modality] = _embed_noise(bundle, modality, frontend, decoder)
            except FrontEndError as error:
                reasons.append(f"{modality} clips cannot be embedded: {error}")
    view = collection.view
    other = np.zeros((1, bundle.manifest.dim), dtype=np.float32)
    other[0, 0] = 1
    for modality in bundle.modalities:
        for gallery, size in view.sizes.items():
            found = view.search(gallery, queries.get(modality, other), 1)
            if size and not found[0]:
                raise CollectionError(f"a query found nothing among {size} items")
    _check_fingerprints(collection)
    return reasons


def _check_fingerprints(collection: Collection) -> None:
    """Check that what is searched is what is stored: a stored vector finds its item."""
    view = collection.view
    for gallery in view.sizes:
        item = next((i for i in view.items.values() if gallery in i.modalities), None)
        if item is None:
            continue
        own = view.vectors(item.id, gallery)[:1]
        hits = view.search(gallery, own, PLACES, exact=True)[0]
        alike = [hit.item_id for hit in hits if hit.score >= 1 - TOLERANCE]
        # duplicates may take every place before it
        if item.id not in alike and len(alike) < PLACES:
            raise CollectionError(f"a stored {gallery} vector does not find itself")


def _embed_noise(
    bundle: Bundle, modality: Modality, frontend: FrontEnd, decoder: Decoder
) -> Embeddings:
    if isinstance(frontend.request, AudioRequest):
        clip = _noise_wav(frontend.request.sample_rate_hz)
        track: Track = decoder.decode(clip, {modality: frontend.request}).tracks[modality]
    else:
        track = _noise_frames(frontend.request)
    return embed_features(bundle, modality, frontend.extract(track))


def _noise_wav(sample_rate_hz: int) -> bytes:
    noise = np.random.default_rng(_SEED).normal(0, 3000, SECONDS * sample_rate_hz)
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(sample_rate_hz)
        wav.writeframes(np.clip(noise, -32768, 32767).astype("<i2").tobytes())
    return file.getvalue()


def _noise_frames(request: VisualRequest) -> Frames:
    count = max(2, round(SECONDS * request.fps))
    shape = (count, request.height, request.width, 3)
    pixels = np.random.default_rng(_SEED).integers(0, 256, shape, dtype=np.uint8)
    return Frames(pixels, np.arange(count) / request.fps)
