"""Servers to measure against: an echo of fixed bytes, an empty route, a bare one.

``python -m benchmarks.load.routes KIND PORT [DATA]``. The fixed bytes show what the
generator can do; the empty route what FastAPI costs; the bare one what our index costs
behind it.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import numpy as np

from benchmarks.load.peers.minimal import serve
from benchmarks.load.scale import GALLERY
from crossmodal.embeddings import normalize
from index.collection import Collection

FIXED = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"ids":[]}'
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Fixed(asyncio.Protocol):
    """Answers every request with the same bytes, and reads only how long it is."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection."""
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._buffer, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            self._transport.write(FIXED)


async def _serve_fixed(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Fixed, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Serve what the command line names."""
    kind, port = sys.argv[1], int(sys.argv[2])
    if kind == "fixed":
        asyncio.run(_serve_fixed(port))
    elif kind == "empty":
        serve(lambda _, __: [], port)
    elif kind == "bare":
        with Collection.open(Path(sys.argv[3])) as collection:
            view = collection.view

            def search(vector: list[float], k: int) -> list[int]:
                query = normalize(np.array([vector], dtype=np.float32))
                (hits,) = view.search(GALLERY, query, k)
                return [int(hit.item_id.removeprefix("item")) for hit in hits]

            serve(search, port)
    else:
        sys.exit(f"unknown kind {kind!r}; there are fixed, empty and bare")


if __name__ == "__main__":
    main()
