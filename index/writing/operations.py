"""Operations: what is asked to be written, and what is answered once that is durable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from crossmodal.errors import ConfigError
from index.storage.new_items import NewItem
from index.views.filters import Filter

KEY_LIFETIME_S = 24 * 3600.0
MAX_KEY = 255  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Store an item.

    Attributes:
        item: What to store; its vectors are scaled to unit norm. Modalities that the
            bundle lacks are kept and not searched.
        media: A file to copy beside it, or its content, with which results can be
            played; without it ``item.media_sha256`` may name a file that is kept already.
        replace: Whether an item of the same id gives way; otherwise it stays as it is
            and the result is `Status.EXISTS`.
    """

    item: NewItem
    media: Path | bytes | None = None
    replace: bool = True


MOST_BY_FILTER = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete the items of these ids, or those that a filter admits: one of both.

    Of what a filter admits the first `MOST_BY_FILTER` by id are deleted, so that no
    transaction keeps other writes waiting; as long as so many were, there may be more.
    """

    ids: Sequence[str] = ()
    filter: Filter | None = None

    def __post_init__(self) -> None:
        if bool(self.ids) == (self.filter is not None):
            raise ConfigError("a deletion takes either ids or a filter")


Operation = Put | Delete


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """A client's key for one request, and the sha256 of that request.

    The same key and request again get the first answer, for 24 hours, also after a
    restart; nothing is written twice. Keys of different clients must be told apart by
    the caller, for instance by a prefix.
    """

    key: str
    request_sha256: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.key) <= MAX_KEY:
            raise ConfigError(f"an idempotency key has 1 to {MAX_KEY} characters")


class Status(StrEnum):
    """What became of one item."""

    CREATED = "created"
    REPLACED = "replaced"
    EXISTS = "exists"
    DELETED = "deleted"
    MISSING = "missing"


class ItemResult(NamedTuple):
    """What became of one item, and the number of the write; None if nothing was."""

    item_id: str
    status: Status
    seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was written: durable, and part of every view from ``seq`` on.

    Attributes:
        seq: The number of the last write of the submission, or of the view it was
            judged by if it wrote nothing.
        results: One per put and per id deleted, in the order asked for.
        replayed: Whether this is an earlier answer, found by its idempotency key.
    """

    seq: int
    results: Sequence[ItemResult]
    replayed: bool = False

    def to_json(self) -> bytes:
        """Return what is kept under an idempotency key."""
        return json.dumps({"seq": self.seq, "results": self.results}).encode()

    @classmethod
    def from_json(cls, raw: bytes) -> Receipt:
        """Return the receipt that was kept, marked as replayed."""
        value = json.loads(raw)
        results = [
            ItemResult(id_, Status(status), seq) for id_, status, seq in value["results"]
        ]
        return cls(seq=value["seq"], results=results, replayed=True)
