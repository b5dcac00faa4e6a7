"""Pages that are none: reading one ends, whatever is on it, and brings nothing wrong."""

from __future__ import annotations

import random
import struct
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import index.recovery.pages as page_reading
from crossmodal.modality import Modality
from index.galleries.flat import FlatGallery
from index.recovery.contents import Contents, read_contents
from index.recovery.pages import Pages
from index.recovery.records import Record, records
from index.recovery.whole import Bases, Salvage, whole_items
from index.storage.database import create_database
from index.storage.new_items import NewItem, NewVector, check_item
from index.storage.transaction import Transaction

PAGE = 4096
FLIPS = 12


def varint(value: int) -> bytes:
    """SQLite's own way to write a number, up to 63 bits, or a negative one."""
    if value < 0 or value >= 1 << 56:
        value %= 1 << 64
        front = [value >> shift & 0x7F | 0x80 for shift in range(57, 7, -7)]
        return bytes([*front, value & 0xFF])
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def page_of(*cells: bytes, kind: int = 13, count: int | None = None) -> bytes:
    """A page of cells, the last of them at its end."""
    places, end = [], PAGE
    for cell in cells:
        end -= len(cell)
        places.append(end)
    head = struct.pack(">BHHHB", kind, 0, len(cells) if count is None else count, 0, 0)
    pointers = struct.pack(f">{len(places)}H", *places)
    body = b"".join(reversed(cells))
    return head + pointers + bytes(end - len(head) - len(pointers)) + body


def read(*pages: bytes) -> list[Record | None]:
    """What stands on page 2; the others are page 3 and on."""
    return list(records(Pages(bytes(PAGE) + b"".join(pages)), 2))


GOOD = varint(5) + varint(7) + b"\x03\x01\x0f" + b"\x05a"  # (7) -> 5, "a"
HOSTILE = {
    "a chain that leads to itself": (
        varint(1 << 25) + varint(1) + b"\xff" * 4000,
        struct.pack(">I", 3) + b"\x02" * (PAGE - 4),
    ),
    "a chain that leads nowhere": (varint(9000) + varint(1) + b"\xff" * 4000,),
    "a length that is negative": (varint(-1) + varint(1) + b"\x02\x01\x05",),
    "a length beyond all bounds": (varint(1 << 62) + varint(1) + b"\xff" * 4000,),
    "a length of nothing": (varint(0) + varint(1),),
    "a number without an end": (b"\xff" * 8,),
    "a header that is longer than the record": (varint(3) + varint(1) + b"\x7f\x01\x05",),
    "a header that is negative": (varint(11) + varint(1) + varint(-3) + b"\x01\x05",),
    "a header of nothing but columns": (
        varint(3000) + varint(1) + varint(3000) + bytes(2998),
    ),
    "a type that is negative": (varint(11) + varint(1) + b"\x0a" + varint(-7) + b"\x05",),
    "a type that is reserved": (varint(2) + varint(1) + b"\x02\x0a",),
    "a text that is none": (varint(3) + varint(1) + b"\x02\x0f\xff",),
    "a text that is too long": (varint(3) + varint(1) + b"\x02\x7f\x41",),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_record_that_is_none_is_told_and_hides_no_other(name: str) -> None:
    cell, *more = HOSTILE[name]
    found = read(page_of(cell, GOOD), *more)
    assert found == [None, Record(7, (5, "a"))]


def test_cells_beyond_the_page_and_kinds_that_are_none_are_told() -> None:
    assert read(page_of(GOOD)) == [Record(7, (5, "a"))]
    page = bytearray(page_of(GOOD))
    page[8:10] = struct.pack(">H", 0xFFFF)
    assert read(bytes(page)) == [None]
    many = read(page_of(GOOD, count=0xFFFF))
    assert len(many) == (PAGE - 8) // 2
    assert many.count(Record(7, (5, "a"))) == 1
    assert read(page_of(GOOD, kind=77)) == [None]
    assert read(page_of(GOOD, kind=5)) == read(bytes(PAGE)) == []


def test_noise_on_a_page_of_any_kind_is_read_to_its_end() -> None:
    for seed in range(8):
        rng = random.Random(seed)
        noise = [bytes([kind]) + rng.randbytes(PAGE - 1) for kind in (2, 10, 13, 77)]
        contents = read_contents(Pages(bytes(PAGE) + b"".join(noise)))
        assert whole_items(contents, Bases()).items == []
        assert contents.damaged_pages == 4


def record_of(*values: object, rowid: int | None = 9) -> Record:
    return Record(rowid, values)  # type: ignore[arg-type]


def test_a_row_with_a_value_that_no_row_has_is_left_out() -> None:
    deep = "[" * 100_000
    number = 2**63 - 1
    contents = Contents()
    for record in (
        record_of("a", 5, None, None, f'{{"x": {deep}', 1.0),
        record_of("a", 5, None, None, deep, 1.0),
        record_of("a", 5, None, None, "{}", float("nan")),
        record_of("a", 5, None, None, "{}", float("inf")),
        record_of("a", number, None, None, "{}", 1.0),
        record_of("a", -1, None, None, "{}", 1.0),
        record_of(None, "add", "a", rowid=number),
        record_of(None, "add", "a", rowid=-1),
        record_of("log", number),
        record_of("k", "sha", 1, b'{"results": [7], "seq": 1}', 1.0),
        record_of("k", "sha", 1, b'{"results": 7, "seq": 1}', 1.0),
        record_of("k", "sha", 1, b"[" * 100_000, 1.0),
        record_of("k", "build", "queued", "[]", 1.0),
        record_of("k", "build", "queued", '{"attempts": 1, "x": 1}', 1.0),
        record_of("k", "build", "asleep", "{}", 1.0),
        record_of("audio", "m", 9, "a", float("nan"), None, 9, rowid=None),
        record_of("audio", "m", 9, "a", 2.0, 1.0, 9, rowid=None),
        record_of("audio", "m", 8, "a", 0.0, None, 9, rowid=None),
    ):
        contents.take(record)
    assert contents == Contents()


def test_a_list_of_free_pages_without_an_end_or_beyond_the_file_is_none() -> None:
    def free(trunk: bytes, count: int) -> frozenset[int] | None:
        header = b"SQLite format 3\0" + bytes(16) + struct.pack(">2I", 2, count)
        pages = (header.ljust(PAGE, b"\0"), trunk.ljust(PAGE, b"\0"), bytes(PAGE))
        return Pages(b"".join(pages)).free

    assert free(struct.pack(">3I", 0, 1, 3), 2) == {2, 3}
    assert free(struct.pack(">3I", 2, 1, 3), 2) == {2, 3}  # and leads to itself
    assert free(struct.pack(">3I", 0, 1, 3), 1) is None
    assert free(struct.pack(">3I", 0, 1, 99), 2) is None
    assert free(struct.pack(">2I", 0, 1 << 31), 1) is None


def test_a_log_of_broken_pages_takes_no_more_time_per_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = 40
    salts = b"saltsalt"
    frame = struct.pack(">2I", 2, 1) + salts + b"\xee" * 8 + bytes(PAGE)
    log = struct.pack(">4I", 0x377F0683, 0, PAGE, 0) + salts + bytes(8) + frame * count
    made = []
    checksum = page_reading._checksum

    def counted(*args: object) -> tuple[int, ...]:
        made.append(args)
        return checksum(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(page_reading, "_checksum", counted)
    assert Pages(bytes(PAGE), log).broken_frames == count
    assert len(made) <= 3 * count


def two_items() -> Contents:
    """Items a and b with two vectors each: numbers 1 to 3, then 4 to 6."""
    contents = Contents(current=True)
    for first, item_id in ((1, "a"), (4, "b")):
        contents.take(record_of(item_id, first + 2, None, None, "{}", 1.0))
        contents.take(record_of(None, "add", item_id, rowid=first + 2))
        for seq in (first, first + 1):
            contents.take(vector_of(item_id, "audio", seq))
            key = record_of("audio", "m", seq, item_id, 0.0, None, seq, rowid=None)
            contents.take(key)
    return contents


def vector_of(item_id: str, modality: str, seq: int) -> Record:
    raw = b"aaaa"
    place = (item_id, modality, "m", 0.0, None)
    return record_of(None, *place, 1, raw, zlib.crc32(raw), rowid=seq)


WRONG = {
    "a vector under the number of another": (
        vector_of("a", "audio", 4),
        {"a": "vectors of it cannot be read: 0"},
    ),
    "a place that another place gainsays": (
        vector_of("b", "visual", 5),
        {"b": "vectors of it cannot be read: 5"},
    ),
    "an item under the number of another": (
        record_of("b", 3, None, None, '{"x": 1}', 1.0),
        {},
    ),
    "a deletion of what is there": (
        record_of(None, "delete", "a", rowid=9),
        {"a": "it is there, and the log says it was deleted"},
    ),
    "a replacement by what is not there": (
        record_of(None, "replace", "a", rowid=9),
        {"a": "its label and metadata cannot be read"},
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_two_rows_tell_differently_costs_the_items_they_are_of(name: str) -> None:
    contents = two_items()
    whole = {item.row.id: item for item in whole_items(contents, Bases()).items}
    assert whole.keys() == {"a", "b"}
    record, lost = WRONG[name]
    contents.take(record)
    after = whole_items(contents, Bases())
    assert after.lost == lost
    assert {item.row.id: item for item in after.items} == {
        item_id: item for item_id, item in whole.items() if item_id not in lost
    }


@pytest.mark.parametrize("seq", [1, 2, 3, 4, 5, 9])
def test_an_item_under_a_wrong_number_is_lost(seq: int) -> None:
    """Also where the log is gone."""
    for forget_log in (False, True):
        contents = two_items()
        contents.items["b"] = [contents.items["b"][0]._replace(seq=seq)]
        if forget_log:
            contents.log.clear()
        after = whole_items(contents, Bases())
        assert [item.row.id for item in after.items] == ["a"]
        assert set(after.lost) == {"b"}


def after_an_empty_base() -> Bases:
    gallery = FlatGallery.of(np.empty(0, np.int64), np.empty((0, 1), np.float32))
    return Bases(seq=0, model_id="m", galleries={"audio": gallery})


def test_a_vector_lost_with_every_trace_of_it_costs_its_item() -> None:
    """Where the log is damaged, too, so that a write could have had the number."""
    contents = two_items()
    del contents.places[4], contents.log[3]
    found = whole_items(contents, after_an_empty_base())
    assert [item.row.id for item in found.items] == ["a"]
    assert found.lost == {"b": "vectors of it cannot be read: 4"}


def test_an_item_lost_with_its_line_of_the_log_costs_no_other() -> None:
    contents = two_items()
    del contents.items["a"], contents.log[3]
    found = whole_items(contents, after_an_empty_base())
    (item,) = found.items
    assert (item.row.id, sorted(item.vectors)) == ("b", [4, 5])
    assert set(found.lost) == {"a"}


@pytest.fixture
def database(tmp_path: Path) -> bytes:
    """Items stored, replaced and deleted, with nothing left of what was."""
    path = tmp_path / "items.db"
    with closing(create_database(path)) as connection:
        for number in range(90):
            item_id = f"i{number % 60:02d}"
            rng = np.random.default_rng(number)
            vectors = [
                NewVector(m, rng.standard_normal(8))
                for m in (Modality.AUDIO, Modality.VISUAL)
            ]
            metadata = {"note": f"<{item_id}>" * (900 if number % 20 == 0 else 1)}
            item = check_item(NewItem(id=item_id, vectors=vectors, metadata=metadata), 8)
            with Transaction(connection, "model") as transaction:
                (transaction.replace if number >= 60 else transaction.insert)(
                    item, created=1.0
                )
        for number in range(40, 50):
            with Transaction(connection, "model") as transaction:
                transaction.delete(f"i{number}")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


def salvage(database: bytes) -> Salvage:
    return whole_items(read_contents(Pages(database)), Bases())


def owners(database: bytes, page: int, known: Salvage) -> set[str]:
    """The items of which the id is on a page."""
    part = database[(page - 1) * PAGE : page * PAGE]
    return {item.row.id for item in known.items if item.row.id.encode() in part}


def test_a_flip_costs_the_items_of_its_page_at_most_and_names_what_is_lost(
    database: bytes,
) -> None:
    before = salvage(database)
    state = {item.row.id: item for item in before.items}
    assert (len(state), before.lost) == (50, {})
    rng = random.Random(0)
    lost = 0
    for _ in range(FLIPS):
        place = rng.randrange(len(database))
        damaged = bytearray(database)
        damaged[place] ^= 1 << rng.randrange(8)
        after = salvage(bytes(damaged))
        found = {item.row.id: item for item in after.items}
        near = owners(database, place // PAGE + 1, before)
        assert all(found.get(i) == state[i] for i in state.keys() - near), place
        assert found.keys() <= state.keys(), place
        assert all(found[i].vectors == state[i].vectors for i in found), place
        assert state.keys() - found.keys() <= after.lost.keys(), place
        assert len(state) - len(found) <= 1, place
        lost += len(state) - len(found)
    assert lost > 0


def test_a_cut_leaves_what_stood_before_it(database: bytes) -> None:
    before = {item.row.id: item for item in salvage(database).items}
    sizes = range(0, len(database) + 1, 2 * PAGE)
    counts = []
    for size in sizes:
        found = {item.row.id: item for item in salvage(database[:size]).items}
        assert found.items() <= before.items(), size
        counts.append(len(found))
    assert counts == sorted(counts)
    assert any(0 < count < len(before) for count in counts)
    assert counts[-1] > 0
