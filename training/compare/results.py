"""Results: what a comparison wrote, opened again.

Layout of the directory::

    compare.json                what it rests on; written last
    table.json .csv .md .tex    the table: a row per entry, direction and metric
    claims.json                 what became of the papers' claims (`….orderings`)
    folds.json                  ids of every fold, where folds were asked for
    splits/NAME/items.json      per modality id, label and pair of each scored item
    splits/NAME/features.npz    per modality their features, as methods see them
    jobs/KEY.json, KEY.npz      one fit and its evaluation (`training.compare.outcome`)
    trec/                       runs of the first seed, and qrels

``NAME`` is ``own`` for the data's own split, else ``fold1``, ``fold2``, …. An entry is a
method with a preset and perhaps settings of its own; its name is the method's, followed by
``@PRESET`` where that is not the preset of the whole comparison and by ``:KEY=VALUE`` for
each setting. A row's ``method`` is its entry's ``variant``, the method with such settings,
so that method and preset name one entry. ``compare.json`` holds ``format``,
``command``, ``environment``, ``request``, ``jobs`` (their keys), ``entries`` (``name``,
``method``, ``preset``, ``settings``, ``variant``, ``title``, ``source``, ``supervision``,
``status``, ``candidates``,
``pairs``, ``last_epoch``: mAP by direction, ``trec``: file names), and ``data``: ``name``,
``path``, ``sha256``, ``frontends``, ``split``, ``directions``, and ``splits``, where every
NAME has per modality ``items`` and ``classes`` (counts) of the scored part.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossmodal.errors import ConfigError
from crossmodal.modality import Direction, Modality, parse_direction, parse_modality
from training.compare.outcome import Matrix, Outcome, PerQuery, mean_of, per_query

FORMAT = 2
CARD, TABLE, FOLDS = "compare.json", "table.json", "folds.json"
JUDGED = "claims.json"
JOBS, SPLITS, TREC = "jobs", "splits", "trec"


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
    claims: Mapping[str, Any]
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
        except (OSError, ValueError) as error:
            raise ConfigError(f"{directory}: holds no finished comparison") from error
        refuse_other_format(directory, card)
        try:
            rows = json.loads((directory / TABLE).read_text())
            claims = json.loads((directory / JUDGED).read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{directory}: {TABLE} or {JUDGED} is missing or cut off; compare again"
            ) from error
        jobs = [Outcome.open(directory / JOBS / f"{key}.json") for key in card["jobs"]]
        return cls(directory, card, rows, claims, jobs)

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
        wanted = (entry["variant"], entry["preset"], direction, metric)
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


def refuse_other_format(directory: Path, card: Any) -> None:
    """Refuse a directory whose ``compare.json`` is of another version of this program.

    Raises:
        ConfigError: If it is; the message says which format and what to do.
    """
    found = card.get("format") if isinstance(card, dict) else None
    if found != FORMAT:
        raise ConfigError(
            f"{directory}: holds a comparison of format {found}, this version reads and "
            f"writes {FORMAT}; compare anew into another --out"
        )
