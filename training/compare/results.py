"""Results: what a comparison wrote, opened again.

Layout of the directory::

    compare.json            what it rests on; written last
    table.json .csv .md .tex    the table: one row per entry, direction and metric
    folds.json              ids of every fold, where folds were asked for
    splits/NAME/items.json  per modality id, label and pair of every scored item
    splits/NAME/features.npz    per modality the features of those items, as methods see them
    jobs/KEY.json           one fit and its evaluation (`Outcome`)
    jobs/KEY.npz            its values per query; embeddings where ``detail`` is true
    trec/                   runs of the first seed, and qrels

``NAME`` is ``own`` for the data's own split, else ``fold1``, ``fold2``, …. An entry is a
method with a preset; its name is the method's, followed by ``@PRESET`` where that is not
the preset of the whole comparison. ``compare.json`` holds ``format``, ``version``,
``command``, ``environment``, ``request``, ``data`` (name, path, sha256, modalities, and per
split the queries, gallery and class counts), ``entries`` (``name``, ``method``, ``preset``,
``title``, ``source``, ``supervision``, ``status``, ``reason``, ``pairs``, ``settings``,
``notes``, ``last_epoch``: mAP by direction) and ``trec`` (entry to file names).

A job's JSON holds ``key``, ``job`` (entry, method, preset, overrides, seed, fold, direction,
tune, detail), ``status`` (``ok``, ``not applicable`` or ``failed``), ``reason``, ``settings``,
``selection`` (metric, score, candidates with settings, score and directions, chosen),
``history`` (a record per epoch: epoch, loss terms, validation, a value per direction),
``best_epoch``, ``notes``, ``pairs``, ``fit_split``, ``train_seconds``,
``evaluate_seconds``, ``parameters``, ``directions`` (as ``evaluate --format json`` prints),
``curves`` (as in a run's evaluation card) and ``last_epoch`` (mAP by direction, or null).
Its npz holds, per direction, ``DIRECTION.METRIC`` with a value per query, NaN where the
query has none, and per modality ``embedding.MODALITY``.
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

from crossmodal.errors import ConfigError, DataError
from crossmodal.modality import Direction, Modality, parse_direction, parse_modality

FORMAT = 1
CARD, TABLE, FOLDS = "compare.json", "table.json", "folds.json"
JOBS, SPLITS, TREC = "jobs", "splits", "trec"
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


@dataclass(frozen=True, slots=True)
class Items:
    """The scored items of one modality, in the order of every array."""

    id: tuple[str, ...]
    label: tuple[str, ...]
    pair: tuple[str, ...]


@dataclass(frozen=True)
class Results:
    """A finished comparison."""

    directory: Path
    card: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    outcomes: Sequence[Outcome]

    @classmethod
    def open(cls, directory: Path) -> Results:
        """Read a comparison.

        Raises:
            ConfigError: If the directory holds none, or one of another format.
            DataError: If a job's file is missing.
        """
        try:
            card = json.loads((directory / CARD).read_text())
            rows = json.loads((directory / TABLE).read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{directory}: holds no finished comparison") from error
        if card["format"] != FORMAT:
            raise ConfigError(f"{directory}: format {card['format']}, expected {FORMAT}")
        jobs = [Outcome.open(directory / JOBS / f"{key}.json") for key in card["jobs"]]
        return cls(directory, card, rows, jobs)

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of the entries in the order asked for, failed ones included."""
        return tuple(entry["name"] for entry in self.card["entries"])

    @property
    def scored(self) -> tuple[str, ...]:
        """Names of the entries with at least one job that worked."""
        there = {outcome.entry for outcome in self.outcomes if outcome.ok}
        return tuple(name for name in self.entries if name in there)

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The directions, in a stable order."""
        return tuple(parse_direction(name) for name in self.card["data"]["directions"])

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of what was scored: ``own``, or the folds."""
        return tuple(self.card["data"]["splits"])

    def entry(self, name: str) -> Mapping[str, Any]:
        """Return what ``compare.json`` says of an entry."""
        found: Mapping[str, Any] = next(
            entry for entry in self.card["entries"] if entry["name"] == name
        )
        return found

    def row(self, name: str, direction: str, metric: str) -> Mapping[str, Any]:
        """Return one row of the table; ``direction`` may be ``mean``."""
        entry = self.entry(name)
        wanted = (entry["method"], entry["preset"], direction, metric)
        keys = ("method", "preset", "direction", "metric")
        return next(row for row in self.rows if tuple(row[k] for k in keys) == wanted)

    def of(self, name: str) -> tuple[Outcome, ...]:
        """Return an entry's jobs that worked, by seed, fold and direction."""
        return tuple(o for o in self.outcomes if o.entry == name and o.ok)

    def per_query(
        self, name: str, direction: Direction, metric: str = "mean_average_precision"
    ) -> PerQuery:
        """Return a metric of every query, mean over the seeds, folds one after another."""
        return per_query(self.of(name), direction, metric)

    def curves(self, name: str, direction: Direction) -> Mapping[str, Any]:
        """Return a direction's curves, every number the mean over the jobs.

        Keys: as `crossmodal.metrics.report.DirectionReport.curves` has them, among them
        ``precision_recall_11_point``, ``precision_recall_101_point``,
        ``precision_scope``, ``average_precision_by_class``, ``confusion``. Lists that
        differ in length between folds are the first job's.
        """
        found = [o.values["curves"][str(direction)] for o in self._in(name, direction)]
        mean: Mapping[str, Any] = mean_of(found)
        return mean

    def items(self, split: str | None = None) -> dict[Modality, Items]:
        """Return the scored items of a split, default the first."""
        path = self.directory / SPLITS / (split or self.splits[0]) / "items.json"
        return {
            parse_modality(m): Items(**{k: tuple(v) for k, v in columns.items()})
            for m, columns in json.loads(path.read_text()).items()
        }

    def features(self, split: str | None = None) -> dict[Modality, Matrix]:
        """Return the features of those items, as methods see them: before embedding."""
        path = self.directory / SPLITS / (split or self.splits[0]) / "features.npz"
        with np.load(path, allow_pickle=False) as arrays:
            return {parse_modality(name): arrays[name] for name in arrays.files}

    def embeddings(
        self, name: str, direction: Direction | None = None
    ) -> dict[Modality, Matrix]:
        """Return an entry's embeddings of the first split's items, by the first seed.

        Args:
            name: The entry.
            direction: Whose model, where an entry has one per direction; the first's
                if not given.
        """
        for outcome in self.of(name):
            if outcome.values["job"]["detail"] and (
                direction is None or direction in outcome.directions
            ):
                return outcome.embeddings()
        return {}

    def history(self, name: str) -> list[tuple[Outcome, Sequence[Mapping[str, Any]]]]:
        """Return each job with its records per epoch; none for closed forms."""
        return [(o, o.values["history"]) for o in self.of(name) if o.values["history"]]

    def candidates(self, name: str) -> list[tuple[Outcome, Sequence[Mapping[str, Any]]]]:
        """Return each job with the settings tried on validation and their scores."""
        found = [(o, o.values["selection"].get("candidates", [])) for o in self.of(name)]
        return [(outcome, tried) for outcome, tried in found if tried]

    def _in(self, name: str, direction: Direction) -> list[Outcome]:
        return [o for o in self.of(name) if direction in o.directions]


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
        return float(np.mean(numbers)) if len(numbers) == len(trees) else first
    if isinstance(first, dict):
        if any(not isinstance(t, dict) or t.keys() != first.keys() for t in others):
            return first
        return {key: mean_of([t[key] for t in trees]) for key in first}
    if isinstance(first, list):
        if any(not isinstance(t, list) or len(t) != len(first) for t in others):
            return first
        return [mean_of([t[i] for t in trees]) for i in range(len(first))]
    return first
