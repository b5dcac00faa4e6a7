"""Evaluation: a run's encoders on one split, as a card that says what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from crossmodal.durable import write_json
from crossmodal.embeddings import Embeddings
from crossmodal.encoder import Encoder
from crossmodal.faults import fault, field_of
from crossmodal.features import FeaturesFile
from crossmodal.metrics.card import DirectionReport, Judged, evaluate
from crossmodal.metrics.trec import write_qrels, write_run
from crossmodal.modality import Direction, Modality
from crossmodal.relevance import Relevance
from training.checks import check_scored, check_sides
from training.data import own_steps, training_data
from training.methods.method import as_taken
from training.protocol.splits import with_validation
from training.run import Run

CARD = "evaluation.json"
TREC_DEPTH = 1000


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One run on one split: the reports by direction and what they were made from."""

    reports: Mapping[Direction, DirectionReport]
    judged: Mapping[Modality, Judged]
    method: str
    seed: int
    split: str
    data: str
    same_modality_mask: tuple[int, ...] = ()

    def summary(self) -> dict[str, Any]:
        """Return the JSON object that ``evaluate --format json`` prints."""
        return {
            "method": self.method,
            "seed": self.seed,
            "split": self.split,
            "data": self.data,
            "directions": {str(d): report.summary() for d, report in self.reports.items()},
        }

    def card(self) -> dict[str, Any]:
        """Return the summary with curves, per-class values and confusion."""
        curves = {str(d): report.curves() for d, report in self.reports.items()}
        return self.summary() | {"curves": curves}

    def write(self, directory: Path) -> None:
        """Write TREC run and qrels files, compressed, and the card last.

        Runs are cut at 1,000 ranks per query: with a larger gallery, trec_eval's AP of
        them is a little below the card's, which ranks everything.
        """
        for direction, report in self.reports.items():
            query, gallery = self.judged[direction.query], self.judged[direction.gallery]
            write_run(
                directory / f"{self.split}.{direction}.run.gz",
                direction,
                query,
                gallery,
                same_modality_mask=self.same_modality_mask,
                depth=TREC_DEPTH,
                tag=self.method,
            )
            for relevance in (Relevance.CLASS, Relevance.INSTANCE):
                if (
                    relevance is Relevance.INSTANCE
                    and report.summary()["median_rank"] is None
                ):
                    continue
                name = f"{self.split}.{direction}.{relevance}.qrels.gz"
                write_qrels(directory / name, direction, query, gallery, relevance)
        write_json(directory / CARD, self.card())


def evaluate_run(run: Run, data: FeaturesFile, split: str = "test") -> Evaluation:
    """Embed one split with what would be served, and rank it in the run's directions.

    Raises:
        DataError: If the data's front ends or widths differ from those of the fit, or the
            split cannot be scored.
    """
    _check_same_features(run, data)
    check_sides(data)
    if split == "val":
        data = with_validation(data, seed=run.config["seed"])
    check_scored(data, split)
    part = as_taken(run.card, training_data(data, split, run.classes))
    embeddings = {
        modality: embed_alone(encoder, part.features[modality])
        for modality, encoder in run.encoders().items()
    }
    judged = part.judged(embeddings)
    wanted = None if run.direction is None else [run.direction]
    return Evaluation(
        reports=evaluate(judged, wanted, run.same_modality_mask),
        judged=judged,
        method=run.config["method"],
        seed=run.config["seed"],
        split=split,
        data=data.name,
        same_modality_mask=run.same_modality_mask,
    )


def together(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Return the summary of runs that differ in their directions alone."""
    summaries = [evaluation.summary() for evaluation in evaluations]
    directions: dict[str, Any] = {}
    for summary in summaries:
        directions |= summary["directions"]
    return summaries[0] | {"directions": directions}


def embed_alone(
    encoder: Encoder, features: Float32[np.ndarray, "items *time input_dim"]
) -> Embeddings:
    """Return an embedding per item, of sequences without their padding."""
    if features.ndim == 2:
        return encoder.embed(features)
    return np.concatenate([encoder.embed(own_steps(item)[None]) for item in features])


def _check_same_features(run: Run, data: FeaturesFile) -> None:
    for modality, dim in run.problem.dims.items():
        table = data.modalities.get(modality)
        if table is None:
            raise fault(
                f"{modality}/features", "is missing", "the run was fitted on such features"
            )
        rows = table.features if run.card.sequences else table.pooled
        if rows.shape[-1] != dim:
            raise fault(
                field_of(modality, "features", "test"),
                f"rows are {rows.shape[-1]} wide",
                f"the run was fitted on {dim}",
            )
        fitted = run.config["data"]["frontends"].get(modality.value)
        found = table.frontend
        if (fitted is None) != (found is None) or (
            fitted is not None
            and found is not None
            and (fitted["name"], fitted["version"], fitted["weights_sha256"])
            != (found.name, found.version, found.weights_sha256)
        ):
            raise fault(
                f"{modality}/features",
                f"come from front end {found and found.name}, not as those of the fit from "
                f"{fitted and fitted['name']}",
                "prepare them as those were",
            )
