"""Re-embedding: items get vectors of the bundle beside, from the media that are kept.

Which items lack them is asked of the database each time, so that whatever was written or
deleted meanwhile, and whatever an earlier run did, is known without being noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from crossmodal.bundle import Bundle
from crossmodal.errors import CollectionError
from crossmodal.items import Segment, SourceItem
from crossmodal.media.decoder import Decoder
from crossmodal.modality import Modality
from index.collection import Collection, model_of
from index.galleries.bases import make_galleries
from index.galleries.kinds import BaseSettings
from index.sources.source_media import Skipped, embed_media
from index.storage.model_vectors import items_lacking
from index.storage.new_items import CheckedItem, check_item
from index.storage.store import ItemRow, Store
from index.storage.transaction import Transaction
from index.versions.beside import BESIDE, INDEX
from index.views.loading import read_vectors
from index.views.manifest import publish

AT_ONCE = 64  # items between two transactions
CHUNK = 1024  # items that may be embedded and not yet stored
NO_MEDIA = "it has no media to be embedded from"
_ROW_BYTES = 256  # what a vector costs in the database beside itself, about


class NotCaughtUpError(CollectionError):
    """More was written than can be embedded while writes wait."""


class LeftOut(NamedTuple):
    """An item that the bundle beside cannot embed, and why."""

    item_id: str
    reason: str


class Embedded(NamedTuple):
    """An item as it was read, and its vectors by the bundle beside."""

    row: ItemRow
    checked: CheckedItem


class Reembedding:
    """Brings the vectors of the bundle beside up to what a collection holds."""

    def __init__(self, collection: Collection, bundle: Bundle, workers: int = 1) -> None:
        """Embed with ``bundle``, so many clips at a time."""
        self.embedded = 0
        self.bundle = bundle
        self._collection = collection
        self._workers = workers
        self._decoder = Decoder(workers=workers)
        self._left_out: dict[tuple[str, int], LeftOut] = {}

    def __enter__(self) -> Reembedding:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.close()

    @property
    def index(self) -> Path:
        """Where the index files of these vectors are made."""
        return self._collection.directory / BESIDE / INDEX

    def left_out(self, store: Store) -> list[LeftOut]:
        """Return the stored items that cannot be embedded."""
        lacking = items_lacking(store, self.bundle.model_id)
        found = (self._left_out.get((row.id, row.seq)) for row in lacking)
        return [one for one in found if one is not None]

    def waiting(self, store: Store) -> list[ItemRow]:
        """Return the stored items that are still to be embedded."""
        lacking = items_lacking(store, self.bundle.model_id)
        return [row for row in lacking if (row.id, row.seq) not in self._left_out]

    def catch_up(
        self, note: Callable[[int, int], None], check: Callable[[], None]
    ) -> list[LeftOut]:
        """Embed what waits, and what comes meanwhile; return what cannot be embedded.

        Args:
            note: Told how much of how much is done.
            check: Called after each item; what it raises ends the work there.

        Raises:
            FrontEndError: If the bundle cannot read media, here or at all.
            StorageFullError: If too little space is left.
        """
        done = 0
        with self._collection.open_beside_writer() as store:
            while rows := self.waiting(store):
                total = done + len(rows)

                def advance() -> None:
                    nonlocal done
                    done += 1
                    note(min(done, total), total)  # noqa: B023
                    check()

                note(done, total)
                for start in range(0, len(rows), CHUNK):
                    self._embed(rows[start : start + CHUNK], store, advance)
            return self.left_out(store)

    def _embed(
        self, rows: Sequence[ItemRow], store: Store, advance: Callable[[], None]
    ) -> None:
        """Embed items and store their vectors durably, some in each transaction."""
        fresh: list[Embedded] = []

        def attach(transaction: Transaction) -> int:
            return self._attach(fresh, transaction)

        def commit() -> None:
            if fresh:
                self._collection.write(self.bundle.model_id, attach)
                fresh.clear()

        try:
            for one in self._embedded(rows, store, advance):
                fresh.append(one)
                if len(fresh) == AT_ONCE:
                    commit()
        finally:
            commit()

    def be_quick(self) -> None:
        """Make ready what `finish` may need, which writes would wait for."""
        if any(self.bundle.frontend(modality) for modality in self.bundle.modalities):
            self._decoder.warm()

    def finish(self, store: Store, most: int) -> None:
        """Embed the last items on the writer's thread, where nothing more can come.

        Raises:
            NotCaughtUpError: If there are more than ``most``.
        """
        rows = []
        for row in self.waiting(store):
            if row.media_sha256 is None:
                self._leave_out(row, NO_MEDIA)
            else:
                rows.append(row)
        if len(rows) > most:
            raise NotCaughtUpError(f"{len(rows)} items were written meanwhile")
        if rows:
            fresh = list(self._embedded(rows, store, lambda: None))
            with store.transaction(self.bundle.model_id) as transaction:
                self._attach(fresh, transaction)

    def _attach(self, fresh: Sequence[Embedded], transaction: Transaction) -> int:
        """Store vectors of items that are still the same; return about how many bytes."""
        written = 0
        for row, checked in fresh:
            if transaction.attach(checked, row.seq):
                self.embedded += 1
                written += checked.embeddings.nbytes + _ROW_BYTES * len(checked.embeddings)
        return written

    def make_index(self, settings: BaseSettings, check: Callable[[], None]) -> None:
        """Write index files of the vectors that there are now.

        Raises:
            CollectionError: If a stored vector is damaged.
            OSError: If the files cannot be written.
        """
        model = model_of(self.bundle)
        with self._collection.open_beside_writer() as store:
            with store.snapshot():
                seq, vectors = store.seq, read_vectors(store, model)
        check()
        galleries = make_galleries(vectors, settings)
        publish(
            self.index,
            galleries,
            seq=seq,
            model_id=model.id,
            reached=self._collection.reached,
        )

    def _embedded(
        self, rows: Sequence[ItemRow], store: Store, advance: Callable[[], None]
    ) -> Iterator[Embedded]:
        by_id = {row.id: row for row in rows}
        sources = []
        for row in rows:
            source = self._source(row, store)
            if source is None:
                advance()
            else:
                sources.append(source)
        if not sources:
            return
        for outcome in embed_media(
            sources,
            self.bundle,
            media=None,
            workers=self._workers,
            advance=advance,
            decoder=self._decoder,
        ):
            row = by_id[outcome.item_id if isinstance(outcome, Skipped) else outcome.id]
            if isinstance(outcome, Skipped):
                self._leave_out(row, outcome.reason)
            else:
                yield Embedded(row, check_item(outcome, self.bundle.manifest.dim))

    def _source(self, row: ItemRow, store: Store) -> SourceItem | None:
        """Return what an item is embedded from; None, noting why, if it cannot be."""
        held = {
            Modality(modality): Segment(start_s, end_s)
            for modality, start_s, end_s in store.stretches(row.id)
            if modality in self.bundle.modalities
        }
        media = self._collection.media_files
        if row.media_sha256 is None or not media.is_whole(row.media_sha256):
            self._leave_out(row, NO_MEDIA)
        elif not held:
            self._leave_out(row, "the bundle encodes none of its modalities")
        else:
            (segment,) = (
                set(held.values()) if len(set(held.values())) == 1 else (Segment(),)
            )
            path = media.path(row.media_sha256)
            return SourceItem(id=row.id, media=dict.fromkeys(held, path), segment=segment)
        return None

    def _leave_out(self, row: ItemRow, why: str) -> None:
        self._left_out[row.id, row.seq] = LeftOut(row.id, why)
