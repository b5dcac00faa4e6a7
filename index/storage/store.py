"""The store: items and their vectors in SQLite, which is the truth of a collection."""

from __future__ import annotations

import json
import sqlite3
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import nan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int64

from crossmodal.durable import sync_directory
from crossmodal.errors import DamagedDatabaseError
from index.storage.database import (
    create_database,
    last_seq,
    open_beside_writer,
    open_database,
)
from index.storage.job import Job
from index.storage.new_items import VECTOR_TYPE, NewItem, check_item
from index.storage.transaction import Transaction, translated
from index.storage.wal import REMEDY, WRITING

LAST_SEQ = 2**63 - 1  # what SQLite can count to
_ROWS_AT_ONCE = 4096


class ItemRow(NamedTuple):
    """An item as stored; ``metadata`` is parsed JSON, ``created`` Unix seconds."""

    id: str
    seq: int
    label: str | None
    media_sha256: str | None
    metadata: Mapping[str, Any]
    created: float


class VectorRows(NamedTuple):
    """Where the vectors of one modality belong, by ascending seq; NaN ends are open."""

    seqs: Int64[np.ndarray, "rows"]
    item_ids: Sequence[str]
    starts_s: Float[np.ndarray, "rows"]
    ends_s: Float[np.ndarray, "rows"]


class VectorGroup(NamedTuple):
    """How many vectors one model gave in one modality, known to this build or not."""

    modality: str
    model_id: str
    vectors: int


class Store:
    """One collection's SQLite file, opened; a single thread writes."""

    def __init__(self, connection: sqlite3.Connection, writing: Path | None = None) -> None:
        """Use `Store.create` or `Store.open`; ``writing`` is there until it is closed."""
        self._connection = connection
        self._writing = writing
        if writing is not None:
            writing.touch()
            sync_directory(writing.parent)

    @classmethod
    def create(cls, path: Path) -> Store:
        """Create an empty store.

        Raises:
            CollectionError: If the file exists.
        """
        return cls(create_database(path))

    @classmethod
    def open(cls, path: Path, *, write: bool) -> Store:
        """Open an existing store.

        Raises:
            CollectionError: If it is missing, foreign, damaged or from a newer build.
        """
        connection = open_database(path, write=write)
        return cls(connection, path.with_name(WRITING) if write else None)

    @classmethod
    def open_beside_writer(cls, path: Path) -> Store:
        """Open a store for reading that this process has opened for writing.

        Raises:
            CollectionError: If that fails.
        """
        return cls(open_beside_writer(path))

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for reading what only a few need."""
        return self._connection

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let everything that is read inside belong to one state of the store."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; after that its log is no longer needed."""
        if self._writing is not None:
            self._writing.unlink(missing_ok=True)  # before SQLite deletes the log
        self._connection.close()

    @property
    def seq(self) -> int:
        """The last number given to an item, a vector or a deletion; 0 when empty."""
        return last_seq(self._connection)

    def add(
        self, items: Sequence[NewItem], *, model_id: str, dim: int, created: float
    ) -> int:
        """Store new items in one durable transaction and return the last seq.

        Args:
            items: The items; vectors not of unit norm are scaled to it.
            model_id: The bundle that made the vectors.
            dim: The width every vector must have.
            created: Unix seconds.

        Raises:
            DataError: If an id is malformed or taken, or metadata is not JSON.
            ShapeError: If a vector is not finite, or has another width or a bad norm.
            StorageFullError: If the disk is full.
        """
        checked = [check_item(item, dim) for item in items]
        with self.transaction(model_id) as transaction:
            for item in checked:
                transaction.insert(item, created=created)
        return transaction.seq

    def transaction(self, model_id: str) -> Transaction:
        """Return a transaction to write in, for vectors that one bundle made."""
        return Transaction(self._connection, model_id)

    def tidy(self, *, up_to: int, now: float, most: int) -> bool:
        """Forget some log rows numbered up to ``up_to`` and expired replies; checkpoint.

        Args:
            up_to: The last number that may be forgotten.
            now: Unix seconds.
            most: Rows of each kind that one call forgets, for which writes wait.

        Returns:
            Whether there may be more.

        Raises:
            StorageFullError: If the disk is full; nothing is lost by that.
        """
        with self.transaction("") as transaction:
            rows = transaction.forget_log(up_to, most)
            replies = transaction.forget_replies(now, most)
        self.checkpoint(wait=False)
        return most in (rows, replies)

    def checkpoint(self, *, wait: bool = True) -> None:
        """Move the write-ahead log into the file; only the writer may.

        Args:
            wait: Whether to wait for readers, and then to empty the log.

        Raises:
            StorageFullError: If it does not fit on the disk; nothing is lost by that.
        """
        kind = "TRUNCATE" if wait else "PASSIVE"
        try:
            self._connection.execute(f"PRAGMA wal_checkpoint({kind})").fetchall()
        except sqlite3.Error as error:
            raise translated(error) from error

    def try_to_write(self) -> None:
        """Write what changes nothing to the log and to the file; only the writer may.

        Raises:
            CollectionError: If the disk does not take it.
        """
        with self.transaction("") as transaction:
            transaction.rewrite_header()
        self.checkpoint(wait=False)

    def items(self, texts: dict[str, str] | None = None) -> Iterator[ItemRow]:
        """Read every item, ids ascending; what several have in common is one object.

        Args:
            texts: Ids and labels that are held already, to be shared; grows.
        """
        texts = {} if texts is None else texts
        metadata: dict[str, Mapping[str, Any]] = {}
        created_last = 0.0
        for rows in self._batches(
            "SELECT id, seq, label, media_sha256, meta, created FROM items ORDER BY id"
        ):
            if len(metadata) > _ROWS_AT_ONCE:
                metadata.clear()
            new = [text for text in dict.fromkeys(row[4] for row in rows)]
            parsed = json.loads("[" + ",".join(new) + "]")  # 3 times faster than singly
            for text, value in zip(new, parsed, strict=True):
                metadata.setdefault(text, value)
            for item_id, seq, label, media, text, created in rows:
                if created != created_last:
                    created_last = created
                yield ItemRow(
                    texts.setdefault(item_id, item_id),
                    seq,
                    label and texts.setdefault(label, label),
                    media,
                    metadata[text],
                    created_last,
                )

    def groups(self) -> list[VectorGroup]:
        """Count the vectors per modality and model, whatever they are called."""
        rows = self._connection.execute(
            "SELECT modality, model_id, count(*) FROM vectors "
            "GROUP BY modality, model_id ORDER BY modality, model_id"
        )
        return [VectorGroup(*row) for row in rows]

    def stretches(self, item_id: str) -> list[tuple[str, float, float | None]]:
        """Return an item's modalities, each with the seconds that its vectors cover."""
        rows = self._connection.execute(
            "SELECT modality, min(start_s), "
            "CASE WHEN count(*) = count(end_s) THEN max(end_s) END "
            "FROM vectors WHERE item_id = ? GROUP BY modality ORDER BY modality",
            (item_id,),
        )
        return [(str(m), float(start_s), end_s) for m, start_s, end_s in rows]

    def vector_rows(
        self,
        modality: str,
        model_id: str,
        *,
        up_to: int = LAST_SEQ,
        texts: dict[str, str] | None = None,
    ) -> VectorRows:
        """Return what is known of one modality's vectors, without the vectors.

        Args:
            modality: Whose vectors.
            model_id: The bundle that made them.
            up_to: The last seq to read.
            texts: Ids that are held already, to be shared; grows.
        """
        texts = {} if texts is None else texts
        seqs, item_ids = array("q"), []
        starts_s, ends_s = array("d"), array("d")
        for rows in self._batches(
            "SELECT seq, item_id, start_s, end_s FROM vectors "
            "WHERE modality = ? AND model_id = ? AND seq <= ? ORDER BY seq",
            (modality, model_id, up_to),
        ):
            for seq, item_id, start_s, end_s in rows:
                seqs.append(seq)
                item_ids.append(texts.setdefault(item_id, item_id))
                starts_s.append(start_s)
                ends_s.append(nan if end_s is None else end_s)
        return VectorRows(
            np.array(seqs, dtype=np.int64),
            item_ids,
            np.array(starts_s, dtype=np.float64),
            np.array(ends_s, dtype=np.float64),
        )

    def vectors(
        self,
        modality: str,
        model_id: str,
        dim: int,
        *,
        after: int = 0,
        up_to: int = LAST_SEQ,
    ) -> Float32[np.ndarray, "rows dim"]:
        """Return one modality's vectors with seq in (after, up_to], by ascending seq.

        Raises:
            DamagedDatabaseError: If a vector's checksum or width is wrong.
        """
        (count,) = self._connection.execute(
            "SELECT count(*) FROM vectors "
            "WHERE modality = ? AND model_id = ? AND seq > ? AND seq <= ?",
            (modality, model_id, after, up_to),
        ).fetchone()
        found, end = np.empty((count, dim), dtype=np.float32), 0
        for rows in self._vector_batches(modality, model_id, after, up_to):
            for seq, raw, crc in rows:
                if zlib.crc32(raw) != crc or len(raw) != dim * VECTOR_TYPE.itemsize:
                    raise DamagedDatabaseError(
                        f"vector {seq} ({modality}) is damaged in the database; {REMEDY}"
                    )
            flat = np.frombuffer(b"".join(raw for _, raw, _ in rows), dtype=VECTOR_TYPE)
            start, end = end, end + len(rows)
            found[start:end] = flat.reshape(len(rows), dim)
        return found

    def jobs(self) -> list[Job]:
        """Return every job, those changed longest ago first."""
        rows = self._connection.execute(
            "SELECT id, kind, state, progress, updated FROM jobs ORDER BY updated, id"
        )
        return [Job.from_row(*row) for row in rows]

    def damaged_vectors(self) -> list[int]:
        """Return the seq of every vector whose bytes do not match their checksum."""
        rows = self._connection.execute("SELECT seq, vec, crc, dim FROM vectors")
        return [
            seq
            for seq, raw, crc, dim in rows
            if zlib.crc32(raw) != crc or len(raw) != dim * VECTOR_TYPE.itemsize
        ]

    def integrity_problems(self) -> list[str]:
        """Return what SQLite's full integrity and foreign key checks find wrong."""
        try:
            found = [row[0] for row in self._connection.execute("PRAGMA integrity_check")]
            orphans = self._connection.execute("PRAGMA foreign_key_check").fetchall()
        except sqlite3.DatabaseError as error:
            return [str(error)]
        problems = [] if found == ["ok"] else found
        return problems + [f"row {row[1]} of {row[0]} has no item" for row in orphans]

    def _vector_batches(
        self, modality: str, model_id: str, after: int, up_to: int
    ) -> Iterator[list[tuple[int, bytes, int]]]:
        return self._batches(
            "SELECT seq, vec, crc FROM vectors "
            "WHERE modality = ? AND model_id = ? AND seq > ? AND seq <= ? "
            "ORDER BY seq",
            (modality, model_id, after, up_to),
        )

    def _batches(self, query: str, values: Sequence[Any] = ()) -> Iterator[list[Any]]:
        """Read rows a few at a time: all at once they take more than what is kept."""
        cursor = self._connection.execute(query, values)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield rows
