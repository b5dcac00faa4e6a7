"""Requests: which entries, seeds and folds a comparison is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crossmodal.errors import ConfigError
from training.compare.claim_entries import needed_entries
from training.compare.claims import CLAIMS
from training.compare.entry import Entry, parse_entry
from training.methods.catalog import METHODS, method_named

BASELINE = "random"
ALL, CLAIMED = "all", "claims"
LARGEST_BUDGET = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareRequest:
    """What a comparison is asked for.

    Attributes:
        data: Features file.
        entries: What is compared, in order.
        preset: The preset of entries that name none.
        overrides: Settings given as text, by method.
        seeds: One fit of each entry per seed and fold.
        folds: How many folds; None for the data's own split.
        tune: Candidates per fit of a declared search; None takes the method's own grid.
        split: What is scored: test, or train or val of the data's own split.
        device: Where networks train.
        workers: Fits at a time.
    """

    data: Path
    entries: tuple[Entry, ...]
    preset: str = "tuned"
    overrides: Mapping[str, Mapping[str, str]]
    seeds: tuple[int, ...]
    folds: int | None = None
    tune: int | None = None
    split: str = "test"
    device: str = "cpu"
    workers: int = 1

    def __post_init__(self) -> None:
        if not self.seeds:
            raise ConfigError("--seeds must be 1 or more")
        if self.folds is not None and self.folds < 2:
            raise ConfigError(f"--folds must be 2 or more, got {self.folds}")
        if self.folds is not None and self.split != "test":
            raise ConfigError("--folds scores each fold as test; drop --split")
        if self.tune is not None and not 1 <= self.tune <= LARGEST_BUDGET:
            raise ConfigError(
                f"a search has 1 to {LARGEST_BUDGET} candidates, got {self.tune}"
            )
        if self.workers < 1:
            raise ConfigError(f"--workers must be 1 or more, got {self.workers}")
        compared = {entry.method for entry in self.entries}
        for method in self.overrides:
            if method not in compared:
                raise ConfigError(f"--set {method}.…: {method} is not compared")


def parse_entries(text: str, preset: str) -> tuple[Entry, ...]:
    """Return the entries of ``a,b@PRESET,c:KEY=VALUE``; the random baseline joins any.

    Args:
        text: Entries as `training.compare.entry.parse_entry` takes them; ``all`` for
            every method, ``claims`` for what else the papers' claims are about.
        preset: The common preset.

    Raises:
        ConfigError: If a method or a setting is unknown, a value out of range, or an entry
            comes twice.
    """
    entries: list[Entry] = []
    names = [part.strip() for part in text.split(",")]
    for name in names:
        if name == CLAIMED:
            continue
        for each in METHODS if name == ALL else [name]:
            entry = parse_entry(each, preset)
            if entry in entries:
                raise ConfigError(f"--methods: {entry.name} comes twice")
            entries.append(entry)
    if CLAIMED in names:
        entries += [e for e in needed_entries(CLAIMS, preset) if e not in entries]
    if BASELINE not in {entry.method for entry in entries}:
        entries.insert(0, Entry(BASELINE, BASELINE, preset))
    return tuple(entries)


def parse_overrides(pairs: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return ``METHOD.KEY=VALUE`` texts by method.

    Raises:
        ConfigError: If a text has another form, a method is unknown or a key comes twice.
    """
    overrides: dict[str, dict[str, str]] = {}
    for pair in pairs:
        place, equals, value = pair.partition("=")
        method, dot, key = place.partition(".")
        if not (equals and dot and method and key):
            raise ConfigError(f"--set {pair}: expected METHOD.KEY=VALUE")
        method_named(method)
        if key in overrides.setdefault(method, {}):
            raise ConfigError(f"--set {pair}: {place} comes twice")
        overrides[method][key] = value
    return overrides
