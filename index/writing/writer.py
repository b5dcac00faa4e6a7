"""The writer: one thread through which every change of a collection goes.

Writes that arrive together share one transaction. A submission is acknowledged when its
transaction is durable and the view that contains it is published, in this order.

After an error of the disk nothing is written until a write that nobody waits for has gone
through. What was refused then was taken back; but a process that ends before may find it
written, as whenever no acknowledgment came.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from crossmodal.errors import (
    CollectionError,
    CrossmodalError,
    StorageFullError,
    WritingFailedError,
)
from index.jobs.reasons import reason
from index.storage.media import MediaFiles
from index.storage.store import Store
from index.views.loading import Model, unserved_vectors
from index.views.view import View
from index.views.view_builder import ViewBuilder
from index.writing.group import Draft, Submission, write_group
from index.writing.operations import Receipt

GROUP_ITEMS = 64
GROUP_WAIT_S = 0.005
CHECKPOINT_BYTES = 4 << 20  # committed since the last checkpoint, for which writes wait
RETRY_S = 5.0  # between two attempts to write again, while nobody asks for one

Result = TypeVar("Result")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Task:
    """Work of another kind that must not overlap with a write."""

    work: Callable[[], Any]
    done: Future[Any] = field(default_factory=Future)


class _End:
    """Ends the thread."""


class Writer:
    """Commits submissions in groups and publishes a view after each group.

    Readers never wait: publishing is the assignment of one reference.
    """

    def __init__(
        self,
        store: Store,
        media: MediaFiles,
        model: Model,
        builder: ViewBuilder,
        publish: Callable[[View], None],
        *,
        after_write: Callable[[], None] = lambda: None,
        spare: Callable[[], bool] = lambda: True,
        reached: Callable[[str], None] = lambda point: None,
    ) -> None:
        """Start the thread.

        Args:
            store: Where to write; nobody else may.
            media: Learns which contents are shown.
            model: The bundle that makes the vectors.
            builder: Makes the views; nobody else may use it.
            publish: Takes each new view.
            after_write: Called between groups, after each that changed something.
            spare: Tells whether the disk has space for more than deletions.
            reached: Told of the points at which a test may end the process.
        """
        self._store = store
        self._media = media
        self._model = model
        self._builder = builder
        self._publish = publish
        self._after_write = after_write
        self._spare = spare
        self._reached = reached
        self._failed: WritingFailedError | None = None
        self._behind = False  # what is served lacks what was committed
        self._in_doubt: list[str] = []  # media of items that may be found stored
        self._unsaved_bytes = 0
        self._closing = threading.Lock()
        self._closed = False
        self._queue: queue.SimpleQueue[Submission | _Task | _End] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> str | None:
        """Why nothing can be written at the moment; None if it can."""
        failed = self._failed
        return None if failed is None else str(failed)

    def submit(self, submission: Submission) -> Future[Receipt]:
        """Queue a submission.

        Returns:
            What holds its receipt once it is durable and searchable, or the error.

        Raises:
            CollectionError: If the writer is closed.
        """
        self._put(submission)
        return submission.done

    def run(self, work: Callable[[], Result]) -> Result:
        """Run work between two groups and return its result.

        Raises:
            CollectionError: If the writer is closed.
        """
        task = _Task(work)
        self._put(task)
        result: Result = task.done.result()
        return result

    def serve(
        self, model: Model, builder: ViewBuilder, publish: Callable[[View], None]
    ) -> None:
        """Write for another model from here on; only within `run`."""
        self._model, self._builder, self._publish = model, builder, publish
        publish(builder.view)

    def fail(self, error: BaseException) -> None:
        """Write nothing more until the collection was opened again; only within `run`."""
        self._behind = True
        self._fail(error)

    def wrote(self, count: int) -> None:
        """Take note of bytes written within `run`, for the next checkpoint."""
        self._unsaved_bytes += count
        self._checkpoint()

    def close(self) -> None:
        """Finish what was submitted and end the thread."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(_End())
        self._thread.join()

    def _put(self, entry: Submission | _Task) -> None:
        with self._closing:
            if self._closed:
                raise CollectionError("the collection is closed")
            self._queue.put(entry)

    def _run(self) -> None:
        while True:
            group, other = self._next_group()
            if group:
                self._write(group)
            if other is None:
                continue
            if isinstance(other, _End):
                return
            _settle(other)

    def _next_group(self) -> tuple[list[Submission], _Task | _End | None]:
        """Return submissions that arrive together, and what ended the waiting for more."""
        group: list[Submission] = []
        size = 0
        entry = self._first()
        deadline = time.monotonic() + GROUP_WAIT_S
        while isinstance(entry, Submission):
            if entry.done.set_running_or_notify_cancel():
                group.append(entry)
                size += entry.size
            if size >= GROUP_ITEMS:
                return group, None
            try:
                entry = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return group, None
        return group, entry

    def _first(self) -> Submission | _Task | _End:
        while True:
            try:
                return self._queue.get(timeout=None if self._failed is None else RETRY_S)
            except queue.Empty:
                self._mend()

    def _write(self, group: Sequence[Submission]) -> None:
        try:
            if self._failed is not None and not self._mend():
                raise self._failed
            receipts = self._commit(group)
        except Exception as error:
            for submission in group:
                submission.done.set_exception(error)
            return
        for submission, receipt in zip(group, receipts, strict=True):
            if isinstance(receipt, Receipt):
                submission.done.set_result(receipt)
            else:
                submission.done.set_exception(receipt)
        self._reached("after acknowledgment")
        self._checkpoint()

    def _commit(self, group: Sequence[Submission]) -> Sequence[Receipt | CrossmodalError]:
        draft = Draft(self._builder.items)
        shown: list[str] = []
        committed = False
        try:
            with self._store.transaction(self._model.id) as transaction:
                receipts = write_group(
                    group, transaction, draft, self._model, spare=self._spare
                )
                self._media.show(draft.shown)
                shown = draft.shown
                self._reached("before commit")
            committed = True
            self._reached("after commit")
            if draft.changes:
                self._publish_changes(draft, transaction.seq)
        except StorageFullError:  # nothing was written, and the next may fit
            self._media.hide(shown)
            raise
        except Exception as error:
            self._behind = committed
            self._in_doubt += [] if committed else shown
            raise self._fail(error) from error
        return receipts

    def _fail(self, error: BaseException) -> WritingFailedError:
        _log.error("writing failed", exc_info=error)
        then = "a restart is needed" if self._behind else "it is tried again by itself"
        self._failed = WritingFailedError(
            f"nothing can be written at the moment ({reason(error)}); searches go on, and "
            f"{then}"
        )
        return self._failed

    def _mend(self) -> bool:
        """Tell whether writing works again: the disk does, and the view lacks nothing."""
        if self._behind:
            return False
        try:
            self._store.try_to_write()
        except CollectionError as error:
            _log.warning("writing still fails: %s", error)
            return False
        self._media.hide(self._in_doubt)
        self._in_doubt = []
        self._failed = None
        _log.warning("writing goes on")
        return True

    def _publish_changes(self, draft: Draft, seq: int) -> None:
        unserved = None
        if draft.unserved or self._builder.view.unserved:
            unserved = unserved_vectors(self._store.groups(), self._model)
        view = self._builder.advance(draft.changes, seq, unserved)
        self._reached("before publish")
        self._publish(view)
        self._media.hide(draft.hidden)
        self._after_write()
        self._unsaved_bytes += draft.bytes

    def _checkpoint(self) -> None:
        if self._unsaved_bytes < CHECKPOINT_BYTES:
            return
        self._unsaved_bytes = 0
        try:
            self._store.checkpoint(wait=False)
        except StorageFullError as error:  # what is in the log is durable already
            _log.warning("checkpoint put off: %s", error)
        except CollectionError as error:
            self._fail(error)


def _settle(task: _Task) -> None:
    try:
        task.done.set_result(task.work())
    except BaseException as error:
        task.done.set_exception(error)
