"""Add: more of a source into a data directory that is there already."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from crossmodal.bundle import Bundle
from crossmodal.errors import CollectionError, CrossmodalError, ModelMismatchError
from index.collection import BUNDLE, Collection
from index.galleries.kinds import BaseSettings
from index.sources.source_media import Skipped
from index.sources.sourcing import (
    EVERY_SPLIT,
    STORED,
    Progress,
    Sourcing,
    embed_source,
    known_features,
    silent,
)
from index.storage.new_items import NewItem
from index.writing.compaction import CompactionPolicy
from index.writing.operations import Put, Receipt, Status

_UNDER_WAY = 256  # items submitted and not yet acknowledged


@dataclass(frozen=True, slots=True, kw_only=True)
class AddReport:
    """What was added, what was there already, and what was left out."""

    added: int
    replaced: int
    existing: int
    skipped: tuple[Skipped, ...]
    view_seq: int
    seconds: float


def add(
    directory: Path,
    source: Path,
    *,
    bundle: Path | None = None,
    features: Path | None = None,
    split: str = EVERY_SPLIT,
    workers: int | None = None,
    keep_media: bool = True,
    replace: bool = False,
    bases: BaseSettings | None = None,
    progress: Progress = silent,
) -> AddReport:
    """Embed a source with the directory's own bundle and store what is not there yet.

    Each item is durable once it is counted, so a second run after an interruption
    embeds and stores the rest, and one after the end does nothing.

    Args:
        directory: The data directory.
        source: A labelled folder, a CSV or JSON manifest, or a features file.
        bundle: The bundle that the items are meant for, to be compared with the
            directory's own.
        features: Features of the clips computed before.
        split: Take only items of this split: train, val, test, or all.
        workers: Clips embedded at a time; by default one per core.
        keep_media: Whether to copy the media, so that results can be played.
        replace: Whether to embed items anew whose id is stored.
        bases: What decides the kind of index files that are made anew.
        progress: Shows how far it is.

    Raises:
        ModelMismatchError: If the bundle is another than the directory's.
        ConfigError: If the split is none.
        DataError: If the source is unusable, or comes from another front end.
        FrontEndError: If the bundle cannot read media, here or at all.
        CollectionLockedError: If another process holds the directory.
        StorageFullError: If the disk has too little space left.
    """
    policy = CompactionPolicy(bases=bases or BaseSettings())
    with Collection.open(directory, write=True, policy=policy) as collection:
        check_bundle(directory, bundle)
        return add_to(
            collection,
            source,
            features=features,
            split=split,
            workers=workers,
            keep_media=keep_media,
            replace=replace,
            progress=progress,
        )


def add_to(
    collection: Collection,
    source: Path,
    *,
    features: Path | None = None,
    split: str = EVERY_SPLIT,
    workers: int | None = None,
    keep_media: bool = True,
    replace: bool = False,
    progress: Progress = silent,
) -> AddReport:
    """Do what `add` does to a collection that is opened for writing.

    Searching and other writes go on meanwhile.
    """
    started = time.monotonic()
    stored = frozenset(collection.view.items)
    sourcing = Sourcing(
        bundle=collection.bundle,
        split=split,
        workers=workers,
        progress=progress,
        known=known_features(features, collection.bundle) if features else None,
        leave_out=frozenset() if replace else stored,
    )
    counts = dict.fromkeys(Status, 0)
    skipped: list[Skipped] = []
    waiting: deque[Future[Receipt]] = deque()
    media = collection.media_files if keep_media else None
    for outcome in embed_source(source, sourcing, media):
        if isinstance(outcome, Skipped):
            if outcome.reason == STORED:
                counts[Status.EXISTS] += 1
            else:
                skipped.append(outcome)
            continue
        try:
            waiting.append(_submit(collection, outcome, replace=replace))
        except CollectionError:
            raise
        except CrossmodalError as error:
            skipped.append(Skipped(outcome.id, str(error)))
        if len(waiting) > _UNDER_WAY:
            counts[_status(waiting.popleft())] += 1
    for future in waiting:
        counts[_status(future)] += 1
    return AddReport(
        added=counts[Status.CREATED],
        replaced=counts[Status.REPLACED],
        existing=counts[Status.EXISTS],
        skipped=tuple(skipped),
        view_seq=collection.view.seq,
        seconds=time.monotonic() - started,
    )


def check_bundle(directory: Path, given: Path | None) -> None:
    """Check that a bundle, if one is given, is the one of a data directory.

    Raises:
        ModelMismatchError: If it is another.
        BundleError: If one of them is damaged.
    """
    if given is None:
        return
    wanted, own = Bundle.open(given).model_id, Bundle.open(directory / BUNDLE).model_id
    if wanted != own:
        raise ModelMismatchError(
            f"the bundle given has model id {wanted}, the data directory was made with "
            f"{own}; build a directory of its own with the bundle given"
        )


def _submit(collection: Collection, item: NewItem, *, replace: bool) -> Future[Receipt]:
    return collection.submit(Put(item=item, replace=replace))


def _status(future: Future[Receipt]) -> Status:
    return future.result().results[0].status
