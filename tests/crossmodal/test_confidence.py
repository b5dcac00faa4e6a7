import json
from dataclasses import replace

import numpy as np
import pytest

from crossmodal.confidence import Confidence, parse_confidence
from crossmodal.errors import DataError
from crossmodal.relevance import Relevance

KNOWN = Confidence(
    scores=(-0.5, 0.0, 0.5),
    probabilities=(0.1, 0.2, 0.8),
    relevance=Relevance.CLASS,
    queries=20,
    gallery=30,
    base_rate=0.25,
    calibration_error=0.01,
)


@pytest.mark.parametrize(
    ("score", "probability"),
    [(-1.0, 0.1), (-0.5, 0.1), (-0.25, 0.15), (0.0, 0.2), (0.25, 0.5), (1.0, 0.8)],
)
def test_probability_is_linear_between_knots_and_constant_beyond(
    score: float, probability: float
) -> None:
    assert KNOWN.of(score) == pytest.approx(probability)


def test_probability_agrees_with_interpolation() -> None:
    for score in np.linspace(-1, 1, 81):
        expected = np.interp(score, KNOWN.scores, KNOWN.probabilities)
        assert KNOWN.of(float(score)) == pytest.approx(expected)


def test_score_of_a_probability_is_the_first_knot_that_reaches_it() -> None:
    assert [KNOWN.score_at(p) for p in (0.1, 0.15, 0.8, 0.9)] == [-0.5, 0.0, 0.5, None]


def test_confidence_survives_json() -> None:
    assert parse_confidence(json.loads(json.dumps(KNOWN.to_json()))) == KNOWN


@pytest.mark.parametrize(
    "wrong",
    [
        {"scores": (0.0, 0.0, 0.5)},
        {"scores": (0.0, float("nan"), 0.5)},
        {"scores": (0.0, 0.5)},
        {"probabilities": (0.1, 0.3, 0.2)},
        {"probabilities": (-0.1, 0.3, 0.4)},
        {"probabilities": (0.1, 0.3, 1.1)},
        {"scores": (), "probabilities": ()},
    ],
)
def test_knots_that_are_no_rising_probabilities_are_refused(
    wrong: dict[str, object],
) -> None:
    with pytest.raises(DataError, match="confidence"):
        replace(KNOWN, **wrong)  # type: ignore[arg-type]
