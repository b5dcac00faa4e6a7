"""The plan: every fit a comparison needs, each with a key that says what it rests on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from crossmodal.errors import ConfigError
from training.compare.entry import Entry
from training.compare.request import CompareRequest
from training.config import Settings, override
from training.methods.catalog import method_named, preset_of
from training.methods.division import models_of
from training.methods.method import Problem

KEY_FORMAT = 1
KEY_DIGITS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One fit and its evaluation.

    Attributes:
        entry: Name of the entry.
        method: Method.
        preset: Preset its settings start from.
        overrides: Settings given as text.
        seed: Of everything drawn.
        fold: Which fold is tested, from 1; None for the data's own split.
        folds: How many folds there are; None for the data's own split.
        direction: The only direction scored, where an entry has a model per direction.
        tune: Candidates of a declared search; None for the method's own grid.
        split: What is scored.
        device: Where networks train.
        detail: Whether embeddings and a TREC run are kept.
    """

    entry: str
    method: str
    preset: str
    overrides: Mapping[str, str]
    seed: int
    fold: int | None = None
    folds: int | None = None
    direction: str | None = None
    tune: int | None = None
    split: str = "test"
    device: str = "cpu"
    detail: bool = False

    @property
    def split_name(self) -> str:
        """Name of what is scored: ``own`` or the fold."""
        return "own" if self.fold is None else f"fold{self.fold}"

    @property
    def title(self) -> str:
        """The job in a few words, for a line of progress."""
        fold = "" if self.fold is None else f", fold {self.fold}"
        direction = "" if self.direction is None else f", {self.direction}"
        return f"{self.entry}, seed {self.seed}{fold}{direction}"

    def key(self, data_sha256: str, made_by: str) -> str:
        """Return a hash of all that the outcome depends on.

        Args:
            data_sha256: Of the features file.
            made_by: What `training.compare.provenance.made_by` says of the method.

        Raises:
            ConfigError: If preset or a setting is unknown, or a value out of range.
        """
        content = {
            "format": KEY_FORMAT,
            "job": asdict(self),
            "settings": starting_settings(self).to_json(),
            "data": data_sha256,
            "made_by": made_by,
        }
        text = json.dumps(content, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry that cannot be run, and why."""

    entry: Entry
    reason: str


def plan_jobs(request: CompareRequest, problem: Problem) -> tuple[list[Job], list[Refusal]]:
    """Return every job, first seeds first, and the entries that have none.

    Raises:
        ConfigError: If a setting given by ``--set`` is unknown or out of range.
    """
    jobs: list[Job] = []
    refusals: list[Refusal] = []
    folds = [None] if request.folds is None else list(range(1, request.folds + 1))
    models: dict[str, list[tuple[str | None, dict[str, str]]]] = {}
    for entry in request.entries:
        if entry.preset not in method_named(entry.method).presets:
            refusals.append(Refusal(entry, f"has no preset {entry.preset}"))
        else:
            models[entry.name] = _models(entry, request, problem)
    for seed in request.seeds:
        for fold in folds:
            for entry in request.entries:
                for direction, overrides in models.get(entry.name, []):
                    jobs.append(
                        Job(
                            entry=entry.name,
                            method=entry.method,
                            preset=entry.preset,
                            overrides=overrides,
                            seed=seed,
                            fold=fold,
                            folds=request.folds,
                            direction=direction,
                            tune=request.tune,
                            split=request.split,
                            device=request.device,
                            detail=seed == request.seeds[0],
                        )
                    )
    return jobs, refusals


def starting_settings(job: Job) -> Settings:
    """Return the settings a job starts from.

    Raises:
        ConfigError: If preset or a setting is unknown, or a value out of range.
    """
    return override(preset_of(method_named(job.method), job.preset), job.overrides)


def _models(
    entry: Entry, request: CompareRequest, problem: Problem
) -> list[tuple[str | None, dict[str, str]]]:
    """Return the models an entry needs: the direction each is for, and its overrides."""
    method = method_named(entry.method)
    given = entry.overrides(request.overrides.get(entry.method, {}))
    try:
        settings = override(preset_of(method, entry.preset), given)
    except ConfigError as error:
        raise ConfigError(f"--set {entry.name}: {error}") from error
    models = models_of(method, settings, problem)
    return [(None if way is None else str(way), given | changes) for way, changes in models]
