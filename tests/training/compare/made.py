"""Results made by hand: entries whose average precision per query is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crossmodal.modality import Direction, parse_direction
from training.compare.entry import parse_entry
from training.compare.files import write_arrays, write_compact_json
from training.compare.outcome import OK, Outcome
from training.compare.request import CompareRequest, parse_entries
from training.compare.rows import HEADLINE, Standing

A2V, V2A = parse_direction("audio2visual"), parse_direction("visual2audio")
DIRECTIONS = (A2V, V2A)

Scores = Mapping[Direction, np.ndarray]


def standing(
    folder: Path, entry: str, by_seed: Sequence[Scores | str], folds: int | None = None
) -> Standing:
    """Return an entry whose jobs scored so, or failed with the reason given.

    Args:
        folder: Where the files of the jobs go.
        entry: As it is typed.
        by_seed: Per job, seeds first, then folds: AP per query by direction, or a reason.
        folds: How many jobs of each seed are folds.
    """
    outcomes = []
    for number, scores in enumerate(by_seed):
        seed, fold = divmod(number, folds or 1)
        job = {"entry": entry, "seed": seed, "fold": fold + 1 if folds else None}
        path = folder / f"{entry}-{number}.json"
        values: dict[str, Any] = {"job": job, "status": "failed", "directions": {}}
        if isinstance(scores, str):
            values["reason"] = scores
        else:
            values |= {
                "status": OK,
                "pairs": "own",
                "directions": {
                    str(d): {HEADLINE: float(np.nanmean(ap))} for d, ap in scores.items()
                },
            }
            arrays = {f"{d}.{HEADLINE}": ap.astype(np.float32) for d, ap in scores.items()}
            write_arrays(path.with_suffix(".npz"), arrays)
        write_compact_json(path, values)
        outcomes.append(Outcome.open(path))
    return Standing(parse_entry(entry, "tuned"), outcomes)


def unit_keys(audio: int, visual: int) -> dict[Direction, list[str]]:
    """Return keys of queries of which the first of both modalities are pairs."""
    return {
        A2V: [f"clip {n}" for n in range(audio)],
        V2A: [f"clip {n}" for n in range(visual)],
    }


def request(methods: str, **fields: Any) -> CompareRequest:
    """Return a request for those entries."""
    return CompareRequest(
        data=Path("made.h5"),
        entries=parse_entries(methods, "tuned"),
        **({"seeds": (0,), "overrides": {}} | fields),
    )
