"""The SQLite file of a collection: its tables, its settings, and whether it is ours."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from crossmodal.durable import sync_directory
from crossmodal.errors import CollectionError, DamagedDatabaseError
from index.storage.wal import REMEDY, check_log_is_there, check_log_is_whole

DATABASE = "items.db"
FORMAT = 1
APPLICATION_ID = 0x45415253  # "EARS", so that no other SQLite file passes for ours
BUSY_TIMEOUT_MS = 5000

# Item and vector numbers come from one counter, that of `log`. The numbers of an item's
# vectors precede the item's own, so whatever a log row announces is numbered up to it.
# `vec` stands last but for its checksum: columns before it are read without it.
_SCHEMA = f"""
CREATE TABLE log (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    op TEXT NOT NULL,
    id TEXT NOT NULL
);
CREATE TABLE items (
    id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL UNIQUE,
    label TEXT,
    media_sha256 TEXT,
    meta TEXT NOT NULL,
    created REAL NOT NULL
);
CREATE TABLE vectors (
    seq INTEGER PRIMARY KEY,
    item_id TEXT NOT NULL REFERENCES items (id) ON DELETE CASCADE,
    modality TEXT NOT NULL,
    model_id TEXT NOT NULL,
    start_s REAL NOT NULL,
    end_s REAL,
    dim INTEGER NOT NULL,
    vec BLOB NOT NULL,
    crc INTEGER NOT NULL,
    CHECK (length(vec) = 4 * dim)
);
CREATE INDEX vectors_of_item ON vectors (item_id);
CREATE INDEX vectors_of_model ON vectors (modality, model_id, seq, item_id, start_s, end_s);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    progress TEXT NOT NULL,
    updated REAL NOT NULL
);
CREATE TABLE idem (
    key TEXT PRIMARY KEY,
    req_sha256 TEXT NOT NULL,
    status INTEGER NOT NULL,
    body BLOB NOT NULL,
    expires REAL NOT NULL
);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""


def check_data_directory(directory: Path) -> None:
    """Check that a directory holds a database, in whatever state.

    Raises:
        CollectionError: If it is no data directory.
    """
    if not (directory / DATABASE).is_file():
        raise CollectionError(
            f"{directory} is no data directory: it has no {DATABASE}; "
            "python -m index build makes one"
        )


def create_database(path: Path) -> sqlite3.Connection:
    """Create the file with its tables and return the writing connection.

    Raises:
        CollectionError: If the file exists.
    """
    if path.exists():
        raise CollectionError(f"{path.name} exists already")
    connection = _connect(path, "rwc")
    connection.execute("PRAGMA journal_mode = WAL")
    _configure(connection)
    connection.executescript(_SCHEMA)
    return connection


def open_database(path: Path, *, write: bool) -> sqlite3.Connection:
    """Open an existing file after checking that it is ours, readable and undamaged.

    The checks only read: a damaged file and its log stay as they are, to be recovered from.

    Args:
        path: The file.
        write: Whether to write; one connection at a time may, and it also checkpoints.

    Raises:
        DamagedDatabaseError: If it is damaged, or its log is damaged or missing after a
            process that was killed; or it is foreign.
        CollectionError: If it is missing or from a newer build.
    """
    if not path.is_file():
        raise CollectionError(f"{path.name} is missing: this is no data directory")
    check_log_is_there(path)
    immutable = ""  # a reader must not need to create files
    if not path.with_name(path.name + "-wal").exists():
        immutable = "&immutable=1"
    try:
        with closing(_connect(path, "ro" + immutable)) as reading:
            _check(reading, path.name)
            check_log_is_whole(reading, path)
        connection = _connect(path, "rw" if write else "ro" + immutable)
        if write:
            _configure(connection)
    except sqlite3.DatabaseError as error:
        raise DamagedDatabaseError(
            f"{path.name} is damaged or unreadable ({error}); {REMEDY}"
        ) from error
    return connection


def open_beside_writer(path: Path) -> sqlite3.Connection:
    """Open a file for reading that this process has checked and opened for writing.

    Raises:
        CollectionError: If that fails.
    """
    try:
        return _connect(path, "ro")
    except sqlite3.Error as error:
        raise CollectionError(f"{path.name} cannot be read: {error}") from error


def snapshot(connection: sqlite3.Connection, path: Path) -> None:
    """Write what a connection reads now into a new file, durably.

    Raises:
        CollectionError: If the file exists, or what is read is damaged.
    """
    try:
        connection.execute("VACUUM INTO ?", (str(path),))
        copy = _connect(path, "rw")
        copy.execute("PRAGMA journal_mode = WAL")  # which a copy does not inherit
        copy.close()
    except sqlite3.Error as error:
        raise CollectionError(f"{path.name} cannot be copied: {error}") from error
    with path.open("rb") as file:
        os.fsync(file.fileno())
    sync_directory(path.parent)


def sqlite_version() -> str:
    """Return the version of SQLite that Python brings, as in ``3.51.3``."""
    return sqlite3.sqlite_version


def last_seq(connection: sqlite3.Connection) -> int:
    """Return the last number given to an item, a vector or a deletion; 0 when empty."""
    row = connection.execute(
        "SELECT seq FROM sqlite_sequence WHERE name = 'log'"
    ).fetchone()
    return 0 if row is None else int(row[0])


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=BUSY_TIMEOUT_MS / 1000,
    )


def _configure(connection: sqlite3.Connection) -> None:
    for setting in (
        "synchronous = FULL",
        "wal_autocheckpoint = 0",
        "mmap_size = 0",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {setting}")


def _check(connection: sqlite3.Connection, name: str) -> None:
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != APPLICATION_ID:
        raise DamagedDatabaseError(
            f"{name} is a SQLite file, but not of a data directory; {REMEDY}"
        )
    if version != FORMAT:
        raise CollectionError(f"{name} has format {version}, this build reads {FORMAT}")
    problems = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
    if problems != ["ok"]:
        raise DamagedDatabaseError(f"{name} is damaged ({problems[0]}); {REMEDY}")
