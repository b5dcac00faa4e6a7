"""Tuning: a declared random search with one budget for every method."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np

from crossmodal.errors import ConfigError
from training.config import Settings
from training.methods.method import Method

FACTORS: Mapping[str, tuple[float, ...]] = {
    "rate": (0.3, 1, 3),
    "weight_decay": (0.1, 1, 10),
    "ridge": (0.01, 0.1, 1, 10),
    "c": (0.1, 0.3, 1, 3, 10),
    "gamma": (0.5, 1, 2),
    "margin": (0.5, 1, 2),
    "temperature": (0.5, 1, 2),
    "k": (0.5, 1, 2),
    "dim": (0.5, 1, 2),
    "hidden": (0.5, 1, 2),
}
"""By what a setting's starting value is multiplied."""
WEIGHTS = (0.3, 1.0, 3.0)
"""By what the weight of a loss, a setting named ``…_weight``, is multiplied."""
VALUES: Mapping[str, tuple[float, ...]] = {
    "dropout": (0.0, 0.2, 0.5),
    "input_dropout": (0.0, 0.1, 0.3),
    "noise": (0.0, 0.1, 0.3),
}
"""What a setting is set to, whatever its starting value."""
ATTEMPTS = 200  # draws without a new candidate, after which the space is exhausted


def space(
    method: Method[Any], settings: Settings, fixed: Collection[str]
) -> dict[str, tuple[Any, ...]]:
    """Return the values searched, by setting.

    A method's own grid says them where it names a setting; else those declared here.

    Args:
        method: The method.
        settings: Where the search starts.
        fixed: Names of settings not to vary.
    """
    own: dict[str, list[Any]] = {}
    for grid in method.grids:
        for name, values in grid.items():
            known = own.setdefault(name, [])
            known.extend(v for v in values if v not in known)
    found = {}
    for name, start in settings.to_json().items():
        if name in fixed:
            continue
        values = tuple(own[name]) if name in own else _declared(name, start)
        if len({start, *values}) > 1:
            found[name] = values
    return found


def search(
    method: Method[Any], settings: Settings, budget: int, fixed: Collection[str]
) -> list[Settings]:
    """Return the candidates of a search: where it starts, then draws from the space.

    The draws depend on the method's name alone, so every seed and fold tries the same.

    Args:
        method: The method.
        settings: Where the search starts.
        budget: Candidates; fewer are returned if the space holds no more.
        fixed: Names of settings not to vary.
    """
    values = space(method, settings, fixed)
    rng = np.random.default_rng(crc32(method.card.name.encode()))
    candidates = [settings]
    in_vain = 0
    while values and len(candidates) < budget and in_vain < ATTEMPTS:
        in_vain += 1
        drawn = {name: few[int(rng.integers(len(few)))] for name, few in values.items()}
        try:
            candidate = replace(settings, **drawn)
        except ConfigError:  # a value out of range, or two that exclude each other
            continue
        if candidate not in candidates:
            candidates.append(candidate)
            in_vain = 0
    return candidates


def _declared(name: str, start: Any) -> tuple[Any, ...]:
    if isinstance(start, bool) or not isinstance(start, int | float):
        return ()
    if name in VALUES:
        return VALUES[name]
    factors = WEIGHTS if name.endswith("_weight") else FACTORS.get(name, ())
    if isinstance(start, int):
        return tuple(max(1, round(start * factor)) for factor in factors)
    return tuple(start * factor for factor in factors)
