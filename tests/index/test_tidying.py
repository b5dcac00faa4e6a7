"""Old log rows go in bounded parts, between which writes come."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.database import DATABASE
from index.storage.new_items import NewItem, NewVector
from index.storage.store import Store
from index.writing.operations import Put

SECONDS = 120  # a bound for what hangs, not for what is slow
MOST = 7


def put(item_id: str) -> Put:
    row = np.random.default_rng(list(item_id.encode())).standard_normal(8)
    return Put(item=NewItem(id=item_id, vectors=[NewVector(Modality.AUDIO, row)]))


def rows(data: Path, query: str = "SELECT * FROM log ORDER BY seq") -> list[Any]:
    with closing(sqlite3.connect(data / DATABASE)) as connection:
        return connection.execute(query).fetchall()


def test_writes_come_between_the_parts_of_a_tidying(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[int] = []
    seqs: list[int] = []
    tidy = Store.tidy
    with Collection.open(data, write=True) as collection:
        collection.compact()  # of two bases the older decides what is old
        collection.submit(*(put(f"n{n}") for n in range(30))).result(SECONDS)

        def watched(store: Store, *, up_to: int, now: float, most: int) -> bool:
            before = len(rows(data))
            seqs.append(store.seq)
            more = tidy(store, up_to=up_to, now=now, most=most)
            gone.append(before - len(rows(data)))
            collection.submit(put(f"between{len(seqs)}"))  # done before the next part
            return more

        monkeypatch.setattr(Store, "tidy", watched)
        monkeypatch.setattr("index.writing.write_path.TIDIED_AT_ONCE", MOST)
        collection.compact()
        collection.compact()
    assert max(gone) == MOST
    assert len(gone) > 4
    assert seqs == sorted(set(seqs)), "a part began before what was written meanwhile"


def test_parts_leave_what_one_statement_leaves_and_may_stop_anywhere(
    data: Path, tmp_path: Path
) -> None:
    with Collection.open(data, write=True) as collection:
        collection.submit(*(put(f"n{n}") for n in range(30))).result(SECONDS)
    whole = rows(data)
    up_to = whole[-5][0]
    stopped = tmp_path / "stopped"
    shutil.copytree(data, stopped)
    kept = [row for row in whole if row[0] > up_to]

    def part(place: Path) -> bool:
        with closing(Store.open(place / DATABASE, write=True)) as store:
            return store.tidy(up_to=up_to, now=0.0, most=MOST)

    assert part(stopped)
    assert rows(stopped) == whole[MOST:]
    items = "SELECT * FROM items ORDER BY id"
    with Collection.open(stopped, write=True) as collection:
        assert collection.degraded is None
        assert {f"n{n}" for n in range(30)} <= set(collection.view.items)
    while part(stopped):
        pass
    assert rows(stopped) == kept
    assert rows(stopped, items) == rows(data, items)
