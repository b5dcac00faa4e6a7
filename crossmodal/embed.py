"""From a clip to its embedding: decode, front end, pooling, encoder."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from crossmodal.bundle import Bundle
from crossmodal.embeddings import Embeddings
from crossmodal.encoder import Encoder
from crossmodal.errors import FrontEndError, NoTrackError, ShapeError
from crossmodal.feature_tables import mean_over_time
from crossmodal.frontends.frontend import Features, FrontEnd, Pooled
from crossmodal.media.decoder import Decoder
from crossmodal.modality import Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedClip:
    """A clip's embeddings, its length in seconds and where the time went in ms."""

    embeddings: Mapping[Modality, Embeddings]
    duration_s: float
    took_ms: Mapping[str, float]


def clip_features(
    source: bytes | Path,
    frontends: Mapping[Modality, FrontEnd],
    decoder: Decoder,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    keep_steps: Collection[Modality] = (),
) -> tuple[Mapping[Modality, Features | Pooled], float, Mapping[str, float]]:
    """Return features by modality, the clip's seconds and the stages' ms.

    Args:
        source: The clip, or its file.
        frontends: What computes the features.
        decoder: What reads the clip.
        start_s: Where in the clip to begin, in seconds.
        end_s: Where to end; None is its end.
        keep_steps: Modalities whose features stay (time, dim); the others' are pooled.

    Raises:
        MediaError: If the clip cannot be decoded or lacks a track asked for.
        FrontEndError: If a front end's weights or runtime are missing.
    """
    started = time.perf_counter()
    requests = {modality: frontend.request for modality, frontend in frontends.items()}
    clip = decoder.decode(source, requests, start_s=start_s, end_s=end_s)
    decoded = time.perf_counter()
    features: dict[Modality, Features | Pooled] = {}
    for modality, frontend in frontends.items():
        steps = frontend.extract(clip.tracks[modality])
        features[modality] = steps if modality in keep_steps else frontend.pool(steps)
    ended = time.perf_counter()
    took_ms = {"decode": 1e3 * (decoded - started), "features": 1e3 * (ended - decoded)}
    return features, clip.duration_s, took_ms


def embed_clip(
    bundle: Bundle,
    source: bytes | Path,
    modalities: tuple[Modality, ...],
    decoder: Decoder,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
) -> EmbeddedClip:
    """Return the clip's embedding in each modality asked for, as (1, dim).

    Raises:
        MediaError: If the clip cannot be decoded or lacks a track asked for, or a track
            is so empty that the encoder makes nothing of it.
        FrontEndError: If the bundle takes ready features only.
        BundleError: If the bundle has no encoder for a modality.
    """
    frontends = {modality: media_frontend(bundle, modality) for modality in modalities}
    features, duration_s, took_ms = clip_features(
        source,
        frontends,
        decoder,
        start_s=start_s,
        end_s=end_s,
        keep_steps=[m for m in modalities if bundle.spec(m).sequences],
    )
    started = time.perf_counter()
    embeddings = {
        modality: _embed_track(bundle.encoder(modality), modality, rows)
        for modality, rows in features.items()
    }
    encode_ms = 1e3 * (time.perf_counter() - started)
    return EmbeddedClip(
        embeddings=embeddings,
        duration_s=duration_s,
        took_ms={**took_ms, "encode": encode_ms},
    )


def _embed_track(
    encoder: Encoder, modality: Modality, rows: Float[np.ndarray, "..."]
) -> Embeddings:
    """Return a track's embedding; of a black film the features may all be zero."""
    try:
        return encoder.embed(rows[None])
    except ShapeError:
        if rows.any():
            raise
        raise NoTrackError(
            f"the {modality} track is empty: its features are zero"
        ) from None


def embed_features(
    bundle: Bundle, modality: Modality, features: Float[np.ndarray, "..."]
) -> Embeddings:
    """Return the embedding of one clip's ready features, as (1, dim).

    Args:
        bundle: Whose encoder to use.
        modality: The modality the features are of.
        features: One pooled row (input_dim,), or the front end's rows (time, dim); the
            latter alone where the encoder takes sequences.

    Raises:
        ShapeError: If the shape fits neither, or a value is not finite.
    """
    spec = bundle.spec(modality)
    array = np.asarray(features)
    step_dim = spec.frontend.dim if spec.frontend else spec.input_dim
    pooled_fits = array.shape == (spec.input_dim,) and not spec.sequences
    rows_fit = array.ndim == 2 and array.shape[0] > 0 and array.shape[1] == step_dim
    if not pooled_fits and not rows_fit:
        pooled = "" if spec.sequences else f"({spec.input_dim},) or "
        raise ShapeError(
            f"expected {modality} features {pooled}(time, {step_dim}), got {array.shape}"
        )
    with np.errstate(over="ignore"):
        rows = array.astype(np.float32)
    if not np.isfinite(rows).all():
        raise ShapeError("features must be finite numbers")
    if rows.ndim == 2 and not spec.sequences:
        frontend = bundle.frontend(modality)
        rows = frontend.pool(rows) if frontend else mean_over_time(rows)
    return bundle.encoder(modality).embed(rows[None])


def media_frontend(bundle: Bundle, modality: Modality) -> FrontEnd:
    """Return the front end that turns media into this bundle's features.

    Raises:
        FrontEndError: If the bundle was fitted on ready features.
    """
    frontend = bundle.frontend(modality)
    if frontend is None:
        raise FrontEndError(
            f"this bundle takes ready {modality} features; it was fitted without a front "
            "end, so it cannot read media"
        )
    return frontend
