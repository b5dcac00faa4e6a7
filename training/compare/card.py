"""The card: what ``compare.json`` says a comparison rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from crossmodal.features import FeaturesFile
from crossmodal.modality import directions
from training.compare.outcome import mean_of
from training.compare.places import Places, run_name
from training.compare.plan import Job
from training.compare.request import CompareRequest
from training.compare.results import FORMAT
from training.compare.rows import Standing
from training.environment import environment
from training.methods.catalog import method_named


def describe(
    request: CompareRequest,
    data: FeaturesFile,
    data_sha256: str,
    standings: Sequence[Standing],
    tasks: Sequence[tuple[Job, str]],
    splits: Mapping[str, Any],
    places: Places,
) -> dict[str, Any]:
    """Return the content of ``compare.json``.

    Args:
        request: What was asked for.
        data: The features file, read.
        data_sha256: Of the file.
        standings: The entries with what they gave.
        tasks: The jobs and their keys.
        splits: Description of every split scored, by name.
        places: Where the files are.
    """
    there = environment(request.device)
    return {
        "format": FORMAT,
        "command": there.pop("command"),
        "environment": there,
        "request": _plain(request),
        "data": {
            "name": data.name,
            "path": str(request.data),
            "sha256": data_sha256,
            "frontends": {
                modality.value: None if table.frontend is None else asdict(table.frontend)
                for modality, table in data.modalities.items()
            },
            "features": {
                modality.value: list(table.features.shape[1:])
                for modality, table in data.modalities.items()
            },
            "split": request.split,
            "directions": [str(d) for d in directions(data.modalities)],
            "splits": dict(splits),
        },
        "entries": [_entry(standing, list(splits), places) for standing in standings],
        "jobs": [key for _, key in tasks],
    }


def _plain(request: CompareRequest) -> dict[str, Any]:
    values = asdict(request) | {"data": str(request.data), "seeds": list(request.seeds)}
    return values | {"entries": [entry.name for entry in request.entries]}


def _entry(standing: Standing, splits: Sequence[str], places: Places) -> dict[str, Any]:
    entry, card = standing.entry, method_named(standing.entry.method).card
    worked = [outcome for outcome in standing.outcomes if outcome.ok]
    last: dict[str, list[float]] = {}
    for outcome in worked:
        for direction, value in (outcome.values["last_epoch"] or {}).items():
            last.setdefault(direction, []).append(value)
    runs = [
        run_name(entry.name, split, direction)
        for split in splits
        for outcome in worked
        for direction in outcome.directions
    ]
    return {
        "name": entry.name,
        "method": entry.method,
        "preset": entry.preset,
        "settings": dict(entry.settings),
        "variant": entry.variant,
        "title": card.title,
        "source": card.source,
        "supervision": card.supervision,
        "status": standing.status,
        "pairs": standing.pairs,
        "candidates": max(
            (len(o.values["selection"].get("candidates", [])) for o in worked), default=0
        ),
        "last_epoch": {d: mean_of(values) for d, values in last.items()} or None,
        "trec": [n for n in dict.fromkeys(runs) if (places.trec / n).is_file()],
    }
