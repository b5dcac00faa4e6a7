"""Writing: what was asked, handed to the collection's writer, and what became of it.

A reply is only given once everything in it is durable and part of the view that the next
search takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from crossmodal.errors import CrossmodalError
from crossmodal.items import ITEM_ID
from index.collection import Collection
from index.writing.operations import Idempotency, ItemResult, Operation, Put, Receipt
from service.problems import ProblemError, problem_of
from service.runtime import Runtime
from service.searching.parameters import validate
from service.storing.new_items import IngestRequest, NewItemFields, read_item

REFUSED = "refused"
MAX_DETAIL = 500  # characters


class Refused(NamedTuple):
    """An item that is not stored, and why; without an id if none can be told."""

    item_id: str | None
    problem: ProblemError


class Submitted(NamedTuple):
    """Operations on their way, in order, with what was refused among them."""

    entries: Sequence[Operation | Refused]
    receipt: Future[Receipt]


class Written(NamedTuple):
    """The same once they are durable, with the index's receipt."""

    entries: Sequence[Operation | Refused]
    receipt: Receipt


def writable(service: Runtime) -> Collection:
    """Return the collection, if it may be changed.

    Raises:
        ProblemError: ``forbidden``, if the service only reads; ``not-ready``.
    """
    collection = service.collection
    if not collection.writable:
        raise ProblemError("forbidden", "this service only reads its collection")
    return collection


def submit(
    collection: Collection,
    entries: Sequence[Operation | Refused],
    idempotency: Idempotency | None,
) -> Submitted:
    """Hand over what was not refused; runs in a thread.

    With a key this happens even if nothing is left, so that the key stands for the
    request.

    Raises:
        CrossmodalError: If the collection cannot take it.
    """
    operations = [entry for entry in entries if not isinstance(entry, Refused)]
    if operations or idempotency is not None:
        receipt = collection.submit(*operations, idempotency=idempotency)
    else:
        receipt = Future()
        receipt.set_result(Receipt(seq=collection.view.seq, results=[]))
    return Submitted(entries, receipt)


async def acknowledged(service: Runtime, submitting: Awaitable[Submitted]) -> Written:
    """Wait until what a thread hands over is durable and part of the view.

    Raises:
        CrossmodalError: If it is refused, or there is no space.
    """
    entries, receipt = await submitting
    with service.telemetry.timed("store"):
        return Written(entries, await asyncio.wrap_future(receipt))


def read_items(
    service: Runtime, collection: Collection, request: IngestRequest
) -> list[Operation | Refused]:
    """Return what stores each item, or why it is refused, in order; runs in a thread.

    Raises:
        ProblemError: ``model-mismatch``, if another model made the vectors;
            ``encoder-failing``.
    """
    if request.model not in (None, collection.bundle.model_id):
        raise ProblemError(
            "model-mismatch", "GET /collection names the model whose vectors are taken"
        )
    replace = request.replace
    return [_read(service, collection, item, replace=replace) for item in request.items]


def item_fields(written: Written) -> list[dict[str, Any]]:
    """Return what became of each item, in the order of the request."""
    results = iter(written.receipt.results)
    return [
        _refusal(entry) if isinstance(entry, Refused) else result_fields(next(results))
        for entry in written.entries
    ]


def result_fields(result: ItemResult) -> dict[str, Any]:
    """Return what became of one item."""
    return {"id": result.item_id, "status": result.status}


def _read(
    service: Runtime, collection: Collection, fields: dict[str, Any], *, replace: bool
) -> Put | Refused:
    item_id = _id_of(fields)
    try:
        item = validate(NewItemFields, fields)
        return read_item(service, collection, item.id, item, replace=replace)
    except (ProblemError, CrossmodalError) as error:
        problem = problem_of(error)
        if problem.code in ("encoder-failing", "internal", "not-ready"):
            raise  # no fault of this item: nothing of the request is stored
        return Refused(item_id, problem)


def _id_of(fields: Mapping[str, Any]) -> str | None:
    """Return the id that an item was sent with, if it can be one."""
    item_id = fields.get("id")
    fits = isinstance(item_id, str) and ITEM_ID.fullmatch(item_id)
    return item_id if fits else None


def _refusal(refused: Refused) -> dict[str, Any]:
    problem = refused.problem
    return {
        "id": refused.item_id,
        "status": REFUSED,
        "code": problem.code,
        "detail": problem.detail[:MAX_DETAIL],
    }
