"""Reader: the packets of one stream, their times, and how far they reach.

Times are seconds from the clip's start, the moment the container's earliest stream
begins. A stream that begins hardly later counts as beginning then: codecs lead in with
a packet or two, and that is neither silence nor a missing picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.frame import Frame
from av.packet import Packet
from av.stream import Stream

from crossmodal.errors import UndecodableError
from crossmodal.media.allowed import WHOLE_SHARE

# Their headers state a length in samples or frames. Others only let it be estimated.
EXACT_DURATION = frozenset({"mov", "wav", "flac", "avi"})
SLACK_S = 0.25
LEAD_IN_S = 0.1


class StreamReader:
    """Reads one stream once, from the first packet on.

    ``end_s`` is the end of what was read so far; ``packets_read`` counts it.
    """

    def __init__(self, container: InputContainer, stream: Stream) -> None:
        self.stream = stream
        self.context: Any = stream.codec_context  # of sound or of pictures
        self.end_s = 0.0
        self.packets_read = 0
        self._container = container
        self._tick_s = float(stream.time_base or 0)
        self._origin_s = (container.start_time or 0) / av.time_base
        if stream.start_time is not None:
            start_s = stream.start_time * self._tick_s
            if abs(start_s - self._origin_s) < LEAD_IN_S:
                self._origin_s = start_s

    def time_s(self, of: Packet[Stream] | Frame) -> float | None:
        """Return when a packet or frame is shown, in seconds; None if unknown."""
        return None if of.pts is None else self.seconds(of.pts)

    def seconds(self, ticks: int) -> float:
        """Return a time of the stream in seconds from the clip's start."""
        return ticks * self._tick_s - self._origin_s

    def frames(self) -> Iterator[Any]:
        """Yield every frame that decodes, in the order they are shown.

        Raises:
            UndecodableError: If the file ends well before the end it states.
        """
        for packet in self.packets():
            yield from self.decode(packet)
        yield from self.decode(None)

    def decode(self, packet: Packet[Stream] | None) -> list[Any]:
        """Return the frames a packet completes; None asks for those still held back.

        A damaged packet gives none, as in players.
        """
        try:
            return list(self.context.decode(packet))
        except (ExitError, MemoryError):
            raise
        except FFmpegError:
            return []

    def packets(self) -> Iterator[Packet[Stream]]:
        """Yield packets with content until the file ends or cannot be read further.

        Raises:
            UndecodableError: If the file ends well before the end it states.
        """
        try:
            for packet in self._container.demux(self.stream):
                if not packet.size:
                    continue
                self.packets_read += 1
                shown_s = self.time_s(packet)
                if shown_s is not None:
                    length_s = (packet.duration or 0) * self._tick_s
                    self.end_s = max(self.end_s, shown_s + length_s)
                yield packet
        except (ExitError, MemoryError):
            raise
        except (FFmpegError, OSError):
            pass  # what was read counts, if it is nearly all there should be
        self._check_whole()

    def _check_whole(self) -> None:
        if self._container.format.name.split(",")[0] not in EXACT_DURATION:
            return
        stated_s = (self.stream.duration or 0) * self._tick_s
        if self.end_s < WHOLE_SHARE * stated_s - SLACK_S:
            raise UndecodableError(
                f"the file is cut short: {self.end_s:.1f} s of {stated_s:.1f} s are there"
            )
