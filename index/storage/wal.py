"""The write-ahead log beside the database: whether what it must hold is there.

SQLite takes a log that is missing or damaged for the end of what was written, and goes on
without a word. What was acknowledged would be gone.

Source:
    SQLite, Database File Format, section 4, "The Write-Ahead Log"; WAL-mode File Format,
    section 2.1, "The WAL-Index Header".
"""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path

from crossmodal.errors import DamagedDatabaseError

WRITING = "WRITING"  # there while a process writes, left behind by one that was killed
_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}  # with the byte order of the checksum
_HEADER, _FRAME_HEADER = 32, 24
REMEDY = "restore a backup, or recover what can be read: python -m service doctor --recover"
_REMEDY = f"{REMEDY}; or delete {WRITING} to go on with what is left"


def check_log_is_there(database: Path) -> None:
    """Check, before opening, that a process that was killed has left its log.

    Raises:
        DamagedDatabaseError: If it is missing.
    """
    log = _log_of(database)
    if database.with_name(WRITING).exists() and not log.is_file():
        raise DamagedDatabaseError(
            f"{log.name} is missing, and with it the last writes of a process that did not "
            f"end by itself; {_REMEDY}"
        )


def check_log_is_whole(connection: sqlite3.Connection, database: Path) -> None:
    """Check that SQLite has found everything that was synced to the log.

    A process or a machine that stops may leave half of its last transaction, which was
    not acknowledged. It cannot leave a whole transaction behind a broken one: each is
    synced before the next begins.

    Raises:
        DamagedDatabaseError: If the log is damaged.
    """
    log = _log_of(database)
    if not database.with_name(WRITING).exists() or not log.is_file():
        return
    with log.open("rb") as file:
        header = file.read(_HEADER)
        if not header:
            return
        if not _is_header(header):
            raise DamagedDatabaseError(f"{log.name} is damaged; {_REMEDY}")
        page_size, salts = struct.unpack(">8xI4x8s", header[:24])
        found = _frames_found(connection, database)
        file.seek(_HEADER + found * (_FRAME_HEADER + page_size))
        commits = 0
        while len(frame := file.read(_FRAME_HEADER)) == _FRAME_HEADER:
            pages, its_salts = struct.unpack(">4xI8s8x", frame)
            commits += bool(pages) and its_salts == salts
            file.seek(page_size, 1)
    if commits > 1:
        raise DamagedDatabaseError(
            f"{log.name} is damaged: {commits} transactions in it cannot be read; {_REMEDY}"
        )


def _frames_found(connection: sqlite3.Connection, database: Path) -> int:
    """Return how many frames of the log SQLite takes for written, as it notes beside it."""
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    with database.with_name(database.name + "-shm").open("rb") as index:
        (found,) = struct.unpack("=16xI", index.read(20))
    return int(found)


def _log_of(database: Path) -> Path:
    return database.with_name(database.name + "-wal")


def _is_header(header: bytes) -> bool:
    """Tell whether a log's header has its magic number and its checksum."""
    if len(header) < _HEADER:
        return False
    order = _MAGIC.get(int.from_bytes(header[:4], "big"))
    if order is None:
        return False
    first = second = 0
    words = struct.unpack(f"{order}6I", header[:24])
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return struct.unpack(">2I", header[24:]) == (first, second)
