"""Confidence: how probable it is that a hit of a given score is relevant.

A direction's confidence is a non-decreasing function of the score. It is fitted on rankings
of validation items and travels in the bundle.

Conventions:
    The probability is that of a hit drawn from a gallery mixed as the validation split was;
    the share of relevant items there stands beside it as ``base_rate``. Between two knots
    it is linear, beyond the outer ones constant. It speaks of queries of the kind that was
    trained: to something else a model may answer with a high score.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

from crossmodal.errors import DataError
from crossmodal.relevance import Relevance


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """What scores mean in one direction.

    Attributes:
        scores: Knots, strictly ascending inner products.
        probabilities: Probability of relevance at each knot, in [0, 1], never falling.
        relevance: What relevant meant: of one class, or of one pair.
        queries: Validation queries that it was fitted on.
        gallery: Validation items that each of them ranked.
        base_rate: Share of relevant items among all that were ranked.
        calibration_error: Expected calibration error on queries that were held out;
            None where there were too few sources to hold any out.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]
    relevance: Relevance
    queries: int
    gallery: int
    base_rate: float
    calibration_error: float | None

    def __post_init__(self) -> None:
        if len(self.scores) != len(self.probabilities) or not self.scores:
            raise DataError("a confidence needs one probability per score, at least one")
        if not all(isfinite(score) for score in self.scores) or any(
            left >= right for left, right in pairwise(self.scores)
        ):
            raise DataError("a confidence's scores must be finite and strictly ascend")
        if any(left > right for left, right in pairwise((0.0, *self.probabilities, 1.0))):
            raise DataError("a confidence's probabilities must be in [0, 1], never falling")

    def of(self, score: float) -> float:
        """Return the probability that a hit of this score is relevant."""
        after = bisect_right(self.scores, score)
        if after == 0:
            return self.probabilities[0]
        if after == len(self.scores):
            return self.probabilities[-1]
        left, right = self.scores[after - 1 : after + 1]
        low, high = self.probabilities[after - 1 : after + 1]
        return low + (high - low) * (score - left) / (right - left)

    def score_at(self, probability: float) -> float | None:
        """Return the lowest knot's score that reaches a probability; None if none does."""
        pairs = zip(self.scores, self.probabilities, strict=True)
        return next((score for score, p in pairs if p >= probability), None)

    def to_json(self) -> dict[str, Any]:
        """Return what ``parse_confidence`` reads."""
        return asdict(self)


def parse_confidence(value: Mapping[str, Any]) -> Confidence:
    """Return a confidence from its JSON object.

    Raises:
        DataError: If knots do not ascend or are no probabilities.
        TypeError: If a field is missing or unknown.
        ValueError: If the kind of relevance is unknown.
    """
    return Confidence(
        **{
            **value,
            "scores": tuple(float(score) for score in value["scores"]),
            "probabilities": tuple(float(p) for p in value["probabilities"]),
            "relevance": Relevance(value["relevance"]),
        }
    )
