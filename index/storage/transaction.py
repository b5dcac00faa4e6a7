"""Transactions: changes of the store that are durable together or not made at all."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple

from crossmodal.errors import CollectionError, DataError, StorageFullError
from index.storage.database import FORMAT, last_seq
from index.storage.job import Job
from index.storage.new_items import VECTOR_TYPE, CheckedItem

_COMMITTED = 1


class KeptReply(NamedTuple):
    """What was answered under an idempotency key, and the sha256 of its request."""

    request_sha256: str
    body: bytes


class Transaction:
    """Writes between BEGIN and COMMIT; leaving by an error takes all of them back.

    ``seq`` is the last number given: by what was committed before, then by what is
    written here. Nothing may be acknowledged before the transaction was left.
    """

    def __init__(self, connection: sqlite3.Connection, model_id: str) -> None:
        """Use `Store.transaction`, in a ``with`` statement."""
        self._connection = connection
        self._model_id = model_id
        self.seq = 0

    def __enter__(self) -> Transaction:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise translated(error) from error
        self.seq = last_seq(self._connection)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._connection.execute("COMMIT")
        except sqlite3.Error as failure:
            error = failure
        if error is not None:
            self._roll_back()
        if isinstance(error, sqlite3.Error):
            raise translated(error) from error

    def insert(self, checked: CheckedItem, *, created: float, op: str = "add") -> list[int]:
        """Write an item and return the numbers of its vectors; the item's own is `seq`.

        Raises:
            DataError: If an item of that id is stored.
        """
        item, execute = checked.item, self._connection.execute
        first, self.seq = self.seq + 1, self.seq + 1 + len(item.vectors)
        execute("INSERT INTO log VALUES (?, ?, ?)", (self.seq, op, item.id))
        try:
            execute(
                "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)",
                (
                    *(item.id, self.seq, item.label),
                    *(item.media_sha256, checked.metadata, created),
                ),
            )
        except sqlite3.IntegrityError as error:
            raise DataError(f"item {item.id} is stored already") from error
        self._write_vectors(first, checked)
        return list(range(first, self.seq))

    def attach(self, checked: CheckedItem, item_seq: int) -> bool:
        """Write vectors of this model beside those that a stored item has of another.

        Nothing else of the item is looked at. Tell whether they were written: not if
        the item is gone or another by now, or has vectors of this model.
        """
        item_id, execute = checked.item.id, self._connection.execute
        wanted = execute(
            "SELECT 1 FROM items WHERE id = ? AND seq = ? AND NOT EXISTS "
            "(SELECT 1 FROM vectors WHERE item_id = ? AND model_id = ?)",
            (item_id, item_seq, item_id, self._model_id),
        ).fetchone()
        if wanted is None:
            return False
        first, self.seq = self.seq + 1, self.seq + 1 + len(checked.item.vectors)
        execute("INSERT INTO log VALUES (?, 'attach', ?)", (self.seq, item_id))
        self._write_vectors(first, checked)
        return True

    def forget_vectors(self, model_id: str, most: int) -> int:
        """Delete up to so many vectors of a model and return how many were deleted."""
        return self._connection.execute(
            "DELETE FROM vectors WHERE seq IN "
            "(SELECT seq FROM vectors WHERE model_id = ? LIMIT ?)",
            (model_id, most),
        ).rowcount

    def replace(self, checked: CheckedItem, *, created: float) -> list[int]:
        """Write an item in the place of the stored one of its id, as `insert` does."""
        self._connection.execute("DELETE FROM items WHERE id = ?", (checked.item.id,))
        return self.insert(checked, created=created, op="replace")

    def delete(self, item_id: str) -> None:
        """Delete an item with its vectors; `seq` is then the deletion's number."""
        self.seq += 1
        execute = self._connection.execute
        execute("INSERT INTO log VALUES (?, 'delete', ?)", (self.seq, item_id))
        execute("DELETE FROM items WHERE id = ?", (item_id,))

    def reply_to(self, key: str, now: float) -> KeptReply | None:
        """Return what was answered under a key that has not expired."""
        row = self._connection.execute(
            "SELECT req_sha256, body FROM idem WHERE key = ? AND expires > ?", (key, now)
        ).fetchone()
        return None if row is None else KeptReply(*row)

    def keep_reply(self, key: str, reply: KeptReply, expires: float) -> None:
        """Remember what is answered under a key, until Unix time ``expires``."""
        self._connection.execute(
            "INSERT OR REPLACE INTO idem VALUES (?, ?, ?, ?, ?)",
            (key, reply.request_sha256, _COMMITTED, reply.body, expires),
        )

    def forget_replies(self, now: float, most: int) -> int:
        """Forget up to so many replies that have expired; return how many were."""
        return self._connection.execute(
            "DELETE FROM idem WHERE key IN "
            "(SELECT key FROM idem WHERE expires <= ? LIMIT ?)",
            (now, most),
        ).rowcount

    def keep_job(self, job: Job) -> None:
        """Store a job, in place of what was known of it."""
        self._connection.execute(
            "INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?, ?)",
            (job.id, job.kind, job.state, job.to_json(), job.updated),
        )

    def forget_jobs(self, ids: Sequence[str]) -> None:
        """Forget jobs."""
        self._connection.executemany("DELETE FROM jobs WHERE id = ?", [(i,) for i in ids])

    def forget_log(self, up_to: int, most: int) -> int:
        """Drop the oldest so many log rows up to a number; return how many were dropped.

        The counter goes on from where it is.
        """
        return self._connection.execute(
            "DELETE FROM log WHERE seq IN "
            "(SELECT seq FROM log WHERE seq <= ? ORDER BY seq LIMIT ?)",
            (up_to, most),
        ).rowcount

    def rewrite_header(self) -> None:
        """Write the file's first page again as it is."""
        self._connection.execute(f"PRAGMA user_version = {FORMAT}")

    def _write_vectors(self, first: int, checked: CheckedItem) -> None:
        rows = checked.embeddings.astype(VECTOR_TYPE)
        vectors = zip(checked.item.vectors, rows, strict=True)
        for number, (vector, row) in enumerate(vectors, start=first):
            raw, segment = row.tobytes(), vector.segment
            self._connection.execute(
                "INSERT INTO vectors VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(number, checked.item.id, str(vector.modality), self._model_id),
                    *(segment.start_s, segment.end_s, len(row), raw, zlib.crc32(raw)),
                ),
            )

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def translated(error: sqlite3.Error) -> CollectionError:
    """Return our own error for one of SQLite while writing."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return StorageFullError("the disk is full; delete items or free some space")
    return CollectionError(f"the database cannot be written: {error}")
