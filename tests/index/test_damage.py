"""Damaged files: found, set aside and made anew, or refused by name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.errors import CollectionError
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.writing.operations import Put

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
QUERIES = normalize(np.random.default_rng(2).standard_normal((4, 8)))
FLIPS = int(os.environ.get("EARSHOT_FLIPS", "40"))
SECONDS = 120  # a bound for what hangs, not for what is slow


def answers(collection: Collection) -> object:
    return [collection.view.search(m, QUERIES, 50) for m in (AUDIO, VISUAL)]


def test_every_flip_and_cut_of_a_base_is_noticed(data: Path) -> None:
    with Collection.open(data) as collection:
        expected = answers(collection)
    base = next((data / "index").glob("base-audio-*"))
    whole = base.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [whole[:size] for size in rng.integers(0, len(whole), FLIPS // 2)]
    for position in rng.choice(len(whole), FLIPS, replace=False):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << int(rng.integers(8))
        damaged.append(bytes(flipped))
    for content in damaged:
        base.write_bytes(content)
        with Collection.open(data) as collection:
            assert collection.degraded is not None
            assert answers(collection) == expected


def test_a_damaged_base_beside_a_tail_and_deletions_is_made_anew(data: Path) -> None:
    rng = np.random.default_rng(1)
    with Collection.open(data, write=True) as collection:
        for number in range(5):
            vectors = [NewVector(AUDIO, rng.standard_normal(8))]
            new = NewItem(id=f"n{number}", vectors=vectors)
            collection.submit(Put(item=new)).result(SECONDS)
        expected = answers(collection)
    base = next((data / "index").glob("base-audio-*"))
    base.write_bytes(base.read_bytes()[:-1])
    with Collection.open(data, write=True) as collection:
        assert answers(collection) == expected
        collection.compact()
        assert collection.degraded is None
        assert answers(collection) == expected
    with Collection.open(data) as collection:
        assert collection.degraded is None
        assert answers(collection) == expected


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("what", ["header", "page", "empty", "text"])
def test_a_damaged_database_is_refused_and_left_as_it_is(
    data: Path, what: str, write: bool
) -> None:
    database = data / "items.db"
    whole = database.read_bytes()
    if what == "header":
        damaged = b"\xff" * 100 + whole[100:]
    elif what == "page":
        damaged = bytearray(whole)
        for page in range(1, len(whole) // 4096):
            damaged[page * 4096 : page * 4096 + 64] = os.urandom(64)
    else:
        damaged = b"" if what == "empty" else b"not a database\n" * 1000
    database.write_bytes(damaged)
    with pytest.raises(CollectionError, match=r"items\.db"):
        Collection.open(data, write=write)
    assert database.read_bytes() == bytes(damaged)


def test_an_older_database_put_back_does_not_meet_newer_bases(data: Path) -> None:
    shutil.copy(data / "items.db", data / "older.db")
    with Collection.open(data) as collection:
        expected = answers(collection)
    with Collection.open(data, write=True) as collection:
        vectors = [NewVector(AUDIO, np.eye(8)[0])]
        collection.submit(Put(item=NewItem(id="n", vectors=vectors))).result(SECONDS)
        collection.compact()
    (data / "older.db").replace(data / "items.db")
    with Collection.open(data) as collection:
        assert collection.degraded == "CURRENT is newer than the database"
        assert answers(collection) == expected
