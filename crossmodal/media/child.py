"""Child: decodes one file and ends.

Whatever goes wrong in here is caught in here and told as the name of one of our errors;
what cannot be caught, the parent sees as a death.
"""

from __future__ import annotations

import socket
from io import FileIO

import numpy as np
from av.error import ExitError

from crossmodal.errors import MediaError, UndecodableError
from crossmodal.media.confinement import confine_child
from crossmodal.media.container import (
    container_name,
    find_stream,
    is_picture,
    open_container,
)
from crossmodal.media.pictures import read_pictures, read_still
from crossmodal.media.reader import StreamReader
from crossmodal.media.sound import read_sound
from crossmodal.media.tracks import AudioRequest, TrackRequest
from crossmodal.media.wire import (
    BLOCK,
    CLIP,
    ERROR,
    MAX_TEXT,
    TRACK,
    Job,
    decode_job,
    receive,
    send,
    send_json,
)


def decode_for_parent(file: FileIO, channel: socket.socket, parent: int) -> None:
    """Receive a job, confine this process, decode, and send the tracks or the error.

    Args:
        file: The media, at any position.
        channel: Where the job comes from and the answer goes to.
        parent: The process id of the parent.
    """
    _, text = receive(channel, None, MAX_TEXT)
    job = decode_job(bytes(text))
    confine_child(job.limits, parent)
    try:
        decode_clip(file, job, channel)
    except MediaError as error:
        send_json(channel, ERROR, [type(error).__name__, str(error)])
    except MemoryError:
        send_json(channel, ERROR, _undecodable("decoding needs more memory than allowed"))
    except ExitError:
        send_json(channel, ERROR, _undecodable("decoding takes longer than allowed"))
    except (BrokenPipeError, ConnectionResetError):
        return  # the parent no longer wants the answer
    except Exception:  # FFmpeg's wrapper raises many kinds
        send_json(channel, ERROR, _undecodable("the file is damaged"))


def _undecodable(message: str) -> list[str]:
    return [UndecodableError.__name__, message]


def decode_clip(file: FileIO, job: Job, channel: socket.socket) -> None:
    """Decode every track of the job in turn and send it.

    Each track has its own pass over the file, so that it is the same whatever else is
    asked for.

    Raises:
        MediaError: If the file cannot serve.
    """
    name = ""
    duration_s = 0.0
    for request in job.requests.values():
        name, length_s = _decode_track(file, job, request, channel)
        duration_s = max(duration_s, length_s)
    send_json(channel, CLIP, [name, duration_s])


def _decode_track(
    file: FileIO, job: Job, request: TrackRequest, channel: socket.socket
) -> tuple[str, float]:
    """Send one track; return the container's name and the seconds decoded."""
    stretch_s = job.start_s, job.stop_s
    with open_container(file, job.limits) as container:
        name = container_name(container)
        if isinstance(request, AudioRequest):
            stream = find_stream(container, "audio", job.limits)
            reader = StreamReader(container, stream)
            samples = 0
            for block in read_sound(reader, request, stretch_s, job.limits):
                samples += len(block)
                send(channel, BLOCK, _bytes_of(block))
            send_json(channel, TRACK, [])
            return name, samples / request.sample_rate_hz
        stream = find_stream(container, "video", job.limits)
        reader = StreamReader(container, stream)
        if is_picture(container):
            _, pixels = read_still(reader, request, job.limits)
            send(channel, BLOCK, _bytes_of(pixels))
            send_json(channel, TRACK, [0.0])
            return name, 0.0
        moments_s = []
        for moment_s, pixels in read_pictures(reader, request, stretch_s, job.limits):
            moments_s.append(moment_s)
            send(channel, BLOCK, _bytes_of(pixels))
        send_json(channel, TRACK, moments_s)
        return name, min(reader.end_s, job.stop_s) - job.start_s


def _bytes_of(block: np.ndarray) -> memoryview:
    return np.ascontiguousarray(block).data.cast("B")
