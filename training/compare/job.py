"""A job: fit one method once, score it, and leave the outcome on disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from crossmodal.errors import DataError, DivergenceError
from crossmodal.metrics.card import DirectionReport, Judged, evaluate
from crossmodal.metrics.measures import CUTOFFS
from crossmodal.metrics.trec import write_run
from crossmodal.modality import Direction, Modality, directions, parse_direction
from training.compare.files import write_arrays, write_compact_json
from training.compare.outcome import FAILED, NOT_APPLICABLE, OK
from training.compare.places import Places, run_name
from training.compare.plan import Job, starting_settings
from training.compare.source import Parts, Source
from training.compare.tuning import search
from training.data import TrainingData
from training.fitting.checkpoints import Checkpoints
from training.methods.catalog import method_named
from training.methods.method import as_taken
from training.protocol.selection import Fitted, fit_method, restore
from training.protocol.validation import embed, score

TREC_LINES = 1_000_000  # of one run file; beyond them rankings are cut
FEWEST_RANKS = 100


def run_job(job: Job, key: str, source: Source, places: Places) -> None:
    """Fit and score; whatever happens, an outcome is written."""
    outcome: dict[str, Any] = {"key": key, "job": asdict(job)}
    try:
        parts = source.parts(job.split, job.fold, job.folds)
        fitted = _fit(job, key, parts, places)
        outcome |= {"status": OK, "reason": None, **_score(job, key, fitted, parts, places)}
    except DivergenceError as error:
        outcome |= failure(FAILED, str(error))
    except DataError as error:
        outcome |= failure(NOT_APPLICABLE, str(error))
    except Exception as error:  # any other fault is this job's alone
        outcome |= failure(FAILED, f"{type(error).__name__}: {error}")
    write_compact_json(places.outcome(key), outcome)
    shutil.rmtree(places.partial(key), ignore_errors=True)


def failure(status: str, reason: str) -> dict[str, Any]:
    """Return the fields of an outcome without a result."""
    return {"status": status, "reason": " ".join(reason.split()), "directions": {}}


def _fit(job: Job, key: str, parts: Parts, places: Places) -> Fitted:
    settings = starting_settings(job)
    candidates = None
    if job.tune is not None:
        method = method_named(job.method)
        candidates = search(method, settings, job.tune, fixed=job.overrides)
    return fit_method(
        job.method,
        job.preset,
        job.overrides,
        parts.train,
        parts.validation,
        seed=job.seed,
        device=job.device,
        candidates=candidates,
        checkpoints=Checkpoints(places.partial(key), fingerprint=key),
    )


def _score(
    job: Job, key: str, fitted: Fitted, parts: Parts, places: Places
) -> dict[str, Any]:
    scored = as_taken(method_named(job.method).card, parts.scored)
    wanted = directions(scored.modalities)
    if job.direction is not None:
        wanted = [parse_direction(job.direction)]
    started = time.perf_counter()
    embedded = embed(fitted.towers, scored)
    judged = scored.judged(embedded)
    reports = evaluate(judged, wanted, fitted.same_modality_mask)
    summaries = {str(d): report.summary() for d, report in reports.items()}
    curves = {str(d): report.curves() for d, report in reports.items()}
    seconds = time.perf_counter() - started

    arrays = {}
    for direction, report in reports.items():
        for metric, values in values_per_query(report).items():
            arrays[f"{direction}.{metric}"] = values.astype(np.float32)
    if job.detail:
        arrays |= {f"embedding.{m}": rows for m, rows in embedded.items()}
        _write_runs(job, judged, wanted, places.trec)
    write_arrays(places.arrays(key), arrays)
    training = fitted.training
    return {
        "settings": fitted.settings.to_json(),
        "selection": dict(fitted.selection),
        "history": list(fitted.history),
        "best_epoch": None if training is None else training.best_epoch,
        "notes": list(fitted.notes),
        "pairs": fitted.pairs,
        "fit_split": fitted.fit_split,
        "train_seconds": fitted.train_seconds,
        "evaluate_seconds": seconds,
        "parameters": fitted.parameters,
        "directions": summaries,
        "curves": curves,
        "last_epoch": _last_epoch(fitted, scored, summaries),
    }


def values_per_query(report: DirectionReport) -> dict[str, np.ndarray]:
    """Return, by metric, the value of every query, NaN where it has none."""
    values, ranks = report.values, report.values.ranks
    recall = zip(CUTOFFS, ranks.recall, strict=True)
    return {
        "mean_average_precision": values.average_precision,
        "mean_average_precision_without_own_pair": values.without_own_pair,
        **{f"recall_at_{k}": found for k, found in recall},
        "mean_rank": ranks.first,
        "mean_reciprocal_rank": ranks.reciprocal,
    }


def _last_epoch(
    fitted: Fitted, scored: TrainingData, summaries: Mapping[str, Any]
) -> dict[str, float] | None:
    """Return mAP by direction at the last epoch; None where there are no epochs."""
    if fitted.training is None:
        return None
    towers = restore(
        fitted.method,
        fitted.settings.to_json(),
        fitted.problem,
        fitted.training.last_state,
    )
    found = score(towers, scored)
    if found.metric != "mean_average_precision":
        return None
    return {d: value for d, value in found.directions.items() if d in summaries}


def _write_runs(
    job: Job, judged: Mapping[Modality, Judged], wanted: list[Direction], folder: Path
) -> None:
    """Write a ranking per direction, cut where files would become huge."""
    for direction in wanted:
        query, gallery = judged[direction.query], judged[direction.gallery]
        write_run(
            folder / run_name(job.entry, job.split_name, direction),
            direction,
            query,
            gallery,
            depth=min(len(gallery), max(FEWEST_RANKS, TREC_LINES // len(query))),
            tag=job.entry,
        )
