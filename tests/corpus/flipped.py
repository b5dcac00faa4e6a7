"""Flipped: ten containers, each with bits flipped in six ways."""

from __future__ import annotations

import numpy as np

from tests.corpus.case import HEAR, OK, SEE, Case, upload
from tests.corpus.clips import CONTAINERS, clip
from tests.corpus.truncated import CONTAINERS as NAMES

CODES = (OK, "undecodable", "no-usable-track", "media-too-long", "media-too-big")
FLIPS = (1, 3, 10, 30, 100, 1000)


def flipped(content: bytes, flips: int, seed: int) -> bytes:
    """Return the content with as many bits flipped beyond its first 16 bytes."""
    random = np.random.default_rng(seed)
    damaged = np.frombuffer(content, np.uint8).copy()
    places = random.integers(16, len(damaged), flips)
    damaged[places] ^= (1 << random.integers(0, 8, flips)).astype(np.uint8)
    return damaged.tobytes()


def cases() -> list[Case]:
    """Return 60 cases, seen where there are pictures and heard where there are none."""
    return [
        upload(
            f"flipped {name} {flips}",
            flipped(clip(name), flips, seed=100 * number + flips),
            *CODES,
            path=SEE if CONTAINERS[name][2] else HEAR,
        )
        for number, name in enumerate(NAMES)
        for flips in FLIPS
    ]
