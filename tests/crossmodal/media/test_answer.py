"""A child that lies: nothing it sends is believed beyond what was asked for."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from crossmodal.errors import MediaTooBigError
from crossmodal.media.answer import receive_clip
from crossmodal.media.limits import MediaLimits
from crossmodal.media.tracks import AudioRequest, DecodedClip, TrackRequest, VisualRequest
from crossmodal.media.wire import (
    BLOCK,
    CLIP,
    ERROR,
    HEADER,
    TRACK,
    Job,
    WireError,
    decode_job,
    encode_job,
    send,
    send_json,
)
from crossmodal.modality import Modality

SOUND = AudioRequest(100)
PICTURES = VisualRequest(1.0, 2, 3)
LIMITS = MediaLimits(max_frames=4)
Say = Callable[[socket.socket], None]


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def job(request: TrackRequest) -> Job:
    modality = Modality.AUDIO if isinstance(request, AudioRequest) else Modality.VISUAL
    return Job({modality: request}, 0.0, 2.0, LIMITS)


def answer(
    ends: tuple[socket.socket, socket.socket], request: TrackRequest, *messages: Say
) -> DecodedClip:
    ours, theirs = ends
    for message in messages:
        message(theirs)
    theirs.close()
    return receive_clip(ours, job(request), time.monotonic() + 120)


def block(array: np.ndarray) -> Say:
    return lambda channel: send(channel, BLOCK, array.tobytes())


def said(kind: bytes, value: object) -> Say:
    return lambda channel: send_json(channel, kind, value)


def raw(content: bytes) -> Say:
    return lambda channel: channel.sendall(content)


HALF = block(np.full(100, 0.5, np.float32))
WHOLE = (said(TRACK, []), said(CLIP, ["wav", 1.0]))


def test_an_honest_answer_is_a_clip(ends: tuple[socket.socket, socket.socket]) -> None:
    clip = answer(ends, SOUND, HALF, HALF, *WHOLE)
    samples = clip.tracks[Modality.AUDIO].samples
    np.testing.assert_array_equal(samples, np.full(200, 0.5, np.float32))
    assert (clip.container, clip.duration_s) == ("wav", 1.0)


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param([], id="nothing"),
        pytest.param([HALF], id="death after a block"),
        pytest.param([HALF, said(TRACK, [])], id="death before the end"),
        pytest.param([block(np.array([np.nan], np.float32)), *WHOLE], id="not a number"),
        pytest.param([block(np.array([1.5], np.float32)), *WHOLE], id="beyond full scale"),
        pytest.param([block(np.zeros(3, np.uint8)), *WHOLE], id="part of a sample"),
        pytest.param([*WHOLE], id="no sample"),
        pytest.param([HALF, HALF, HALF, *WHOLE], id="more than the stretch"),
        pytest.param([raw(HEADER.pack(BLOCK, 2**32 - 1))], id="an immense block"),
        pytest.param([raw(HEADER.pack(TRACK, 2**31))], id="an immense text"),
        pytest.param([HALF, said(CLIP, ["wav", 1.0])], id="the end before the track's"),
        pytest.param([HALF, said(TRACK, []), said(CLIP, [1, 2])], id="a clip of no name"),
        pytest.param([HALF, said(TRACK, []), said(CLIP, "x")], id="a clip of no kind"),
        pytest.param(
            [HALF, said(TRACK, []), raw(HEADER.pack(CLIP, 1) + b"{")], id="no JSON"
        ),
        pytest.param([said(ERROR, ["SystemExit", "x"])], id="an error of none of ours"),
        pytest.param([said(ERROR, {"a": 1})], id="an error of no shape"),
        pytest.param([raw(b"\xff" * 64)], id="noise"),
    ],
)
def test_a_false_answer_about_sound_is_refused(
    ends: tuple[socket.socket, socket.socket], messages: list[Say]
) -> None:
    with pytest.raises(WireError):
        answer(ends, SOUND, *messages)


@pytest.mark.parametrize(
    ("pictures", "times_s"),
    [
        (2, [0.0]),
        (1, [0.0, 1.0]),
        (0, []),
        (5, [0.0, 1.0, 2.0, 3.0, 4.0]),
        (1, 7),
        (1, ["x"]),
    ],
)
def test_a_false_answer_about_pictures_is_refused(
    ends: tuple[socket.socket, socket.socket], pictures: int, times_s: object
) -> None:
    frames = block(np.zeros((pictures, 2, 3, 3), np.uint8))
    with pytest.raises(WireError):
        answer(ends, PICTURES, frames, said(TRACK, times_s), said(CLIP, ["mov", 1.0]))


def test_an_error_keeps_its_kind_and_is_cut_to_length(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    with pytest.raises(MediaTooBigError) as caught:
        answer(ends, SOUND, HALF, said(ERROR, ["MediaTooBigError", "x" * 10_000]))
    assert len(str(caught.value)) <= 300


def test_silence_ends_at_the_deadline(ends: tuple[socket.socket, socket.socket]) -> None:
    for deadline in (time.monotonic() + 0.05, time.monotonic() - 1):
        with pytest.raises(TimeoutError):
            receive_clip(ends[0], job(SOUND), deadline)


def test_a_job_survives_the_wire() -> None:
    asked = Job(
        {Modality.AUDIO: SOUND, Modality.VISUAL: PICTURES}, 1.5, 4.25, MediaLimits(cpu_s=3)
    )
    assert decode_job(encode_job(asked)) == asked
    assert json.loads(encode_job(asked))[1] == 1.5
