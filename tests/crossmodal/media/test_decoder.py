"""The decoder as a service: processes, places, failures, leaks, sources, stretches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from crossmodal.errors import (
    ConfigError,
    DecoderBusyError,
    MediaTooBigError,
    NoTrackError,
    UndecodableError,
)
from crossmodal.media.decoder import Decoder
from crossmodal.media.limits import MediaLimits
from crossmodal.media.tracks import AudioRequest, DecodedClip, TrackRequest, VisualRequest
from crossmodal.modality import Modality

Requests = Mapping[Modality, TrackRequest]
Make = Callable[[str], bytes]
Limited = Callable[[MediaLimits], Decoder]
ON_LINUX = sys.platform == "linux"
linux = pytest.mark.skipif(not ON_LINUX, reason="looks at /proc")


def samples(clip: DecodedClip) -> np.ndarray:
    return clip.tracks[Modality.AUDIO].samples


def pixels(clip: DecodedClip) -> np.ndarray:
    return clip.tracks[Modality.VISUAL].pixels


def children_of(pid: int) -> list[int]:
    task = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in task.read_text().split()]


def confined_children_of(pid: int) -> list[int]:
    """Those that have set their limits, of which the last is that on processes."""
    confined = []
    for child in children_of(pid):
        with suppress(OSError):
            lines = Path(f"/proc/{child}/limits").read_text().splitlines()
            (line,) = (line for line in lines if line.startswith("Max processes"))
            if line.split()[2] == "0":
                confined.append(child)
    return confined


def servers() -> list[int]:
    """The decoding servers that any thread of this process started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            line = (status.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"crossmodal.media.childserver" in line:
            found.append(int(status.parent.name))
    return found


def wait_for(condition: Callable[[], object], limit_s: float = 240.0) -> Any:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.005)
    raise AssertionError("waited in vain")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def is_gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


@pytest.fixture(scope="session")
def slow(making: SimpleNamespace) -> tuple[bytes, Requests]:
    """Five minutes of sound, which take long enough to interfere with."""
    flac = making.encode("flac", making.Sound("flac", making.tone(50, 300.0, 4_000), 4_000))
    return flac, {Modality.AUDIO: AudioRequest(96_000)}


def child_in_work(before: Collection[int] = ()) -> int:
    """The process id of the child of the one server that was not there before."""
    (server,) = set(servers()) - set(before)
    return wait_for(lambda: confined_children_of(server))[0]


def stop_child_of(server: int, decoding: Future[Any]) -> int | None:
    """Let a child in work stand still; None if decoding ended before it was found."""
    wait_for(lambda: decoding.done() or confined_children_of(server))
    with suppress(ProcessLookupError):
        for child in confined_children_of(server):
            os.kill(child, signal.SIGSTOP)
            return child
    return None


def test_bytes_and_path_give_the_same_and_so_does_a_second_time(
    decoder: Decoder, make: Make, hear: Requests, see: Requests, tmp_path: Path
) -> None:
    path = tmp_path / "misleading.m3u8"
    path.write_bytes(make("mp4"))
    both = {**hear, **see}
    clips = [decoder.decode(source, both) for source in (make("mp4"), path, make("mp4"))]
    for clip in clips[1:]:
        np.testing.assert_array_equal(samples(clip), samples(clips[0]))
        np.testing.assert_array_equal(pixels(clip), pixels(clips[0]))
        assert clip.duration_s == clips[0].duration_s


def test_a_track_is_the_same_whatever_else_is_asked_for(
    decoder: Decoder, make: Make, hear: Requests, see: Requests
) -> None:
    both = decoder.decode(make("mkv"), {**see, **hear})
    np.testing.assert_array_equal(samples(both), samples(decoder.decode(make("mkv"), hear)))
    np.testing.assert_array_equal(pixels(both), pixels(decoder.decode(make("mkv"), see)))


@pytest.mark.parametrize("name", ["wav", "mp3", "ogg", "m4a", "webm", "ts"])
def test_a_stretch_of_sound_is_a_part_of_the_whole(
    decoder: Decoder, make: Make, hear: Requests, name: str
) -> None:
    whole = samples(decoder.decode(make(name), hear))
    part = decoder.decode(make(name), hear, start_s=0.7, end_s=2.2)
    np.testing.assert_array_equal(samples(part), whole[11_200:35_200])
    assert part.duration_s == 1.5


@pytest.mark.parametrize("name", ["mp4", "webm", "webm9", "mkv", "ts", "avi", "mpg"])
def test_a_stretch_of_pictures_is_a_part_of_the_whole(
    decoder: Decoder, make: Make, name: str
) -> None:
    see = {Modality.VISUAL: VisualRequest(10.0, 32, 32)}
    whole = decoder.decode(make(name), see)
    part = decoder.decode(make(name), see, start_s=0.7, end_s=2.2)
    times_s = part.tracks[Modality.VISUAL].times_s
    np.testing.assert_array_equal(pixels(part), pixels(whole)[7:22])
    np.testing.assert_allclose(times_s, 0.7 + np.arange(15) / 10)
    assert part.duration_s == pytest.approx(1.5)


def test_no_more_than_the_used_duration_is_decoded(
    limited: Limited, make: Make, hear: Requests
) -> None:
    decoder = limited(MediaLimits(max_used_s=1.0))
    assert decoder.decode(make("mp3"), hear).duration_s == 1.0
    assert decoder.decode(make("mp3"), hear, start_s=1.5).duration_s == 1.0


def test_a_stretch_after_the_end_holds_nothing(
    decoder: Decoder, make: Make, hear: Requests, see: Requests
) -> None:
    for requests in (hear, see):
        with pytest.raises(NoTrackError, match="holds nothing in the stretch"):
            decoder.decode(make("mp4"), requests, start_s=4.0)


@pytest.mark.parametrize(
    ("stretch", "message"),
    [
        ({"start_s": -1.0}, "start must be"),
        ({"start_s": float("nan")}, "start must be"),
        ({"start_s": float("inf")}, "start must be"),
        ({"start_s": 2.0, "end_s": 2.0}, "end must come after"),
        ({"end_s": float("nan")}, "end must come after"),
    ],
)
def test_an_impossible_stretch_is_an_error(
    decoder: Decoder, hear: Requests, stretch: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        decoder.decode(b"x", hear, **stretch)


@pytest.mark.parametrize(
    "requests",
    [
        {},
        {Modality.AUDIO: AudioRequest(0)},
        {Modality.VISUAL: VisualRequest(float("nan"), 8, 8)},
        {Modality.VISUAL: VisualRequest(1.0, 0, 8)},
    ],
)
def test_an_impossible_request_is_an_error(decoder: Decoder, requests: Requests) -> None:
    with pytest.raises(ConfigError, match=r"must be positive|at least one track"):
        decoder.decode(b"x", requests)


def test_sources_that_are_no_media_file_are_errors(
    decoder: Decoder, hear: Requests, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source, message in (
        (b"", "the file is empty"),
        (tmp_path / "absent", "cannot be opened"),
        (tmp_path, "not a regular file"),
        (tmp_path / "pipe", "not a regular file"),
    ):
        with pytest.raises(UndecodableError, match=message) as caught:
            decoder.decode(source, hear)
        assert str(tmp_path) not in str(caught.value)


def test_too_many_bytes_are_refused(
    limited: Limited, make: Make, hear: Requests, tmp_path: Path
) -> None:
    path = tmp_path / "sound"
    path.write_bytes(make("wav"))
    decoder = limited(MediaLimits(max_bytes=1000))
    for source in (path, make("wav")):
        with pytest.raises(MediaTooBigError, match="more than 1000 bytes"):
            decoder.decode(source, hear)


@linux
@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_child_that_dies_is_an_error_and_the_next_file_decodes(
    limited: Limited,
    slow: tuple[bytes, Requests],
    make: Make,
    hear: Requests,
    death: signal.Signals,
) -> None:
    decoder = limited(MediaLimits(max_used_s=600.0, wall_s=120.0))
    with ThreadPoolExecutor(1) as pool:
        decoding = pool.submit(decoder.decode, *slow)
        os.kill(child_in_work(), death)
        with pytest.raises(UndecodableError, match="makes the decoder fail"):
            decoding.result(timeout=120)
    assert decoder.decode(make("wav"), hear).duration_s == 3.0


@linux
def test_a_child_that_stands_still_is_killed_when_its_time_is_up(
    decoder: Decoder, limited: Limited, slow: tuple[bytes, Requests]
) -> None:
    decoder.warm()
    (server,) = servers()
    with ThreadPoolExecutor(1) as pool:
        for wall_s in (1.5, 12.0, 96.0):  # longer, if its time is up before it is stopped
            hasty = limited(MediaLimits(max_used_s=600.0, wall_s=wall_s))
            decoding = pool.submit(hasty.decode, *slow)
            child = stop_child_of(server, decoding)
            with pytest.raises(UndecodableError, match=f"longer than {wall_s:g} s"):
                decoding.result(timeout=240)
            if child is not None:
                break
    assert child is not None
    wait_for(lambda: is_gone(child))


def test_a_child_that_computes_too_long_is_killed(
    limited: Limited, making: SimpleNamespace
) -> None:
    tone = making.tone(50, 3600.0, 4_000)
    hour = making.encode("flac", making.Sound("flac", tone, 4_000))
    limits = MediaLimits(
        max_declared_s=4000.0,
        max_used_s=4000.0,
        wall_s=120.0,
        cpu_s=1,
        address_space=16 << 30,  # so that time runs out before memory does
    )
    with pytest.raises(UndecodableError, match="more than 1 s of processor time"):
        limited(limits).decode(hour, {Modality.AUDIO: AudioRequest(384_000)})


@linux
def test_a_server_that_dies_is_replaced(make: Make, hear: Requests) -> None:
    before = set(servers())
    with Decoder(workers=1) as decoder:
        decoder.warm()
        for _ in range(2):
            (server,) = set(servers()) - before
            os.kill(server, signal.SIGKILL)
            assert decoder.decode(make("wav"), hear).duration_s == 3.0
            before.add(server)


@linux
def test_a_server_that_dies_in_the_middle_is_replaced(
    slow: tuple[bytes, Requests],
) -> None:
    before = set(servers())
    with Decoder(MediaLimits(max_used_s=600.0, wall_s=120.0), workers=1) as decoder:
        decoder.warm()
        with ThreadPoolExecutor(1) as pool:
            decoding = pool.submit(decoder.decode, *slow)
            child = child_in_work(before)
            os.kill(child, signal.SIGSTOP)  # so that it cannot end by itself
            (server,) = set(servers()) - before
            os.kill(server, signal.SIGKILL)
            wait_for(lambda: is_gone(child))
            assert decoding.result(timeout=120).duration_s == pytest.approx(300)


@linux
def test_closing_ends_every_process_and_decoding_under_way(
    slow: tuple[bytes, Requests], hear: Requests
) -> None:
    before = set(servers())
    decoder = Decoder(MediaLimits(max_used_s=600.0, wall_s=120.0), workers=1)
    decoder.warm()
    with ThreadPoolExecutor(1) as pool:
        decoding = pool.submit(decoder.decode, *slow)
        child = child_in_work(before)
        decoder.close()
        with pytest.raises(DecoderBusyError, match="is closed"):
            decoding.result(timeout=120)
    wait_for(lambda: is_gone(child))
    assert set(servers()) == before
    with pytest.raises(DecoderBusyError, match="is closed"):
        decoder.decode(b"x", hear)
    with pytest.raises(DecoderBusyError, match="is closed"):
        decoder.warm()


@linux
def test_nothing_survives_a_killed_parent(
    slow: tuple[bytes, Requests], tmp_path: Path
) -> None:
    path = tmp_path / "slow.flac"
    path.write_bytes(slow[0])
    program = """
import sys
from pathlib import Path
from crossmodal.media.decoder import Decoder
from crossmodal.media.limits import MediaLimits
from crossmodal.media.tracks import AudioRequest
from crossmodal.modality import Modality
decoder = Decoder(MediaLimits(max_used_s=600.0, wall_s=240.0))
decoder.warm()
print("warm", flush=True)
decoder.decode(Path(sys.argv[1]), {Modality.AUDIO: AudioRequest(384_000)})
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"warm\n"
        (server,) = children_of(parent.pid)
        (child,) = wait_for(lambda: confined_children_of(server))
        os.kill(child, signal.SIGSTOP)
        parent.kill()
    wait_for(lambda: is_gone(server) and is_gone(child))


@linux
def test_many_threads_share_the_places_and_get_their_own_file(
    making: SimpleNamespace, hear: Requests
) -> None:
    before = set(servers())
    files = [
        making.wav_bytes(np.full((1_600 * (1 + i % 5), 1), 100 * i, np.int16), 16_000)
        for i in range(24)
    ]
    most = 0
    with Decoder(workers=2) as decoder:
        decoder.warm()
        (server,) = set(servers()) - before
        done = threading.Event()

        def watch() -> None:
            nonlocal most
            while not done.is_set():
                alive = [c for c in children_of(server) if not is_gone(c)]
                most = max(most, len(alive))
                time.sleep(0.005)

        watcher = threading.Thread(target=watch)
        watcher.start()
        with ThreadPoolExecutor(8) as pool:
            clips = list(pool.map(lambda file: decoder.decode(file, hear), files))
        done.set()
        watcher.join()
    for i, clip in enumerate(clips):
        expected = np.full(1_600 * (1 + i % 5), 100 * i / 32768, np.float32)
        np.testing.assert_array_equal(samples(clip), expected)
    # One more per place may be on its way out, its answer given.
    assert 1 <= most <= 4


@linux
def test_two_hundred_files_leave_nothing_behind(
    make: Make,
    making: SimpleNamespace,
    hear: Requests,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    good = making.wav_bytes(np.zeros((1_600, 1), np.int16), 16_000)
    bad = make("mp4")[:500]
    before = set(servers())
    with Decoder(workers=2) as decoder:
        decoder.decode(good, hear)
        (server,) = set(servers()) - before
        wait_for(lambda: not children_of(server))
        held, own = descriptors(server), descriptors(os.getpid())
        threads = threading.active_count()
        with ThreadPoolExecutor(4) as pool:
            decodings = [
                pool.submit(decoder.decode, good if i % 4 else bad, hear)
                for i in range(200)
            ]
        errors = [decoding.exception() for decoding in decodings]
        assert sum(error is None for error in errors) == 150
        assert all(isinstance(error, UndecodableError) for error in errors[::4])
        # A server closes what it held for a child a moment after the child is gone.
        wait_for(lambda: descriptors(server) <= held)
        assert descriptors(os.getpid()) <= own
        assert threading.active_count() == threads
    assert list(tmp_path.iterdir()) == []


@linux
def test_a_forked_copy_of_the_process_starts_a_server_of_its_own(
    make: Make, hear: Requests
) -> None:
    with Decoder(workers=1) as decoder:
        decoder.decode(make("wav"), hear)
        program = os.fork()
        if not program:
            try:
                duration_s = decoder.decode(make("wav"), hear).duration_s
                decoder.close()
                os._exit(0 if duration_s == 3.0 else 1)
            finally:
                os._exit(2)
        _, status = os.waitpid(program, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert decoder.decode(make("wav"), hear).duration_s == 3.0


def test_at_least_one_worker_is_needed() -> None:
    with pytest.raises(ConfigError, match="workers must be 1 or more"):
        Decoder(workers=0)


def test_a_limit_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="max_pixels must be a positive number, got 0"):
        MediaLimits(max_pixels=0)
