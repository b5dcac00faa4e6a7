"""Pictures: samples one stream at a fixed rate and scales to the size asked for.

The picture of a moment is the one a player shows then: the last that began at or
before it, or the first of all. Moments are ``start + i / fps`` while the track lasts.
Only what those pictures depend on is decoded; the outcome is that of decoding all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

from crossmodal.errors import MediaTooBigError, NoTrackError, UndecodableError
from crossmodal.media.limits import MediaLimits
from crossmodal.media.needed import TICK_S, decode_needed
from crossmodal.media.reader import StreamReader
from crossmodal.media.tracks import VisualRequest

Pixels = UInt8[np.ndarray, "height width 3"]


def read_pictures(
    reader: StreamReader,
    request: VisualRequest,
    stretch_s: tuple[float, float],
    limits: MediaLimits,
) -> Iterator[tuple[float, Pixels]]:
    """Yield moments of a stretch, given by start and stop in seconds, and their pictures.

    Raises:
        NoTrackError: If the stretch holds no picture.
        UndecodableError: If nothing can be decoded.
        MediaTooBigError: If a picture has too many pixels, or there are too many.
    """
    start_s, stop_s = stretch_s
    context = reader.context
    check_pixels(context.width, context.height, limits)
    # Set before the first decode: a picture may also be larger than the header says.
    context.options = {"max_pixels": str(limits.max_pixels)}
    packets = _packets_of(reader, start_s, stop_s, limits)
    end_s = min(reader.end_s, stop_s)
    if end_s <= start_s:
        raise NoTrackError("the picture track holds nothing in the stretch asked for")
    moments = _moments(start_s, end_s, request.fps, limits)
    scaler = Scaler(request, limits)
    shown: VideoFrame | None = None
    pixels: Pixels | None = None
    at = 0
    for frame in decode_needed(reader, packets, moments):
        begins_s = reader.time_s(frame)
        if begins_s is None:
            continue
        while at < len(moments) and moments[at] < begins_s - TICK_S:
            if pixels is None:
                pixels = scaler.scale(shown or frame)
            yield moments[at], pixels
            at += 1
        if at == len(moments):
            return
        shown, pixels = frame, None
    if shown is None:
        raise UndecodableError("no part of the picture track can be decoded")
    for moment_s in moments[at:]:
        if pixels is None:
            pixels = scaler.scale(shown)
        yield moment_s, pixels


def read_still(
    reader: StreamReader, request: VisualRequest, limits: MediaLimits
) -> tuple[float, Pixels]:
    """Return the moment 0 and the picture of a still.

    Raises:
        UndecodableError: If it cannot be decoded.
        MediaTooBigError: If it has too many pixels.
    """
    context = reader.context
    check_pixels(context.width, context.height, limits)
    context.options = {"max_pixels": str(limits.max_pixels)}
    for frame in reader.frames():
        return 0.0, Scaler(request, limits).scale(frame)
    raise UndecodableError("the picture cannot be decoded")


def _packets_of(
    reader: StreamReader, start_s: float, stop_s: float, limits: MediaLimits
) -> list[Packet[Stream]]:
    """Return what decoding the stretch may need, from the last key picture before it."""
    held: list[Packet[Stream]] = []
    in_stretch = 0
    for packet in reader.packets():
        shown_s = reader.time_s(packet)
        if packet.is_keyframe and shown_s is not None and shown_s <= start_s + TICK_S:
            held.clear()
        held.append(packet)
        in_stretch += shown_s is None or start_s <= shown_s < stop_s
        if in_stretch > limits.max_frames:
            raise MediaTooBigError(
                f"more than {limits.max_frames} pictures: choose a shorter stretch"
            )
        if packet.dts is not None and reader.seconds(packet.dts) >= stop_s:
            break  # in decoding order, and shown no earlier than decoded
    if not reader.packets_read:
        raise NoTrackError("the picture track is empty")
    return held


def _moments(start_s: float, end_s: float, fps: float, limits: MediaLimits) -> list[float]:
    count = max(1, math.ceil((end_s - TICK_S - start_s) * fps))
    if count > limits.max_frames:
        raise MediaTooBigError(f"the stretch gives more than {limits.max_frames} pictures")
    return [start_s + i / fps for i in range(count)]


def check_pixels(width: int, height: int, limits: MediaLimits) -> None:
    """Check the size of a picture.

    Raises:
        MediaTooBigError: If it has too many pixels.
    """
    if width * height > limits.max_pixels:
        raise MediaTooBigError(f"the picture has more than {limits.max_pixels} pixels")


class Scaler:
    """Scales the pictures of one stream to the size asked for.

    One converter on one thread serves them all: making one for each picture, with
    threads of its own, costs several times what the scaling does.
    """

    def __init__(self, request: VisualRequest, limits: MediaLimits) -> None:
        self._request = request
        self._limits = limits
        self._converter = VideoReformatter()

    def scale(self, frame: VideoFrame) -> Pixels:
        """Return the frame upright, in RGB, stretched to the size asked for.

        Raises:
            MediaTooBigError: If it has too many pixels.
        """
        check_pixels(frame.width, frame.height, self._limits)
        quarters = round(frame.rotation / 90) % 4  # counterclockwise, as cameras note it
        height, width = self._request.height, self._request.width
        if quarters % 2:
            height, width = width, height
        scaled = self._converter.reformat(
            frame, width, height, "rgb24", interpolation="BILINEAR", threads=1
        )
        upright: Pixels = np.ascontiguousarray(np.rot90(scaled.to_ndarray(), quarters))
        return upright
