"""The collection: a data directory, opened, locked and ready to search."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from crossmodal.bundle import Bundle
from crossmodal.errors import CollectionError, UnknownItemError
from index.database import DATABASE
from index.group import CheckedPut, Submission
from index.loading import Model, load
from index.lock import DirectoryLock
from index.media import MediaFiles, media_type
from index.new_items import check_item
from index.operations import Delete, Idempotency, Operation, Put, Receipt
from index.store import Store
from index.view import View
from index.writer import Writer

BUNDLE, INDEX, MEDIA, STAGING = "bundle", "index", "media", "staging"
RESERVE_BYTES = 256 << 20


class Collection:
    """What is stored under one data directory, with the bundle that made it.

    ``view`` is the newest snapshot; take it once per request. ``degraded`` says why the
    index files could not be used, None if they were: answers are the same either way.
    Opened for writing, `submit` changes it; any thread may.
    """

    def __init__(
        self,
        directory: Path,
        bundle: Bundle,
        store: Store,
        lock: DirectoryLock,
        *,
        write: bool,
        reserve_bytes: int = RESERVE_BYTES,
        reached: Callable[[str], None] = lambda point: None,
    ) -> None:
        """Use `Collection.open`."""
        self.directory = directory
        self.bundle = bundle
        self._store = store
        self._lock = lock
        self._media = MediaFiles(directory / MEDIA, directory / STAGING, reached)
        self._model = model_of(bundle)
        self._reserve_bytes = reserve_bytes
        loaded = load(store, directory / INDEX, self._model, write=write)
        self._view = loaded.builder.view
        self.degraded = loaded.degraded
        self._writer: Writer | None = None
        if write:
            shown = (i.media_sha256 for i in self._view.items.values() if i.media_sha256)
            self._media.show(shown)
            self._media.sweep()
            self._writer = Writer(
                store,
                self._media,
                self._model,
                loaded.builder,
                self._publish,
                spare=self._has_spare,
                reached=reached,
            )

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        write: bool = False,
        reserve_bytes: int = RESERVE_BYTES,
        reached: Callable[[str], None] = lambda point: None,
    ) -> Collection:
        """Open a data directory after checking lock, database, bundle and index.

        Args:
            directory: What `index.build.build` made.
            write: Whether to hold it alone, to change it and to repair its index files;
                otherwise others may read it at the same time and nothing in it changes.
            reserve_bytes: Space of the disk that puts leave free, so that deletions and
                checkpoints still fit.
            reached: Told of the points at which a test may end the process.

        Raises:
            CollectionLockedError: If another process holds it.
            ModelMismatchError: If another bundle than the one beside it made the vectors.
            BundleError: If the bundle is damaged.
            CollectionError: If it is no data directory, or its database is damaged.
        """
        if not (directory / DATABASE).is_file():
            raise CollectionError(
                f"{directory} is no data directory: it has no {DATABASE}; "
                "python -m index build makes one"
            )
        lock = DirectoryLock(directory, write=write)
        store = None
        try:
            if write:
                _empty(directory / STAGING)
                (directory / INDEX).mkdir(exist_ok=True)
            bundle = Bundle.open(directory / BUNDLE)
            store = Store.open(directory / DATABASE, write=write)
            return cls(
                directory,
                bundle,
                store,
                lock,
                write=write,
                reserve_bytes=reserve_bytes,
                reached=reached,
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
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._writer is not None

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
            (deletions still work); `CollectionError` if the database cannot be written
            or the collection was closed meanwhile.

        Raises:
            DataError: If an id, a label, a segment or metadata are not allowed.
            ShapeError: If a vector is not finite, or has another width or a bad norm.
            StorageFullError: If media do not fit on the disk.
            CollectionError: If the collection is closed or was opened for reading, or
                no media of a given sha256 are kept.
        """
        if self._writer is None:
            raise CollectionError("the collection was opened for reading only")
        claimed: list[str] = []

        def release(_: object = None) -> None:
            for sha256 in claimed:
                self._media.release(sha256)

        try:
            for operation in operations:
                if isinstance(operation, Put):
                    self.check(operation)
            submission = Submission(
                [self._prepared(operation, claimed) for operation in operations],
                idempotency,
            )
            done = self._writer.submit(submission)
        except BaseException:
            release()
            raise
        done.add_done_callback(release)
        return done

    def check(self, put: Put) -> None:
        """Check what `submit` checks of a put, without writing it.

        Raises:
            DataError: If the id, the label, a segment or the metadata are not allowed.
            ShapeError: If a vector is not finite, or has another width or a bad norm.
        """
        check_item(put.item, self._model.dim)

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
        if self._writer is not None:
            self._writer.close()
        self._store.close()
        self._lock.release()

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
            "unserved": dict(view.unserved),
            "labels": dict(view.labels),
            "splits": dict(view.splits),
            "with_media": sum(i.media_sha256 is not None for i in view.items.values()),
            "dim": view.dim,
            "method": manifest.method,
            "model_id": view.model_id,
            "view_seq": view.seq,
            "version": view.version,
            "degraded": self.degraded,
        }

    def _prepared(self, operation: Operation, claimed: list[str]) -> CheckedPut | Delete:
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
        return CheckedPut(check_item(item, self._model.dim), operation.replace)

    def _publish(self, view: View) -> None:
        self._view = view

    def _has_spare(self) -> bool:
        return shutil.disk_usage(self.directory).free >= self._reserve_bytes


def model_of(bundle: Bundle) -> Model:
    """Return what a view needs to know of a bundle."""
    return Model(bundle.model_id, bundle.manifest.dim, bundle.modalities)


def _empty(staging: Path) -> None:
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir()
