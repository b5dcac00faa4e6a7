"""Admission: a bounded number of requests of one kind at a time, the rest told at once.

A place is asked for before the body is read, so that refusing costs next to nothing.
"""

from __future__ import annotations

from types import TracebackType

from service.problems import ProblemError


class Lane:
    """A fixed number of places; used from the event loop only."""

    def __init__(self, name: str, places: int) -> None:
        """Open a lane with all places free."""
        self.name = name
        self.places = places
        self.taken = 0
        self.refused = 0

    def __enter__(self) -> None:
        """Take a place.

        Raises:
            ProblemError: ``busy``, if every place is taken.
        """
        if self.taken >= self.places:
            self.refused += 1
            raise ProblemError("busy", f"all {self.places} places for this are taken")
        self.taken += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the place back."""
        self.taken -= 1
