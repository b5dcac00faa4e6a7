"""Fork server: the parent's side of the process that makes decoding children."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import crossmodal
from crossmodal.errors import DecoderBusyError
from crossmodal.media.wire import EXIT_CODE, FORK, READY

ROOT = Path(crossmodal.__file__).parents[1]
START_S = 300.0  # importing the decoders, on a cold disk of a busy machine
END_S = 5.0
NO_PROCESS = "no decoding process can be started"
INHERITED = ("LD_LIBRARY_PATH", "PATH", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Child:
    """A decoding process: the channel to it, and what the server says of its end."""

    channel: socket.socket
    status: socket.socket

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal; None if no child ever ran.

        Waits a moment for the end, which should have come or be near.
        """
        self.status.settimeout(END_S)
        try:
            told = self.status.recv(EXIT_CODE.size)
        except OSError:
            return None
        return EXIT_CODE.unpack(told)[0] if len(told) == EXIT_CODE.size else None


@dataclass(frozen=True, slots=True)
class Running:
    """A server process, our end of its control socket, who started it, how to end it."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    owner: int
    end: weakref.finalize[..., ForkServer]


class ForkServer:
    """Starts the server process when first needed, and again if it died.

    Safe to use from several threads. A forked copy of this process starts a server of
    its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: Running | None = None

    def start(self) -> None:
        """Start the server unless it runs; returns when it can fork.

        Raises:
            DecoderBusyError: If no process can be had.
        """
        with self._lock:
            self._running()

    @contextmanager
    def child(self, file: int) -> Iterator[Child]:
        """Give a new child that reads the file; on leaving, it is killed if it still runs.

        Raises:
            DecoderBusyError: If no process can be had.
        """
        with ExitStack() as ours, ExitStack() as theirs:
            try:
                channel, channel_there = socket.socketpair()
                ours.enter_context(channel)
                theirs.enter_context(channel_there)
                status, status_there = socket.socketpair()
                ours.enter_context(status)
                theirs.enter_context(status_there)
            except OSError as error:
                raise DecoderBusyError(NO_PROCESS) from error
            self._send([file, channel_there.fileno(), status_there.fileno()])
            theirs.close()
            yield Child(channel, status)

    def stop(self) -> None:
        """End the server and with it every child; a later use starts it again."""
        with self._lock:
            self._abandon()

    def _send(self, descriptors: list[int]) -> None:
        with self._lock:
            for _ in range(2):
                try:
                    socket.send_fds(self._running().control, [FORK], descriptors)
                except OSError:
                    self._abandon()  # it died since it was last looked at
                else:
                    return
        raise DecoderBusyError(NO_PROCESS)

    def _running(self) -> Running:
        server = self._server
        if server is not None and server.owner != os.getpid():
            server.end.detach()
            self._server = None
        elif server is not None and server.process.poll() is not None:
            self._abandon()
        if self._server is None:
            self._server = self._launch()
        return self._server

    def _abandon(self) -> None:
        if self._server is not None:
            self._server.end()
            self._server = None

    def _launch(self) -> Running:
        control, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        # -P and PYTHONPATH: our packages from where this one came, whatever lies in
        # the working directory. One thread each: what runs in parallel is children.
        environment |= {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        try:
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-s", "-m", "crossmodal.media.childserver"],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    env=environment,
                    cwd="/",
                )
        except OSError as error:
            control.close()
            raise DecoderBusyError(NO_PROCESS) from error
        end = weakref.finalize(self, end_server, process, control)
        control.settimeout(START_S)
        word = b""
        with suppress(OSError):
            word = control.recv(len(READY))
        if word != READY:
            end()
            raise DecoderBusyError("the decoding server did not start: its log says why")
        control.settimeout(None)
        return Running(process, control, os.getpid(), end)


def end_server(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    """End the server process by closing its control socket; kill it if that fails."""
    control.close()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
