"""Doctor: looks at the installation, the settings and a data directory, in that order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from crossmodal.errors import (
    CollectionLockedError,
    CrossmodalError,
    DamagedDatabaseError,
)
from crossmodal.media.decoder import Decoder
from index.collection import Collection
from index.recovery.rebuild import REPORT
from index.recovery.rebuild import recover as recover_database
from service.examination.findings import Finding, Level
from service.examination.installation import examine_installation
from service.examination.machine import examine_machine
from service.settings import Settings, read_settings, unknown_variables
from service.watching.warmup import warm_up

NAMED_AT_MOST = 10  # ids of items that are lost


def examine(data: Path | None = None, *, recover: bool = False) -> Iterator[Finding]:
    """Yield what was found; stop where going on would only repeat it.

    Args:
        data: The data directory, if the environment does not name it.
        recover: Whether to recover its database, if that is damaged.
    """
    yield from examine_installation()
    try:
        settings = read_settings(data=data)
        settings.check_host()
    except CrossmodalError as error:
        yield Finding(Level.PROBLEM, f"the settings are wrong: {error}", "correct them")
        return
    yield from examine_settings(settings)
    if settings.data is None:
        yield Finding(
            Level.PROBLEM,
            "no data directory is named",
            "pass --data DIR or set EARSHOT_DATA; python -m index build makes one",
        )
        return
    if recover:
        yield from recover_data(settings.data)
    yield from examine_data(settings.data)


def examine_settings(settings: Settings) -> Iterator[Finding]:
    """Yield findings on what the environment says and what the machine grants."""
    for name in unknown_variables():
        yield Finding(Level.WARNING, f"{name} means nothing here", "is it misspelt?")
    if settings.keys:
        yield Finding(Level.OK, f"{len(settings.keys)} keys are in force")
    else:
        yield Finding(Level.OK, "no keys: only this machine will be served")
    if settings.keys and not settings.rate:
        yield Finding(
            Level.OK, "no rate is set for keys; EARSHOT_RATE would bound each of them"
        )
    yield from examine_machine(settings)


def recover_data(directory: Path) -> Iterator[Finding]:
    """Recover a damaged database, and yield what came of it."""
    try:
        done = recover_database(directory)
    except CrossmodalError as error:
        yield Finding(Level.PROBLEM, f"nothing was recovered: {error}", "see below")
        return
    if done is None:
        yield Finding(Level.OK, "the database is not damaged: there is nothing to recover")
        return
    more = f", {done.from_bases} of these from index files" if done.from_bases else ""
    yield Finding(
        Level.OK, f"{done.items} items with {done.vectors} vectors were recovered{more}"
    )
    if done.damaged_pages:
        yield Finding(
            Level.WARNING,
            f"{done.damaged_pages} pages were damaged in part or as a whole",
            "look after the disk and the memory of this machine",
        )
    if done.lost:
        ids = sorted(done.lost)
        named = ", ".join(ids[:NAMED_AT_MOST])
        others = len(ids) - NAMED_AT_MOST
        yield Finding(
            Level.WARNING,
            f"{len(ids)} items are lost: {named}"
            + (f" and {others} more" if others > 0 else ""),
            f"{done.aside}/{REPORT} has each with the reason; store them again, or take "
            "them from a backup",
        )
    if done.missing_pages:
        yield Finding(
            Level.WARNING,
            f"{done.missing_pages} pages are missing; what stood on them has no name",
            "compare the number of items with what it should be",
        )
    if done.log_missing:
        yield Finding(
            Level.WARNING,
            "the last writes are lost with their log, and nothing tells their ids",
            "clients that kept the ids of what they sent may send it again",
        )
    yield Finding(
        Level.OK,
        f"the damaged files are kept in {done.aside} of the data directory",
        "delete it once everything that is missed was stored again",
    )


def examine_data(directory: Path) -> Iterator[Finding]:
    """Yield findings on a data directory, its bundle and their front ends."""
    try:
        collection = Collection.open(directory)
    except CollectionLockedError as error:
        yield Finding(
            Level.WARNING,
            f"the data directory was not looked into: {error}",
            "while a service holds it, GET /healthz tells how it is",
        )
        return
    except DamagedDatabaseError as error:
        yield Finding(
            Level.PROBLEM,
            str(error),
            "restore a backup; or pass --recover, which saves what can be read, names "
            "what cannot, and keeps the damaged files",
        )
        return
    except CrossmodalError as error:
        yield Finding(Level.PROBLEM, str(error), "build it again: python -m index build")
        return
    with collection, Decoder(workers=1) as decoder:
        sizes = ", ".join(f"{n} {m}" for m, n in collection.view.sizes.items())
        yield Finding(Level.OK, f"{len(collection.view.items)} items ({sizes})")
        if collection.degraded:
            yield Finding(
                Level.WARNING,
                f"the index files were not used: {collection.degraded}",
                "answers are the same but slower to come up; build the index again",
            )
        for name, count in collection.view.unserved.items():
            yield Finding(
                Level.WARNING,
                f"{count} {name} vectors cannot be searched",
                "they come from another model or build",
            )
        try:
            broken = warm_up(collection, decoder)
        except CrossmodalError as error:
            yield Finding(Level.PROBLEM, f"a query failed: {error}", "see the reason")
            return
        for reason in broken:
            yield Finding(
                Level.PROBLEM, reason, "vectors and stored items can still be searched"
            )
        if not broken:
            yield Finding(Level.OK, "a query went through decoder, encoder and index")
