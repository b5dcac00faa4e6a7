"""Rebuilding: a database of what can be read, put in the place of a damaged one."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import sqlite3
import zlib
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crossmodal.durable import sync_directory, write_json
from crossmodal.errors import CollectionError, DamagedDatabaseError
from index.collection import STAGING
from index.recovery.contents import Contents, read_contents
from index.recovery.pages import Content, Pages
from index.recovery.whole import Bases, Salvage, whole_items
from index.storage.database import (
    DATABASE,
    check_data_directory,
    create_database,
    open_database,
)
from index.storage.lock import DirectoryLock
from index.storage.new_items import VECTOR_TYPE
from index.storage.store import Store
from index.storage.transaction import translated
from index.storage.wal import WRITING
from index.views.manifest import read_base, read_manifest
from index.writing.operations import Receipt
from index.writing.write_path import INDEX

RECOVERED, REPORT = DATABASE + ".recovered", "recovery.json"
ASIDE = "damaged-"
LEAP = 1_000_000  # numbers left out, since some may have been given to what is lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What was recovered and what was not.

    Attributes:
        items: How many items are whole.
        vectors: How many vectors they have.
        from_bases: How many of these came from the index files.
        lost: Per id known to have been stored, and not to be deleted, why it is not whole.
        damaged_pages: How many pages have a record that cannot be read, or are damaged in
            the log of pages.
        missing_pages: How many pages are missing; no item that stood on these has a name.
        log_missing: Whether the last writes are missing, whose ids nothing tells.
        aside: Where the damaged files are kept, in the data directory.
    """

    items: int
    vectors: int
    from_bases: int
    lost: Mapping[str, str]
    damaged_pages: int
    missing_pages: int
    log_missing: bool
    aside: str


def recover(directory: Path) -> Recovery | None:
    """Put what can be read of a damaged database in its place, and keep it aside.

    Items are recovered whole or not at all, and with their numbers, so that index files
    that are undamaged stay of use. Interrupted, it goes on when it is called again.

    Args:
        directory: The data directory.

    Returns:
        What was recovered; None if the database is not damaged, and nothing was done.

    Raises:
        CollectionLockedError: If another process holds it.
        CollectionError: If the database is missing or of another format, or nothing can
            be read.
    """
    check_data_directory(directory)
    database = directory / DATABASE
    lock = DirectoryLock(directory, write=True)
    try:
        if not _damaged(database):
            return None
        if not (directory / RECOVERED).is_file():
            _rebuild(directory)
        return _put_in_place(directory)
    finally:
        lock.release()


def _damaged(database: Path) -> bool:
    try:
        store = Store.open(database, write=False)
    except DamagedDatabaseError:
        return True
    with closing(store):
        return bool(store.integrity_problems() or store.damaged_vectors())


def _rebuild(directory: Path) -> None:
    database, log = directory / DATABASE, directory / f"{DATABASE}-wal"
    pages = Pages(_content(database), _content(log))
    contents = read_contents(pages)
    bases = _bases(directory / INDEX)
    salvage = whole_items(contents, bases)
    if not salvage.items:
        raise CollectionError(
            f"no item of {DATABASE} can be read; restore a backup, or build it again"
        )
    aside = _new_directory(directory)
    for name in (DATABASE, log.name, WRITING):
        with suppress(FileNotFoundError):
            os.link(directory / name, aside / name)
    recovery = Recovery(
        items=len(salvage.items),
        vectors=sum(len(item.vectors) for item in salvage.items),
        from_bases=salvage.from_bases,
        lost=salvage.lost,
        damaged_pages=contents.damaged_pages + pages.broken_frames,
        missing_pages=pages.missing,
        log_missing=(directory / WRITING).exists() and not log.is_file(),
        aside=aside.name,
    )
    draft = directory / STAGING / DATABASE
    shutil.rmtree(draft.parent, ignore_errors=True)
    draft.parent.mkdir()
    _fill(draft, salvage, contents, max(contents.last_seq, bases.seq) + LEAP)
    write_json(aside / REPORT, asdict(recovery))
    draft.replace(directory / RECOVERED)
    sync_directory(directory)


def _put_in_place(directory: Path) -> Recovery:
    """Let the new database take the place; until then, nothing can open the old one."""
    _, aside = max((_number(path), path) for path in directory.glob(f"{ASIDE}*/{REPORT}"))
    for suffix in ("-wal", "-shm"):
        (directory / f"{DATABASE}{suffix}").unlink(missing_ok=True)
    sync_directory(directory)
    (directory / RECOVERED).replace(directory / DATABASE)
    sync_directory(directory)
    (directory / WRITING).unlink(missing_ok=True)
    return Recovery(**json.loads(aside.read_bytes()))


def _content(path: Path) -> Content:
    """Return a file's bytes, which need not fit into memory; none if it is not there."""
    if not path.is_file() or not path.stat().st_size:
        return b""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _bases(index: Path) -> Bases:
    """Return the index files whose checksums hold."""
    try:
        manifest = read_manifest(index)
    except (CollectionError, FileNotFoundError):
        return Bases()
    galleries = {}
    for modality in manifest.bases:
        with suppress(CollectionError):
            galleries[str(modality)] = read_base(index, manifest, modality)
    return Bases(seq=manifest.seq, model_id=manifest.model_id, galleries=galleries)


def _new_directory(directory: Path) -> Path:
    number = 1
    while (directory / f"{ASIDE}{number}").exists():
        number += 1
    made = directory / f"{ASIDE}{number}"
    made.mkdir()
    return made


def _number(report: Path) -> int:
    return int(report.parent.name.removeprefix(ASIDE))


def _fill(draft: Path, salvage: Salvage, contents: Contents, last_seq: int) -> None:
    """Write a database of what is whole, durably, and check it."""
    with closing(create_database(draft)) as connection:
        try:
            connection.execute("BEGIN")
            for table, columns, rows in _tables(salvage, contents):
                marks = ", ".join("?" * columns)
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            connection.execute("DELETE FROM sqlite_sequence")
            connection.execute("INSERT INTO sqlite_sequence VALUES ('log', ?)", (last_seq,))
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error as error:
            raise translated(error) from error
    open_database(draft, write=False).close()
    with draft.open("rb") as file:
        os.fsync(file.fileno())


def _tables(
    salvage: Salvage, contents: Contents
) -> list[tuple[str, int, list[tuple[Any, ...]]]]:
    """Return the rows of each table, with how many columns it has."""
    log = dict(contents.log)
    vectors = []
    for row, found in salvage.items:
        log.setdefault(row.seq, ("add", row.id))
        for seq, (place, raw) in found.items():
            dim = len(raw) // VECTOR_TYPE.itemsize
            vectors.append((seq, *place, dim, raw, zlib.crc32(raw)))
    kept = [r for r in contents.replies.values() if not _names(r[3], salvage.lost)]
    return [
        ("log", 3, sorted((seq, op, item_id) for seq, (op, item_id) in log.items())),
        ("items", 6, [tuple(item.row) for item in salvage.items]),
        ("vectors", 9, sorted(vectors)),
        ("idem", 5, kept),
        ("jobs", 5, list(contents.jobs.values())),
    ]


def _names(reply: bytes, lost: Mapping[str, str]) -> bool:
    """Tell whether a reply speaks of an id that is lost: it must not be given again."""
    return any(str(one.item_id) in lost for one in Receipt.from_json(reply).results)
