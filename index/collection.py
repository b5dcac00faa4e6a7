"""The collection: a data directory, opened, locked and ready to search."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from types import TracebackType
from typing import Any

from crossmodal.bundle import Bundle
from crossmodal.errors import CollectionError, UnknownItemError
from crossmodal.modality import Modality
from index.galleries.kinds import BaseSettings
from index.storage.database import DATABASE, check_data_directory
from index.storage.job import Job
from index.storage.lock import DirectoryLock
from index.storage.media import MediaFiles, media_type
from index.storage.new_items import check_item
from index.storage.store import Store
from index.storage.transaction import Transaction
from index.versions.beside import beside_id, change_over, settle
from index.views.loading import Model, load
from index.views.manifest import IndexManifest
from index.views.view import View
from index.writing.compaction import CompactionPolicy
from index.writing.operations import Idempotency, Operation, Put, Receipt
from index.writing.write_path import INDEX, RESERVE_BYTES, Served, WritePath, WriteSettings

BUNDLE, MEDIA, STAGING = "bundle", "media", "staging"
RECALL_TOLERANCE = 0.01  # below what was measured when a base was made


class Collection:
    """What is stored under one data directory, with the bundle that made it.

    ``view`` is the newest snapshot; take it once per request. While ``degraded`` says
    why the index files could not be used, answers are the same as otherwise.
    Opened for writing, `submit` changes it; any thread may.
    """

    def __init__(
        self,
        directory: Path,
        bundle: Bundle,
        store: Store,
        lock: DirectoryLock,
        *,
        settings: WriteSettings | None,
    ) -> None:
        """Use `Collection.open`."""
        reached = settings.reached if settings else lambda point: None
        self.reached: Callable[[str], None] = reached
        self.directory = directory
        self.bundle = bundle
        self._store = store
        self._lock = lock
        self._media = MediaFiles(directory / MEDIA, directory / STAGING, reached)
        model = model_of(bundle, beside=beside_id(directory))
        loaded = load(store, directory / INDEX, model, write=settings is not None)
        self._model = model
        self._builder = loaded.builder
        self._view = loaded.builder.view
        self._degraded = loaded.degraded
        self._writing: WritePath | None = None
        if settings is not None:
            self._writing = WritePath(
                directory,
                store,
                self._media,
                model,
                loaded.builder,
                publish=self._publish,
                degraded=loaded.degraded,
                settings=settings,
            )

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        write: bool = False,
        reserve_bytes: int = RESERVE_BYTES,
        policy: CompactionPolicy | None = None,
        reached: Callable[[str], None] = lambda point: None,
    ) -> Collection:
        """Open a data directory after checking lock, database, bundle and index.

        Args:
            directory: What `index.build.build` made.
            write: Whether to hold it alone, to change it and to repair its index files;
                otherwise others may read it at the same time and nothing in it changes.
            reserve_bytes: Space of the disk that puts leave free, so that deletions and
                checkpoints still fit.
            policy: When the index files are made anew.
            reached: Told of the points at which a test may end the process.

        Raises:
            CollectionLockedError: If another process holds it.
            ModelMismatchError: If another bundle than the one beside it made the vectors.
            BundleError: If the bundle is damaged.
            CollectionError: If it is no data directory, or its database is damaged.
        """
        check_data_directory(directory)
        lock = DirectoryLock(directory, write=write)
        store = None
        try:
            if write:
                _empty(directory / STAGING)
                (directory / INDEX).mkdir(exist_ok=True)
                settle(directory)
            bundle = Bundle.open(directory / BUNDLE)
            store = Store.open(directory / DATABASE, write=write)
            settings = None
            if write:
                settings = WriteSettings(
                    reserve_bytes=reserve_bytes,
                    policy=policy or CompactionPolicy(),
                    reached=reached,
                )
            return cls(
                directory,
                bundle,
                store,
                lock,
                settings=settings,
            )
        except BaseException:
            if store is not None:
                store.close()
            lock.release()
            raise

    @property
    def view(self) -> View:
        """The newest snapshot: every submission acknowledged before is part of it."""
        return self._view

    @property
    def degraded(self) -> str | None:
        """Why the index files could not be used; None if they were, or were replaced."""
        return self._degraded if self._writing is None else self._writing.degraded

    def compact(self) -> IndexManifest:
        """Make the index files anew from everything stored, and wait for it.

        Searching and writing go on meanwhile. It happens by itself when much was written
        or deleted, and after an opening that could not use the files.

        Raises:
            CollectionError: If the collection is closed or was opened for reading, or a
                stored vector is damaged.
            OSError: If the files cannot be written; everything is then as before.
        """
        return self.begin_compaction().result()

    def begin_compaction(self) -> Future[IndexManifest]:
        """Ask for what `compact` does, without waiting for it."""
        return self._write_path().compact()

    def stored_jobs(self) -> list[Job]:
        """Return the jobs that are kept, those changed longest ago first.

        Raises:
            CollectionError: If it is closed or was opened for reading.
        """
        return self._write_path().jobs()

    def keep_job(self, job: Job, forgotten: Sequence[str] = ()) -> None:
        """Store a job durably, in place of what was known of it, and forget others.

        Raises:
            CollectionError: If that fails, or it was opened for reading.
        """
        self._write_path().keep_job(job, forgotten)

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._writing is not None

    @property
    def write_failure(self) -> str | None:
        """Why nothing can be written at the moment; None if it can, or must not."""
        return None if self._writing is None else self._writing.failure

    def submit(
        self, *operations: Operation, idempotency: Idempotency | None = None
    ) -> Future[Receipt]:
        """Write: puts and deletions, in their order, all of them or none.

        Everything is checked here, and media are copied, on the caller's thread; then
        the writer's thread commits what arrives together. The future holds the receipt
        once the writes are durable (fsynced) and part of `view`. Cancelling it before
        the writer takes it up leaves everything unwritten.

        Args:
            operations: What to write.
            idempotency: A client's key; a request that was answered under it before is
                not written again but answered alike (``replayed``).

        Returns:
            The receipt, or one of these errors: `IdempotencyConflictError` if the key
            stands for another request; `StorageFullError` if too little space is left
            (deletions still work); `WritingFailedError` if the database cannot be
            written; `CollectionError` if the collection was closed meanwhile.

        Raises:
            DataError: If an id, a label, a segment or metadata are not allowed.
            ShapeError: If a vector is not finite, or has another width or a bad norm.
            StorageFullError: If media do not fit on the disk.
            CollectionError: If the collection is closed or was opened for reading, or
                no media of a given sha256 are kept.
        """
        return self._write_path().submit(operations, idempotency, self._model)

    def check(self, put: Put) -> None:
        """Check what `submit` checks of a put, without writing it.

        Raises:
            DataError: If the id, the label, a segment or the metadata are not allowed.
            ShapeError: If a vector is not finite, or has another width or a bad norm.
        """
        check_item(put.item, self._model.dim)

    def write(self, model_id: str, work: Callable[[Transaction], int]) -> None:
        """Do work in a transaction of its own, as `WritePath.write` says."""
        self._write_path().write(model_id, work)

    @contextmanager
    def open_beside_writer(self) -> Iterator[Store]:
        """Open the database once more, to read it while it is written to.

        Raises:
            CollectionError: If that fails.
        """
        store = Store.open_beside_writer(self.directory / DATABASE)
        try:
            yield store
        finally:
            store.close()

    def change_model(
        self, bundle: Bundle, index: Path, before: Callable[[Store], None]
    ) -> Collection:
        """Serve the vectors of the bundle beside from here on, without a gap.

        This object stays as it is: who holds it finishes with the model and the view
        that it began with, and can write nothing more but deletions. What searches from
        now on is to use the object returned. Writes wait meanwhile, searches do not.

        Args:
            bundle: The bundle beside.
            index: The index files beside.
            before: Called when nothing is written any more; may refuse.

        Raises:
            CollectionError: If the files cannot change places, or it is closed.
        """
        writing = self._write_path()
        model = model_of(bundle, beside=self.bundle.model_id)
        for one in (self.bundle, bundle):  # their files are about to change places
            for modality in one.modalities:
                one.encoder(modality)
        changed = copy(self)
        changed.bundle, changed._model = bundle, model

        def prepare(store: Store) -> Served:
            before(store)
            self.reached("last embedded")
            loaded = load(store, index, model, write=True)
            changed._builder, changed._view = loaded.builder, loaded.builder.view
            return Served(model, loaded)

        def commit() -> None:
            change_over(self.directory, self.reached)
            self.bundle.directory, bundle.directory = (
                bundle.directory,
                self.bundle.directory,
            )

        with writing.no_compaction():
            writing.serve(prepare, commit, changed._publish)
        return changed

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish what was submitted, close the database and give the lock back."""
        if self._writing is not None:
            self._writing.close()
        self._store.close()
        self._lock.release()

    def least_recall(self, modality: Modality) -> float:
        """Return the part of the ten best that a search must find: 1 if it is exact."""
        base = self._builder.manifest.bases[modality]
        return 1.0 if base.recall is None else base.recall - RECALL_TOLERANCE

    @property
    def bases(self) -> BaseSettings:
        """What decides the kind of a base.

        Raises:
            CollectionError: If it was opened for reading.
        """
        return self._write_path().bases

    @property
    def index_manifest(self) -> IndexManifest:
        """What the bases are that are searched."""
        return self._builder.manifest

    @property
    def media_files(self) -> MediaFiles:
        """Where its media are kept."""
        return self._media

    def media(self, item_id: str) -> tuple[Path, str]:
        """Return an item's media file and its media type, as its content shows.

        Raises:
            UnknownItemError: If the item is not stored or has no media.
            CollectionError: If its media file is gone.
        """
        sha256 = self.view.item(item_id).media_sha256
        if sha256 is None:
            raise UnknownItemError("this item has no media")
        path = self._media.path(sha256)
        if not path.is_file():
            raise CollectionError("the media file of this item is missing")
        return path, media_type(path)

    def info(self) -> Mapping[str, Any]:
        """Return what the collection holds, as JSON values."""
        view, manifest = self.view, self.bundle.manifest
        return {
            "items": len(view.items),
            "galleries": {
                modality: {
                    "items": view.sizes[modality],
                    "vectors": view.segments[modality],
                }
                for modality in sorted(view.shelves)
            },
            "bases": self._builder.gallery_facts(),
            "unserved": dict(view.unserved),
            "labels": dict(view.labels),
            "splits": dict(view.splits),
            "with_media": view.items.tally.media,
            "dim": view.dim,
            "method": manifest.method,
            "direction": manifest.direction and str(manifest.direction),
            "model_id": view.model_id,
            "view_seq": view.seq,
            "version": view.version,
            "beside": beside_id(self.directory),
            "degraded": self.degraded,
        }

    def _write_path(self) -> WritePath:
        if self._writing is None:
            raise CollectionError("the collection was opened for reading only")
        return self._writing

    def _publish(self, view: View) -> None:
        self._view = view


def model_of(bundle: Bundle, beside: str | None = None) -> Model:
    """Return what a view needs to know of a bundle, and the model id of one beside it."""
    return Model(bundle.model_id, bundle.manifest.dim, bundle.modalities, beside)


def _empty(staging: Path) -> None:
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir()
