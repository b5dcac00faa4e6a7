"""Build: a bundle and a source of clips or features into a data directory."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crossmodal.bundle import MANIFEST, Bundle
from crossmodal.durable import sync_directory, write_bytes
from crossmodal.errors import ConfigError, DataError
from crossmodal.modality import Modality
from index.collection import BUNDLE, MEDIA, STAGING, model_of
from index.galleries.bases import make_galleries
from index.galleries.kinds import BaseSettings
from index.sources.source_media import Skipped
from index.sources.sourcing import (
    EVERY_SPLIT,
    Progress,
    Sourcing,
    check_split,
    embed_source,
    known_features,
    silent,
)
from index.storage.database import DATABASE
from index.storage.lock import LOCK, DirectoryLock
from index.storage.media import MediaFiles
from index.storage.new_items import NewItem
from index.storage.store import Store
from index.views.loading import read_vectors
from index.views.manifest import publish
from index.writing.write_path import INDEX

ITEMS_PER_COMMIT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build put into the data directory and what it left out."""

    out: Path
    model_id: str
    items: int
    vectors: Mapping[Modality, int]
    skipped: tuple[Skipped, ...]
    seconds: float


def build(
    bundle_dir: Path,
    source: Path,
    out: Path,
    *,
    features: Path | None = None,
    split: str = EVERY_SPLIT,
    workers: int | None = None,
    keep_media: bool = True,
    replace: bool = False,
    bases: BaseSettings | None = None,
    progress: Progress = silent,
) -> BuildReport:
    """Embed a source and write a data directory, whole or not at all.

    The same bundle and source give the same items, numbers and vectors.

    Args:
        bundle_dir: The bundle to embed with; it is copied.
        source: A labelled folder, a CSV or JSON manifest, or a features file.
        out: The data directory; it must not exist or be empty.
        features: Features computed before; clips found there by their content are not
            decoded again. Of use with clips only.
        split: Take only items of this split: train, val, test, or all.
        workers: Clips embedded at a time; by default one per core.
        keep_media: Whether to copy the media, so that results can be played.
        replace: Whether to put the new directory in the place of an older one.
        bases: What decides the kind of its index files.
        progress: Shows how far it is.

    Raises:
        ConfigError: If the split is none, or ``out`` holds something that may not go.
        DataError: If the source is unusable or nothing of it could be embedded, or the
            features come from another front end.
        BundleError: If the bundle is damaged.
        FrontEndError: If the bundle cannot read media, here or at all.
        CollectionLockedError: If the directory to be replaced is in use.
    """
    started = time.monotonic()
    check_split(split)
    held = _hold(out, replace=replace)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            bundle = copy_bundle(Bundle.open(bundle_dir), work / BUNDLE)
            sourcing = Sourcing(
                bundle=bundle,
                split=split,
                workers=workers,
                progress=progress,
                known=known_features(features, bundle) if features else None,
            )
            media = MediaFiles(work / MEDIA, work / STAGING) if keep_media else None
            items, vectors, skipped = _fill(
                work,
                bundle,
                embed_source(source, sourcing, media),
                bases or BaseSettings(),
            )
            sync_tree(work)
            _put_in_place(work, out)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    finally:
        if held is not None:
            held.release()
    return BuildReport(
        out=out,
        model_id=bundle.model_id,
        items=items,
        vectors=vectors,
        skipped=skipped,
        seconds=time.monotonic() - started,
    )


def _fill(
    work: Path,
    bundle: Bundle,
    outcomes: Iterator[NewItem | Skipped],
    bases: BaseSettings,
) -> tuple[int, Mapping[Modality, int], tuple[Skipped, ...]]:
    model = model_of(bundle)
    created = time.time()
    skipped: list[Skipped] = []
    store = Store.create(work / DATABASE)
    try:
        count = 0
        batch: list[NewItem] = []

        def commit() -> None:
            store.add(batch, model_id=model.id, dim=model.dim, created=created)
            store.checkpoint()
            batch.clear()

        for outcome in outcomes:
            if isinstance(outcome, Skipped):
                skipped.append(outcome)
                continue
            count += 1
            batch.append(outcome)
            if len(batch) == ITEMS_PER_COMMIT:
                commit()
        commit()
        if not count:
            raise DataError(f"nothing could be embedded; the first: {skipped[0].reason}")
        index = work / INDEX
        index.mkdir()
        galleries = make_galleries(read_vectors(store, model), bases)
        publish(index, galleries, seq=store.seq, model_id=model.id)
    finally:
        store.close()
    return count, {m: len(gallery) for m, gallery in galleries.items()}, tuple(skipped)


def copy_bundle(bundle: Bundle, directory: Path) -> Bundle:
    """Copy a bundle's files durably and return the copy, opened."""
    directory.mkdir()
    for name in (*bundle.manifest.files, MANIFEST):
        write_bytes(directory / name, (bundle.directory / name).read_bytes())
    return Bundle.open(directory)


def _hold(out: Path, *, replace: bool) -> DirectoryLock | None:
    """Check that ``out`` may be written; lock it if it is to be replaced."""
    if out.is_symlink() or os.path.ismount(out):
        raise ConfigError(f"{out} is a link or a mount point; name a folder inside it")
    if not out.exists():
        return None
    if not out.is_dir():
        raise ConfigError(f"{out} is a file; name a folder")
    if not any(out.iterdir()):
        return None
    if not (out / DATABASE).is_file():
        raise ConfigError(f"{out} is not empty and no data directory; choose another")
    if not replace:
        raise ConfigError(f"{out} holds a collection already; --force replaces it")
    return DirectoryLock(out, write=True)


def sync_tree(work: Path) -> None:
    """Complete a data directory and make all of its names survive a power cut."""
    (work / LOCK).touch()
    (work / STAGING).mkdir(exist_ok=True)
    for directory, _, _ in os.walk(work):
        sync_directory(Path(directory))


def _put_in_place(work: Path, out: Path) -> None:
    """Rename the finished directory to ``out``, which is then whole or as before."""
    work.chmod(0o755)
    old = None
    if out.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", dir=out.parent))
        out.rename(old)  # an empty folder gives way to it
    try:
        work.rename(out)
    except OSError:
        if old is not None:
            old.rename(out)
        raise
    sync_directory(out.parent)
    if old is not None:
        shutil.rmtree(old)
