"""Records of a page: rows of a table, or keys of an index, each checked to be one.

Source:
    SQLite, Database File Format, sections 1.6 and 2.1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from index.recovery.pages import Pages

TABLE_LEAF, INDEX_LEAF, INDEX_INNER = 13, 10, 2
_WITHOUT_RECORDS = (5, 0)  # what leads to rows, and what goes on from another page
_HEADER = {TABLE_LEAF: 8, INDEX_LEAF: 8, INDEX_INNER: 12}
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type -> bytes
_MOST_BYTES = 1 << 26  # of a record; no row of ours comes near
_MOST_HEADER = 100  # ten columns, of nine bytes each

Value = None | int | float | str | bytes


class Record(NamedTuple):
    """A row with its number, or a key of an index without one."""

    rowid: int | None
    values: tuple[Value, ...]


class _NoRecordError(Exception):
    """The bytes are no record."""


def records(pages: Pages, number: int) -> Iterator[Record | None]:
    """Yield the records of a page, None for one that is damaged or a page of no kind."""
    page = pages.page(number)
    start = 100 if number == 1 else 0  # of the file's header
    if page is None or page[start] in _WITHOUT_RECORDS:
        return
    kind = page[start]
    if kind not in _HEADER:
        yield None
        return
    (count,) = struct.unpack(">H", page[start + 3 : start + 5])
    first = start + _HEADER[kind]
    places = page[first : first + 2 * count]
    for (place,) in struct.iter_unpack(">H", places[: len(places) // 2 * 2]):
        try:
            yield _cell(pages, page, kind, place)
        except (_NoRecordError, IndexError, struct.error, UnicodeDecodeError):
            yield None


def _cell(pages: Pages, page: memoryview, kind: int, place: int) -> Record:
    rowid = None
    if kind == INDEX_INNER:
        place += 4  # past the page below
    length, place = _varint(page, place)
    if kind == TABLE_LEAF:
        rowid, place = _varint(page, place)
    payload = _payload(pages, page, place, length, table=kind == TABLE_LEAF)
    return Record(rowid, tuple(_values(payload)))


def _payload(
    pages: Pages, page: memoryview, place: int, length: int, *, table: bool
) -> bytes:
    """Return a record's bytes, of which what does not fit stands on other pages.

    The length ends it where the pages lead back to themselves.
    """
    if not 0 < length <= _MOST_BYTES:
        raise _NoRecordError
    usable = len(page)
    most = usable - 35 if table else (usable - 12) * 64 // 255 - 23
    least = (usable - 12) * 32 // 255 - 23
    here = length
    if length > most:
        here = least + (length - least) % (usable - 4)
        here = here if here <= most else least
    parts = [bytes(page[place : place + here])]
    missing = length - here
    if missing:
        (following,) = struct.unpack(">I", page[place + here : place + here + 4])
    while missing > 0:
        more = pages.page(following)
        if more is None:
            raise _NoRecordError
        part = bytes(more[4 : 4 + missing])
        parts.append(part)
        missing -= len(part)
        (following,) = struct.unpack(">I", more[:4])
    payload = b"".join(parts)
    if len(payload) != length:
        raise _NoRecordError
    return payload


def _values(payload: bytes) -> Iterator[Value]:
    view = memoryview(payload)
    end, place = _varint(view, 0)
    if end > _MOST_HEADER:
        raise _NoRecordError
    kinds = []
    while place < end:
        kind, place = _varint(view, place)
        kinds.append(kind)
    if place != end or end + sum(map(_size, kinds)) != len(payload):
        raise _NoRecordError
    for kind in kinds:
        size = _size(kind)
        yield _value(kind, payload[place : place + size])
        place += size


def _value(kind: int, raw: bytes) -> Value:
    if kind == 0:
        return None
    if kind in _INTEGERS:
        return int.from_bytes(raw, "big", signed=True)
    if kind == 7:
        (number,) = struct.unpack(">d", raw)
        return float(number)
    if kind in (8, 9):
        return kind - 8
    return raw.decode() if kind % 2 else raw


def _size(kind: int) -> int:
    if kind < 0 or kind in (10, 11):
        raise _NoRecordError
    if kind >= 12:
        return (kind - 12) // 2
    return 8 if kind == 7 else _INTEGERS.get(kind, 0)


def _varint(page: memoryview, place: int) -> tuple[int, int]:
    """Return a number of 1 to 9 bytes, and where it ends."""
    value = 0
    for length in range(8):
        byte = page[place + length]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + length + 1
    value = value << 8 | page[place + 8]
    return (value - (1 << 64) if value >= 1 << 63 else value), place + 9
