"""The store: items and their vectors in SQLite, which is the truth of a collection."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int64

from crossmodal.embeddings import normalize, norms
from crossmodal.errors import CollectionError, DataError, ShapeError
from crossmodal.items import Segment, check_item_id
from index.database import create_database, open_database

VECTOR_TYPE = np.dtype("<f4")
ROUNDING_TOLERANCE = 1e-5  # float32 rounding keeps norms within it at any usual width
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class NewVector:
    """One segment's embedding in one modality, before it is stored."""

    modality: str
    embedding: Float[np.ndarray, "dim"]
    segment: Segment = field(default_factory=Segment)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """An item before it is stored."""

    id: str
    vectors: Sequence[NewVector]
    label: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    media_sha256: str | None = None


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

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use `Store.create` or `Store.open`."""
        self._connection = connection

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
        return cls(open_database(path, write=write))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @property
    def seq(self) -> int:
        """The last number given to an item, a vector or a deletion; 0 when empty."""
        row = self._connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'log'"
        ).fetchone()
        return 0 if row is None else int(row[0])

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
        """
        metadata = [_metadata_text(item) for item in items]
        vectors = iter(_unit_rows(items, dim).astype(VECTOR_TYPE))
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            seq = self.seq
            for item, text in zip(items, metadata, strict=True):
                first, seq = seq + 1, seq + 1 + len(item.vectors)
                execute("INSERT INTO log VALUES (?, 'add', ?)", (seq, item.id))
                execute(
                    "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)",
                    (item.id, seq, item.label, item.media_sha256, text, created),
                )
                for number, vector in enumerate(item.vectors, start=first):
                    raw = next(vectors).tobytes()
                    segment = vector.segment
                    execute(
                        "INSERT INTO vectors VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (
                            *(number, item.id, str(vector.modality), model_id),
                            *(segment.start_s, segment.end_s, dim, raw, zlib.crc32(raw)),
                        ),
                    )
            execute("COMMIT")
        except BaseException as error:
            if self._connection.in_transaction:
                execute("ROLLBACK")
            if isinstance(error, sqlite3.IntegrityError):
                raise DataError(f"item {item.id} is stored already") from error
            raise
        return seq

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file; only the writer may."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def items(self) -> list[ItemRow]:
        """Return every item, ids ascending."""
        rows = self._connection.execute(
            "SELECT id, seq, label, media_sha256, meta, created FROM items"
        ).fetchall()
        ids, seqs, labels, media, texts, created = _columns(rows, 6)
        metadata = json.loads("[" + ",".join(texts) + "]")  # 3 times faster than one by one
        return sorted(map(ItemRow, ids, seqs, labels, media, metadata, created))

    def groups(self) -> list[VectorGroup]:
        """Count the vectors per modality and model, whatever they are called."""
        rows = self._connection.execute(
            "SELECT modality, model_id, count(*) FROM vectors "
            "GROUP BY modality, model_id ORDER BY modality, model_id"
        )
        return [VectorGroup(*row) for row in rows]

    def vector_rows(self, modality: str, model_id: str) -> VectorRows:
        """Return what is known of one modality's vectors, without the vectors."""
        rows = self._connection.execute(
            "SELECT seq, item_id, start_s, end_s FROM vectors "
            "WHERE modality = ? AND model_id = ? ORDER BY seq",
            (modality, model_id),
        ).fetchall()
        seqs, item_ids, starts, ends = _columns(rows, 4)
        return VectorRows(
            np.array(seqs, dtype=np.int64),
            item_ids,
            np.array(starts, dtype=np.float64),
            np.array(ends, dtype=np.float64),  # None becomes NaN
        )

    def vectors(
        self, modality: str, model_id: str, dim: int, *, after: int = 0
    ) -> Float32[np.ndarray, "rows dim"]:
        """Return one modality's vectors with seq above ``after``, by ascending seq.

        Raises:
            CollectionError: If a vector's checksum or width is wrong.
        """
        parts = [np.empty((0, dim), dtype=np.float32)]
        for rows in self._vector_batches(modality, model_id, after):
            for seq, raw, crc in rows:
                if zlib.crc32(raw) != crc or len(raw) != dim * VECTOR_TYPE.itemsize:
                    raise CollectionError(
                        f"vector {seq} ({modality}) is damaged in the database; "
                        "restore a backup"
                    )
            flat = np.frombuffer(b"".join(raw for _, raw, _ in rows), dtype=VECTOR_TYPE)
            parts.append(flat.reshape(len(rows), dim).astype(np.float32))
        return np.concatenate(parts)

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
        self, modality: str, model_id: str, after: int
    ) -> Iterator[list[tuple[int, bytes, int]]]:
        cursor = self._connection.execute(
            "SELECT seq, vec, crc FROM vectors "
            "WHERE modality = ? AND model_id = ? AND seq > ? ORDER BY seq",
            (modality, model_id, after),
        )
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield rows


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> list[list[Any]]:
    return [[row[column] for row in rows] for column in range(count)]


def _metadata_text(item: NewItem) -> str:
    check_item_id(item.id)
    try:
        return json.dumps(dict(item.metadata), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"item {item.id}: metadata must be JSON: {error}") from None


def _unit_rows(items: Sequence[NewItem], dim: int) -> Float[np.ndarray, "vectors dim"]:
    """Return all vectors of the items, one after the other, at unit norm.

    What an encoder returned is of unit norm and stays bit for bit as it is.
    """
    owners = [(item, vector) for item in items for vector in item.vectors]
    for item, vector in owners:
        if vector.embedding.shape != (dim,):
            raise ShapeError(
                f"item {item.id}: expected a {vector.modality} vector ({dim},), got "
                f"{vector.embedding.shape}"
            )
    rows = np.array([vector.embedding for _, vector in owners]).reshape(-1, dim)
    try:
        lengths = norms(rows)
    except ShapeError:
        for (item, vector), row in zip(owners, rows, strict=True):
            _check_norm(item, vector, row)
        raise
    off = np.abs(lengths - 1) > ROUNDING_TOLERANCE
    rows[off] = normalize(rows[off])
    return rows


def _check_norm(item: NewItem, vector: NewVector, row: Float[np.ndarray, "dim"]) -> None:
    try:
        norms(row[None])
    except ShapeError as error:
        raise ShapeError(f"item {item.id}, {vector.modality}: {error}") from None
