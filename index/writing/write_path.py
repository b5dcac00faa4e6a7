"""The write path: everything that an opened collection needs to be changed."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from crossmodal.errors import StorageFullError
from index.galleries.kinds import BaseSettings
from index.storage.database import DATABASE
from index.storage.job import Job
from index.storage.media import MediaFiles
from index.storage.new_items import check_item
from index.storage.store import Store
from index.storage.transaction import Transaction
from index.views.loading import Loaded, Model
from index.views.manifest import IndexManifest, oldest_kept
from index.views.view import View
from index.views.view_builder import ViewBuilder
from index.writing.compaction import CompactionPolicy, Compactor, compact
from index.writing.group import CheckedPut, Submission
from index.writing.operations import Delete, Idempotency, Operation, Put, Receipt
from index.writing.writer import Writer

RESERVE_BYTES = 256 << 20
TIDIED_AT_ONCE = 2000  # log rows and replies per transaction, for which writes wait
INDEX = "index"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSettings:
    """What writing depends on.

    Attributes:
        reserve_bytes: Space of the disk that puts leave free, so that deletions and
            checkpoints still fit.
        policy: When the index files are made anew.
        reached: Told of the points at which a test may end the process.
    """

    reserve_bytes: int = RESERVE_BYTES
    policy: CompactionPolicy = field(default_factory=CompactionPolicy)
    reached: Callable[[str], None] = lambda point: None


class Served(NamedTuple):
    """A model and what makes the views of its vectors."""

    model: Model
    loaded: Loaded


class WritePath:
    """The writer's and the compactor's threads over one store; any thread may use it."""

    def __init__(
        self,
        directory: Path,
        store: Store,
        media: MediaFiles,
        model: Model,
        builder: ViewBuilder,
        *,
        publish: Callable[[View], None],
        degraded: str | None,
        settings: WriteSettings,
    ) -> None:
        """Start the threads.

        Args:
            directory: The data directory, locked for this process alone.
            store: Its database, opened for writing.
            media: Its media.
            model: The bundle that makes the vectors.
            builder: Makes the views.
            publish: Takes each new view.
            degraded: Why the index files could not be used; they are then made anew.
            settings: What else writing depends on.
        """
        self._directory = directory
        self._store = store
        self._media = media
        self._model = model
        self._builder = builder
        self._publish = publish
        self._settings = settings
        self._bases = threading.Lock()  # held while index files are made or changed
        self.degraded = degraded
        shown = (i.media_sha256 for i in builder.items.values() if i.media_sha256)
        media.show(shown)
        media.sweep()
        self._compactor = Compactor(self._make_bases)
        self._writer = Writer(
            store,
            media,
            model,
            builder,
            publish,
            after_write=self._compact_in_time,
            spare=self._has_spare,
            reached=settings.reached,
        )
        if degraded is not None:
            self._compactor.request()

    @property
    def bases(self) -> BaseSettings:
        """What decides the kind of a base."""
        return self._settings.policy.bases

    @property
    def failure(self) -> str | None:
        """Why nothing can be written at the moment; None if it can."""
        return self._writer.failure

    def submit(
        self,
        operations: tuple[Operation, ...],
        idempotency: Idempotency | None,
        model: Model,
    ) -> Future[Receipt]:
        """Check and queue operations, as `Collection.submit` says.

        Args:
            operations: What to write.
            idempotency: A client's key.
            model: What made the vectors; it must still be served when they are written.
        """
        claimed: list[str] = []

        def release(_: object = None) -> None:
            for sha256 in claimed:
                self._media.release(sha256)

        try:
            for operation in operations:  # all of them before any media are copied
                if isinstance(operation, Put):
                    check_item(operation.item, model.dim)
            prepared = [self._prepared(o, claimed, model) for o in operations]
            done = self._writer.submit(Submission(prepared, idempotency, model.id))
        except BaseException:
            release()
            raise
        done.add_done_callback(release)
        return done

    def compact(self) -> Future[IndexManifest]:
        """Ask for the index files to be made anew, as `Collection.compact` says."""
        return self._compactor.request()

    def jobs(self) -> list[Job]:
        """Return the jobs that the store keeps, those changed longest ago first."""
        return self._writer.run(self._store.jobs)

    def keep_job(self, job: Job, forgotten: Sequence[str]) -> None:
        """Store a job durably and forget others, as `Collection.keep_job` says."""

        def keep() -> None:
            with self._store.transaction("") as transaction:
                transaction.keep_job(job)
                transaction.forget_jobs(forgotten)

        self._writer.run(keep)

    def write(self, model_id: str, work: Callable[[Transaction], int]) -> None:
        """Do work in a transaction of its own, between two groups of submissions.

        Args:
            model_id: What made the vectors that are written.
            work: Returns about how many bytes it wrote.

        Raises:
            StorageFullError: If too little space is left.
            CollectionError: If the database cannot be written, or the writer is closed.
        """

        def write() -> None:
            if not self._has_spare():
                raise StorageFullError("the disk has too little space left to go on")
            with self._store.transaction(model_id) as transaction:
                written = work(transaction)
                self._settings.reached("before commit of work")
            self._settings.reached("after commit of work")
            self._writer.wrote(written)

        self._writer.run(write)

    @contextmanager
    def no_compaction(self) -> Iterator[None]:
        """Let no index files be made meanwhile; wait for those that are being made."""
        with self._bases:
            yield

    def serve(
        self,
        prepare: Callable[[Store], Served],
        commit: Callable[[], None],
        publish: Callable[[View], None],
    ) -> None:
        """Go over to another model between two groups of submissions.

        Call it where there is `no_compaction`.

        Args:
            prepare: Loads what is to be served; an error leaves everything as it was.
            commit: Makes it what the next opening serves.
            publish: Takes the views from here on, the first at once.

        Raises:
            CollectionError: If the writer is closed.
        """

        def serve() -> None:
            served = prepare(self._store)
            try:
                commit()
            except BaseException as error:  # nobody knows what the next opening serves
                self._writer.fail(error)
                raise
            self._model, self._builder = served.model, served.loaded.builder
            self._publish = publish
            self.degraded = served.loaded.degraded
            self._writer.serve(self._model, self._builder, publish)
            if self.degraded is not None:
                self._compactor.request()

        self._writer.run(serve)
        self._settings.reached("after change")

    def close(self) -> None:
        """Finish what was submitted and end the threads."""
        self._compactor.close()
        self._writer.close()

    def _prepared(
        self, operation: Operation, claimed: list[str], model: Model
    ) -> CheckedPut | Delete:
        if isinstance(operation, Delete):
            return operation
        item = operation.item
        if operation.media is not None:
            sha256 = self._media.add(operation.media, claim=True)
            claimed.append(sha256)
            item = replace(item, media_sha256=sha256)
        elif item.media_sha256 is not None:
            self._media.claim(item.media_sha256)
            claimed.append(item.media_sha256)
        return CheckedPut(check_item(item, model.dim), operation.replace)

    def _compact_in_time(self) -> None:
        if self._settings.policy.asks_for(self._builder):
            self._compactor.request_soon()

    def _make_bases(self) -> IndexManifest:
        with self._bases:
            return self._make_bases_alone()

    def _make_bases_alone(self) -> IndexManifest:
        index = self._directory / INDEX
        manifest = compact(
            self._writer,
            self._builder,
            self._directory / DATABASE,
            index,
            self._model,
            self._settings.policy.bases,
            publish_view=self._publish,
            reached=self._settings.reached,
            stopped=lambda: self._compactor.stopped,
        )
        if self.degraded is not None:
            _log.warning("index rebuilt from the store")
            self.degraded = None
        self._tidy(oldest_kept(index))
        return manifest

    def _tidy(self, up_to: int) -> None:
        """Forget what is old, in parts that writes come between; the next may go on."""
        now = time.time()

        def part() -> bool:
            return self._store.tidy(up_to=up_to, now=now, most=TIDIED_AT_ONCE)

        while self._writer.run(part) and not self._compactor.stopped:
            pass

    def _has_spare(self) -> bool:
        return shutil.disk_usage(self._directory).free >= self._settings.reserve_bytes
