"""Here: a job done by the command that asks for it, while no service runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from index.collection import Collection
from index.jobs.task import Task
from index.sources.sourcing import Progress
from index.versions.beside import beside_id
from index.versions.changing import MODEL, discard, reembed, switch
from index.work import DISCARD, REEMBED, SWITCH

_DOES: Mapping[str, Callable[[Collection, Task], Mapping[str, Any]]] = {
    REEMBED: reembed,
    SWITCH: lambda collection, task: switch(collection, task, lambda changed: None),
    DISCARD: discard,
}


def do_here(
    directory: Path, kind: str, params: Mapping[str, Any], *, progress: Progress
) -> Mapping[str, Any]:
    """Do a job that concerns the bundle beside, and return what it came to.

    Raises:
        CollectionLockedError: If a service holds the directory.
        CrossmodalError: If the job fails.
    """
    with Collection.open(directory, write=True) as collection, shown(progress) as note:
        task = Task(
            params={**params, MODEL: beside_id(directory)},
            note=note,
            cancelled=lambda: False,
            stopped=lambda: False,
        )
        return _DOES[kind](collection, task)


@contextmanager
def shown(progress: Progress) -> Iterator[Callable[[int, int], None]]:
    """Give what shows how much of how much is done, once that is known."""
    with ExitStack() as stack:
        advance: Callable[[], None] | None = None
        so_far = 0

        def note(done: int, total: int) -> None:
            nonlocal advance, so_far
            if advance is None:
                advance = stack.enter_context(progress("Items", total))
            while so_far < done:
                advance()
                so_far += 1

        yield note
