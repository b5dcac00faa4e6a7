"""Canaries: a file and two ports that tell whether anyone touched them."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.corpus.clips import clip
from tests.corpus.references import Canary

IN_OPEN = 0x20
LIBC = ctypes.CDLL(None, use_errno=True)


class Cage:
    """The canaries, and who touched them."""

    def __init__(self, directory: Path, tcp: socket.socket, udp: socket.socket) -> None:
        self.directory = directory
        self._sockets = {"tcp": tcp.accept, "udp": lambda: udp.recv(1)}
        file = directory / "canary.mp4"
        file.write_bytes(clip("mp4"))
        self.canary = Canary(tcp.getsockname()[1], udp.getsockname()[1], file)
        self.watch = LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self.watch >= 0, os.strerror(ctypes.get_errno())
        assert LIBC.inotify_add_watch(self.watch, bytes(file), IN_OPEN) >= 0

    def touched(self) -> list[str]:
        """Return which canaries were touched since it was last asked."""
        found = []
        for name, take in self._sockets.items():
            try:
                take()
            except BlockingIOError:
                continue
            found.append(name)
        try:
            os.read(self.watch, 64 * struct.calcsize("iIII"))
        except BlockingIOError:
            return found
        return [*found, "file"]


@contextmanager
def canaries(directory: Path) -> Iterator[Cage]:
    """Put a file into a directory and listen on two ports."""
    directory.mkdir()
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.bind(("127.0.0.1", 0))
        tcp.setblocking(False)
        udp.setblocking(False)
        cage = Cage(directory, tcp, udp)
        try:
            yield cage
        finally:
            os.close(cage.watch)
