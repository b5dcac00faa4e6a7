"""Every container round-trips: the tone, the colors and the length come back."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from crossmodal.errors import NoTrackError, UnsupportedMediaError
from crossmodal.media.decoder import Decoder
from crossmodal.media.tracks import Frames, TrackRequest, Waveform
from crossmodal.modality import Modality

Requests = Mapping[Modality, TrackRequest]
Make = Callable[[str], bytes]

# Lossy codecs lead in and pad out: a fraction of a packet or two.
SOUND = {
    "wav": ("wav", 0.0),
    "wav24": ("wav", 0.0),
    "wavfloat": ("wav", 0.0),
    "flac": ("flac", 0.0),
    "mp3": ("mp3", 0.06),
    "ogg": ("ogg", 0.06),
    "opus": ("ogg", 0.03),
    "aac": ("aac", 0.06),
    "m4a": ("mov", 0.06),
    "mp4": ("mov", 0.06),
    "mov": ("mov", 0.06),
    "mkv": ("matroska", 0.0),
    "webm": ("matroska", 0.03),
    "avi": ("avi", 0.06),
    "ts": ("mpegts", 0.09),
    "mpg": ("mpeg", 0.06),
}
PICTURES = {
    name: SOUND["mp4" if name == "silent mp4" else name][0]
    for name in ("mp4", "silent mp4", "mov", "mkv", "webm", "avi", "ts", "mpg")
} | {"webm9": "matroska"}
COLORS = [(220, 30, 30), (30, 200, 30), (40, 40, 220)]


def frequency_of(sound: Waveform) -> float:
    windowed = sound.samples * np.hanning(len(sound.samples))
    spectrum = np.abs(np.fft.rfft(windowed))
    return float(spectrum.argmax() * sound.sample_rate_hz / len(sound.samples))


@pytest.mark.parametrize("name", SOUND)
def test_the_tone_of_every_container_comes_back(
    decoder: Decoder, make: Make, hear: Requests, name: str
) -> None:
    container, slack_s = SOUND[name]
    clip = decoder.decode(make(name), hear)
    sound = clip.tracks[Modality.AUDIO]
    assert isinstance(sound, Waveform)
    assert clip.container == container
    assert sound.sample_rate_hz == 16_000
    assert frequency_of(sound) == pytest.approx(440, abs=1)
    assert clip.duration_s == pytest.approx(3.0, abs=slack_s + 1e-9)
    assert sound.duration_s == clip.duration_s
    loudness = np.sqrt(np.mean(sound.samples[8_000:40_000].astype(np.float64) ** 2))
    assert loudness == pytest.approx(0.5 / np.sqrt(2), rel=0.06)  # LAME gives 5 % less


@pytest.mark.parametrize("name", PICTURES)
def test_the_colors_of_every_container_come_back(
    decoder: Decoder, make: Make, see: Requests, name: str
) -> None:
    clip = decoder.decode(make(name), see)
    frames = clip.tracks[Modality.VISUAL]
    assert isinstance(frames, Frames)
    assert clip.container == PICTURES[name]
    assert clip.duration_s == pytest.approx(3.0, abs=0.1)
    # FFmpeg's AVI writer leaves a gap of one picture, so that the last begins at 3 s.
    count = 7 if name == "avi" else 6
    assert frames.pixels.shape == (count, 32, 32, 3)
    np.testing.assert_allclose(frames.times_s, np.arange(count) / 2)
    means = frames.pixels[:6].mean(axis=(1, 2))
    assert np.abs(means[1::2] - COLORS).max() < 12
    if name != "avi":
        assert np.abs(means[::2] - COLORS).max() < 12


@pytest.mark.parametrize(("codec", "name"), [("png", "png"), ("mjpeg", "jpeg")])
def test_a_still_picture_is_one_frame_of_no_duration(
    decoder: Decoder, see: Requests, codec: str, name: str
) -> None:
    clip = decoder.decode(still(codec, np.full((48, 80, 3), (220, 30, 30))), see)
    frames = clip.tracks[Modality.VISUAL]
    assert isinstance(frames, Frames)
    assert (clip.container, clip.duration_s) == (name, 0.0)
    assert frames.times_s.tolist() == [0.0]
    assert np.abs(frames.pixels[0].mean(axis=(0, 1)) - (220, 30, 30)).max() < 6


def still(codec: str, pixels: np.ndarray) -> bytes:
    context = av.CodecContext.create(codec, "w")
    context.height, context.width = pixels.shape[:2]
    context.pix_fmt = "rgb24" if codec == "png" else "yuvj420p"
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(pixels.astype(np.uint8), format="rgb24")
    packets = context.encode(frame.reformat(format=context.pix_fmt))
    return b"".join(bytes(packet) for packet in [*packets, *context.encode(None)])


def test_a_sound_file_has_no_picture_track(
    decoder: Decoder, make: Make, see: Requests
) -> None:
    with pytest.raises(NoTrackError, match="has no picture track"):
        decoder.decode(make("wav"), see)


def test_a_silent_video_has_no_sound_track(
    decoder: Decoder, make: Make, hear: Requests
) -> None:
    with pytest.raises(NoTrackError, match="has no sound track"):
        decoder.decode(make("silent mp4"), hear)


def test_a_picture_has_no_sound_track(decoder: Decoder, hear: Requests) -> None:
    with pytest.raises(NoTrackError, match="has no sound track"):
        decoder.decode(still("png", np.zeros((8, 8, 3))), hear)


def test_one_missing_track_of_two_is_an_error(
    decoder: Decoder, make: Make, hear: Requests, see: Requests
) -> None:
    with pytest.raises(NoTrackError, match="picture"):
        decoder.decode(make("flac"), {**hear, **see})


@pytest.mark.parametrize("container", ["mp3", "flac", "mp4"])
def test_cover_art_is_not_a_picture_track(
    decoder: Decoder,
    making: SimpleNamespace,
    see: Requests,
    hear: Requests,
    container: str,
) -> None:
    song = with_cover(making, container)
    assert frequency_of(decoder.decode(song, hear).tracks[Modality.AUDIO]) == pytest.approx(
        440, abs=1
    )
    with pytest.raises(NoTrackError, match="has no picture track"):
        decoder.decode(song, see)


def with_cover(making: SimpleNamespace, container: str) -> bytes:
    codec = {"mp3": "libmp3lame", "flac": "flac", "mp4": "aac"}[container]
    picture = still("mjpeg", np.full((64, 64, 3), 90))
    plain = making.encode(container, making.Sound(codec, making.tone(440, 1.0)))
    buffer = io.BytesIO()
    source = av.open(io.BytesIO(plain))
    with source, av.open(buffer, "w", format=container) as song:
        sound = song.add_stream_from_template(source.streams.audio[0])
        cover = song.add_stream("mjpeg")
        cover.width = cover.height = 64
        cover.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        packet = av.Packet(picture)
        packet.stream, packet.pts, packet.dts, packet.is_keyframe = cover, 0, 0, True
        packet.time_base = Fraction(1, 25)
        song.start_encoding()
        song.mux(packet)
        for packet in source.demux(0):
            if packet.size:
                packet.stream = sound
                song.mux(packet)
    song_bytes = buffer.getvalue()
    with av.open(io.BytesIO(song_bytes)) as check:
        assert check.streams.video[0].disposition & av.stream.Disposition.attached_pic
    return song_bytes


@pytest.mark.parametrize(("container", "codec"), [("avi", "cinepak"), ("avi", "magicyuv")])
def test_a_codec_off_the_list_is_refused(
    decoder: Decoder, making: SimpleNamespace, see: Requests, container: str, codec: str
) -> None:
    pixel_format = {"cinepak": "rgb24", "magicyuv": "gbrp"}[codec]
    frames = making.color_frames(0.2)
    video = making.encode(
        container, pictures=making.Pictures(codec, frames, pixel_format=pixel_format)
    )
    with pytest.raises(UnsupportedMediaError, match="picture track's codec is not one of"):
        decoder.decode(video, see)


def test_a_container_off_the_list_is_refused(
    decoder: Decoder, making: SimpleNamespace, hear: Requests
) -> None:
    sound = making.encode("tta", making.Sound("tta", making.tone(440, 1.0)))
    with pytest.raises(UnsupportedMediaError, match="container is not one of wav, flac"):
        decoder.decode(sound, hear)
