"""Confinement: takes from a process what decoding does not need.

Each step is one the kernel may refuse in some container or platform; those that only
add a further wall (network, file system) then pass silently, the limits never do.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from crossmodal.media.limits import MediaLimits

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

LIBC = ctypes.CDLL(None)
ON_LINUX = sys.platform == "linux"


def confine_server() -> None:
    """Give up network, new privileges and the working directory, for all children too.

    The directory is an empty one that is removed at once: nothing can be opened or
    made in it by a relative name, and nothing is left behind.
    """
    if ON_LINUX:
        if LIBC.unshare(CLONE_NEWNET) != 0:
            LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNET)
        LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        with suppress(OSError):  # out of memory, a decoder goes before the service
            Path("/proc/self/oom_score_adj").write_text("1000")
    directory = tempfile.mkdtemp()
    os.chdir(directory)
    os.rmdir(directory)


def confine_child(limits: MediaLimits, parent: int) -> None:
    """Bind this process to its limits and to the life of its parent.

    Args:
        limits: What decoding may cost.
        parent: The process id of the parent; if it is gone already, so are we.
    """
    os.setpgid(0, 0)  # so that what a hijacked decoder starts can be killed with it
    if ON_LINUX:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
    for which, soft, hard in (
        (resource.RLIMIT_AS, limits.address_space, limits.address_space),
        (resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1),
        (resource.RLIMIT_NOFILE, limits.open_files, limits.open_files),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_CORE, 0, 0),
        # Decoding is single-threaded. Not enforced for root, where it would be too late.
        (resource.RLIMIT_NPROC, 0, 0),
    ):
        ceiling = resource.getrlimit(which)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(which, (soft, hard))
