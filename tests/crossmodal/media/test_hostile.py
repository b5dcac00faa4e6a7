"""Files made to harm: each gives one of our errors, soon, and the next one decodes."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest

from crossmodal.errors import (
    MediaError,
    MediaTooBigError,
    MediaTooLongError,
    NoTrackError,
    UndecodableError,
    UnsupportedMediaError,
)
from crossmodal.media.allowed import GUARDS
from crossmodal.media.container import open_container
from crossmodal.media.decoder import Decoder
from crossmodal.media.limits import MediaLimits
from crossmodal.media.tracks import TrackRequest, VisualRequest
from crossmodal.modality import Modality
from tests.corpus import junk, references
from tests.corpus.boxes import table_bomb
from tests.corpus.stills import png
from tests.corpus.time_bombs import flac_of

Requests = Mapping[Modality, TrackRequest]
Make = Callable[[str], bytes]
Limited = Callable[[MediaLimits], Decoder]


def refusal(decoder: Decoder, content: bytes, requests: Requests) -> MediaError:
    """The error a file gives, which must not quote the file."""
    with pytest.raises(MediaError) as caught:
        decoder.decode(content, requests)
    message = str(caught.value)
    assert message.isprintable()
    assert not any(word in message for word in ("canary", "Errno", "/", "av."))
    return caught.value


# References: files that ask FFmpeg to open something else.


@pytest.fixture
def listeners() -> Iterator[dict[str, socket.socket]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        tcp.setblocking(False)
        udp.setblocking(False)
        yield {"tcp": tcp, "udp": udp}


def pointing(listeners: dict[str, socket.socket], canary: Path) -> list[bytes]:
    """The texts that refer to what listens and to the file."""
    tcp, udp = (listeners[name].getsockname()[1] for name in ("tcp", "udp"))
    return list(references.texts(references.Canary(tcp, udp, canary)).values())


@pytest.fixture
def canary(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "canary.mp4"
    path.write_bytes(make("mp4"))
    monkeypatch.chdir(tmp_path)
    return path


def untouched(listeners: dict[str, socket.socket]) -> bool:
    for receive in (listeners["tcp"].accept, lambda: listeners["udp"].recv(1)):
        try:
            receive()
        except BlockingIOError:
            continue
        return False
    return True


def test_references_are_refused_and_followed_by_nothing(
    decoder: Decoder, listeners: dict[str, socket.socket], canary: Path, see: Requests
) -> None:
    for content in pointing(listeners, canary):
        assert isinstance(refusal(decoder, content, see), UnsupportedMediaError)
    assert untouched(listeners)


def test_references_are_refused_where_files_and_network_are_in_reach(
    listeners: dict[str, socket.socket], canary: Path, tmp_path: Path
) -> None:
    """The whitelists alone, without what confines a child."""
    for content in pointing(listeners, canary):
        (tmp_path / "upload").write_bytes(content)
        with (
            io.FileIO(tmp_path / "upload") as file,
            pytest.raises(UnsupportedMediaError),
        ):
            open_container(file, MediaLimits(wall_s=240.0))
    assert untouched(listeners)


def test_an_unguarded_ffconcat_would_open_the_canary(canary: Path) -> None:
    """What the guards are held against is real, and either of them stops it."""
    text = b"ffconcat version 1.0\nfile canary.mp4\n"
    with av.open(io.BytesIO(text)) as container:
        assert container.format.name == "concat"
        assert next(container.decode(video=0)).width == 64
    for name in ("format_whitelist", "protocol_whitelist"):
        with pytest.raises((OSError, ValueError)):
            av.open(io.BytesIO(text), container_options={name: GUARDS[name]})


# Files that are no media, or no longer.


NOT_MEDIA = junk.JUNK | {
    "text": b"canary " * 100,
    "gif": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
}


@pytest.mark.parametrize("name", NOT_MEDIA)
def test_what_is_no_media_is_unsupported(
    decoder: Decoder, see: Requests, name: str
) -> None:
    error = refusal(decoder, NOT_MEDIA[name], see)
    assert isinstance(error, UnsupportedMediaError)
    assert str(error).startswith("the container is not one of wav, flac, mp3")


@pytest.mark.parametrize(
    "head",
    [b"RIFF\x00\x00\x00\x00WAVE", b"fLaC", b"OggS", b"\x1aE\xdf\xa3", b"\x89PNG\r\n\x1a\n"],
)
def test_the_right_start_and_a_wrong_rest_is_undecodable(
    decoder: Decoder, hear: Requests, head: bytes
) -> None:
    content = head + np.random.default_rng(2).bytes(4_000)
    assert isinstance(refusal(decoder, content, hear), UndecodableError | NoTrackError)


@pytest.mark.parametrize("name", ["wav", "flac", "mp4", "mov", "m4a", "avi"])
def test_half_a_file_that_states_its_length_is_undecodable(
    decoder: Decoder, make: Make, hear: Requests, name: str
) -> None:
    whole = make(name)
    assert isinstance(refusal(decoder, whole[: len(whole) // 2], hear), UndecodableError)


def test_half_a_file_with_its_index_first_is_undecodable(
    decoder: Decoder, make: Make, hear: Requests, see: Requests, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    with (
        av.open(io.BytesIO(make("mp4"))) as source,
        av.open(str(path), "w", options={"movflags": "faststart"}) as output,
    ):
        streams = {s.index: output.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
    whole = path.read_bytes()
    assert whole.index(b"moov") < whole.index(b"mdat")
    assert decoder.decode(whole, see).duration_s == pytest.approx(3, abs=0.1)
    half = whole[: whole.index(b"mdat") + (len(whole) - whole.index(b"mdat")) // 2]
    for requests in (hear, see):
        assert "cut short" in str(refusal(decoder, half, requests))


ALL = ("wav", "flac", "mp3", "ogg", "opus", "mp4", "mov", "mkv", "webm", "avi", "ts", "mpg")


@pytest.mark.parametrize("name", ALL)
def test_a_cut_file_decodes_or_is_refused(
    decoder: Decoder, make: Make, hear: Requests, name: str
) -> None:
    whole = make(name)
    for cut in (1, 12, 100, len(whole) // 3, len(whole) - 1):
        answer_or_refusal(decoder, whole[:cut], hear)


@pytest.mark.parametrize("name", ALL)
def test_a_file_with_flipped_bits_decodes_or_is_refused(
    decoder: Decoder, make: Make, hear: Requests, see: Requests, name: str
) -> None:
    random = np.random.default_rng(sum(name.encode()))
    with av.open(io.BytesIO(make(name))) as container:
        requests = see if container.streams.video else hear
    for flips in (1, 10, 100):
        damaged = np.frombuffer(make(name), np.uint8).copy()
        places = random.integers(0, len(damaged), flips)
        damaged[places] ^= np.uint8(1 << random.integers(0, 8))
        answer_or_refusal(decoder, damaged.tobytes(), requests)


def answer_or_refusal(decoder: Decoder, content: bytes, requests: Requests) -> None:
    try:
        message = f"decoded {decoder.decode(content, requests).duration_s} s"
    except MediaError as error:
        message = str(error)
    assert message.isprintable()
    assert "makes the decoder fail" not in message


# Bombs: small files that cost much.


PROGRAM = """
import resource, sys
from pathlib import Path
from crossmodal.errors import MediaError
from crossmodal.media.decoder import Decoder
from crossmodal.media.limits import MediaLimits
from crossmodal.media.tracks import AudioRequest
from crossmodal.modality import Modality
with Decoder(MediaLimits(wall_s=240.0)) as decoder:
    try:
        decoder.decode(Path(sys.argv[1]), {Modality.AUDIO: AudioRequest(16_000)})
    except MediaError as error:
        print(type(error).__name__)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_tables_that_claim_millions_of_samples_exhaust_no_more_than_allowed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bomb.mp4"
    path.write_bytes(table_bomb(89_000_000))
    assert path.stat().st_size < 2_000
    command = [sys.executable, "-c", PROGRAM, str(path)]
    answer = subprocess.run(command, check=True, capture_output=True, timeout=240)
    error, most_kib = answer.stdout.split()
    assert error == b"UndecodableError"
    assert int(most_kib) < 512 * 1024  # 1.1 GiB without the limit


def test_a_picture_with_too_many_pixels_is_too_big(decoder: Decoder, see: Requests) -> None:
    error = refusal(decoder, png(12_000, 1_200), see)
    assert isinstance(error, MediaTooBigError)
    assert "more than 8847360 pixels" in str(error)


def test_a_huge_picture_is_refused(
    limited: Limited, decoder: Decoder, see: Requests
) -> None:
    huge = png(12_000, 12_000)
    assert isinstance(refusal(decoder, huge, see), MediaTooBigError)
    lenient = limited(MediaLimits(max_pixels=200_000_000))
    error = refusal(lenient, huge, see)
    assert isinstance(error, UndecodableError)
    assert "more memory than allowed" in str(error)


def test_a_video_with_too_many_pixels_is_too_big(
    limited: Limited, make: Make, see: Requests
) -> None:
    decoder = limited(MediaLimits(max_pixels=4_000))
    for name in ("mp4", "webm", "avi"):
        assert isinstance(refusal(decoder, make(name), see), MediaTooBigError)


def test_a_video_that_grows_is_not_decoded_beyond_the_limit(
    limited: Limited, making: SimpleNamespace, see: Requests
) -> None:
    stills = ([np.full((side, side, 3), 90, np.uint8)] * 25 for side in (64, 512))
    small, large = (
        making.encode("mpegts", pictures=making.Pictures("libx264", frames))
        for frames in stills
    )
    decoder = limited(MediaLimits(max_pixels=10_000))
    assert decoder.decode(small, see).duration_s == pytest.approx(1, abs=0.1)
    assert isinstance(refusal(decoder, large, see), MediaTooBigError)
    answer_or_refusal(decoder, small + large, see)
    assert isinstance(refusal(decoder, large + small, see), MediaTooBigError)


def test_too_many_pictures_are_too_many(
    limited: Limited, making: SimpleNamespace, make: Make
) -> None:
    slowly = {Modality.VISUAL: VisualRequest(1.0, 8, 8)}
    fast = {Modality.VISUAL: VisualRequest(50.0, 8, 8)}
    decoder = limited(MediaLimits(max_frames=60))
    for requests, message in ((slowly, "choose a shorter"), (fast, "choose a shorter")):
        error = refusal(decoder, make("mp4"), requests)
        assert isinstance(error, MediaTooBigError)
        assert message in str(error)
    assert decoder.decode(make("mp4"), slowly, end_s=2.0).duration_s == 2.0
    with pytest.raises(MediaTooBigError, match="gives more than 60 pictures"):
        decoder.decode(make("mp4"), fast, end_s=2.0)


def test_too_many_streams_are_too_many(
    decoder: Decoder, making: SimpleNamespace, hear: Requests
) -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        streams = [
            output.add_stream("pcm_s16le", rate=8_000, layout="mono") for _ in range(9)
        ]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(
                np.zeros((1, 800), np.int16), format="s16", layout="mono"
            )
            frame.sample_rate, frame.pts = 8_000, 0
            output.mux(stream.encode(frame))
    error = refusal(decoder, buffer.getvalue(), hear)
    assert isinstance(error, MediaTooBigError)
    assert "more than 8 streams" in str(error)


def test_a_file_that_states_two_hours_is_too_long(decoder: Decoder, hear: Requests) -> None:
    assert decoder.decode(flac_of(3 * 48_000), hear).duration_s == 3.0
    error = refusal(decoder, flac_of(7_200 * 48_000), hear)
    assert isinstance(error, MediaTooLongError)
    assert str(error) == "the file is longer than 600 s"


def test_a_file_that_states_no_length_is_decoded_as_far_as_allowed(
    limited: Limited, hear: Requests
) -> None:
    decoder = limited(MediaLimits(max_used_s=2.0))
    assert decoder.decode(flac_of(0), hear).duration_s == 2.0


@pytest.mark.parametrize(
    ("rate_hz", "channels"),
    [(0, 1), (1, 1), (3_999, 1), (384_001, 1), (2**32 - 1, 1), (16_000, 9), (16_000, 64)],
)
def test_sound_with_an_absurd_rate_or_channels_is_refused(
    decoder: Decoder, making: SimpleNamespace, hear: Requests, rate_hz: int, channels: int
) -> None:
    content = making.wav_bytes(np.zeros((50_000, channels), np.int16), rate_hz)
    error = refusal(decoder, content, hear)
    assert isinstance(error, UndecodableError | MediaTooBigError | MediaTooLongError)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_sound_that_is_not_finite_is_undecodable(
    decoder: Decoder, making: SimpleNamespace, hear: Requests, bad: float
) -> None:
    sound = np.zeros((16_000, 1), np.float32)
    sound[9_000] = bad
    for rate_hz in (16_000, 44_100):
        error = refusal(decoder, making.wav_bytes(sound, rate_hz, format_tag=3), hear)
        assert isinstance(error, UndecodableError)
        assert "not finite" in str(error)


def test_sound_beyond_full_scale_is_clipped(
    decoder: Decoder, making: SimpleNamespace, hear: Requests
) -> None:
    sound = np.array([[3e38, 3e38], [-3e38, -3e38], [0.5, 0.25]], np.float32)
    sound = sound.repeat(1_000, axis=0)
    clip = decoder.decode(making.wav_bytes(sound, 16_000, format_tag=3), hear)
    expected = np.array([1, -1, 0.375], np.float32).repeat(1_000)
    np.testing.assert_array_equal(clip.tracks[Modality.AUDIO].samples, expected)
    clip = decoder.decode(making.wav_bytes(sound, 44_100, format_tag=3), hear)
    assert np.abs(clip.tracks[Modality.AUDIO].samples).max() <= 1


def test_a_sound_track_without_a_sample_is_no_track(
    decoder: Decoder, making: SimpleNamespace, hear: Requests
) -> None:
    content = making.wav_bytes(np.zeros((0, 1), np.int16), 16_000)
    assert isinstance(refusal(decoder, content, hear), NoTrackError | UndecodableError)


def test_after_all_of_it_the_next_file_decodes(
    decoder: Decoder, make: Make, hear: Requests
) -> None:
    assert decoder.decode(make("wav"), hear).duration_s == 3.0
