"""Wire: what parent and child say to each other, as length-prefixed messages.

The child sends blocks of raw samples or pixels as they are decoded, so that neither
side holds a track twice. Nothing received is ever unpickled or evaluated.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from crossmodal.media.limits import MediaLimits
from crossmodal.media.tracks import AudioRequest, TrackRequest, VisualRequest
from crossmodal.modality import Modality

# Between the parent and the child server: single bytes, and one number.
READY = b"r"
FORK = b"f"
EXIT_CODE = struct.Struct("!i")

# Between the parent and a child.
JOB = b"j"
BLOCK = b"b"  # raw samples or pixels of the current track
TRACK = b"t"  # the current track is whole
CLIP = b"c"  # the clip is whole
ERROR = b"e"

HEADER = struct.Struct("!cI")
MAX_TEXT = 1024 * 1024
REQUESTS: Mapping[str, type[TrackRequest]] = {
    "sound": AudioRequest,
    "pictures": VisualRequest,
}


class WireError(Exception):
    """The other side hung up in the middle, or said what cannot be right."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a child is asked to decode; ``stop_s`` is never infinite."""

    requests: Mapping[Modality, TrackRequest]
    start_s: float
    stop_s: float
    limits: MediaLimits


def encode_job(job: Job) -> bytes:
    """Return the job as JSON."""
    requests = [
        [modality, _name_of(request), asdict(request)]
        for modality, request in job.requests.items()
    ]
    return json.dumps([requests, job.start_s, job.stop_s, asdict(job.limits)]).encode()


def decode_job(text: bytes) -> Job:
    """Return the job that ``encode_job`` wrote."""
    requests, start_s, stop_s, limits = json.loads(text)
    return Job(
        {Modality(name): REQUESTS[kind](**values) for name, kind, values in requests},
        start_s,
        stop_s,
        MediaLimits(**limits),
    )


def _name_of(request: TrackRequest) -> str:
    return next(name for name, kind in REQUESTS.items() if isinstance(request, kind))


def send(channel: socket.socket, kind: bytes, content: bytes | memoryview) -> None:
    """Send one message; returns when the other side has room for all of it."""
    channel.sendall(HEADER.pack(kind, len(content)))
    channel.sendall(content)


def send_json(channel: socket.socket, kind: bytes, value: Any) -> None:
    """Send one message whose content is JSON."""
    send(channel, kind, json.dumps(value).encode())


def receive(
    channel: socket.socket, deadline: float | None, max_block: int
) -> tuple[bytes, bytearray]:
    """Return the kind and content of the next message.

    Args:
        channel: Where to read.
        deadline: On the monotonic clock, in seconds; None to wait for ever.
        max_block: Bytes a block may have; other messages are text and short.

    Raises:
        WireError: If the other side hung up, or a message is longer than allowed.
        TimeoutError: If the deadline passed.
    """
    kind, length = HEADER.unpack(_receive_exactly(channel, HEADER.size, deadline))
    if length > (max_block if kind == BLOCK else MAX_TEXT):
        raise WireError("a message is longer than allowed")
    return kind, _receive_exactly(channel, length, deadline)


def _receive_exactly(
    channel: socket.socket, size: int, deadline: float | None
) -> bytearray:
    content = bytearray(size)
    rest = memoryview(content)
    while rest:
        if deadline is not None:
            # settimeout(0) would mean not to wait, and raise another error.
            channel.settimeout(max(deadline - time.monotonic(), 1e-6))
        read = channel.recv_into(rest)
        if not read:
            raise WireError("the other side hung up")
        rest = rest[read:]
    return content
