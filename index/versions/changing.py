"""Changing: the jobs by which a collection passes to another model, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from crossmodal.errors import CollectionError
from index.collection import Collection
from index.jobs.task import Task
from index.storage.store import Store
from index.storage.transaction import Transaction
from index.versions.beside import beside_id, has_index, open_beside, remove_beside, was_used
from index.versions.reembedding import LeftOut, NotCaughtUpError, Reembedding

MODEL = "model_id"  # the parameter of a task that tells which bundle was meant
LAST = 16  # items embedded while writes wait
ROUNDS = 20  # of catching up, until that few are left
TOLD = 20  # items left out that are named
FORGOTTEN_AT_ONCE = 2000  # vectors per transaction


def reembed(collection: Collection, task: Task) -> Mapping[str, Any]:
    """Embed everything by the bundle beside and make its index files.

    Raises:
        CollectionError: If no bundle lies beside.
    """
    with _reembedding(collection, task) as work:
        left_out = work.catch_up(task.note, task.check)
        work.make_index(collection.bases, task.check)
        return _told(work, left_out)


def switch(
    collection: Collection, task: Task, then: Callable[[Collection], None]
) -> Mapping[str, Any]:
    """Embed what is missing, and serve the bundle beside from then on.

    Args:
        collection: What is served.
        task: Its parameter ``partial`` says whether items may be left out of searches.
        then: Takes what is to be served; called once searches may use it.

    Raises:
        CollectionError: If no bundle lies beside, items cannot be embedded and it is not
            ``partial``, or more is written than can be embedded.
    """
    if collection.bundle.model_id == task.params.get(MODEL):
        return {MODEL: collection.bundle.model_id}  # the process ended right after it
    with _reembedding(collection, task) as work:
        left_out, changed = _change(collection, task, work)
        then(changed)
        return _told(work, left_out)


def _change(
    collection: Collection, task: Task, work: Reembedding
) -> tuple[Sequence[LeftOut], Collection]:
    partial = bool(task.params.get("partial"))
    _check_left_out(work.catch_up(task.note, task.check), partial)
    if not has_index(collection.directory, work.bundle.model_id):
        work.make_index(collection.bases, task.check)
    work.be_quick()

    left_out: list[LeftOut] = []

    def before(store: Store) -> None:
        work.finish(store, LAST)
        left_out[:] = work.left_out(store)
        _check_left_out(left_out, partial)

    for _ in range(ROUNDS):
        _check_left_out(work.catch_up(task.note, task.check), partial)
        task.check()
        with suppress(NotCaughtUpError):
            return left_out, collection.change_model(work.bundle, work.index, before)
    raise CollectionError("more is written than can be embedded; try when less is")


def discard(collection: Collection, task: Task) -> Mapping[str, Any]:
    """Remove the bundle beside with its index files and all of its vectors."""
    model_id = beside_id(collection.directory)
    if model_id is None or model_id != task.params.get(MODEL):
        return {"vectors": 0}
    return {MODEL: model_id, "vectors": _forget(collection, model_id, task.check)}


def give_up(collection: Collection) -> None:
    """Leave no trace of a bundle beside that was never served; keep one that was."""
    model_id = beside_id(collection.directory)
    if model_id is not None and not was_used(collection.directory):
        _forget(collection, model_id, lambda: None)


def _forget(collection: Collection, model_id: str, check: Callable[[], None]) -> int:
    forgotten = 0

    def forget(transaction: Transaction) -> int:
        nonlocal forgotten
        gone = transaction.forget_vectors(model_id, FORGOTTEN_AT_ONCE)
        forgotten += gone
        return gone

    before = -1
    while forgotten > before:
        check()
        before = forgotten
        collection.write(model_id, forget)
    remove_beside(collection.directory, collection.reached)
    return forgotten


def _reembedding(collection: Collection, task: Task) -> Reembedding:
    bundle = open_beside(collection.directory)
    if bundle is None:
        raise CollectionError(
            "no bundle lies beside the one in use; python -m index reembed --bundle NEW "
            "lays it there"
        )
    if bundle.model_id != task.params.get(MODEL):
        raise CollectionError("another bundle lies beside by now than the one meant")
    return Reembedding(collection, bundle, task.params.get("workers") or 1)


def _check_left_out(left_out: Sequence[LeftOut], partial: bool) -> None:
    if left_out and not partial:
        first = left_out[:TOLD]
        named = ", ".join(item.item_id for item in first)
        others = len(left_out) - len(first)
        raise CollectionError(
            f"{len(left_out)} items cannot be embedded by the other bundle, the first "
            f"since {left_out[0].reason}; delete them, or switch with partial, which "
            f"leaves them out of searches: {named}"
            + (f" and {others} more" if others else "")
        )


def _told(work: Reembedding, left_out: Sequence[LeftOut]) -> dict[str, Any]:
    return {
        MODEL: work.bundle.model_id,
        "embedded": work.embedded,
        "left_out": len(left_out),
        "skipped": [one._asdict() for one in left_out[:TOLD]],
    }
