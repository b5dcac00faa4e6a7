"""A comparison: plan, jobs, rows, files; jobs finished before are reused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from crossmodal import console
from crossmodal.durable import sha256_file, write_json
from crossmodal.modality import directions
from training.compare.card import describe
from training.compare.claims import CLAIMS
from training.compare.lock import held
from training.compare.orderings import judge
from training.compare.outcome import Outcome
from training.compare.places import Places
from training.compare.plan import Job, Refusal, plan_jobs
from training.compare.pool import Task, run_in_processes
from training.compare.progress import Progress
from training.compare.provenance import made_by
from training.compare.request import CompareRequest
from training.compare.results import (
    CARD,
    FOLDS,
    JUDGED,
    TABLE,
    Results,
    refuse_other_format,
)
from training.compare.rows import Standing, table_rows
from training.compare.scored import unit_keys, write_scored
from training.compare.source import Source
from training.compare.tables import write_tables
from training.methods.method import Problem
from training.protocol.folds import fold_ids

Execute = Callable[[Sequence[Task], Path, Places, int], Iterator[Task]]


def compare(
    request: CompareRequest, out: Path, execute: Execute = run_in_processes
) -> Results:
    """Fit and score every entry, and write the table with its evidence.

    Args:
        request: What is compared, and on what.
        out: The directory; jobs that an earlier comparison finished there are reused.
        execute: Runs jobs, yielding each as its outcome is written.

    Raises:
        ConfigError: If a setting is unknown or out of range, or the directory is taken.
        DataError: If the features file cannot be used.
    """
    source = Source(request.data)
    for fold in reversed(_folds(request).values()):  # all can be cut; the first is kept
        parts = source.parts(request.split, *fold)
    jobs, refusals = plan_jobs(request, Problem.of(parts.train))
    places = Places(out)
    places.make()
    with held(out):
        _withdraw_card(out)
        splits = _write_splits(request, source, places)
        digest = sha256_file(request.data)
        tasks = [(job, job.key(digest, made_by(job.method))) for job in jobs]
        _run(tasks, request, places, execute)
        standings = _standings(request, tasks, refusals, places)
        found = directions(parts.scored.modalities)
        keys = {direction: unit_keys(splits, direction, places) for direction in found}
        rows = table_rows(standings, found, source.data.name, keys)
        card = describe(request, source.data, digest, standings, tasks, splits, places)
        claims = judge(CLAIMS, request, standings, found, keys)
        write_json(out / TABLE, rows)
        write_json(out / JUDGED, claims)
        write_tables(out, rows, card, claims)
        write_json(out / CARD, card)
    return Results.open(out)


def _withdraw_card(out: Path) -> None:
    """Make an earlier comparison there an unfinished one, if this version can go on."""
    path = out / CARD
    if path.exists():
        with suppress(ValueError):  # one that is cut off is no comparison to keep
            refuse_other_format(out, json.loads(path.read_text()))
        path.unlink()


def _folds(request: CompareRequest) -> dict[str, tuple[int | None, int | None]]:
    """Return what is scored, by name: fold and folds, None for the data's own split."""
    if request.folds is None:
        return {"own": (None, None)}
    return {f"fold{n}": (n, request.folds) for n in range(1, request.folds + 1)}


def _write_splits(
    request: CompareRequest, source: Source, places: Places
) -> dict[str, dict[str, object]]:
    if request.folds is not None:
        write_json(places.directory / FOLDS, fold_ids(source.data, request.folds))
    return {
        name: write_scored(name, source.parts(request.split, *fold).scored, places)
        for name, fold in _folds(request).items()
    }


def _run(
    tasks: Sequence[Task], request: CompareRequest, places: Places, execute: Execute
) -> None:
    left = [task for task in tasks if not places.finished(task[1])]
    if len(left) < len(tasks):
        console.note(f"{len(tasks) - len(left)} of {len(tasks)} fits were done before")
    progress = Progress([job for job, _ in left], request.workers)
    for job, key in execute(left, request.data, places, request.workers):
        progress.done(job, Outcome.open(places.outcome(key)))


def _standings(
    request: CompareRequest,
    tasks: Sequence[tuple[Job, str]],
    refusals: Sequence[Refusal],
    places: Places,
) -> list[Standing]:
    refused = {refusal.entry.name: refusal.reason for refusal in refusals}
    outcomes: dict[str, list[Outcome]] = {entry.name: [] for entry in request.entries}
    for job, key in tasks:
        outcomes[job.entry].append(Outcome.open(places.outcome(key)))
    return [
        Standing(entry, outcomes[entry.name], refused.get(entry.name))
        for entry in request.entries
    ]
