"""Container: opens a file under guard and finds the one stream that is wanted."""

from __future__ import annotations

import os
from io import FileIO
from typing import Literal

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.stream import Discard, Disposition, Stream

from crossmodal.errors import (
    MediaTooBigError,
    MediaTooLongError,
    NoTrackError,
    UndecodableError,
    UnsupportedMediaError,
)
from crossmodal.media.allowed import (
    AUDIO_CODECS,
    FILE_KINDS,
    GUARDS,
    PICTURE_CODECS,
    PICTURES,
    VIDEO_CODECS,
    WHOLE_SHARE,
    is_signed,
    is_wave,
    riff_size,
)
from crossmodal.media.limits import MediaLimits

Kind = Literal["audio", "video"]
NOUNS: dict[Kind, str] = {"audio": "sound", "video": "picture"}


def open_container(file: FileIO, limits: MediaLimits) -> InputContainer:
    """Return the opened container; the caller closes it.

    Raises:
        UnsupportedMediaError: If the container is not on the list.
        UndecodableError: If its header is damaged.
        MediaTooBigError: If it has too many streams.
        MediaTooLongError: If it declares too long a duration.
    """
    file.seek(0)
    head = file.read(16)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    stated = riff_size(head)
    if stated is not None and size < WHOLE_SHARE * stated:
        # FFmpeg would take the file's size for the length it states.
        raise UndecodableError(f"the file is cut short: {size} bytes of {stated} are there")
    options = dict(GUARDS)
    if is_wave(head):
        # Otherwise FFmpeg looks for DTS inside PCM: 44 ms for 10 s, against 1.6.
        options["max_probe_packets"] = "1"
        options["max_size"] = "65536"  # bytes of a packet, by default some 4 KiB
    try:
        container = av.open(
            file,
            "r",
            container_options=options,
            metadata_errors="replace",
            timeout=(limits.wall_s, limits.wall_s),
        )
    except (ExitError, MemoryError):
        raise
    except (FFmpegError, OSError, ValueError) as error:
        if is_signed(head):
            raise UndecodableError("the file's header is damaged or incomplete") from error
        raise UnsupportedMediaError(f"the container is not one of {FILE_KINDS}") from error
    try:
        check_declared(container, limits)
    except BaseException:
        container.close()
        raise
    return container


def check_declared(container: InputContainer, limits: MediaLimits) -> None:
    """Check what a container declares as a whole.

    Raises:
        MediaTooBigError: If it has too many streams.
        MediaTooLongError: If it declares too long a duration.
    """
    if len(container.streams) > limits.max_streams:
        raise MediaTooBigError(f"the file has more than {limits.max_streams} streams")
    check_duration((container.duration or 0) / av.time_base, limits)


def check_duration(declared_s: float, limits: MediaLimits) -> None:
    """Check a declared duration in seconds.

    Raises:
        MediaTooLongError: If it is longer than allowed.
    """
    if declared_s > limits.max_declared_s:
        raise MediaTooLongError(f"the file is longer than {limits.max_declared_s:g} s")


def is_picture(container: InputContainer) -> bool:
    """Whether the file is a still picture."""
    return container.format.name in PICTURES


def container_name(container: InputContainer) -> str:
    """Return a short name of the container, such as ``mov`` or ``png``."""
    return container.format.name.split(",")[0].removesuffix("_pipe")


def find_stream(container: InputContainer, kind: Kind, limits: MediaLimits) -> Stream:
    """Return the first stream of the kind whose codec is allowed; discard the others.

    Cover art is not a picture track.

    Raises:
        NoTrackError: If there is no stream of the kind.
        UnsupportedMediaError: If none of them has an allowed codec.
        MediaTooLongError: If the stream declares too long a duration.
    """
    streams = [
        stream
        for stream in container.streams
        if stream.type == kind and not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        raise NoTrackError(f"the file has no {NOUNS[kind]} track")
    if kind == "audio":
        codecs = AUDIO_CODECS
    else:
        codecs = PICTURE_CODECS if is_picture(container) else VIDEO_CODECS
    for stream in streams:
        if stream.codec_context is not None and stream.codec_context.name in codecs:
            break
    else:
        raise UnsupportedMediaError(
            f"the {NOUNS[kind]} track's codec is not one of {', '.join(sorted(codecs))}"
        )
    if stream.duration and stream.time_base:
        check_duration(float(stream.duration * stream.time_base), limits)
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    # More threads gained nothing on real files, and their stacks count as memory.
    stream.codec_context.thread_count = 1
    return stream
