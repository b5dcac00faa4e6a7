"""Requests as bytes, made before they are sent, so that sending them costs little."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

JSON = "application/json"
STRIDE = 7  # neighbors in time differ even where queries are few


def http_request(
    path: str,
    body: bytes = b"",
    *,
    kind: str = JSON,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return an HTTP/1.1 request that keeps its connection."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    if body:
        lines.append(f"Content-Type: {kind}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def vector_json(vector: np.ndarray) -> str:
    """Return a vector as a JSON list that reads back as the same float32 numbers."""
    return json.dumps([float(str(number)) for number in vector.astype(np.float32)])


@dataclass(frozen=True)
class Cycle:
    """The n-th request of a few that come again and again."""

    requests: Sequence[bytes]

    def __call__(self, number: int) -> bytes:
        """Return the n-th request."""
        return self.requests[number * STRIDE % len(self.requests)]
