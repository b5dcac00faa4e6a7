"""What a front end is and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from crossmodal.media.tracks import Track, TrackRequest
from crossmodal.modality import Modality, parse_modality

Features = Float32[np.ndarray, "time dim"]
Pooled = Float32[np.ndarray, " pooled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEndSpec:
    """All that is needed to compute the same features again.

    ``dim`` is the width of one time step, ``pooled_dim`` that of a whole clip: what
    an encoder takes. ``step_s`` is the time between rows in seconds.
    """

    name: str
    version: int
    modality: Modality
    dim: int
    pooled_dim: int
    step_s: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str | None = None


def parse_spec(value: Mapping[str, Any]) -> FrontEndSpec:
    """Return the description stored as JSON in a features file, run or bundle.

    Raises:
        TypeError: If a field is missing or unknown.
        ModalityError: If this build lacks the modality.
    """
    return FrontEndSpec(**{**value, "modality": parse_modality(value["modality"])})


@runtime_checkable
class FrontEnd(Protocol):
    """Turns one decoded track into features; loads its weights when first used."""

    spec: FrontEndSpec
    request: TrackRequest

    def extract(self, track: Track) -> Features:
        """Return one row per step.

        Raises:
            FrontEndError: If weights or runtime are missing.
            NoTrackError: If the track is too short to give a single row.
        """

    def pool(self, features: Features) -> Pooled:
        """Return one row for the whole clip; needs no weights.

        Raises:
            ShapeError: If the width is not ``spec.dim`` or there is no row.
        """
