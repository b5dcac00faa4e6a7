"""The seam between a class and the rest: what a scene offers to ear and eye."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from training.demo.events import Chance, Event
from training.demo.picture import Canvas
from training.demo.sound import Samples


@dataclass(frozen=True, slots=True)
class Look:
    """Which surroundings suit a class.

    Attributes:
        backdrops: Names of the table in ``training.demo.backdrops``.
        brightness: Range of the backdrop's brightness, in [0, 1].
    """

    backdrops: tuple[str, ...]
    brightness: tuple[float, float] = (0.12, 0.95)


class Scene(Protocol):
    """One clip of a class: its events and parameters, drawn by lot when it is made."""

    look: Look
    events: tuple[Event, ...]

    def sound(self, chance: Chance) -> Samples:
        """Return the clip's own sound, dry and at any level."""

    def paint_still(self, canvas: Canvas) -> None:
        """Paint over the backdrop what never moves."""

    def paint_moving(self, canvas: Canvas, time_s: float) -> None:
        """Paint over that what moves, as it stands at a time."""


SceneClass = Callable[[Chance, float], Scene]
"""Makes a new scene of a class, of a length in seconds."""
