"""Contents: the rows that a database's pages show, told apart by what they look like.

Which table a page belongs to is written in other pages, which may be the damaged ones.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeGuard

from crossmodal.errors import DataError
from crossmodal.items import check_item_id
from index.recovery.pages import Pages
from index.recovery.records import Record, records
from index.storage.job import Job
from index.storage.new_items import VECTOR_TYPE
from index.writing.operations import Receipt

_MOST = 1 << 53  # of numbers, dates and seconds


class ItemFound(NamedTuple):
    """A row of ``items``, as it is stored."""

    id: str
    seq: int
    label: str | None
    media_sha256: str | None
    meta: str
    created: float


class Place(NamedTuple):
    """Where a vector belongs: its row says so, and the index `vectors_of_model` again."""

    item_id: str
    modality: str
    model_id: str
    start_s: float
    end_s: float | None


@dataclass(slots=True)
class Contents:
    """What was found; of an item stored several times, each version that is left.

    Attributes:
        items: By id.
        places: By the vector's number; of a damaged row and a whole one, both.
        vectors: Their bytes, by number and place; the checksum of each holds.
        log: By number, what was done to which id.
        replies: Rows of ``idem`` by key.
        jobs: Rows of ``jobs`` by id.
        last_seq: The highest number seen anywhere.
        current: Whether nothing that was deleted can be among what was found, as far as
            the list of free pages and the log of pages tell.
        damaged_pages: How many pages have a record that is none.
    """

    items: dict[str, list[ItemFound]] = field(default_factory=dict)
    places: dict[int, set[Place]] = field(default_factory=dict)
    vectors: dict[tuple[int, Place], bytes] = field(default_factory=dict)
    log: dict[int, tuple[str, str]] = field(default_factory=dict)
    replies: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    jobs: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    last_seq: int = 0
    current: bool = False
    damaged_pages: int = 0

    def places_of(self, number: int, item_id: str) -> list[Place]:
        """Return what is told of a number as that of a vector of an item."""
        return [one for one in self.places.get(number, ()) if one.item_id == item_id]

    def take(self, record: Record) -> None:
        """Keep a record if it is a row of one of the tables."""
        reader = _READERS.get((record.rowid is not None, len(record.values)))
        if reader is not None:
            reader(self, record)


def read_contents(pages: Pages) -> Contents:
    """Return everything that stands on pages which are not free."""
    contents = Contents(current=pages.free is not None and not pages.broken_frames)
    for number in pages:
        if number not in (pages.free or ()):
            damaged = False
            for record in records(pages, number):
                damaged = damaged or record is None
                if record is not None:
                    contents.take(record)
            contents.damaged_pages += damaged
    known = [contents.last_seq, *contents.log, *contents.places]
    known += [row.seq for rows in contents.items.values() for row in rows]
    contents.last_seq = max(known)
    return contents


def _item(contents: Contents, record: Record) -> None:
    item_id, seq, label, media, meta, created = record.values
    if (
        isinstance(item_id, str)
        and _is_number(seq)
        and (label is None or isinstance(label, str))
        and (media is None or isinstance(media, str))
        and isinstance(meta, str)
        and _is_time(created)
        and _is_id(item_id)
        and _is_object(meta)
    ):
        row = ItemFound(item_id, seq, label, media, meta, float(created))
        contents.items.setdefault(item_id, []).append(row)


def _vector(contents: Contents, record: Record) -> None:
    _, item_id, modality, model_id, start_s, end_s, dim, raw, crc = record.values
    if (
        isinstance(raw, bytes)
        and type(dim) is int
        and len(raw) == dim * VECTOR_TYPE.itemsize
        and zlib.crc32(raw) == crc
    ):
        seq, told = record.rowid, (item_id, modality, model_id, start_s, end_s)
        place = _put_place(contents, seq, *told)
        if place is not None and seq is not None:
            contents.vectors[seq, place] = raw


def _place(contents: Contents, record: Record) -> None:
    modality, model_id, seq, item_id, start_s, end_s, rowid = record.values
    if seq == rowid:
        _put_place(contents, seq, item_id, modality, model_id, start_s, end_s)


def _put_place(
    contents: Contents,
    seq: object,
    item_id: object,
    modality: object,
    model_id: object,
    start_s: object,
    end_s: object,
) -> Place | None:
    if not (
        _is_number(seq)
        and isinstance(item_id, str)
        and isinstance(modality, str)
        and isinstance(model_id, str)
        and _is_time(start_s)
        and (end_s is None or (_is_time(end_s) and start_s <= end_s))
        and _is_id(item_id)
    ):
        return None
    end = None if end_s is None else float(end_s)
    place = Place(item_id, modality, model_id, float(start_s), end)
    contents.places.setdefault(seq, set()).add(place)
    return place


def _log(contents: Contents, record: Record) -> None:
    _, op, item_id = record.values
    if _is_number(record.rowid) and op in ("add", "replace", "delete"):
        if isinstance(item_id, str) and _is_id(item_id):
            contents.log[record.rowid] = (str(op), item_id)


def _reply_or_job(contents: Contents, record: Record) -> None:
    key, kind, state, content, when = record.values
    if not (isinstance(key, str) and isinstance(kind, str) and _is_time(when)):
        return
    if type(state) is int and isinstance(content, bytes) and _is_reply(content):
        contents.replies[key] = record.values
    elif isinstance(state, str) and isinstance(content, str):
        try:
            Job.from_row(key, kind, state, content, when)
        except (AttributeError, TypeError, ValueError, RecursionError):
            return
        contents.jobs[key] = record.values


def _counter(contents: Contents, record: Record) -> None:
    name, seq = record.values
    if name == "log" and _is_number(seq):
        contents.last_seq = max(contents.last_seq, seq)


# by whether it has a number of its own, and how many values it has
_READERS: dict[tuple[bool, int], Callable[[Contents, Record], None]] = {
    (True, 6): _item,
    (True, 9): _vector,
    (False, 7): _place,
    (True, 3): _log,
    (True, 5): _reply_or_job,
    (True, 2): _counter,
}


def _is_id(text: str) -> bool:
    try:
        check_item_id(text)
    except DataError:
        return False
    return True


def _is_number(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 < value < _MOST


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value) and 0 <= value < _MOST


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _is_reply(body: bytes) -> bool:
    try:
        Receipt.from_json(body)
    except (KeyError, TypeError, ValueError, RecursionError):
        return False
    return True
