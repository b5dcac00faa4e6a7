"""Encodings: compressed bodies, which are refused by their header and never inflated."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace

from tests.corpus.case import FORM, SEARCH, Case, json_body


def cases() -> list[Case]:
    """Return 4 cases."""
    zeros = bytes(1 << 20)
    packed = gzip.compress(zeros * 16, mtime=0)
    # a brotli stream whose one meta-block states 16 MiB, and nothing after it
    bodies = {
        "gzip": packed,
        "br": b"\x8b\xff\xff\x7f" + bytes(100),
        "deflate": zlib.compress(zeros * 16),
        "gzip, gzip": gzip.compress(packed, mtime=0),
    }
    made = []
    for number, (encoding, body) in enumerate(bodies.items()):
        case = json_body(f"encoding {encoding}", body, "unsupported-media", path=SEARCH)
        kind = FORM if number == 2 else "application/json"
        headers = (("Content-Type", kind), ("Content-Encoding", encoding))
        made.append(replace(case, headers=headers))
    return made
