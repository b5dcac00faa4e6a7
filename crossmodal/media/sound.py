"""Sound: decodes one stream to mono blocks at the rate asked for.

Channels are averaged, not mixed by speaker position. The whole stream before the
stretch is decoded and dropped, so that a stretch is bit for bit a part of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr
from av.audio.frame import AudioFrame
from jaxtyping import Float32

from crossmodal.errors import MediaTooBigError, NoTrackError, UndecodableError
from crossmodal.media.limits import MediaLimits
from crossmodal.media.reader import StreamReader
from crossmodal.media.tracks import AudioRequest

Mono = Float32[np.ndarray, " time"]
BLOCK = 65_536  # samples per channel that are converted at once

# Sample formats: what to subtract and the reach of the positive side.
INTEGERS = {"u8": (128, 128.0), "s16": (0, 32768.0), "s32": (0, 2147483648.0)}


def read_sound(
    reader: StreamReader,
    request: AudioRequest,
    stretch_s: tuple[float, float],
    limits: MediaLimits,
) -> Iterator[Mono]:
    """Yield the sound of a stretch, given by start and stop in seconds.

    Raises:
        NoTrackError: If the stretch holds no sample.
        UndecodableError: If nothing can be decoded, a sample is not a finite number,
            or the sample rate is out of range.
        MediaTooBigError: If there are too many channels.
    """
    first, last = (round(edge_s * request.sample_rate_hz) for edge_s in stretch_s)
    at = 0
    for block in _resampled(reader, request.sample_rate_hz, stretch_s[1], limits):
        wanted = block[max(first - at, 0) : max(last - at, 0)]
        at += len(block)
        if len(wanted):
            yield wanted
        if at >= last:
            break
    if at <= first:
        raise NoTrackError("the sound track holds nothing in the stretch asked for")


def _resampled(
    reader: StreamReader, rate_hz: int, stop_s: float, limits: MediaLimits
) -> Iterator[Mono]:
    source_hz = 0
    resampler: soxr.ResampleStream | None = None
    for frames in _blocks(reader, limits):
        if not source_hz:
            # The sound may begin later than the picture.
            silence_s = max(reader.time_s(frames[0]) or 0.0, 0.0)
            if silence_s >= stop_s:
                return
            yield from _silence(round(silence_s * rate_hz))
        if frames[0].sample_rate != source_hz:
            yield from _rest(resampler)
            source_hz = frames[0].sample_rate
            same = source_hz == rate_hz
            resampler = None if same else soxr.ResampleStream(source_hz, rate_hz, 1)
        mono = mix_to_mono(frames)
        yield mono if resampler is None else _within(resampler.resample_chunk(mono))
    yield from _rest(resampler)


def _blocks(reader: StreamReader, limits: MediaLimits) -> Iterator[list[AudioFrame]]:
    """Yield runs of frames of one format, long enough to be worth one conversion."""
    held: list[AudioFrame] = []
    samples = 0
    decoded = False
    for frame in _frames(reader, limits):
        decoded = True
        if held and (samples >= BLOCK or _shape(frame) != _shape(held[0])):
            yield held
            held, samples = [], 0
        held.append(frame)
        samples += frame.samples
    if held:
        yield held
    if not decoded:
        if reader.packets_read:
            raise UndecodableError("no part of the sound track can be decoded")
        raise NoTrackError("the sound track is empty")


def _frames(reader: StreamReader, limits: MediaLimits) -> Iterator[AudioFrame]:
    check_sound(reader.context.sample_rate, reader.context.channels, limits)
    for frame in reader.frames():
        check_sound(frame.sample_rate, frame.layout.nb_channels, limits)
        if frame.samples:
            yield frame


def _shape(frame: AudioFrame) -> tuple[str, int, int]:
    return frame.format.name, frame.sample_rate, frame.layout.nb_channels


def check_sound(rate_hz: int, channels: int, limits: MediaLimits) -> None:
    """Check the sample rate and the number of channels.

    Raises:
        UndecodableError: If the sample rate is out of range.
        MediaTooBigError: If there are too many channels.
    """
    low, high = limits.min_sample_rate_hz, limits.max_sample_rate_hz
    if not low <= rate_hz <= high:
        raise UndecodableError(f"the sample rate must lie between {low} and {high} Hz")
    if not 1 <= channels <= limits.max_channels:
        raise MediaTooBigError(f"the sound must have 1 to {limits.max_channels} channels")


def mix_to_mono(frames: list[AudioFrame]) -> Mono:
    """Return the mean of all channels in [-1, 1]; frames share one format.

    Raises:
        UndecodableError: If a sample is not a finite number.
    """
    channels = frames[0].layout.nb_channels
    together = np.concatenate([frame.to_ndarray() for frame in frames], axis=1)
    if not frames[0].format.is_planar:
        together = together.reshape(-1, channels).T
    kind = frames[0].format.name.removesuffix("p")
    offset, reach = INTEGERS.get(kind, (0, 1.0))
    if kind not in INTEGERS:
        if not np.isfinite(together).all():
            raise UndecodableError("the sound holds values that are not finite numbers")
        together = np.clip(together, -1.0, 1.0)
    # Column by column: numpy's mean over interleaved integers is 20 times slower.
    total = together[0].astype(np.float32)
    for channel in together[1:]:
        total += channel
    total -= np.float32(offset * channels)
    total *= np.float32(1 / (reach * channels))
    mono: Mono = total
    return mono


def _silence(samples: int) -> Iterator[Mono]:
    for at in range(0, samples, BLOCK):
        yield np.zeros(min(BLOCK, samples - at), np.float32)


def _rest(resampler: soxr.ResampleStream | None) -> Iterator[Mono]:
    if resampler is not None:
        yield _within(resampler.resample_chunk(np.zeros(0, np.float32), last=True))


def _within(block: Mono) -> Mono:
    """Return the block without what resampling a full-scale sound overshoots."""
    within: Mono = np.clip(block, -1.0, 1.0)
    return within
