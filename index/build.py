"""Build: a bundle and a source of clips or features into a data directory."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from crossmodal.bundle import MANIFEST, Bundle
from crossmodal.durable import sync_directory, write_bytes
from crossmodal.errors import ConfigError, DataError
from crossmodal.faults import naming
from crossmodal.features import FeaturesFile, read_features
from crossmodal.items import SPLITS, SourceItem
from crossmodal.modality import Modality
from crossmodal.sources import read_source
from index.collection import BUNDLE, MEDIA, STAGING, model_of
from index.database import DATABASE
from index.known_features import KnownFeatures
from index.loading import read_galleries
from index.lock import LOCK, DirectoryLock
from index.manifest import publish
from index.media import MediaFiles
from index.new_items import NewItem
from index.source_features import embed_tables, served_tables
from index.source_media import Skipped, embed_media
from index.store import Store
from index.write_path import INDEX

EVERY_SPLIT = "all"
ITEMS_PER_COMMIT = 256
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What a build put into the data directory and what it left out."""

    out: Path
    model_id: str
    items: int
    vectors: Mapping[Modality, int]
    skipped: tuple[Skipped, ...]
    seconds: float


@contextmanager
def silent(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Show no progress."""
    yield lambda: None


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
    if split not in (*SPLITS, EVERY_SPLIT):
        raise ConfigError(f"split must be {', '.join(SPLITS)} or all, got {split!r}")
    held = _hold(out, replace=replace)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            bundle = _copy_bundle(Bundle.open(bundle_dir), work / BUNDLE)
            known = _known_features(features, bundle) if features else None
            cores = len(os.sched_getaffinity(0))
            plan = _Plan(bundle, split, workers or cores, progress, known)
            media = MediaFiles(work / MEDIA, work / STAGING) if keep_media else None
            items, vectors, skipped = _fill(work, bundle, _outcomes(source, plan, media))
            _sync_tree(work)
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


@dataclass(frozen=True, slots=True)
class _Plan:
    bundle: Bundle
    split: str
    workers: int
    progress: Progress
    known: KnownFeatures | None


def _known_features(path: Path, bundle: Bundle) -> KnownFeatures:
    with naming(path):
        known = KnownFeatures(served_tables(read_features(path), bundle))
    if not len(known):
        raise DataError(
            f"{path}: no row says which file it was computed from; it was not prepared "
            "from media, or by an older version"
        )
    return known


def _outcomes(
    source: Path, plan: _Plan, media: MediaFiles | None
) -> Iterator[NewItem | Skipped]:
    if _is_features_file(source):
        with naming(source):
            yield from _from_features(read_features(source), plan)
    else:
        yield from _from_media(read_source(source), plan, media)


def _from_features(data: FeaturesFile, plan: _Plan) -> Iterator[NewItem | Skipped]:
    part = data.of_split(plan.split)
    total = sum(len(table) for table in served_tables(part, plan.bundle).values())
    if not total:
        raise DataError(f"no row belongs to split {plan.split}")
    with plan.progress("Embedding features", total) as advance:
        yield from embed_tables(part, plan.bundle, workers=plan.workers, advance=advance)


def _from_media(
    items: list[SourceItem], plan: _Plan, media: MediaFiles | None
) -> Iterator[NewItem | Skipped]:
    wanted = [item for item in items if plan.split in (EVERY_SPLIT, item.split)]
    if not wanted:
        raise DataError(f"no item belongs to split {plan.split}")
    with plan.progress("Embedding clips", len(wanted)) as advance:
        yield from embed_media(
            wanted,
            plan.bundle,
            media=media,
            workers=plan.workers,
            advance=advance,
            known=plan.known,
        )


def _fill(
    work: Path, bundle: Bundle, outcomes: Iterator[NewItem | Skipped]
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
        galleries = read_galleries(store, model)
        publish(index, galleries, seq=store.seq, model_id=model.id)
    finally:
        store.close()
    return count, {m: len(gallery) for m, gallery in galleries.items()}, tuple(skipped)


def _is_features_file(source: Path) -> bool:
    if not source.is_file():
        return False
    with source.open("rb") as file:
        return file.read(len(_HDF5_MAGIC)) == _HDF5_MAGIC


def _copy_bundle(bundle: Bundle, directory: Path) -> Bundle:
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


def _sync_tree(work: Path) -> None:
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
