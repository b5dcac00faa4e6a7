"""Time bombs: durations, rates and sample formats that no file has."""

from __future__ import annotations

import struct

import numpy as np

from tests.corpus.boxes import movie
from tests.corpus.case import HEAR, OK, SEE, Case, upload
from tests.corpus.clips import Sound, clip, encode, wav_bytes

CODES = ("undecodable", "no-usable-track", "media-too-long", "media-too-big")
HOURS = (2, 10, 100)


def flac_of(total_samples: int) -> bytes:
    """Return the FLAC clip with another number of samples in its header (36 bits)."""
    content = bytearray(clip("flac"))
    field = int.from_bytes(content[18:26], "big")
    field = field >> 36 << 36 | total_samples
    content[18:26] = field.to_bytes(8, "big")
    return bytes(content)


def cases() -> list[Case]:
    """Return 26 cases."""
    made = [
        upload(f"time {name}", body, *codes, path=HEAR, bomb=True)
        for name, (body, *codes) in {**_silence(), **_waves(), **_scales()}.items()
    ]
    made += [
        upload(f"time {name}", body, OK, *CODES, path=SEE, bomb=True)
        for name, body in _films().items()
    ]
    return made


def _silence() -> dict[str, tuple]:
    """Silence whose header tells how long it is, and for half an hour is right."""
    made: dict[str, tuple] = {}
    silence = np.zeros((1, 48_000), np.float32)
    opus = encode("webm", Sound("libopus", silence))
    at = opus.index(b"\x44\x89\x88") + 3
    long = np.full((1_800 * 4_000, 1), 128, np.uint8)
    for hours in HOURS:
        flac = flac_of(hours * 3600 * 48_000)
        made[f"flac {hours} h"] = flac, "media-too-long"
        stated = struct.pack(">d", 3_600_000.0 * hours)
        made[f"opus {hours} h"] = opus[:at] + stated + opus[at + 8 :], "media-too-long"
    pcm = wav_bytes(long, 4_000)
    made["wav half an hour"] = pcm, "media-too-long"
    return made


def _waves() -> dict[str, tuple]:
    quiet = np.zeros((50_000, 1), np.int16)
    made: dict[str, tuple] = {
        f"rate {rate}": (wav_bytes(quiet, rate), *CODES) for rate in (0, 1, 2**32 - 1)
    }
    whole = wav_bytes(quiet, 16_000)
    for name, at in (("channels", 22), ("bits", 34)):
        for value in (0, 64, 65_535) if name == "channels" else (0, 1, 64):
            patched = whole[:at] + value.to_bytes(2, "little") + whole[at + 2 :]
            made[f"{name} {value}"] = patched, *CODES, "unsupported-media", OK
    made["data size"] = whole[:40] + b"\xfe\xff\xff\x7f" + whole[44:], *CODES, OK
    return made


def _scales() -> dict[str, tuple]:
    return {
        f"timescale {scale}": (movie(1, timescale=scale), *CODES, OK)
        for scale in (0, 1, 2**32 - 1)
    }


def _films() -> dict[str, bytes]:
    avi, mkv, ts = clip("avi"), clip("mkv"), bytearray(clip("ts"))
    rates = {
        "fps 10^6": (1, 10**6),
        "fps 10^-6": (10**6, 1),
        "fps 0": (1, 0),
        "one frame a day": (86_400, 1),
    }
    at = avi.index(b"vids") + 20
    made = {
        name: avi[:at] + struct.pack("<II", *rate) + avi[at + 8 :]
        for name, rate in rates.items()
    }
    cluster = mkv.index(b"\x1f\x43\xb6\x75")
    stamp = mkv.index(b"\xe7", cluster)
    width = mkv[stamp + 1] & 0x7F
    made["late cluster"] = mkv[: stamp + 2] + b"\x7f" * width + mkv[stamp + 2 + width :]
    for start in range(0, len(ts) - 188, 188):
        packet = ts[start : start + 188]
        head = packet.find(b"\0\0\1\xe0")
        if head >= 0 and head + 14 <= 188:
            ts[start + head + 9 : start + head + 14] = b"\x2f\xff\xff\xff\xff"
    made["bad stamps"] = bytes(ts)
    return made
