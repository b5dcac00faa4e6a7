"""Fitting confidence: from scores of validation rankings to probabilities of relevance.

Isotonic regression (Zadrozny & Elkan 2002, Transforming classifier scores into accurate
multiclass probability estimates) gives the blocks; each block's share of relevant pairs is
then taken with half a relevant and half an irrelevant pair added, so that no finite
validation split makes anything certain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64
from sklearn.isotonic import IsotonicRegression
from torch import nn

from crossmodal.confidence import Confidence
from crossmodal.durable import sha256_file
from crossmodal.features import read_features
from crossmodal.metrics.judged import Judged
from crossmodal.metrics.search import prepare_search
from crossmodal.modality import Direction, Modality, directions
from crossmodal.relevance import Relevance, encode
from training.config import from_json
from training.data import TrainingData, training_data
from training.methods.catalog import method_named, preset_of
from training.methods.method import as_taken
from training.protocol.selection import TUNED, fit_settings
from training.protocol.splits import with_validation
from training.protocol.validation import embed
from training.run import Run

MOST_PAIRS = 4_000_000  # of query and gallery item; beyond, queries are drawn
FOLDS, BINS = 5, 10
PRIOR_PAIRS = 0.5  # relevant, and as many irrelevant, added to each block

Scores = Float64[np.ndarray, "pairs"]
Relevant = Bool[np.ndarray, "pairs"]
Knots = tuple[Float64[np.ndarray, "knots"], Float64[np.ndarray, "knots"]]


def run_confidences(run: Run) -> dict[Direction, Confidence]:
    """Return a run's confidences from the validation split of the data it was fitted on.

    Towers that were fitted on validation rows too are not asked about them: the method is
    fitted once more, with the settings chosen, on the training rows alone.

    Returns:
        A confidence per direction; empty if the data are not where they were, or have
        changed, or have no validation split.
    """
    config = run.config
    path = Path(config["data"]["path"])
    if not path.is_file() or sha256_file(path) != config["data"]["sha256"]:
        return {}
    data = with_validation(read_features(path), seed=config["seed"])
    if any(not (table.split == "val").any() for table in data.modalities.values()):
        return {}
    method = method_named(config["method"])
    towers = run.towers()
    if config["fit_split"] != "train":
        settings = from_json(type(preset_of(method, TUNED)), config["settings"])
        train = as_taken(method.card, training_data(data, "train", run.classes))
        towers = fit_settings(config["method"], settings, train, seed=config["seed"])
    validation = as_taken(method.card, training_data(data, "val", run.classes))
    found = confidences(towers, validation, run.same_modality_mask, seed=config["seed"])
    return {way: confidence for way, confidence in found.items() if run.serves(way)}


def confidences(
    towers: Mapping[Modality, nn.Module],
    validation: TrainingData,
    same_modality_mask: Sequence[int] = (),
    *,
    seed: int = 0,
) -> dict[Direction, Confidence]:
    """Return the confidence of every direction in which something is relevant.

    Args:
        towers: Fitted without the validation rows.
        validation: Labelled rows; without labels, pairs decide what is relevant.
        same_modality_mask: Dims set to zero in the query inside one modality.
        seed: Draws queries where there are too many, and the folds.
    """
    judged = validation.judged(embed(towers, validation))
    groups = {m: validation.group_numbers(m) for m in validation.modalities}
    found = {}
    for direction in directions(validation.modalities, within=True):
        query, gallery = judged[direction.query], judged[direction.gallery]
        confidence = confidence_of(
            direction,
            query,
            gallery,
            groups[direction.query],
            same_modality_mask,
            seed=seed,
        )
        if confidence is not None:
            found[direction] = confidence
    return found


def confidence_of(
    direction: Direction,
    query: Judged,
    gallery: Judged,
    groups: Int64[np.ndarray, "queries"],
    same_modality_mask: Sequence[int] = (),
    *,
    seed: int = 0,
) -> Confidence | None:
    """Return one direction's confidence; None where no pair or every pair is relevant.

    Args:
        direction: Which modality searches which; inside one, no query ranks itself.
        query: What searches.
        gallery: What is ranked.
        groups: Equal for queries of one source, which are held out together.
        same_modality_mask: Dims set to zero in the query inside one modality.
        seed: Draws queries where there are too many, and the folds.
    """
    labeled = any(label is not None for label in query.labels or ())
    relevance = Relevance.CLASS if labeled else Relevance.INSTANCE
    codes = encode(query.keys(relevance), gallery.keys(relevance))
    rng = np.random.default_rng(seed)
    asked = np.flatnonzero(codes.query >= 0)
    most = max(1, MOST_PAIRS // len(gallery))
    if len(asked) > most:
        asked = np.sort(rng.choice(asked, most, replace=False))
    search = prepare_search(direction, query, gallery, same_modality_mask)
    scores = search.queries[asked].astype(np.float64) @ search.gallery.T
    relevant = codes.query[asked, None] == codes.gallery
    ranked = np.arange(len(gallery)) != search.own_row[asked, None]
    ranked &= (codes.gallery >= 0) | (relevance is Relevance.INSTANCE)
    if not ranked.any() or relevant[ranked].all() or not relevant[ranked].any():
        return None
    knots = fit_knots(scores[ranked], relevant[ranked])
    sources, source = np.unique(groups[asked], return_inverse=True)
    fold = (rng.permutation(len(sources)) % FOLDS)[source]
    return Confidence(
        scores=tuple(knots[0].tolist()),
        probabilities=tuple(knots[1].tolist()),
        relevance=relevance,
        queries=len(asked),
        gallery=len(gallery),
        base_rate=float(relevant[ranked].mean()),
        calibration_error=_held_out_error(scores, relevant, ranked, fold),
    )


def fit_knots(scores: Scores, relevant: Relevant) -> Knots:
    """Return ascending scores and the probability of relevance at each.

    Args:
        scores: Of pairs of query and gallery item.
        relevant: Whether the item answers the query.
    """
    isotonic = IsotonicRegression(out_of_bounds="clip")
    level = isotonic.fit(scores, relevant).predict(scores)
    block = np.unique(level, return_inverse=True)[1]
    count = np.bincount(block).astype(np.float64)
    center = np.bincount(block, weights=scores) / count
    share = (np.bincount(block, weights=relevant) + PRIOR_PAIRS) / (count + 2 * PRIOR_PAIRS)
    # the added pairs may turn small blocks round: once more, by their weight
    smooth = isotonic.fit(center, share, sample_weight=count).predict(center)
    return center, np.clip(smooth, 0.0, 1.0)


def calibration_error(
    probabilities: Float64[np.ndarray, "pairs"], relevant: Relevant
) -> float:
    """Return the expected calibration error over ten bins of equal counts.

    Source:
        Guo et al. 2017, On calibration of modern neural networks, arXiv:1706.04599, with
        bins by rank in place of bins by width.
    """
    order = np.argsort(probabilities, kind="stable")
    bins = [rows for rows in np.array_split(order, BINS) if rows.size]
    gaps = [abs(probabilities[rows].mean() - relevant[rows].mean()) for rows in bins]
    weights = [rows.size / order.size for rows in bins]
    return float(np.dot(gaps, weights))


def _held_out_error(
    scores: Float64[np.ndarray, "queries rows"],
    relevant: Bool[np.ndarray, "queries rows"],
    ranked: Bool[np.ndarray, "queries rows"],
    fold: Int64[np.ndarray, "queries"],
) -> float | None:
    """Return the calibration error of pairs whose queries were not fitted on.

    None where one source gave all queries, so that none can be held out.
    """
    judged, predicted = [], []
    for number in range(FOLDS):
        held, kept = ranked & (fold == number)[:, None], ranked & (fold != number)[:, None]
        if held.any() and kept.any():
            knots = fit_knots(scores[kept], relevant[kept])
            predicted.append(np.interp(scores[held], *knots))
            judged.append(relevant[held])
    if not predicted:
        return None
    return calibration_error(np.concatenate(predicted), np.concatenate(judged))
