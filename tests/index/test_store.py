from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from crossmodal.errors import CollectionError, DataError, ShapeError
from crossmodal.items import Segment
from index.storage.database import FORMAT
from index.storage.new_items import NewItem, NewVector
from index.storage.store import Store

DIM = 4


def item(item_id: str, *vectors: NewVector, **known: object) -> NewItem:
    return NewItem(id=item_id, vectors=vectors or (vector(item_id),), **known)  # type: ignore[arg-type]


def vector(seed: str, modality: str = "audio", segment: Segment | None = None) -> NewVector:
    rng = np.random.default_rng(list(seed.encode()))
    return NewVector(modality, rng.standard_normal(DIM), segment or Segment())


def add(store: Store, *items: NewItem, model_id: str = "m") -> int:
    return store.add(items, model_id=model_id, dim=DIM, created=1.5)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "items.db")


def test_items_come_back_as_they_were_given_ids_ascending(store: Store) -> None:
    add(
        store,
        item("b", label="ö", metadata={"n": [1, None, "x"]}, media_sha256="0" * 64),
        item("a"),
    )
    first, second = store.items()
    assert (first.id, first.label, first.metadata) == ("a", None, {})
    assert (second.id, second.label, second.metadata) == ("b", "ö", {"n": [1, None, "x"]})
    assert (second.media_sha256, second.created) == ("0" * 64, 1.5)


def test_vectors_come_back_by_seq_at_unit_norm_with_item_and_segment(store: Store) -> None:
    segments = [Segment(0.0, 1.0), Segment(1.0, None)]
    given = [vector(str(n), "visual", segment) for n, segment in enumerate(segments)]
    add(store, item("a", vector("a")), item("b", *given, vector("b")))
    rows = store.vector_rows("visual", "m")
    assert list(rows.item_ids) == ["b", "b"]
    assert rows.starts_s.tolist() == [0.0, 1.0]
    assert rows.ends_s[0] == 1.0
    assert np.isnan(rows.ends_s[1])
    raw = np.stack([v.embedding for v in given])
    expected = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(store.vectors("visual", "m", DIM), expected, atol=1e-7)
    assert store.vectors("audio", "m", DIM).shape == (2, DIM)
    assert store.vectors("audio", "m", DIM, after=int(rows.seqs[-1])).shape == (1, DIM)


def test_an_embedding_of_unit_norm_keeps_its_bytes(store: Store) -> None:
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((50, DIM)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    add(
        store,
        *(
            item(f"i{n:02d}", NewVector("audio", embedding))
            for n, embedding in enumerate(embeddings)
        ),
    )
    np.testing.assert_array_equal(store.vectors("audio", "m", DIM), embeddings)


def test_one_counter_numbers_items_and_vectors_an_item_after_its_vectors(
    store: Store,
) -> None:
    assert store.seq == 0
    last = add(store, item("a", vector("a"), vector("b", "visual")), item("b"))
    assert last == store.seq == 5
    assert [row.seq for row in store.items()] == [3, 5]
    assert store.vector_rows("audio", "m").seqs.tolist() == [1, 4]
    assert store.vector_rows("visual", "m").seqs.tolist() == [2]
    assert add(store, item("c")) == 7


def test_a_number_is_not_given_again_after_its_log_row_is_gone(store: Store) -> None:
    add(store, item("a"))
    store._connection.execute("DELETE FROM log")
    assert add(store, item("b")) == 4


@pytest.mark.parametrize(
    "embedding",
    [
        [np.nan, 0, 0, 1],
        [np.inf, 0, 0, 1],
        [3e38, 0, 0, 0],
        [0, 0, 0, 0],
        [1e-30, 0, 0, 0],
    ],
)
def test_a_vector_that_cannot_be_searched_is_not_stored(
    store: Store, embedding: list[float]
) -> None:
    bad = NewVector("audio", np.array(embedding, dtype=np.float32))
    with pytest.raises(ShapeError, match=r"item b, audio: .*norm outside"):
        add(store, item("a"), item("b", bad))
    assert list(store.items()) == []
    assert store.seq == 0


def test_a_vector_of_another_width_is_not_stored(store: Store) -> None:
    with pytest.raises(
        ShapeError, match=r"item a: expected a audio vector \(4,\), got \(3,\)"
    ):
        add(store, item("a", NewVector("audio", np.ones(3))))


def test_a_taken_id_stores_nothing_of_the_batch(store: Store) -> None:
    add(store, item("a"))
    with pytest.raises(DataError, match="item a is stored already"):
        add(store, item("b"), item("a"))
    assert [row.id for row in store.items()] == ["a"]
    assert store.seq == 2


def test_ids_and_metadata_are_checked(store: Store) -> None:
    with pytest.raises(DataError, match="item id must be"):
        add(store, item("a/b"))
    with pytest.raises(DataError, match="item a: metadata must be JSON"):
        add(store, item("a", metadata={"x": float("nan")}))
    with pytest.raises(DataError, match="item a: metadata must be JSON"):
        add(store, item("a", metadata={"x": object()}))


def test_modalities_and_models_unknown_to_this_build_are_kept_and_counted(
    store: Store,
) -> None:
    add(store, item("a", vector("a", "smell"), vector("a")))
    add(store, item("b"), model_id="other")
    assert [tuple(group) for group in store.groups()] == [
        ("audio", "m", 1),
        ("audio", "other", 1),
        ("smell", "m", 1),
    ]


def test_a_changed_byte_of_a_vector_is_found(store: Store) -> None:
    add(store, item("a"), item("b"))
    assert store.damaged_vectors() == []
    raw = bytearray(store.vectors("audio", "m", DIM)[1].tobytes())
    raw[5] ^= 1
    store._connection.execute("UPDATE vectors SET vec = ? WHERE seq = 3", (bytes(raw),))
    assert store.damaged_vectors() == [3]
    with pytest.raises(CollectionError, match=r"vector 3 \(audio\) is damaged"):
        store.vectors("audio", "m", DIM)


def test_the_file_is_durable_and_only_the_writer_moves_the_log_into_it(
    store: Store, tmp_path: Path
) -> None:
    ask = store._connection.execute
    assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ask("PRAGMA synchronous").fetchone() == (2,)
    assert ask("PRAGMA wal_autocheckpoint").fetchone() == (0,)
    assert ask("PRAGMA mmap_size").fetchone() == (0,)
    assert ask("PRAGMA busy_timeout").fetchone() == (5000,)
    add(store, item("a"))
    log = tmp_path / "items.db-wal"
    assert log.stat().st_size > 0
    store.checkpoint()
    assert log.stat().st_size == 0


def test_a_reader_changes_nothing_and_needs_no_file_of_its_own(
    store: Store, tmp_path: Path
) -> None:
    add(store, item("a"))
    store.close()
    before = sorted(tmp_path.iterdir())
    reader = Store.open(tmp_path / "items.db", write=False)
    assert [row.id for row in reader.items()] == ["a"]
    with pytest.raises(CollectionError, match=r"cannot be written: .*readonly"):
        add(reader, item("b"))
    assert sorted(tmp_path.iterdir()) == before


def test_a_reader_sees_what_is_still_in_the_log(store: Store, tmp_path: Path) -> None:
    add(store, item("a"))
    reader = Store.open(tmp_path / "items.db", write=False)
    assert [row.id for row in reader.items()] == ["a"]


def test_what_is_no_store_of_this_build_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "items.db"
    with pytest.raises(CollectionError, match="exists already"):
        Store.create(path)
    store._connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    store.close()
    with pytest.raises(
        CollectionError, match=f"format {FORMAT + 1}, this build reads {FORMAT}"
    ):
        Store.open(path, write=True)
    with pytest.raises(CollectionError, match=r"other\.db is missing"):
        Store.open(tmp_path / "other.db", write=True)
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(CollectionError, match="not of a data directory"):
        Store.open(foreign, write=True)
    foreign.write_bytes(b"no database at all" * 500)
    with pytest.raises(CollectionError, match="damaged or unreadable"):
        Store.open(foreign, write=True)


def test_a_damaged_page_is_found_when_the_file_is_opened(
    store: Store, tmp_path: Path
) -> None:
    add(store, *(item(f"i{number}") for number in range(300)))
    store.checkpoint()
    store.close()
    path = tmp_path / "items.db"
    raw = bytearray(path.read_bytes())
    raw[4096 * 4 : 4096 * 4 + 64] = b"\xff" * 64
    path.write_bytes(raw)
    with pytest.raises(CollectionError, match="damaged"):
        Store.open(path, write=True)


def test_what_items_have_in_common_is_held_once(store: Store) -> None:
    names = [f"n{number:05}" for number in range(5000)]  # more than is read at a time
    known = [{"part": n % 3} if n % 2 else {"own": n} for n in range(5000)]
    given = [
        item(name, label=f"label {n % 3}", metadata=known[n])
        for n, name in enumerate(names)
    ]
    add(store, *given)
    texts: dict[str, str] = {}
    rows = store.vector_rows("audio", "m", texts=texts)
    found = list(store.items(texts))
    assert [row.id for row in found] == names == list(rows.item_ids)
    assert [row.label for row in found] == [one.label for one in given]
    assert [row.metadata for row in found] == known
    assert all(row.id is own for row, own in zip(found, rows.item_ids, strict=True))
    assert len({id(row.label) for row in found}) == 3
    assert len({id(row.created) for row in found}) == 1
    assert len({id(row.metadata) for row in found[1:4000:2]}) == 3
