"""A server that does what a test says, and remembers what it was asked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def answer(status: int, *headers: str, body: bytes = b"{}") -> bytes:
    lines = [f"HTTP/1.1 {status} x", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Scripted:
    """Answers the n-th request that arrives with what `reply` gives; None hangs up.

    The first connection is sent `unasked`, if that is given, and closed.
    """

    def __init__(self, reply: Callable[[int], bytes | None], unasked: bytes = b"") -> None:
        self.reply = reply
        self.unasked = unasked
        self.bodies: list[bytes] = []
        self.connections = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            if self.unasked and self.connections == 1:
                with peer:
                    peer.sendall(self.unasked)
                continue
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        with peer, peer.makefile("rb") as file:
            while line := file.readline():
                length = 0
                while (line := file.readline()) != b"\r\n":
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                body = file.read(length)
                with self.lock:
                    number = len(self.bodies)
                    self.bodies.append(body)
                given = self.reply(number)
                if given is None:
                    return
                try:
                    peer.sendall(given)
                except OSError:
                    return
                if b"connection: close" in given.lower():
                    return


@contextmanager
def scripted(
    reply: Callable[[int], bytes | None], unasked: bytes = b""
) -> Iterator[Scripted]:
    server = Scripted(reply, unasked)
    try:
        yield server
    finally:
        server.listener.close()
