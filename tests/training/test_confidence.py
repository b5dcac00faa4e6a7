"""Confidence against data whose true probabilities are known."""

import json
from pathlib import Path

import numpy as np
import pytest

from crossmodal.bundle import Bundle
from crossmodal.embeddings import normalize
from crossmodal.errors import BundleError
from crossmodal.metrics.judged import Judged
from crossmodal.modality import Direction, Modality
from crossmodal.relevance import Relevance
from tests.training.test_run import fit_on, synthetic
from training.commands.export import export_run
from training.protocol.confidence import (
    calibration_error,
    confidence_of,
    fit_knots,
    run_confidences,
)
from training.run import Run

A, V = Modality.AUDIO, Modality.VISUAL
A2V, A2A = Direction(A, V), Direction(A, A)


def drawn(rng: np.random.Generator, pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores in [-1, 1], relevant with a probability that rises with the score."""
    scores = rng.uniform(-1, 1, pairs)
    return scores, rng.random(pairs) < true_probability(scores)


def true_probability(scores: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-(6 * scores - 2)))


def test_fitted_knots_recover_the_true_probability() -> None:
    knots = fit_knots(*drawn(np.random.default_rng(0), 40_000))
    grid = np.linspace(-0.95, 0.95, 39)
    np.testing.assert_allclose(np.interp(grid, *knots), true_probability(grid), atol=0.06)


def test_knots_rise_and_nothing_is_certain() -> None:
    scores = np.array([-0.5, -0.4, 0.3, 0.4, 0.5])
    center, probability = fit_knots(scores, np.array([False, False, True, False, True]))
    assert np.all(np.diff(center) > 0)
    assert np.all(np.diff(probability) >= 0)
    assert 0 < probability.min() < probability.max() < 1


def test_blocks_hold_what_a_slow_pooling_of_violators_holds() -> None:
    """Pool adjacent violators by hand; add half a pair of either kind to each block."""
    rng = np.random.default_rng(3)
    scores, relevant = drawn(rng, 300)
    order = np.argsort(scores)
    blocks: list[list[int]] = []
    for row in order:
        block = [int(row)]
        while blocks and relevant[blocks[-1]].mean() >= relevant[block].mean():
            block = blocks.pop() + block
        blocks.append(block)
    center, probability = fit_knots(scores, relevant)
    np.testing.assert_allclose(center, [scores[rows].mean() for rows in blocks])
    shares = [(relevant[rows].sum() + 0.5) / (len(rows) + 1) for rows in blocks]
    big = [n for n, rows in enumerate(blocks) if len(rows) > 20]
    assert len(big) > 3
    np.testing.assert_allclose(probability[big], np.array(shares)[big], atol=0.005)


def test_calibration_error_of_known_bins() -> None:
    probabilities = np.repeat([0.2, 0.9], 50)
    relevant = np.concatenate([np.arange(50) < 10, np.arange(50) < 35])
    np.random.default_rng(0).shuffle(relevant[:50])
    np.random.default_rng(1).shuffle(relevant[50:])
    by_hand = np.mean(
        [
            abs(probabilities[rows].mean() - relevant[rows].mean())
            for rows in np.arange(100).reshape(10, 10)
        ]
    )
    assert calibration_error(probabilities, relevant) == pytest.approx(by_hand)
    assert calibration_error(np.ones(40), np.ones(40, bool)) == 0


def side(modality: Modality, rows: np.ndarray, labels: list[str] | None) -> Judged:
    ids = [f"{modality}{n}" for n in range(len(rows))]
    pairs = [f"clip{n}" for n in range(len(rows))]
    return Judged(ids, normalize(rows.astype(np.float32)), labels, pairs)


def test_class_decides_where_there_are_labels_and_the_pair_elsewhere() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((12, 5))
    labels = ["rain", "wind", "bell"] * 4
    groups = np.arange(12)
    by_class = confidence_of(A2V, side(A, rows, labels), side(V, rows, labels), groups)
    by_pair = confidence_of(A2V, side(A, rows, None), side(V, rows, None), groups)
    assert by_class is not None
    assert by_pair is not None
    assert (by_class.relevance, by_pair.relevance) == (Relevance.CLASS, Relevance.INSTANCE)
    assert by_class.base_rate == pytest.approx(4 / 12)
    assert by_pair.base_rate == pytest.approx(1 / 12)


def test_inside_a_modality_no_query_ranks_itself() -> None:
    rows = np.random.default_rng(0).standard_normal((12, 5))
    sounds = side(A, rows, ["rain", "wind", "bell"] * 4)
    found = confidence_of(A2A, sounds, sounds, np.arange(12))
    assert found is not None
    assert found.base_rate == pytest.approx(3 / 11)


def test_nothing_to_tell_apart_gives_no_confidence() -> None:
    rows = np.random.default_rng(0).standard_normal((4, 5))
    one, other = side(A, rows, ["rain"] * 4), side(V, rows, ["bell"] * 4)
    assert confidence_of(A2V, one, side(V, rows, ["rain"] * 4), np.arange(4)) is None
    assert confidence_of(A2V, one, other, np.arange(4)) is None


def test_one_source_of_all_queries_leaves_the_error_unknown() -> None:
    rows = np.random.default_rng(0).standard_normal((6, 5))
    labels = ["rain", "wind"] * 3
    found = confidence_of(
        A2V, side(A, rows, labels), side(V, rows, labels), np.zeros(6, int)
    )
    assert found is not None
    assert found.calibration_error is None


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fit_on(synthetic(), tmp_path_factory.mktemp("fitted"))


def test_bundle_and_card_tell_what_scores_mean(fitted: Run, tmp_path: Path) -> None:
    bundle = export_run(fitted, tmp_path / "bundle")
    given = bundle.manifest.confidence
    assert {str(d) for d in given} == {
        "audio2visual",
        "visual2audio",
        "audio2audio",
        "visual2visual",
    }
    assert given[A2V].of(1.0) > 0.5 > given[A2V].of(-1.0)
    assert Bundle.open(tmp_path / "bundle").manifest.confidence == given
    assert "score at p = 0.5" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text()


def test_towers_fitted_on_validation_are_not_asked_about_it(
    fitted: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """c_cca is refitted on train+val; its confidence must come of a fit on train alone."""
    assert fitted.config["fit_split"] == "train+val"
    honest = run_confidences(fitted)
    monkeypatch.setitem(fitted.config, "fit_split", "train")  # type: ignore[arg-type]
    assert run_confidences(fitted)[A2V].scores != honest[A2V].scores


def test_data_that_changed_since_the_fit_give_none(tmp_path: Path) -> None:
    run = fit_on(synthetic(), tmp_path)
    with (tmp_path / "features.h5").open("ab") as file:
        file.write(b"more")
    assert run_confidences(run) == {}
    bundle = export_run(run, tmp_path / "bundle")
    assert bundle.manifest.confidence == {}
    assert "no confidence" in (tmp_path / "bundle" / "MODEL_CARD.md").read_text().lower()


def test_a_confidence_that_falls_is_no_bundle(fitted: Run, tmp_path: Path) -> None:
    export_run(fitted, tmp_path / "bundle")
    path = tmp_path / "bundle" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["confidence"]["audio2visual"]["probabilities"].reverse()
    path.write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=r"manifest\.json is damaged"):
        Bundle.open(tmp_path / "bundle")
