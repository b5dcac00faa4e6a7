"""Groups: submissions that are written in one transaction, each whole or not at all."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from crossmodal.errors import (
    CrossmodalError,
    IdempotencyConflictError,
    ModelChangedError,
    StorageFullError,
)
from crossmodal.modality import Modality
from index.storage.new_items import CheckedItem
from index.storage.transaction import KeptReply, Transaction
from index.views.item_map import ItemMap
from index.views.items import StoredItem
from index.views.loading import Model
from index.views.view_builder import Change, FreshVector
from index.writing.operations import (
    KEY_LIFETIME_S,
    MOST_BY_FILTER,
    Delete,
    Idempotency,
    ItemResult,
    Receipt,
    Status,
)

_ROW_BYTES = 4096  # what an item costs in the database beside its vectors, about


@dataclass(frozen=True, slots=True)
class CheckedPut:
    """A put whose item was checked and whose media are kept."""

    checked: CheckedItem
    replace: bool


@dataclass(slots=True)
class Submission:
    """Operations that are written together, and what holds their receipt.

    ``model_id`` is of the model that made the vectors, None for the one served.
    """

    operations: Sequence[CheckedPut | Delete]
    idempotency: Idempotency | None = None
    model_id: str | None = None
    done: Future[Receipt] = field(default_factory=Future)

    @property
    def size(self) -> int:
        """How many items it writes at most."""
        return sum(
            len(o.ids) or MOST_BY_FILTER if isinstance(o, Delete) else 1
            for o in self.operations
        )


class Draft:
    """What a transaction has changed so far, as the items will be once it is committed."""

    def __init__(self, items: ItemMap) -> None:
        self._items = items
        self._changed: dict[str, StoredItem | None] = {}
        self.changes: list[Change] = []
        self.shown: list[str] = []  # sha256 of media that one more item shows
        self.hidden: list[str] = []  # and that one item less shows
        self.unserved = False
        self.bytes = 0

    def __contains__(self, item_id: str) -> bool:
        if item_id in self._changed:
            return self._changed[item_id] is not None
        return item_id in self._items

    def record(self, change: Change) -> None:
        """Take note of a change."""
        before = self._changed.get(change.item_id, self._items.get(change.item_id))
        if before is not None and before.media_sha256 is not None:
            self.hidden.append(before.media_sha256)
        if change.item is not None and change.item.media_sha256 is not None:
            self.shown.append(change.item.media_sha256)
        self.changes.append(change)
        self._changed[change.item_id] = change.item
        self.bytes += _ROW_BYTES

    def items(self) -> Iterator[StoredItem]:
        """Walk through the items as they are now."""
        for item in self._items.values():
            if item.id not in self._changed:
                yield item
        yield from (item for item in self._changed.values() if item is not None)


def write_group(
    group: Sequence[Submission],
    transaction: Transaction,
    draft: Draft,
    model: Model,
    *,
    spare: Callable[[], bool],
) -> list[Receipt | CrossmodalError]:
    """Write submissions one after the other and return what each is to be told.

    A submission that is refused has written nothing; any other error ends them all.

    Args:
        group: The submissions.
        transaction: What to write in.
        draft: Takes note of what is changed.
        model: The bundle that makes the vectors.
        spare: Tells whether the disk has space for more than deletions.
    """
    now = time.time()
    roomy = (
        all(isinstance(o, Delete) for submission in group for o in submission.operations)
        or spare()
    )
    answers: list[Receipt | CrossmodalError] = []
    for submission in group:
        try:
            answers.append(_write(submission, transaction, draft, model, now, roomy))
        except (IdempotencyConflictError, ModelChangedError, StorageFullError) as error:
            answers.append(error)
    return answers


def _write(
    submission: Submission,
    transaction: Transaction,
    draft: Draft,
    model: Model,
    now: float,
    roomy: bool,
) -> Receipt:
    idempotency = submission.idempotency
    if idempotency is not None:
        kept = transaction.reply_to(idempotency.key, now)
        if kept is not None:
            if kept.request_sha256 != idempotency.request_sha256:
                raise IdempotencyConflictError(
                    "this idempotency key was used for another request"
                )
            return Receipt.from_json(kept.body)
    puts = any(isinstance(o, CheckedPut) for o in submission.operations)
    if puts and submission.model_id not in (None, model.id):
        raise ModelChangedError("the model was changed meanwhile; send it again")
    if not roomy and puts:
        raise StorageFullError(
            "the disk has too little space left to store more; delete items or free some"
        )
    results: list[ItemResult] = []
    for operation in submission.operations:
        if isinstance(operation, Delete):
            results += _delete(operation, transaction, draft)
        else:
            results.append(_put(operation, transaction, draft, model, now))
    receipt = Receipt(seq=transaction.seq, results=results)
    if idempotency is not None:
        reply = KeptReply(idempotency.request_sha256, receipt.to_json())
        transaction.keep_reply(idempotency.key, reply, now + KEY_LIFETIME_S)
    return receipt


def _put(
    put: CheckedPut, transaction: Transaction, draft: Draft, model: Model, now: float
) -> ItemResult:
    checked, item_id = put.checked, put.checked.item.id
    exists = item_id in draft
    if exists and not put.replace:
        return ItemResult(item_id, Status.EXISTS, None)
    write = transaction.replace if exists else transaction.insert
    seqs = write(checked, created=now)
    served = []
    for seq, vector, row in zip(
        seqs, checked.item.vectors, checked.embeddings, strict=True
    ):
        if vector.modality in model.modalities:
            modality = Modality(vector.modality)
            served.append(FreshVector(seq, modality, vector.segment, row))
        else:
            draft.unserved = True
    item = StoredItem(
        id=item_id,
        seq=transaction.seq,
        label=checked.item.label,
        metadata=json.loads(checked.metadata),
        modalities=tuple(sorted({vector.modality for vector in served})),
        media_sha256=checked.item.media_sha256,
        created=now,
    )
    draft.record(Change(item_id, item, tuple(served)))
    draft.bytes += checked.embeddings.nbytes
    return ItemResult(
        item_id, Status.REPLACED if exists else Status.CREATED, transaction.seq
    )


def _delete(
    deletion: Delete, transaction: Transaction, draft: Draft
) -> Iterator[ItemResult]:
    ids = deletion.ids
    if deletion.filter is not None:
        admits = deletion.filter.admits
        found = (i.id for i in draft.items() if admits(i.label, i.metadata))
        ids = heapq.nsmallest(MOST_BY_FILTER, found)
    for item_id in ids:
        if item_id not in draft:
            yield ItemResult(item_id, Status.MISSING, None)
            continue
        transaction.delete(item_id)
        draft.record(Change(item_id, None))
        yield ItemResult(item_id, Status.DELETED, transaction.seq)
