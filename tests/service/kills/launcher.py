"""Starts the service, changed in one way if a mutant is named.

A file `hold` beside the data directory names a point: the thread that reaches it says so
by a file `held` and goes no further.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from crossmodal.media.confinement import LIBC, ON_LINUX, PR_SET_PDEATHSIG
from crossmodal.media.limits import MediaLimits
from index.collection import Collection
from index.versions import reembedding
from index.views.view import View
from index.views.view_builder import ViewBuilder
from index.writing import writer
from index.writing.group import Submission
from index.writing.operations import ItemResult, Receipt, Status
from service import __main__, runtime
from service.routes import writes


def answer_before_commit() -> None:
    """Let the writer answer at once and write when the next submissions arrive."""
    write = writer.Writer._write
    put_off: list[Submission] = []

    def hasty(self: writer.Writer, group: Sequence[Submission]) -> None:
        if put_off:
            write(self, put_off)
            put_off.clear()
        for submission in group:
            results = [
                ItemResult(item_id, Status.DELETED, None)
                for operation in submission.operations
                for item_id in getattr(operation, "ids", ())
            ] + [
                ItemResult(operation.checked.item.id, Status.REPLACED, None)
                for operation in submission.operations
                if hasattr(operation, "checked")
            ]
            put_off.append(Submission(submission.operations, submission.idempotency))
            submission.done.set_result(Receipt(seq=self._builder.view.seq, results=results))

    writer.Writer._write = hasty  # type: ignore[method-assign]


def forget_keys() -> None:
    """Let no request be known again."""
    writes.idempotency = lambda *_: None  # type: ignore[assignment]


def lack_a_write() -> None:
    """Let views say that they are newer than they are."""
    advance = ViewBuilder.advance

    def late(self: ViewBuilder, changes: Sequence[Any], seq: int, unserved: Any) -> View:
        return advance(self, changes[:-1], seq, unserved)

    ViewBuilder.advance = late  # type: ignore[method-assign]


def switch_without_vectors() -> None:
    """Let the bundle beside be served before everything is embedded by it."""
    reembedding.Reembedding.catch_up = lambda *_: []  # type: ignore[method-assign]
    reembedding.Reembedding.finish = lambda *_: None  # type: ignore[method-assign]


MUTANTS: Mapping[str, Callable[[], None]] = {
    "": lambda: None,
    "answer before commit": answer_before_commit,
    "forget keys": forget_keys,
    "views lack a write": lack_a_write,
    "switch without the vectors": switch_without_vectors,
}


def hold(beside: Path, point: str) -> None:
    """Go no further if this is the point that is named."""
    asked = beside / "hold"
    if asked.exists() and asked.read_text() == point:
        (beside / "held").touch()
        threading.Event().wait()


if __name__ == "__main__":
    mutant, data = sys.argv[1:]
    if ON_LINUX:  # a test that is killed leaves no service behind
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # decoding is held to its processor time, not to what else the machine does
    runtime.MediaLimits = partial(MediaLimits, wall_s=600.0)  # type: ignore
    MUTANTS[mutant]()
    reached = partial(hold, Path(data).parent)
    Collection.open = partial(Collection.open, reached=reached)  # type: ignore
    sys.argv = ["service", "serve", "--data", data]
    __main__.app()
