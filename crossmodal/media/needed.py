"""Needed: decodes of a picture track what a few moments depend on, and no more.

Two kinds of packets are left out: pictures that no other refers to, if not wanted
themselves, and the end of a group after its last wanted picture. At one picture per
second that saves a third to nearly all of the work, and changes no pixel.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise

from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame

from crossmodal.media.reader import StreamReader

TICK_S = 0.001  # Matroska rounds times to it

# Decoders that obey a change of skip_frame between packets. AV1's reads it once.
SKIPPING = frozenset({"h264", "mpeg1video", "mpeg2video", "mpeg4"})


def decode_needed(
    reader: StreamReader, packets: Sequence[Packet[Stream]], moments_s: Sequence[float]
) -> Iterator[VideoFrame]:
    """Yield, in the order shown, at least the pictures that the moments show.

    Args:
        reader: Gives times and decodes.
        packets: In decoding order; the first should be a key picture.
        moments_s: Ascending, in seconds from the clip's start.
    """
    times_s = [reader.time_s(packet) for packet in packets]
    known_s = [time_s for time_s in times_s if time_s is not None]
    if len(known_s) < len(packets):
        for packet in packets:
            yield from reader.decode(packet)
        yield from reader.decode(None)
        return
    wanted = wanted_packets(known_s, moments_s)
    context = reader.context
    skipping = context.name in SKIPPING
    runs = needed_runs([packet.is_keyframe for packet in packets], known_s, wanted)
    for number, (first, stop) in enumerate(runs):
        if number:
            yield from reader.decode(None)
            context.flush_buffers()
        for i in range(first, stop):
            if skipping:
                context.skip_frame = "DEFAULT" if i in wanted else "NONREF"
            yield from reader.decode(packets[i])
    yield from reader.decode(None)


def wanted_packets(times_s: Sequence[float], moments_s: Sequence[float]) -> set[int]:
    """Return the positions of the pictures shown at the moments."""
    order = sorted(range(len(times_s)), key=lambda i: times_s[i])
    ascending = [times_s[i] for i in order]
    began = [bisect_right(ascending, moment_s + TICK_S) for moment_s in moments_s]
    return {order[max(count - 1, 0)] for count in began}


def needed_runs(
    is_key: Sequence[bool], times_s: Sequence[float], wanted: set[int]
) -> Iterator[tuple[int, int]]:
    """Yield the runs of packets, as start and stop, that the wanted pictures depend on.

    A run starts at a key picture and may span several groups. Pictures that follow a
    key picture but are shown before it depend on the group before as well.
    """
    starts = [0, *(i for i in range(1, len(is_key)) if is_key[i]), len(is_key)]
    run: tuple[int, int] | None = None
    for (first, stop), following in zip(
        pairwise(starts), [*starts[2:], len(is_key)], strict=True
    ):
        leads = any(
            i in wanted and times_s[i] < times_s[stop] for i in range(stop + 1, following)
        )
        last = max((i for i in range(first, stop) if i in wanted), default=first - 1)
        needed = stop if leads else last + 1
        if run is not None and run[1] == first and needed > first:
            run = (run[0], needed)
        elif needed > first:
            if run is not None:
                yield run
            run = (first, needed)
    if run is not None:
        yield run
