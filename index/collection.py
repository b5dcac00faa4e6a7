"""The collection: a data directory, opened, locked and ready to search."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from crossmodal.bundle import Bundle
from crossmodal.errors import CollectionError, UnknownItemError
from index.database import DATABASE
from index.loading import Model, load_view
from index.lock import DirectoryLock
from index.media import MediaFiles, media_type
from index.store import Store
from index.view import View

BUNDLE, INDEX, MEDIA, STAGING = "bundle", "index", "media", "staging"


class Collection:
    """What is stored under one data directory, with the bundle that made it.

    ``view`` is the current snapshot; take it once per request. ``degraded`` says why the
    index files could not be used, None if they were: answers are the same either way.
    """

    def __init__(
        self,
        directory: Path,
        bundle: Bundle,
        store: Store,
        lock: DirectoryLock,
        *,
        write: bool,
    ) -> None:
        """Use `Collection.open`."""
        self.directory = directory
        self.bundle = bundle
        self._store = store
        self._lock = lock
        self._media = MediaFiles(directory / MEDIA, directory / STAGING)
        loaded = load_view(store, directory / INDEX, model_of(bundle), write=write)
        self.view: View = loaded.view
        self.degraded = loaded.degraded

    @classmethod
    def open(cls, directory: Path, *, write: bool = False) -> Collection:
        """Open a data directory after checking lock, database, bundle and index.

        Args:
            directory: What `index.build.build` made.
            write: Whether to hold it alone and repair its index files; otherwise
                others may read it at the same time and nothing in it is changed.

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
            return cls(directory, bundle, store, lock, write=write)
        except BaseException:
            if store is not None:
                store.close()
            lock.release()
            raise

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
        """Close the database and give the lock back."""
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


def model_of(bundle: Bundle) -> Model:
    """Return what a view needs to know of a bundle."""
    return Model(bundle.model_id, bundle.manifest.dim, bundle.modalities)


def _empty(staging: Path) -> None:
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir()
