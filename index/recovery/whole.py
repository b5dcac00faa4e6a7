"""Whole items: which of those found are there with everything that belongs to them.

The numbers of an item's vectors stand right before its own, so that what is missing of it
shows. A number is never given twice: what a later line of the log names, or what index
files that were verified lack, was deleted or replaced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

from index.galleries.gallery import Gallery
from index.recovery.contents import Contents, ItemFound, Place
from index.storage.new_items import VECTOR_TYPE


class WholeItem(NamedTuple):
    """An item and its vectors, by number."""

    row: ItemFound
    vectors: Mapping[int, tuple[Place, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bases:
    """Index files that were verified: every live vector of a model up to a number."""

    seq: int = 0
    model_id: str = ""
    galleries: Mapping[str, Gallery] = field(default_factory=dict)

    def vector(self, seq: int) -> tuple[str, bytes] | None:
        """Return a vector's modality and bytes, if it is there."""
        for modality, gallery in self.galleries.items():
            row = int(gallery.seqs.searchsorted(seq))
            if row < len(gallery) and gallery.seqs[row] == seq:
                found = gallery.vectors(gallery.seqs[row : row + 1])[0]
                return modality, found.astype(VECTOR_TYPE).tobytes()
        return None


@dataclass(slots=True)
class Salvage:
    """What is whole, what is not and why, and what the index files gave back."""

    items: list[WholeItem] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    from_bases: int = 0


def whole_items(contents: Contents, bases: Bases) -> Salvage:
    """Return every item that is live and whole, and the ids of live ones that are not."""
    salvage = Salvage()
    named: dict[str, tuple[int, str]] = {}  # id -> the last that the log says of it
    for seq in sorted(contents.log):
        named[contents.log[seq][1]] = (seq, contents.log[seq][0])
    owned: dict[str, list[int]] = {}
    for seq, places in contents.places.items():
        for item_id in {place.item_id for place in places}:
            owned.setdefault(item_id, []).append(seq)
    writes = _writes(contents, bases)
    taken: set[int] = set()
    for item_id in sorted({*contents.items, *named, *owned}):
        numbers = owned.get(item_id, [])
        row = _newest(item_id, contents)
        last, op = named.get(item_id, (0, ""))
        if row is None or last > row.seq:  # what is left of it is older, or nothing
            if op == "delete":
                if row is not None and contents.current:
                    salvage.lost[item_id] = "it is there, and the log says it was deleted"
            elif last or _live(item_id, [max(numbers, default=0)], contents, bases):
                salvage.lost[item_id] = "its label and metadata cannot be read"
            continue
        block = _block(row, contents, bases)
        if not _live(item_id, block, contents, bases):
            continue
        missing = _missing(row, block, numbers, writes, contents)
        vectors = {n: _vector(n, item_id, contents, bases) for n in sorted(block)}
        found = {number: known for number, known in vectors.items() if known is not None}
        missing += sorted(vectors.keys() - found.keys())
        if missing:
            which = ", ".join(map(str, missing))
            salvage.lost[item_id] = f"vectors of it cannot be read: {which}"
        elif not taken.isdisjoint({row.seq, *found}):
            salvage.lost[item_id] = "its number is that of another item too"
        else:
            taken |= {row.seq, *found}
            salvage.items.append(WholeItem(row, found))
            salvage.from_bases += sum(
                (number, place) not in contents.vectors
                for number, (place, _) in found.items()
            )
    return salvage


def _newest(item_id: str, contents: Contents) -> ItemFound | None:
    """Return the newest row of an id whose number a second place says is that of the id."""
    rows = contents.items.get(item_id, [])
    sure = [
        row
        for row in rows
        if contents.log.get(row.seq, ("", ""))[1] == item_id
        or contents.places_of(row.seq - 1, item_id)
    ]
    return max(sure or rows, key=lambda row: row.seq, default=None)


class _Writes(NamedTuple):
    """The numbers of writes; above ``complete_from`` no other is taken for one."""

    known: Sequence[int]
    complete_from: float


def _writes(contents: Contents, bases: Bases) -> _Writes:
    """Return what is known of writes; the log is only ever cut from below.

    A number after the bases that nothing speaks of, where lines of the log are damaged, may
    be that of a vector that is lost; of those before, the bases tell.
    """
    first = min(contents.log, default=0)
    seqs = {row.seq for rows in contents.items.values() for row in rows}
    logged = {seq for seq in seqs if seq in contents.log or seq < first}
    complete = bool(contents.log) and logged == seqs
    told = first if complete else inf
    complete_from = min(told, bases.seq) if bases.galleries else told
    return _Writes(sorted({0, *seqs, *contents.log}), complete_from)


def _missing(
    row: ItemFound,
    block: Sequence[int],
    numbers: Sequence[int],
    writes: _Writes,
    contents: Contents,
) -> list[int]:
    """Return numbers of an item's vectors of which nothing but that is known.

    A number that is wrong, by damage, has none of the item's own before it, or some behind.
    One right behind another item's vectors is that of its write, whatever is left of that.
    """
    stopped = min(block, default=row.seq) - 1
    before = writes.known[bisect_left(writes.known, row.seq) - 1]
    beyond = [number for number in numbers if before < number < stopped]
    beyond += [number for number in numbers if number >= row.seq or not block]
    known = stopped == before or (bool(block) and stopped - 1 in contents.places)
    if beyond or (not known and (not block or stopped > writes.complete_from)):
        return [stopped]
    return []


def _block(row: ItemFound, contents: Contents, bases: Bases) -> list[int]:
    """Return the numbers right before an item's that are those of vectors."""
    block = []
    number = row.seq - 1
    while number > 0:
        own = contents.places_of(number, row.id)
        if not own and (number in contents.places or bases.vector(number) is None):
            break
        block.append(number)
        number -= 1
    return block


def _live(item_id: str, numbers: Sequence[int], contents: Contents, bases: Bases) -> bool:
    """Tell whether none of an item's vectors was deleted before the bases were made."""
    return not any(
        number <= bases.seq
        and place.model_id == bases.model_id
        and place.modality in bases.galleries
        and bases.vector(number) is None
        for number in numbers
        for place in contents.places_of(number, item_id)
    )


def _vector(
    number: int, item_id: str, contents: Contents, bases: Bases
) -> tuple[Place, bytes] | None:
    """Return a vector, unless two places tell two things of it."""
    places = contents.places_of(number, item_id)
    if len(places) != 1:
        return None
    place = places[0]
    raw = contents.vectors.get((number, place))
    if raw is None and place.model_id == bases.model_id:
        known = bases.vector(number)
        raw = known[1] if known is not None and known[0] == place.modality else None
    return None if raw is None else (place, raw)
