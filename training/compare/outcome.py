"""Outcomes: what one job of a comparison found, as it lies on disk.

``KEY.json`` holds ``key``; ``job`` (entry, method, preset, overrides, seed, fold,
direction, tune, detail); ``status`` (``ok``, ``not applicable`` or ``failed``) and
``reason``; ``settings``; ``selection`` (metric, score, chosen, and candidates with
settings, score and directions); ``history`` (a record per epoch: epoch, loss terms,
validation, a value per direction); ``best_epoch``; ``notes``; ``pairs``; ``fit_split``;
``train_seconds``; ``evaluate_seconds``; ``parameters``; ``directions`` (as
``evaluate --format json`` prints); ``curves`` (as in a run's evaluation card) and
``last_epoch`` (mAP by direction, or null). ``KEY.npz`` holds, per direction,
``DIRECTION.METRIC`` with a value per query, NaN where there is none, and, if the job asked
for detail, ``embedding.MODALITY`` of the scored items.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64

from crossmodal.errors import DataError
from crossmodal.modality import Direction, Modality, parse_direction, parse_modality

OK, NOT_APPLICABLE, FAILED = "ok", "not applicable", "failed"

Matrix = Float32[np.ndarray, "items dim"]
PerQuery = Float64[np.ndarray, "queries"]


@dataclass(frozen=True)
class Outcome:
    """One job's result: its JSON, and its arrays read when asked for."""

    path: Path
    values: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path) -> Outcome:
        """Read a job's JSON.

        Raises:
            DataError: If the file is no finished job.
        """
        try:
            return cls(path, json.loads(path.read_text()))
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: not a finished job") from error

    @property
    def entry(self) -> str:
        """Name of the entry it belongs to."""
        return str(self.values["job"]["entry"])

    @property
    def seed(self) -> int:
        """Seed of the fit."""
        return int(self.values["job"]["seed"])

    @property
    def fold(self) -> int | None:
        """Number of the fold it was scored on, from 1; None for the data's own split."""
        fold: int | None = self.values["job"]["fold"]
        return fold

    @property
    def ok(self) -> bool:
        """Whether it was fitted and scored."""
        return bool(self.values["status"] == OK)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions it was scored in."""
        return tuple(parse_direction(name) for name in self.values["directions"])

    def per_query(self, direction: Direction, metric: str) -> PerQuery:
        """Return a metric of every query, NaN where it has none."""
        return np.asarray(self._array(f"{direction}.{metric}"), dtype=np.float64)

    def embeddings(self) -> dict[Modality, Matrix]:
        """Return the embeddings of the scored items; empty unless ``detail`` was asked."""
        names = [n for n in self._names if n.startswith("embedding.")]
        return {parse_modality(n.partition(".")[2]): self._array(n) for n in names}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        with np.load(self.path.with_suffix(".npz"), allow_pickle=False) as arrays:
            return tuple(arrays.files)

    def _array(self, name: str) -> np.ndarray:
        with np.load(self.path.with_suffix(".npz"), allow_pickle=False) as arrays:
            array: np.ndarray = arrays[name]
            return array


def per_query(outcomes: Sequence[Outcome], direction: Direction, metric: str) -> PerQuery:
    """Return a metric of every query: the mean over seeds, folds one after another."""
    by_fold: dict[int, list[PerQuery]] = {}
    for outcome in outcomes:
        if direction in outcome.directions:
            found = outcome.per_query(direction, metric)
            by_fold.setdefault(outcome.fold or 0, []).append(found)
    parts = [np.mean(by_fold[fold], axis=0) for fold in sorted(by_fold)]
    return np.concatenate(parts) if parts else np.zeros(0)


def mean_of(trees: Sequence[Any]) -> Any:
    """Return one JSON value whose numbers are the means over values of one structure.

    Where structures differ, or a leaf is no number, the first is taken.
    """
    first, *others = trees
    if isinstance(first, bool) or not others:
        return first
    if isinstance(first, int | float):
        numbers = [t for t in trees if isinstance(t, int | float)]
        if len(numbers) < len(trees) or len(set(numbers)) == 1:
            return first
        return float(np.mean(numbers))
    if isinstance(first, dict):
        if any(not isinstance(t, dict) or t.keys() != first.keys() for t in others):
            return first
        return {key: mean_of([t[key] for t in trees]) for key in first}
    if isinstance(first, list):
        if any(not isinstance(t, list) or len(t) != len(first) for t in others):
            return first
        return [mean_of([t[i] for t in trees]) for i in range(len(first))]
    return first
