"""Sound: channels, sample formats, resampling, time."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
import scipy.signal

from crossmodal.errors import ConfigError, UndecodableError
from crossmodal.media.decoder import Decoder
from crossmodal.media.tracks import AudioRequest, TrackRequest, Waveform
from crossmodal.modality import Modality

Requests = Mapping[Modality, TrackRequest]


def hear(
    decoder: Decoder, sound: bytes, rate_hz: int = 16_000, **stretch: float
) -> np.ndarray:
    clip = decoder.decode(sound, {Modality.AUDIO: AudioRequest(rate_hz)}, **stretch)
    waveform = clip.tracks[Modality.AUDIO]
    assert isinstance(waveform, Waveform)
    assert waveform.samples.flags.writeable
    return waveform.samples


def test_channels_are_averaged(decoder: Decoder, making: SimpleNamespace) -> None:
    channels = np.random.default_rng(0).integers(-30_000, 30_000, (3_000, 6))
    for count in (1, 2, 3, 6):
        some = channels[:, :count].astype(np.int16)
        expected = some.astype(np.float64).mean(axis=1) / 32768
        samples = hear(decoder, making.wav_bytes(some, 16_000))
        np.testing.assert_allclose(samples, expected, atol=1e-7)


def test_planar_channels_are_averaged(decoder: Decoder, making: SimpleNamespace) -> None:
    """The decoder of AAC gives channels apart, that of WAV interleaved."""
    tone = making.tone(440, 1.0)
    opposite = np.concatenate([tone, -tone])
    same = np.concatenate([tone, tone])
    for channels, loudness in ((opposite, 0.0), (same, 0.5 / math.sqrt(2))):
        samples = hear(decoder, making.encode("ipod", making.Sound("aac", channels)))
        assert np.sqrt(np.mean(samples[4_000:12_000] ** 2)) == pytest.approx(
            loudness, abs=0.01
        )


@pytest.mark.parametrize(
    ("dtype", "scale", "tolerance"),
    [
        ("u1", 128, 1 / 128),
        ("i2", 2**15, 2**-15),
        ("i4", 2**31, 1e-6),
        ("f4", 1, 1e-7),
        ("f8", 1, 1e-7),
    ],
)
def test_sample_formats_agree(
    decoder: Decoder, making: SimpleNamespace, dtype: str, scale: int, tolerance: float
) -> None:
    expected = np.linspace(-1, 1, 4_001, endpoint=False)
    offset = 128 if dtype == "u1" else 0
    stored = (expected * scale + offset).astype("<" + dtype)[:, None]
    content = making.wav_bytes(stored, 16_000, format_tag=3 if dtype[0] == "f" else 1)
    np.testing.assert_allclose(hear(decoder, content), expected, atol=tolerance)


@pytest.mark.parametrize("source_hz", [8_000, 22_050, 44_100, 48_000])
def test_resampling_agrees_with_a_polyphase_filter(
    decoder: Decoder, making: SimpleNamespace, source_hz: int
) -> None:
    t = np.arange(2 * source_hz) / source_hz
    sound = sum(0.2 * np.sin(2 * np.pi * f * t + f) for f in (100, 1_000, 2_500))
    content = making.wav_bytes(sound.astype("<f4")[:, None], source_hz, format_tag=3)
    samples = hear(decoder, content)
    ratio = Fraction(16_000, source_hz)
    expected = scipy.signal.resample_poly(
        sound, ratio.numerator, ratio.denominator, window=("kaiser", 12.0)
    )
    assert len(samples) == 32_000
    inner = slice(2_000, -2_000)
    np.testing.assert_allclose(samples[inner], expected[inner], atol=2e-3)


def test_what_lies_above_half_the_rate_is_filtered_out(
    decoder: Decoder, making: SimpleNamespace
) -> None:
    tone = making.tone(11_000, 1.0)
    samples = hear(decoder, making.encode("flac", making.Sound("flac", tone)))
    assert np.abs(samples[1_000:-1_000]).max() < 1e-3


def test_an_impulse_stays_where_it_is(decoder: Decoder, making: SimpleNamespace) -> None:
    sound = np.zeros((48_000, 1), np.int16)
    sound[24_000] = 30_000
    for rate_hz in (16_000, 22_050, 48_000):
        samples = hear(decoder, making.wav_bytes(sound, 48_000), rate_hz)
        assert np.abs(samples).argmax() == rate_hz // 2


def test_long_sound_is_the_same_in_blocks(
    decoder: Decoder, making: SimpleNamespace
) -> None:
    """A stretch that lies many conversion blocks into the file."""
    noise = (
        np.random.default_rng(3).integers(-9_000, 9_000, (48_000 * 8, 1)).astype(np.int16)
    )
    content = making.wav_bytes(noise.astype(np.int16), 48_000)
    whole = hear(decoder, content)
    np.testing.assert_array_equal(hear(decoder, content, start_s=6.5), whole[104_000:])


def test_sound_that_begins_after_the_picture_follows_silence(
    decoder: Decoder, making: SimpleNamespace
) -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        video = output.add_stream("mpeg4", rate=25)
        video.width = video.height = 64
        audio = output.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for number, array in enumerate(making.numbered_frames(50)):
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            frame.pts = number
            output.mux(video.encode(frame))
        loud = np.full((1, 16_000), 16_384, np.int16)
        frame = av.AudioFrame.from_ndarray(loud, format="s16", layout="mono")
        frame.sample_rate, frame.pts = 16_000, 12_000
        output.mux(audio.encode(frame))
    samples = hear(decoder, buffer.getvalue())
    expected = np.concatenate([np.zeros(12_000), np.full(16_000, 0.5)])
    np.testing.assert_array_equal(samples, expected.astype(np.float32))
    late = hear(decoder, buffer.getvalue(), start_s=0.5, end_s=1.0)
    np.testing.assert_array_equal(late, expected[8_000:16_000].astype(np.float32))


def test_a_rate_that_changes_within_the_file_keeps_time(
    decoder: Decoder, making: SimpleNamespace
) -> None:
    """Two ADTS files in a row, of different rates."""
    low, high = (
        making.encode("adts", making.Sound("aac", making.tone(440, 1.0, hz), hz))
        for hz in (22_050, 44_100)
    )
    samples = hear(decoder, low + high)
    assert len(samples) / 16_000 == pytest.approx(2.0, abs=0.2)
    middle = samples[len(samples) * 5 // 8 : len(samples) * 7 // 8]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() * 16_000 / len(middle) == pytest.approx(440, abs=5)


def test_damaged_packets_are_left_out(decoder: Decoder, making: SimpleNamespace) -> None:
    content = bytearray(
        making.encode("mp3", making.Sound("libmp3lame", making.tone(440, 2.0)))
    )
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(600)
    assert len(hear(decoder, bytes(content))) / 16_000 == pytest.approx(2.0, abs=0.2)


def test_sound_of_which_no_packet_decodes_is_undecodable(
    decoder: Decoder, making: SimpleNamespace
) -> None:
    content = bytearray(
        making.encode("matroska", making.Sound("flac", making.tone(440, 1.0)))
    )
    frame = content.index(b"\xff\xf8")
    content[frame:] = b"\x00\xff\x10".join([bytes(1)] * ((len(content) - frame) // 3))
    with pytest.raises(UndecodableError):
        hear(decoder, bytes(content))


def test_a_rate_below_one_is_a_wrong_request(decoder: Decoder) -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        hear(decoder, b"x", rate_hz=-1)
