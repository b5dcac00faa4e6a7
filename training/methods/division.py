"""Division: what settings change where a method trains one model per direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossmodal.modality import Direction, parse_direction
from training.config import Settings
from training.methods.method import Method, Problem


def models_of(
    method: Method[Any], settings: Settings, problem: Problem
) -> list[tuple[Direction | None, dict[str, str]]]:
    """Return the models that settings ask for: the direction each is for, and overrides.

    Args:
        method: Divides its settings by ``per_direction``, if it has that.
        settings: What the overrides change, as text.
        problem: Whose modalities there are.

    Returns:
        One model for all directions, None, where nothing is divided.
    """
    divide = getattr(method, "per_direction", None)
    models: Mapping[str, Settings] | None = divide and divide(settings, problem)
    if models is None:
        return [(None, {})]
    return [(parse_direction(way), _changes(settings, own)) for way, own in models.items()]


def _changes(settings: Settings, other: Settings) -> dict[str, str]:
    ours, theirs = settings.to_json(), other.to_json()
    return {key: str(theirs[key]) for key in theirs if theirs[key] != ours[key]}
