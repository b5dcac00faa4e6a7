"""Decoder: media in, tracks out; the one way that files of others are ever decoded.

Each file is decoded in a process of its own that ends with it, under the limits. What
comes back is checked against what was asked for before memory is set aside.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from crossmodal.errors import ConfigError, DecoderBusyError, UndecodableError
from crossmodal.media.answer import receive_clip
from crossmodal.media.forkserver import Child, ForkServer
from crossmodal.media.limits import MediaLimits
from crossmodal.media.source import open_source
from crossmodal.media.tracks import AudioRequest, DecodedClip, TrackRequest
from crossmodal.media.wire import JOB, Job, WireError, encode_job, send
from crossmodal.modality import Modality


class Decoder:
    """Decodes clips in throw-away processes, at most ``workers`` at once.

    Safe to use from several threads. Close it, or use it as a context manager.
    """

    def __init__(self, limits: MediaLimits | None = None, workers: int = 2) -> None:
        if workers < 1:
            raise ConfigError(f"workers must be 1 or more, got {workers}")
        self.limits = limits or MediaLimits()
        self.workers = workers
        self._places = threading.BoundedSemaphore(workers)
        self._server = ForkServer()
        self._closed = False

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def warm(self) -> None:
        """Start the process that makes the children; otherwise the first decode does.

        Raises:
            DecoderBusyError: If no process can be had.
        """
        self._check_open()
        self._server.start()

    def close(self) -> None:
        """End every process; decoding that is under way fails with DecoderBusyError."""
        self._closed = True
        self._server.stop()

    def decode(
        self,
        source: bytes | Path,
        requests: Mapping[Modality, TrackRequest],
        *,
        start_s: float = 0.0,
        end_s: float | None = None,
    ) -> DecodedClip:
        """Return the tracks asked for of a file's stretch.

        Of the stretch at most ``limits.max_used_s`` are decoded. A stretch is exactly
        that part of the whole; for a still picture it is of no account. Waits for a
        place when ``workers`` files are being decoded.

        Args:
            source: The file's bytes, or where it lies. Its name plays no part.
            requests: What to decode, by the modality it is wanted for.
            start_s: Where the stretch starts, in seconds from the clip's start.
            end_s: Where it ends; None for the end of the clip.

        Raises:
            UnsupportedMediaError: If the container or a codec is not on the list.
            UndecodableError: If the file is empty, damaged, or too costly to decode.
            MediaTooLongError: If it declares too long a duration.
            MediaTooBigError: If it has too many bytes, streams, pixels or pictures.
            NoTrackError: If a track asked for is absent or empty in the stretch.
            DecoderBusyError: If no process can be had, or the decoder is closed.
            ConfigError: If the stretch or a request is out of range.
        """
        self._check_open()
        check_requests(requests)
        stop_s = self._stop_of(start_s, end_s)
        job = Job(requests, start_s, stop_s, self.limits)
        with self._places, open_source(source, self.limits.max_bytes) as file:
            return self._decode_with_retry(file, job)

    def _check_open(self) -> None:
        if self._closed:
            raise DecoderBusyError("the decoder is closed")

    def _stop_of(self, start_s: float, end_s: float | None) -> float:
        if not (math.isfinite(start_s) and start_s >= 0):
            raise ConfigError(f"start must be 0 s or later, got {start_s}")
        if end_s is not None and not end_s > start_s:
            raise ConfigError(f"end must come after start ({start_s} s), got {end_s}")
        longest_s = start_s + self.limits.max_used_s
        return longest_s if end_s is None else min(end_s, longest_s)

    def _decode_with_retry(self, file: int, job: Job) -> DecodedClip:
        for _ in range(2):
            with self._server.child(file) as child:
                clip = self._decode_once(child, job)
            if clip is not None:
                return clip
            self._check_open()
        raise DecoderBusyError("no decoding process can be started")

    def _decode_once(self, child: Child, job: Job) -> DecodedClip | None:
        """Return the clip; None if the child never ran, or died with the server."""
        deadline = time.monotonic() + self.limits.wall_s
        try:
            send(child.channel, JOB, encode_job(job))
            return receive_clip(child.channel, job, deadline)
        except TimeoutError:
            raise UndecodableError(
                f"decoding takes longer than {self.limits.wall_s:g} s"
            ) from None
        except (WireError, OSError):
            child.channel.close()  # should it still be sending, it ends now
            code = child.exit_code()
            if code is None:
                return None
            if -code == signal.SIGXCPU:
                raise UndecodableError(
                    f"decoding takes more than {self.limits.cpu_s} s of processor time"
                ) from None
            raise UndecodableError("the file makes the decoder fail") from None


def check_requests(requests: Mapping[Modality, TrackRequest]) -> None:
    """Check what is asked for.

    Raises:
        ConfigError: If nothing is, or a rate or size is not a positive number.
    """
    if not requests:
        raise ConfigError("expected at least one track to decode, got none")
    for modality, request in requests.items():
        if isinstance(request, AudioRequest):
            asked: tuple[float, ...] = (request.sample_rate_hz,)
        else:
            asked = (request.fps, request.height, request.width)
        if not all(math.isfinite(value) and value > 0 for value in asked):
            raise ConfigError(f"{modality}: rates and sizes must be positive: {request}")
