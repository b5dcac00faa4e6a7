"""Backup: a whole copy of a data directory, made while it is served and written to.

The copy holds what the collection held at one moment: a snapshot of the database, the
bundle, and the media that the snapshot's items show. Index files are left out, since they
can be made anew. ``backup.json`` says what the copy is of, with the database's checksum.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from crossmodal.bundle import Bundle
from crossmodal.durable import sha256_file, sync_directory, write_json
from crossmodal.errors import CollectionError, CollectionLockedError
from index.collection import BUNDLE, MEDIA, STAGING
from index.storage.database import (
    DATABASE,
    check_data_directory,
    last_seq,
    open_beside_writer,
    open_database,
    snapshot,
)
from index.storage.lock import DirectoryLock
from index.storage.media import MediaFiles
from index.versions.beside import copy_beside

BACKUP = "backup.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What a copy holds.

    Attributes:
        created: Seconds since 1970.
        seq: The last write in it.
        items: How many items.
        media: How many media files.
        model_id: The bundle's.
        database_sha256: Of ``items.db``.
        format: Of this description.
    """

    created: float
    seq: int
    items: int
    media: int
    model_id: str
    database_sha256: str
    format: int = FORMAT


def back_up(directory: Path, out: Path) -> Backup:
    """Copy a data directory; a service may search in it and write to it meanwhile.

    Args:
        directory: The data directory.
        out: The copy, which is a data directory itself; it appears whole or not at all.

    Raises:
        CollectionError: If there is something at ``out``, or the database is damaged.
        BundleError: If the bundle is damaged.
    """
    if out.exists():
        raise CollectionError(f"{out} exists already; name a new directory")
    check_data_directory(directory)
    draft = out.with_name(out.name + ".new")
    if draft.exists():
        shutil.rmtree(draft)  # left by a backup that was interrupted
    draft.mkdir(parents=True)
    try:
        backup = _copy(directory, draft)
        write_json(draft / BACKUP, asdict(backup))
        draft.rename(out)
    except BaseException:
        shutil.rmtree(draft)
        raise
    sync_directory(out.parent)
    return backup


def _copy(directory: Path, draft: Path) -> Backup:
    shutil.copytree(directory / BUNDLE, draft / BUNDLE)
    copy_beside(directory, draft)
    bundle = Bundle.open(draft / BUNDLE)
    database = draft / DATABASE
    with _reading(directory) as source:
        snapshot(source, database)
    copy = open_database(database, write=False)  # and checks it
    try:
        (items,) = copy.execute("SELECT count(*) FROM items").fetchone()
        shown = [
            sha256
            for (sha256,) in copy.execute(
                "SELECT DISTINCT media_sha256 FROM items WHERE media_sha256 IS NOT NULL"
            )
        ]
        seq = last_seq(copy)
    finally:
        copy.close()
    return Backup(
        created=time.time(),
        seq=seq,
        items=items,
        media=_copy_media(directory, draft, shown),
        model_id=bundle.model_id,
        database_sha256=sha256_file(database),
    )


@contextmanager
def _reading(directory: Path) -> Iterator[sqlite3.Connection]:
    """Open the database for reading, beside the writer if there is one."""
    try:
        lock = DirectoryLock(directory, write=False)
    except CollectionLockedError:
        connection = open_beside_writer(directory / DATABASE)
        try:
            yield connection
        finally:
            connection.close()
        return
    try:
        connection = open_database(directory / DATABASE, write=False)
        try:
            yield connection
        finally:
            connection.close()
    finally:
        lock.release()


def _copy_media(directory: Path, draft: Path, shown: Sequence[str]) -> int:
    """Copy what is shown; what was deleted with its item since then cannot be."""
    source = MediaFiles(directory / MEDIA, directory / STAGING)
    target = MediaFiles(draft / MEDIA, draft / STAGING)
    copied = 0
    for sha256 in shown:
        try:
            kept = target.add(source.path(sha256))
        except FileNotFoundError:
            continue
        if kept != sha256:
            raise CollectionError(f"the media file {sha256[:12]}… is damaged")
        copied += 1
    return copied
