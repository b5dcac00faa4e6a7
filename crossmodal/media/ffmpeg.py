"""FFmpeg: which version decodes here."""

from __future__ import annotations


def ffmpeg_version() -> str:
    """Return the version of the FFmpeg that PyAV brings, as in ``8.1.2``."""
    import av  # nothing of it is wanted where only bytes are handed on

    version: str = av.ffmpeg_version_info
    return version
