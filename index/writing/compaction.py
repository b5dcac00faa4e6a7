"""Compaction: new bases of everything stored, made beside the ones that are searched."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from crossmodal.errors import CollectionError, ConfigError
from crossmodal.memory import give_back
from crossmodal.modality import Modality
from index.galleries.bases import make_galleries
from index.galleries.kinds import BaseSettings
from index.storage.store import Store
from index.views.item_map import ItemMap
from index.views.loading import Model, read_vectors, rows_of
from index.views.manifest import IndexManifest, publish
from index.views.rows import Rows
from index.views.shelf import Shelf
from index.views.view import View
from index.views.view_builder import NewBase, ViewBuilder
from index.writing.writer import Writer

RETRY_S = 5.0  # after a compaction that failed
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactionPolicy:
    """When bases are made anew, by how much was written since, and which.

    Attributes:
        tail: So many vectors beside a base are searched one by one at most.
        deleted: The part of a base that may be deleted.
        bases: What decides the kind of a base.
    """

    tail: int = 10_000
    deleted: float = 0.2
    bases: BaseSettings = field(default_factory=BaseSettings)

    def __post_init__(self) -> None:
        if self.tail < 1 or not 0 < self.deleted <= 1:
            raise ConfigError(
                "expected a tail of 1 vector or more and a deleted part in (0, 1], "
                f"got {self.tail} and {self.deleted}"
            )

    def asks_for(self, builder: ViewBuilder) -> bool:
        """Tell whether it is time."""
        return builder.tail_size > self.tail or builder.deleted_share > self.deleted


class Compactor:
    """Makes bases in a thread of its own, one compaction at a time."""

    def __init__(self, compact: Callable[[], IndexManifest]) -> None:
        """Start the thread; ``compact`` is what it does when asked."""
        self._compact = compact
        self._waiting: Future[IndexManifest] | None = None
        self._not_before = 0.0
        self._closed = False
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Future[IndexManifest] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="compactor", daemon=True)
        self._thread.start()

    def request(self) -> Future[IndexManifest]:
        """Ask for a compaction; one that waits already serves everyone who asked.

        Returns:
            What holds the new manifest, or the error.

        Raises:
            CollectionError: If it was closed.
        """
        with self._lock:
            if self._closed:
                raise CollectionError("the collection is closed")
            if self._waiting is None:
                self._waiting = Future()
                self._queue.put(self._waiting)
            return self._waiting

    def request_soon(self) -> None:
        """Ask for a compaction unless it was closed, or one has just failed."""
        if not self._closed and time.monotonic() >= self._not_before:
            with suppress(CollectionError):
                self.request()

    @property
    def stopped(self) -> bool:
        """Whether a base that takes long should be given up."""
        return self._closed

    def close(self) -> None:
        """End the thread after the compactions asked for."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (done := self._queue.get()) is not None:
            done.set_running_or_notify_cancel()
            with self._lock:
                self._waiting = None  # who asks from here on may have written since
            try:
                manifest = self._compact()
            except Exception as error:
                self._not_before = time.monotonic() + RETRY_S
                _log.warning("compaction failed: %s", error)
                done.set_exception(error)
            else:
                give_back()  # the files before, and what making new ones took
                done.set_result(manifest)


def compact(
    writer: Writer,
    builder: ViewBuilder,
    database: Path,
    index: Path,
    model: Model,
    settings: BaseSettings,
    *,
    publish_view: Callable[[View], None],
    reached: Callable[[str], None] = lambda point: None,
    stopped: Callable[[], bool] = lambda: False,
) -> IndexManifest:
    """Make bases of everything stored and let the next view stand on them.

    What is written meanwhile becomes the tail. Searching and writing go on; the writer
    is asked for a moment at the beginning and one at the end.

    Raises:
        CollectionError: If a stored vector is damaged, or the writer is closed.
        OSError: If the files cannot be written; everything is then as before.
    """
    view, items = writer.run(builder.remember_changes)
    try:
        reader = Store.open_beside_writer(database)
        try:
            base = make_base(
                reader,
                index,
                view.seq,
                items,
                model,
                settings,
                reached=reached,
                stopped=stopped,
            )
        finally:
            reader.close()
    except BaseException:
        writer.run(builder.forget_changes)
        raise
    writer.run(lambda: publish_view(builder.rebase(base)))
    reached("after swap")
    return base.manifest


def make_base(
    reader: Store,
    index: Path,
    seq: int,
    items: ItemMap,
    model: Model,
    settings: BaseSettings,
    *,
    reached: Callable[[str], None] = lambda point: None,
    stopped: Callable[[], bool] = lambda: False,
) -> NewBase:
    """Write bases of the vectors numbered up to ``seq``, read from the store.

    Args:
        reader: The store; it may hold more by now, and lack what was deleted since.
        index: The directory of CURRENT and the bases.
        seq: The number of a view.
        items: The items of that view.
        model: The bundle that made the vectors.
        settings: What decides the kind of the bases.
        reached: Told of the points at which a test may end the process.
        stopped: Tells whether to give up.

    Raises:
        CollectionError: If a stored vector is damaged, or it was stopped.
        OSError: If the files cannot be written.
    """
    whole = items.whole()
    with reader.snapshot():
        vectors = read_vectors(reader, model, up_to=seq)
        rows: dict[Modality, Rows] = {}
        for modality in model.modalities:
            found = reader.vector_rows(modality, model.id, up_to=seq)
            like = next(iter(rows.values()), None)
            rows[modality] = rows_of(found, whole, len(found.seqs), like)
    galleries = make_galleries(vectors, settings, stopped)
    manifest = publish(index, galleries, seq=seq, model_id=model.id, reached=reached)
    shelves = {m: Shelf.of(galleries[m], rows[m]) for m in galleries}
    return NewBase(manifest, shelves, whole)
