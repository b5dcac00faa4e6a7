"""Answer: receives the tracks a child sends, and trusts none of it.

The child decodes hostile bytes and may be hijacked by them, so every message is held
against the job before memory is set aside or a value is passed on.
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Mapping
from typing import Any

import numpy as np

from crossmodal.errors import (
    MediaError,
    MediaTooBigError,
    MediaTooLongError,
    NoTrackError,
    UndecodableError,
    UnsupportedMediaError,
)
from crossmodal.media.tracks import (
    AudioRequest,
    DecodedClip,
    Frames,
    Track,
    TrackRequest,
    VisualRequest,
    Waveform,
)
from crossmodal.media.wire import BLOCK, CLIP, ERROR, TRACK, Job, WireError, receive

ERRORS: Mapping[str, type[MediaError]] = {
    kind.__name__: kind
    for kind in (
        UnsupportedMediaError,
        UndecodableError,
        MediaTooLongError,
        MediaTooBigError,
        NoTrackError,
    )
}
MAX_MESSAGE = 300
FLOAT_BYTES = 4


def receive_clip(channel: socket.socket, job: Job, deadline: float) -> DecodedClip:
    """Return the clip a child sends.

    Args:
        channel: To the child.
        job: What it was asked for.
        deadline: On the monotonic clock, in seconds.

    Raises:
        MediaError: If the child says the file cannot serve.
        WireError: If the child dies, or sends what was not asked for.
        TimeoutError: If the deadline passes.
    """
    tracks = {
        modality: _receive_track(channel, request, job, deadline)
        for modality, request in job.requests.items()
    }
    kind, text = receive(channel, deadline, 0)
    if kind != CLIP:
        raise _error(kind, text)
    match _parse(text):
        case [str(container), float(duration_s) | int(duration_s)]:
            return DecodedClip(tracks, float(duration_s), container)
    raise WireError("a clip ends with its container and duration")


def _receive_track(
    channel: socket.socket, request: TrackRequest, job: Job, deadline: float
) -> Track:
    room = _most_bytes(request, job)
    blocks: list[bytearray] = []
    while True:
        kind, content = receive(channel, deadline, room)
        if kind == TRACK:
            break
        if kind != BLOCK:
            raise _error(kind, content)
        room -= len(content)
        blocks.append(content)
    if isinstance(request, AudioRequest):
        return _waveform(blocks, request)
    return _frames(blocks, request, _parse(content))


def _most_bytes(request: TrackRequest, job: Job) -> int:
    if isinstance(request, AudioRequest):
        stretch_s = job.stop_s - job.start_s
        return (math.ceil(stretch_s * request.sample_rate_hz) + 1) * FLOAT_BYTES
    return job.limits.max_frames * request.height * request.width * 3


def _waveform(blocks: list[bytearray], request: AudioRequest) -> Waveform:
    samples = _joined(blocks, np.float32)
    # NaN compares false, so this refuses it too.
    if not (len(samples) and (np.abs(samples) <= 1).all()):
        raise WireError("sound lies in [-1, 1]")
    return Waveform(samples, request.sample_rate_hz)


def _frames(blocks: list[bytearray], request: VisualRequest, times_s: Any) -> Frames:
    if not (isinstance(times_s, list) and all(isinstance(at_s, float) for at_s in times_s)):
        raise WireError("moments are numbers")
    pixels = _joined(blocks, np.uint8)
    shape = len(times_s), request.height, request.width, 3
    if not times_s or len(pixels) != math.prod(shape):
        raise WireError("there are as many pictures as moments, and at least one")
    return Frames(pixels.reshape(shape), np.array(times_s, np.float64))


def _joined(blocks: list[bytearray], dtype: type[np.generic]) -> np.ndarray:
    try:
        return np.concatenate([np.frombuffer(block, dtype) for block in blocks])
    except ValueError as error:
        raise WireError("a track is made of whole samples") from error


def _error(kind: bytes, text: bytearray) -> Exception:
    if kind == ERROR:
        match _parse(text):
            case [str(name), str(message)] if name in ERRORS:
                return ERRORS[name](message[:MAX_MESSAGE])
    return WireError("an unexpected message")


def _parse(text: bytearray) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise WireError("a message is not JSON") from error
