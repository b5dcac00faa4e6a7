"""Child server: a small process that forks one child per file.

It imports the decoders once, so that a child costs a fork and not an import, and never
touches a file itself. For each byte on its control socket it takes three descriptors,
the file, the channel to the parent and a status socket, and forks. A status socket that
the parent hangs up means: kill that child. When a child ends, its exit code is written
there. When the control socket closes, because the parent ended in whatever way, the
children are killed and the server ends.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
from contextlib import suppress
from io import FileIO

import av.logging
import av.subtitles.stream  # opening a container would import it

from crossmodal.media import child
from crossmodal.media.confinement import confine_server
from crossmodal.media.wire import EXIT_CODE, READY

CONTROL = 0  # the descriptor the parent passes as standard input


class ChildServer:
    """Forks, watches, kills and reaps; holds no media."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._statuses: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._woken, waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(waker, False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> None:
        """Serve until the control socket closes."""
        self._control.sendall(READY)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._control:
                    if not self._take():
                        self._end()
                        return
                elif key.fileobj == self._woken:
                    self._reap()
                else:
                    self._kill(key.data)

    def _take(self) -> bool:
        """Fork for one request; return False when there will be no more."""
        try:
            word, descriptors, *_ = socket.recv_fds(self._control, 1, 3)
        except ConnectionError:
            return False
        if not word:
            return False
        file, channel, status = descriptors
        with suppress(OSError):  # no process to be had: the status closes without a code
            self._fork(file, channel, status)
        os.close(file)
        os.close(channel)
        os.close(status)
        return True

    def _fork(self, file: int, channel: int, status: int) -> None:
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            become_child(file, channel, parent)
        watched = socket.socket(fileno=os.dup(status))
        watched.setblocking(False)
        self._statuses[pid] = watched
        self._selector.register(watched, selectors.EVENT_READ, pid)

    def _kill(self, pid: int) -> None:
        """Kill a child whose parent hung up, and what it may have started."""
        status = self._statuses.get(pid)
        if status is None:  # reaped a moment ago: the number may be another's by now
            return
        with suppress(KeyError):  # killed before
            self._selector.unregister(status)
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)
        with suppress(ChildProcessError):
            while True:
                pid, code = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                self._tell(pid, os.waitstatus_to_exitcode(code))

    def _tell(self, pid: int, exit_code: int) -> None:
        status = self._statuses.pop(pid)
        with suppress(KeyError):  # killed before
            self._selector.unregister(status)
        with suppress(OSError):
            status.sendall(EXIT_CODE.pack(exit_code))
        status.close()

    def _end(self) -> None:
        for pid in self._statuses:
            self._kill(pid)
        for pid in self._statuses:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def become_child(file: int, channel: int, parent: int) -> None:
    """Turn the forked process into a child that holds nothing but its own two ends."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        # In this order, as a descriptor may already have one of the numbers.
        file, channel = os.dup(file), os.dup(channel)
        keep = sorted((file, channel))
        os.closerange(3, keep[0])
        os.closerange(keep[0] + 1, keep[1])
        os.closerange(keep[1] + 1, os.sysconf("SC_OPEN_MAX"))
        child.decode_for_parent(FileIO(file, "rb"), socket.socket(fileno=channel), parent)
        os._exit(0)
    finally:
        os._exit(1)


def main() -> None:
    """Run the server on the control socket the parent passed."""
    for asked in (signal.SIGINT, signal.SIGTERM):  # to the group; the parent decides
        signal.signal(asked, signal.SIG_IGN)
    confine_server()
    av.logging.set_level(None)
    # Collecting garbage would touch, and so copy, the pages shared with every child.
    gc.collect()
    gc.disable()
    gc.freeze()
    ChildServer(socket.socket(fileno=CONTROL)).run()


if __name__ == "__main__":
    main()
