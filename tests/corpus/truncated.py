"""Truncated: ten containers, each cut in eight places."""

from __future__ import annotations

from tests.corpus.case import HEAR, OK, Case, upload
from tests.corpus.clips import clip

CONTAINERS = ("mp4", "mov", "mkv", "webm", "avi", "ts", "wav", "flac", "mp3", "ogg")
CODES = (OK, "undecodable", "unsupported-media", "no-usable-track")


def cases() -> list[Case]:
    """Return 80 cases: some bytes of the head, parts of the whole, nearly all of it."""
    made = []
    for name in CONTAINERS:
        whole = clip(name)
        quarter = len(whole) // 4
        cuts = (4, 12, 100, quarter, 2 * quarter, 3 * quarter, len(whole) - 1000, -1)
        for number, cut in enumerate(cuts):
            made.append(
                upload(f"truncated {name} {number}", whole[:cut], *CODES, path=HEAR)
            )
    return made
