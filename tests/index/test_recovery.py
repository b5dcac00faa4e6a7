"""Damaged databases: refused and kept as they are; what can be read comes back right.

A compacted copy of a database has nothing on its pages but what is stored. Which rows a
destroyed page takes with it then shows in its bytes, whatever a recovery makes of them.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from crossmodal.errors import CollectionError
from crossmodal.items import Segment
from crossmodal.modality import Modality
from index.collection import Collection
from index.recovery.pages import Pages
from index.recovery.rebuild import LEAP, RECOVERED, Recovery, recover
from index.storage.database import DATABASE
from index.storage.new_items import NewItem, NewVector
from index.verify import verify
from index.writing.operations import Delete, Idempotency, Put
from tests.index.test_wal import WRITES, frames, killed  # noqa: F401  (a fixture)

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
SECONDS = 120  # a bound for what hangs, not for what is slow
ROUNDS = int(os.environ.get("EARSHOT_DAMAGE_ROUNDS", "3"))
PAGE = 4096


class Known(NamedTuple):
    """Everything about an item."""

    seq: int
    label: str | None
    metadata: Any
    created: float
    vectors: tuple[tuple[str, bytes], ...]


def known(collection: Collection) -> dict[str, Known]:
    view = collection.view
    return {
        item.id: Known(
            item.seq,
            item.label,
            item.metadata,
            item.created,
            tuple((str(m), view.vectors(item.id, m).tobytes()) for m in item.modalities),
        )
        for item in view.items.values()
    }


def mark(item_id: str, version: int) -> str:
    return f"<{item_id} {version}>"


def put(item_id: str, version: int) -> Put:
    """Every seventh item needs several pages, each with the item's mark on it."""
    rng = np.random.default_rng([*item_id.encode(), version])
    copies = 600 if int(item_id[1:]) % 7 == 0 else 1
    vectors = [
        NewVector(m, rng.standard_normal(8), Segment(float(n)))
        for m in (AUDIO, VISUAL)
        for n in range(1 + version % 2)
    ]
    metadata = {"note": mark(item_id, version) * copies}
    return Put(item=NewItem(id=item_id, vectors=vectors, label="x", metadata=metadata))


def fill(collection: Collection) -> None:
    """Store, replace and delete, with a base in between."""

    def write(*operations: Put | Delete) -> None:
        collection.submit(*operations).result(SECONDS)

    write(*(put(f"n{n:03d}", 1) for n in range(160)))
    write(*(put(f"n{n:03d}", 2) for n in range(0, 160, 5)))
    write(Delete(ids=[f"n{n:03d}" for n in range(40, 80)]))
    collection.compact()
    write(*(put(f"n{n:03d}", 3) for n in range(150, 200)))
    write(Delete(ids=[f"n{n:03d}" for n in range(120, 130)]))


@pytest.fixture
def filled(data: Path) -> Iterator[tuple[Path, dict[str, Known]]]:
    with Collection.open(data, write=True) as collection:
        fill(collection)
        state = known(collection)
    return data, state


@pytest.fixture
def tight(filled: tuple[Path, dict[str, Known]]) -> tuple[Path, dict[str, Known]]:
    """The same with nothing left of what was deleted."""
    data, state = filled
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return data, state


def pages_of(data: Path, *kinds: int) -> list[int]:
    """The pages of some kinds: 13 rows, 10 keys, 5 and 2 what leads to them."""
    raw = (data / DATABASE).read_bytes()
    return [n for n in range(2, len(raw) // PAGE + 1) if raw[(n - 1) * PAGE] in kinds]


def destroy(data: Path, *numbers: int, seed: int = 0) -> bytes:
    """Overwrite pages with noise that is no page; return what was on them."""
    rng = random.Random(seed)
    raw = bytearray((data / DATABASE).read_bytes())
    was = b""
    for number in numbers:
        part = slice((number - 1) * PAGE, number * PAGE)
        was += bytes(raw[part])
        raw[part] = b"\xff" + rng.randbytes(PAGE - 1)
    (data / DATABASE).write_bytes(raw)
    return was


def affected(state: dict[str, Known], was: bytes) -> set[str]:
    """The items of which a part was among these bytes, by their marks and vectors."""
    found = set()
    for item_id, item in state.items():
        note = item.metadata.get("note", f'"pair": "{item_id}"').split(">")[0]
        rows = [
            raw[at : at + 32] for _, raw in item.vectors for at in range(0, len(raw), 32)
        ]
        if note.encode() in was or any(row in was for row in rows):
            found.add(item_id)
    return found


def refused(data: Path) -> None:
    """Neither reading nor writing opens it, and nothing changes by trying."""
    names = [DATABASE, f"{DATABASE}-wal", "WRITING"]
    before = {n: (data / n).read_bytes() for n in names if (data / n).exists()}
    for write in (False, True):
        with pytest.raises(CollectionError, match=r"items\.db"):
            Collection.open(data, write=write)
    assert {n: (data / n).read_bytes() for n in names if (data / n).exists()} == before


def recovered(
    data: Path, state: dict[str, Known], *, exact: bool = True
) -> tuple[Recovery, dict[str, Known]]:
    """Recover, check what must hold in any case, and return what is stored then."""
    damaged = (data / DATABASE).read_bytes()
    last = max(item.seq for item in state.values())
    report = recover(data)
    aside = data / report.aside
    assert (aside / DATABASE).read_bytes() == damaged
    assert json.loads((aside / "recovery.json").read_text())["lost"] == report.lost
    assert not (data / RECOVERED).exists()
    with Collection.open(data, write=True, reserve_bytes=0) as collection:
        found = known(collection)
        assert collection.view.seq > last
        new = collection.submit(put("n999", 1)).result(SECONDS)
        assert new.seq > LEAP
        collection.submit(Delete(ids=["n999"])).result(SECONDS)
    assert {i: state[i] for i in found} == found if exact else set(found) <= set(state)
    for item_id, item in found.items():
        assert (item.seq, item.vectors) == state[item_id][0:5:4]
    assert report.items == len(found)
    assert not set(report.lost) & set(found)
    deleted = {f"n{n:03d}" for n in (*range(40, 80), *range(120, 130))}
    assert set(report.lost) <= state.keys() | deleted  # as far as the log can be read
    checks = {check.name: check for check in verify(data)}
    assert checks["database"].ok, checks
    assert checks["vectors"].ok, checks
    return report, found


@pytest.mark.parametrize("what", ["header", "first page", "what leads to pages", "all"])
def test_where_no_row_was_damaged_none_is_lost(
    filled: tuple[Path, dict[str, Known]], what: str
) -> None:
    data, state = filled
    if what == "header":
        raw = (data / DATABASE).read_bytes()
        (data / DATABASE).write_bytes(b"\xff" * 100 + raw[100:])
    if what in ("first page", "all"):
        destroy(data, 1)
    if what in ("what leads to pages", "all"):
        inner = pages_of(data, 5, 2)
        assert len(inner) >= 3
        destroy(data, *pages_of(data, 5))
    refused(data)
    report, found = recovered(data, state)
    assert found == state
    assert (report.lost, report.log_missing) == ({}, False)


def test_vectors_come_back_from_the_index_files(
    tight: tuple[Path, dict[str, Known]],
) -> None:
    data, state = tight
    with Collection.open(data, write=True) as collection:
        collection.compact()
        bases = collection.info()["bases"]
        assert {base["tail"] for base in bases.values()} == {0}
    rows = [row for item in state.values() for _, row in item.vectors]
    raw = (data / DATABASE).read_bytes()
    for number in pages_of(data, 13):
        page = raw[(number - 1) * PAGE : number * PAGE]
        if any(row[:32] in page for row in rows) and b"<n" not in page:
            destroy(data, number)
    refused(data)
    report, found = recovered(data, state)
    assert found == state
    assert report.from_bases == report.vectors > 100


def test_each_page_takes_with_it_what_stood_on_it_and_nothing_else(
    tight: tuple[Path, dict[str, Known]], tmp_path: Path
) -> None:
    data, state = tight
    shutil.rmtree(data / "index")
    (data / "index").mkdir()
    numbers = pages_of(data, 13, 10, 5, 2, 0)
    random.Random(1).shuffle(numbers)
    for number in numbers[:ROUNDS]:
        copy = tmp_path / f"page{number}"
        shutil.copytree(data, copy)
        gone = affected(state, destroy(copy, number))
        report, found = recovered(copy, state)
        assert found.keys() == state.keys() - gone, number
        assert set(report.lost) & state.keys() == gone, number
        shutil.rmtree(copy)


def test_several_pages_at_once_take_no_more(
    tight: tuple[Path, dict[str, Known]], tmp_path: Path
) -> None:
    data, state = tight
    count = (data / DATABASE).stat().st_size // PAGE
    for number in range(ROUNDS):
        rng = random.Random(number)
        copy = tmp_path / f"round{number}"
        shutil.copytree(data, copy)
        numbers = rng.sample(range(1, count + 1), rng.randint(2, count // 3))
        gone = affected(state, destroy(copy, *numbers, seed=number))
        _, found = recovered(copy, state)
        assert state.keys() - gone <= found.keys(), numbers
        shutil.rmtree(copy)


def test_noise_anywhere_brings_back_nothing_that_is_wrong(
    filled: tuple[Path, dict[str, Known]], tmp_path: Path
) -> None:
    """With what was deleted and replaced still on some pages.

    Noise inside a label or a date cannot be told from one: only vectors have checksums.
    """
    data, state = filled
    size = (data / DATABASE).stat().st_size
    for number in range(ROUNDS):
        rng = random.Random(number)
        copy = tmp_path / f"round{number}"
        shutil.copytree(data, copy)
        raw = bytearray((copy / DATABASE).read_bytes())
        raw[:16] = bytes(16)  # SQLite must not take it for whole
        for _ in range(rng.randint(1, 40)):
            start = rng.randrange(0, size - 512, 512)
            raw[start : start + 512] = rng.randbytes(512)
        (copy / DATABASE).write_bytes(raw)
        recovered(copy, state, exact=False)
        shutil.rmtree(copy)


def logged(data: Path) -> dict[str, Known]:
    """What a killed process had acknowledged."""
    copy = data.parent / "whole"
    shutil.copytree(data, copy)
    with Collection.open(copy, write=True, reserve_bytes=0) as collection:
        state = known(collection)
    shutil.rmtree(copy)
    assert sum(item_id.startswith("w") for item_id in state) == WRITES
    return state


def test_a_damaged_log_costs_what_stood_in_the_damage_at_most(
    killed: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    state = logged(killed)
    log = killed / f"{DATABASE}-wal"
    count, size = frames(log)
    whole = log.read_bytes()
    places = [8, 20, *(32 + n * size + 100 for n in range(count // 2))]
    random.Random(0).shuffle(places)
    most = 0
    for number, place in enumerate([8, *places[: 2 * ROUNDS]]):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(killed, copy)
        (copy / f"{DATABASE}-shm").unlink(missing_ok=True)
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        (copy / f"{DATABASE}-wal").write_bytes(damaged)
        refused(copy)
        report, found = recovered(copy, state)
        assert (copy / report.aside / f"{DATABASE}-wal").read_bytes() == damaged
        assert {*found, *report.lost} == state.keys()
        if place < 32:
            assert found == state
        most = max(most, len(found))
        shutil.rmtree(copy)
    assert most > len(state) - WRITES


def test_a_missing_log_is_told_and_what_was_there_before_comes_back(
    killed: Path,  # noqa: F811
) -> None:
    state = logged(killed)
    for suffix in ("-wal", "-shm"):
        (killed / f"{DATABASE}{suffix}").unlink()
    refused(killed)
    report, found = recovered(killed, state)
    assert report.log_missing
    assert found == {i: item for i, item in state.items() if not i.startswith("w")}


def test_a_reply_that_speaks_of_what_is_lost_is_not_given_again(
    tight: tuple[Path, dict[str, Known]],
) -> None:
    data, _ = tight
    keys = {n: Idempotency(key=n, request_sha256="0" * 64) for n in ("n300", "n301")}
    with Collection.open(data, write=True) as collection:
        for item_id, key in keys.items():
            collection.submit(put(item_id, 1), idempotency=key).result(SECONDS)
        state = known(collection)
    raw = (data / DATABASE).read_bytes()
    at = raw.rindex(mark("n300", 1).encode())
    (data / DATABASE).write_bytes(raw[: at + 7] + b'"' + raw[at + 8 :])  # no JSON any more
    destroy(data, 1)
    report, _ = recovered(data, state)
    assert set(report.lost) == {"n300"}
    with Collection.open(data, write=True, reserve_bytes=0) as collection:
        for item_id, key in keys.items():
            told = collection.submit(put(item_id, 1), idempotency=key).result(SECONDS)
            assert told.replayed == (item_id == "n301")
        assert set(known(collection)) == set(state)


def test_an_interrupted_recovery_goes_on(
    filled: tuple[Path, dict[str, Known]], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, state = filled
    destroy(data, 1)
    damaged = (data / DATABASE).read_bytes()
    replace = Path.replace
    for place in ("before", "after"):

        def stopped(self: Path, target: Path, place: str = place) -> Path:
            if target.name != DATABASE:
                return replace(self, target)
            if place == "after":
                replace(self, target)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", stopped)
            with pytest.raises(KeyboardInterrupt):
                recover(data)
        if place == "before":
            assert (data / RECOVERED).exists()
            assert (data / DATABASE).read_bytes() == damaged
    assert (data / "damaged-1" / DATABASE).read_bytes() == damaged
    with Collection.open(data, write=True) as collection:
        assert known(collection) == state


def test_what_is_whole_or_beyond_help_is_left_alone(data: Path, tmp_path: Path) -> None:
    assert recover(data) is None
    with pytest.raises(CollectionError, match="no data directory"):
        recover(tmp_path)
    count = (data / DATABASE).stat().st_size // PAGE
    destroy(data, *range(1, count + 1))
    names = sorted(path.name for path in data.iterdir())
    with pytest.raises(CollectionError, match=r"no item of items\.db can be read"):
        recover(data)
    (data / DATABASE).write_bytes(b"")
    with pytest.raises(CollectionError, match=r"no item of items\.db can be read"):
        recover(data)
    assert sorted(path.name for path in data.iterdir()) == names


def test_a_flipped_vector_is_found_and_given_back(
    tight: tuple[Path, dict[str, Known]],
) -> None:
    """SQLite's own check does not see it."""
    data, state = tight
    raw = bytearray((data / DATABASE).read_bytes())
    item_id, item = next(i for i in state.items() if i[0].startswith("clip"))
    at = raw.index(item.vectors[0][1])
    raw[at] ^= 1
    (data / DATABASE).write_bytes(raw)
    report, found = recovered(data, state)
    assert (found, report.from_bases) == (state, 1)
    assert item_id in found


def test_a_list_of_free_pages_that_is_wrong_hides_no_item(
    filled: tuple[Path, dict[str, Known]],
) -> None:
    data, state = filled
    raw = bytearray((data / DATABASE).read_bytes())
    raw[35] = pages_of(data, 13)[3]  # the list begins on a page of rows
    (data / DATABASE).write_bytes(raw)
    _, found = recovered(data, state)
    assert found == state


def test_pages_are_those_that_sqlite_reads(filled: tuple[Path, dict[str, Known]]) -> None:
    data, _ = filled
    raw = (data / DATABASE).read_bytes()
    pages = Pages(raw)
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (count,) = connection.execute("PRAGMA page_count").fetchone()
    assert len(list(pages)) == count == len(raw) // PAGE
    assert pages.free is not None
    assert len(pages.free) == free > 0
    assert pages.missing == 0
    assert Pages(raw[: -2 * PAGE]).missing == 2
