"""One keep-alive connection of the generator: bytes out, one answer in, nothing else."""

from __future__ import annotations

import re
import socket
from typing import NamedTuple

CONNECT_S = 10.0
READ = 1 << 18
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class Answer(NamedTuple):
    """What the generator keeps of an answer."""

    status: int
    retry_after: bool
    body: bytes


class Connection:
    """A socket on the loopback interface that carries one request at a time."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self.port = port
        self.number = -1  # the request under way
        self.idle_since_s = 0.0
        self._connect()

    @property
    def fileno(self) -> int:
        """The descriptor to watch; another one after every `renew`."""
        return self._socket.fileno()

    def block(self, seconds: float) -> None:
        """Let `send` and `receive` wait so long from now on."""
        self._socket.settimeout(seconds)

    def send(self, request: bytes) -> bool:
        """Send a request, or as much as goes now; tell whether that was all."""
        self._unsent = memoryview(request)
        return self.resume()

    def resume(self) -> bool:
        """Send more of what is unsent; tell whether all is sent."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]
        except BlockingIOError:
            return False
        return True

    def receive(self) -> Answer | None:
        """Read what has come and return the answer once it is whole.

        Raises:
            ConnectionError: If the peer has closed or reset the connection.
            ValueError: If the answer does not declare its length.
        """
        try:
            data = self._socket.recv(READ)
        except BlockingIOError:
            return None
        if not data:
            raise ConnectionError("closed by the peer")
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._buffer[:end]).lower()
        length = _LENGTH.search(head)
        if length is None:
            raise ValueError(f"an answer without Content-Length: {head[:200]!r}")
        whole = end + 4 + int(length[1])
        if len(self._buffer) < whole:
            return None
        body = bytes(self._buffer[end + 4 : whole])
        del self._buffer[:whole]
        self.closing = b"connection: close" in head or head.startswith(b"http/1.0")
        return Answer(int(head[9:12]), b"\r\nretry-after:" in head, body)

    def renew(self) -> None:
        """Connect anew."""
        self.close()
        self._connect()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self.port), CONNECT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setblocking(False)
        self._buffer = bytearray()
        self._unsent = memoryview(b"")
        self.closing = False
