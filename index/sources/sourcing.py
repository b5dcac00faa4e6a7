"""Sourcing: any source of clips or features into items, embedded and ready to store."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from crossmodal.bundle import Bundle
from crossmodal.errors import ConfigError, DataError
from crossmodal.faults import naming
from crossmodal.feature_tables import FeaturesFile
from crossmodal.items import SPLITS, SourceItem
from crossmodal.sources import read_source
from index.sources.known_features import KnownFeatures
from index.sources.source_features import embed_tables, served_tables
from index.sources.source_media import Skipped, embed_media
from index.storage.media import MediaFiles
from index.storage.new_items import NewItem

EVERY_SPLIT = "all"
STORED = "an item of this id is stored already"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


@contextmanager
def silent(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Show no progress."""
    yield lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourcing:
    """How to read a source.

    Attributes:
        bundle: What to embed with.
        split: Take only items of this split: train, val, test, or all.
        workers: Clips embedded at a time; None for one per core.
        progress: Shows how far it is.
        known: Features computed before; clips found there are not decoded again.
        leave_out: Ids of items that are stored: they are yielded as skipped.

    Raises:
        ConfigError: If the split is none.
    """

    bundle: Bundle
    split: str = EVERY_SPLIT
    workers: int | None = None
    progress: Progress = silent
    known: KnownFeatures | None = None
    leave_out: Collection[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        check_split(self.split)

    @property
    def threads(self) -> int:
        """How many clips are embedded at a time."""
        return self.workers or len(os.sched_getaffinity(0))


def check_split(split: str) -> None:
    """Check the name of a split.

    Raises:
        ConfigError: If it is none, nor ``all``.
    """
    if split not in (*SPLITS, EVERY_SPLIT):
        raise ConfigError(f"split must be {', '.join(SPLITS)} or all, got {split!r}")


def known_features(path: Path, bundle: Bundle) -> KnownFeatures:
    """Return the features of a file by the content that they were computed from.

    Raises:
        DataError: If no row says what that was, or another front end made them.
    """
    with naming(path):
        known = KnownFeatures(served_tables(_read_features(path), bundle))
    if not len(known):
        raise DataError(
            f"{path}: no row says which file it was computed from; it was not prepared "
            "from media, or by an older version"
        )
    return known


def embed_source(
    source: Path, sourcing: Sourcing, media: MediaFiles | None
) -> Iterator[NewItem | Skipped]:
    """Yield the items of a labelled folder, a manifest or a features file.

    Args:
        source: What to read.
        sourcing: How.
        media: Where to keep copies of clips; None keeps none.

    Raises:
        DataError: If the source is unusable, holds nothing of the split, or comes from
            another front end than the bundle's.
        FrontEndError: If the bundle cannot read media, here or at all.
    """
    if _is_features_file(source):
        with naming(source):
            yield from _from_features(_read_features(source), sourcing)
    else:
        yield from _from_media(read_source(source), sourcing, media)


def _from_features(data: FeaturesFile, how: Sourcing) -> Iterator[NewItem | Skipped]:
    part = data.of_split(how.split)
    if not sum(len(table) for table in served_tables(part, how.bundle).values()):
        raise DataError(f"no row belongs to split {how.split}")
    if how.leave_out:
        ids = {str(item_id) for table in part.modalities.values() for item_id in table.id}
        yield from _stored(ids, how.leave_out)
        part = _without(part, how.leave_out)
    total = sum(len(table) for table in served_tables(part, how.bundle).values())
    with how.progress("Embedding features", total) as advance:
        yield from embed_tables(part, how.bundle, workers=how.threads, advance=advance)


def _without(data: FeaturesFile, ids: Collection[str]) -> FeaturesFile:
    tables = {
        modality: table.take(
            np.flatnonzero([str(item_id) not in ids for item_id in table.id])
        )
        for modality, table in data.modalities.items()
    }
    return FeaturesFile(data.name, tables)


def _from_media(
    items: list[SourceItem], how: Sourcing, media: MediaFiles | None
) -> Iterator[NewItem | Skipped]:
    if how.known is not None:  # a folder's clips got their splits when they were prepared
        items = [
            item if item.split else replace(item, split=how.known.split_of(item.id))
            for item in items
        ]
    wanted = [item for item in items if how.split in (EVERY_SPLIT, item.split)]
    if not wanted:
        raise DataError(f"no item belongs to split {how.split}")
    yield from _stored((item.id for item in wanted), how.leave_out)
    wanted = [item for item in wanted if item.id not in how.leave_out]
    if not wanted:
        return
    with how.progress("Embedding clips", len(wanted)) as advance:
        yield from embed_media(
            wanted,
            how.bundle,
            media=media,
            workers=how.threads,
            advance=advance,
            known=how.known,
        )


def _stored(ids: Iterable[str], leave_out: Collection[str]) -> Iterator[Skipped]:
    return (Skipped(item_id, STORED) for item_id in ids if item_id in leave_out)


def _read_features(path: Path) -> FeaturesFile:
    from crossmodal.features import read_features  # here: a search needs no HDF5

    return read_features(path)


def _is_features_file(source: Path) -> bool:
    if not source.is_file():
        return False
    with source.open("rb") as file:
        return file.read(len(_HDF5_MAGIC)) == _HDF5_MAGIC
