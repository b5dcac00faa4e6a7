"""Generations: a data directory made anew by another bundle, beside the one in use.

The older one is served and written to meanwhile. Catching up embeds what was written
since; when nothing is left to catch up with, the two can change places.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from crossmodal.bundle import Bundle
from crossmodal.durable import sync_directory, write_json
from crossmodal.errors import (
    CollectionLockedError,
    ModelMismatchError,
)
from crossmodal.items import Segment, SourceItem
from crossmodal.modality import Modality
from index.build import copy_bundle, sync_tree
from index.collection import BUNDLE, MEDIA, STAGING, Collection, model_of
from index.database import DATABASE
from index.loading import read_galleries
from index.lock import DirectoryLock
from index.manifest import publish
from index.media import MediaFiles
from index.operations import Delete, Put
from index.origin import ORIGIN, Origin, read_origin
from index.source_media import Skipped, embed_media
from index.sourcing import Progress, silent
from index.store import ItemRow, Store
from index.write_path import INDEX

AT_ONCE = 256  # items between two notes of how far it came


@dataclass(frozen=True, slots=True, kw_only=True)
class CatchUp:
    """What one run brought over, and what it could not."""

    embedded: int
    deleted: int
    skipped: tuple[Skipped, ...]
    seq: int


def catch_up(
    directory: Path,
    bundle_dir: Path,
    out: Path,
    *,
    workers: int | None = None,
    progress: Progress = silent,
) -> CatchUp:
    """Embed a directory's media by another bundle into a directory of its own.

    The first run makes ``out``; later ones bring over what was written since, also
    after an interruption. Label, metadata and media of every item stay; items without
    media cannot be embedded anew and are skipped.

    Args:
        directory: The data directory in use; it is only read.
        bundle_dir: The other bundle.
        out: The generation.
        workers: Clips embedded at a time; by default one per core.
        progress: Shows how far it is.

    Raises:
        ModelMismatchError: If the bundle is the one in use, or ``out`` is of another.
        CollectionError: If a directory is damaged.
        CollectionLockedError: If ``out`` is in use.
        FrontEndError: If the bundle cannot read media, here or at all.
    """
    current = Bundle.open(directory / BUNDLE).model_id
    bundle = Bundle.open(bundle_dir)
    if bundle.model_id == current:
        raise ModelMismatchError("the data directory was made with this bundle already")
    if not out.exists():
        _make_empty(out, bundle, Origin(model_id=current, seq=0))
    origin = read_origin(out)
    if origin is None or origin.model_id != current:
        raise ModelMismatchError(f"{out} was not made from {directory} as it is now")
    with _read_beside(directory) as store, Collection.open(out, write=True) as made:
        if made.bundle.model_id != bundle.model_id:
            raise ModelMismatchError(f"{out} was made with another bundle; name a new one")
        with store.snapshot():
            seq, rows = store.seq, list(store.items())
            held = {row.id: _modalities(store, row) for row in rows if row.seq > origin.seq}
        gone = sorted(set(made.view.items) - {row.id for row in rows})
        if gone:
            made.submit(Delete(ids=gone)).result()
        fresh = sorted((r for r in rows if r.id in held), key=lambda row: row.seq)
        media = MediaFiles(directory / MEDIA, directory / STAGING)
        embedded, skipped = 0, []
        threads = workers or len(os.sched_getaffinity(0))
        with progress("Embedding anew", len(fresh)) as advance:
            for start in range(0, len(fresh), AT_ONCE):
                part = fresh[start : start + AT_ONCE]
                more = _embed(part, held, media, made, threads)
                stale = [s.item_id for s in more if s.item_id in made.view.items]
                if stale:
                    made.submit(Delete(ids=stale)).result()
                embedded += len(part) - len(more)
                skipped += more
                write_json(out / ORIGIN, asdict(Origin(model_id=current, seq=part[-1].seq)))
                for _ in part:
                    advance()
        write_json(out / ORIGIN, asdict(Origin(model_id=current, seq=seq)))
    return CatchUp(embedded=embedded, deleted=len(gone), skipped=tuple(skipped), seq=seq)


def _make_empty(out: Path, bundle: Bundle, origin: Origin) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        copied = copy_bundle(bundle, work / BUNDLE)
        model = model_of(copied)
        store = Store.create(work / DATABASE)
        (work / INDEX).mkdir()
        publish(work / INDEX, read_galleries(store, model), seq=0, model_id=model.id)
        store.close()
        write_json(work / ORIGIN, asdict(origin))
        sync_tree(work)
        work.chmod(0o755)
        work.rename(out)
        sync_directory(out.parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _read_beside(directory: Path) -> Iterator[Store]:
    """Read a store that another process may be writing to."""
    lock = None
    try:
        lock = DirectoryLock(directory, write=False)
    except CollectionLockedError:
        store = Store.open_beside_writer(directory / DATABASE)
    else:
        store = Store.open(directory / DATABASE, write=False)
    try:
        yield store
    finally:
        store.close()
        if lock is not None:
            lock.release()


def _modalities(store: Store, row: ItemRow) -> dict[Modality, Segment]:
    """Return an item's modalities, each with the stretch that its vectors cover."""
    found: dict[Modality, Segment] = {}
    for modality, start_s, end_s in store.stretches(row.id):
        if modality in set(Modality):
            found[Modality(modality)] = Segment(start_s, end_s)
    return found


def _embed(
    rows: Sequence[ItemRow],
    held: dict[str, dict[Modality, Segment]],
    media: MediaFiles,
    made: Collection,
    workers: int,
) -> list[Skipped]:
    """Embed items and store them; return those that could not be."""
    skipped: list[Skipped] = []
    sources: list[SourceItem] = []
    for row in rows:
        if row.media_sha256 is None or not media.is_whole(row.media_sha256):
            skipped.append(Skipped(row.id, "it has no media to be embedded from"))
        elif not held[row.id]:
            skipped.append(Skipped(row.id, "this build knows none of its modalities"))
        else:
            sources.append(_source(row, held[row.id], media.path(row.media_sha256)))
    if sources:
        pending = []
        for outcome in embed_media(
            sources,
            made.bundle,
            media=made.media_files,
            workers=workers,
            advance=lambda: None,
        ):
            if isinstance(outcome, Skipped):
                skipped.append(outcome)
            else:
                pending.append(made.submit(Put(item=outcome)))
        for future in pending:
            future.result()
    return skipped


def _source(row: ItemRow, held: dict[Modality, Segment], path: Path) -> SourceItem:
    known = dict(row.metadata)
    facts = {name: known.pop(name, None) for name in ("split", "pair", "group")}
    (segment,) = set(held.values()) if len(set(held.values())) == 1 else (Segment(),)
    return SourceItem(
        id=row.id,
        media=dict.fromkeys(held, path),
        label=row.label,
        segment=segment,
        metadata=known,
        **facts,
    )
