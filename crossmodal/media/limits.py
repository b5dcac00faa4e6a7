"""Limits: what one file may cost, from its bytes to the time its decoding takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from crossmodal.errors import ConfigError

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """What a file may declare and what decoding it may cost.

    ``max_declared_s`` refuses a file by the duration it states; of a file that
    passes, at most ``max_used_s`` from the start asked for are decoded.
    ``max_frames`` counts the pictures of that stretch. ``wall_s``, ``cpu_s``,
    ``address_space`` (bytes) and ``open_files`` bind the decoding process.

    Raises:
        ConfigError: If a limit is not a positive number.
    """

    max_bytes: int = 64 * MIB
    max_declared_s: float = 600.0
    max_used_s: float = 60.0
    max_pixels: int = 8_847_360  # 4096 x 2160
    max_frames: int = 3_000
    max_streams: int = 8
    min_sample_rate_hz: int = 4_000
    max_sample_rate_hz: int = 384_000
    max_channels: int = 8
    wall_s: float = 20.0
    cpu_s: int = 15
    address_space: int = 512 * MIB
    open_files: int = 32

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{field.name} must be a positive number, got {value!r}")
