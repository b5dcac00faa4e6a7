"""The model card that travels with a bundle."""

from __future__ import annotations

import json
from collections.abc import Mapping

from crossmodal.confidence import Confidence
from crossmodal.modality import Direction
from training.methods.catalog import METHODS
from training.run import Run

NO_CONFIDENCE = "no confidence: the data of the fit, or a validation split, are missing"

TEMPLATE = """\
# {title}

Embeds {modalities} into one space of {dim} dimensions, compared by inner product.

- Serves: {directions}
- Method: `{method}`, preset `{preset}`, seed {seed}. Source: {source}
- Supervision: {supervision}. The embedding: {embedding}
- Data: {data}, {counts}; fitted on {fit_split}
- Front ends: {frontends}

## Evaluation

{evaluation}

## What a score means

{confidence}

Scores were computed on the data above and say nothing about other kinds of sound or
picture. A query of a class that was not trained still gets ranked results; they then mean
little.
"""


def model_card(run: Run, confidence: Mapping[Direction, Confidence]) -> str:
    """Return the card as Markdown, with the run's own evaluation if there is one."""
    config = run.config
    card = METHODS[config["method"]].card
    return TEMPLATE.format(
        title=card.title,
        modalities=" and ".join(sorted(config["problem"]["dims"])),
        directions="every direction"
        if run.direction is None
        else f"{run.direction} alone, and searches inside a modality",
        dim=config["dim"],
        method=config["method"],
        preset=config["preset"],
        seed=config["seed"],
        source=card.source,
        supervision=card.supervision,
        embedding=card.embedding,
        data=config["data"]["name"],
        counts=_counts(config["data"]["counts"]),
        fit_split=config["fit_split"],
        frontends=", ".join(
            f"{modality} {spec['name'] if spec else 'ready features'}"
            for modality, spec in config["data"]["frontends"].items()
        ),
        evaluation=_evaluation(run),
        confidence=_confidence(confidence),
    )


def _counts(counts: dict[str, dict[str, int]]) -> str:
    return "; ".join(
        f"{modality}: " + ", ".join(f"{count} {split}" for split, count in splits.items())
        for modality, splits in counts.items()
    )


def _evaluation(run: Run) -> str:
    path = run.directory / "evaluation.json"
    if not path.is_file():
        return "The run was not evaluated."
    card = json.loads(path.read_text())
    rows = [
        "| direction | mAP@all by class | random | median rank of the own pair | gallery |",
        "|---|---|---|---|---|",
    ]
    for direction, values in card["directions"].items():
        rows.append(
            f"| {direction} | {_number(values['mean_average_precision'])} "
            f"| {_number(values['random_mean_average_precision'])} "
            f"| {_number(values['median_rank'])} | {values['gallery']} |"
        )
    return f"Split `{card['split']}`, scored once:\n\n" + "\n".join(rows)


def _confidence(confidence: Mapping[Direction, Confidence]) -> str:
    if not confidence:
        return f"{NO_CONFIDENCE[0].upper()}{NO_CONFIDENCE[1:]}."
    rows = [
        "| direction | relevant by | score at p = 0.5 | at 0.9 | base rate "
        "| calibration error | queries |",
        "|---|---|---|---|---|---|---|",
    ]
    for direction, given in sorted(confidence.items()):
        rows.append(
            f"| {direction} | {given.relevance} | {_number(given.score_at(0.5))} "
            f"| {_number(given.score_at(0.9))} | {given.base_rate:.3f} "
            f"| {_number(given.calibration_error)} | {given.queries} |"
        )
    return (
        "Probability that a hit is relevant, fitted on validation rankings; the error is "
        "that on held-out queries:\n\n" + "\n".join(rows)
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
