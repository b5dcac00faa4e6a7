"""Table bombs: small files whose tables claim millions of entries, or never end."""

from __future__ import annotations

from tests.corpus.boxes import box, full, movie, table_bomb
from tests.corpus.case import HEAR, OK, Case, upload
from tests.corpus.clips import clip
from tests.corpus.ebml import HEAD, PCM, UNKNOWN, element, number

COUNTS = {"10^7": 10**7, "2^31-1": 2**31 - 1}
CODES = (
    *("undecodable", "no-usable-track", "media-too-long", "media-too-big"),
    "unsupported-media",
)


def cases() -> list[Case]:
    """Return 22 cases."""
    made = {**_tables(), **_boxes(), **_matroska(), **_streams()}
    return [
        upload(f"table {name}", body, OK, *CODES, path=HEAR, bomb=True)
        for name, body in made.items()
    ]


def _tables() -> dict[str, bytes]:
    made = {"stsz 25 million": table_bomb(25_000_000)}
    for name, count in COUNTS.items():
        made[f"stsz {name}"] = table_bomb(count)
        for kind in (b"stts", b"ctts", b"stsc", b"stco"):
            claimed = {kind: full(kind, count, 1, 1, 1)}
            made[f"{kind.decode()} {name}"] = movie(1, claimed)
        elst = box(b"edts", full(b"elst", count, 1000, 0, 1 << 16))
        made[f"elst {name}"] = movie(1, edits=elst)
    return made


def _boxes() -> dict[str, bytes]:
    nested = b""
    for _ in range(1000):
        nested = box(b"moov", nested)
    start = box(b"ftyp", b"isom", bytes(4), b"isom")
    return {
        "1,000 nested boxes": start + nested,
        "10,000 tracks": movie(1, tracks=10_000),
        "1 GiB free": start + (1 << 30).to_bytes(4, "big") + b"free" + bytes(100),
    }


def _matroska() -> dict[str, bytes]:
    block = element(0xA3, b"\x81\x00\x00\x80", bytes(64))
    cluster = element(0x1F43B675, number(0xE7, 0), block * 10, size=UNKNOWN)
    endless = element(0x18538067, PCM, cluster * 1000, size=UNKNOWN)
    # a lacing that states 256 frames and the length of none of them
    laced = element(0xA3, b"\x81\x00\x00\x86\xff", b"\xff" * 300)
    lacing = element(0x18538067, PCM, element(0x1F43B675, number(0xE7, 0), laced * 1000))
    return {"ebml unknown sizes": HEAD + endless, "ebml lacing": HEAD + lacing}


def _streams() -> dict[str, bytes]:
    ogg = clip("ogg")
    pages = ogg[: ogg.index(b"OggS", 4)]
    flood = [
        b"G" + (0x4000 | pid).to_bytes(2, "big") + b"\x10\x00\x00\x00\x01\xe0" + bytes(175)
        for pid in range(32, 8192)
    ]
    ts = clip("ts")
    tables = ts[: 3 * 188]
    return {
        "ogg heads": pages * 5000,
        "ogg chain": ogg * 40,
        "ts programs": b"".join(flood),
        "ts tables": tables * 5000,
    }
