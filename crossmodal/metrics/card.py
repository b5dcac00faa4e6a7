"""The evaluation card: every direction of some judged embeddings, under one protocol.

Conventions: the whole gallery is ranked by the inner product of the embeddings an index
would hold; ties are ties (see `crossmodal.metrics.ranking`). Average precision is under
class relevance, with the query's own pair in the gallery and without it; the rank
metrics are under instance relevance. Inside one modality the query's own row leaves the
gallery, by id; across modalities nothing does, for there it is the answer. A query
without a relevant item has no AP: it is counted, not scored. Given explicit judgments,
they are the relevance of every figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from crossmodal.errors import ModalityError
from crossmodal.metrics.judged import Judged
from crossmodal.metrics.measure import Task, measure
from crossmodal.metrics.report import DirectionReport, count_labels
from crossmodal.metrics.search import prepare_search
from crossmodal.modality import Direction, Modality
from crossmodal.modality import directions as ordered_pairs
from crossmodal.relevance import Qrels, Relevance, encode, match, match_qrels

__all__ = ["DirectionReport", "Judged", "asymmetry", "evaluate", "evaluate_direction"]


def evaluate(
    judged: Mapping[Modality, Judged],
    directions: Iterable[Direction] | None = None,
    same_modality_mask: Sequence[int] = (),
) -> dict[Direction, DirectionReport]:
    """Evaluate directions of some judged embeddings.

    Args:
        judged: The embeddings of each modality.
        directions: Default: every pair of distinct modalities, or the one modality
            within itself.
        same_modality_mask: Dims set to zero in the query inside one modality.

    Raises:
        ModalityError: If a direction names a modality that is not there.
        DataError: If a direction has no queries or no gallery.
        ShapeError: If embeddings of two modalities differ in dim, or the mask names a
            dim they lack.
    """
    if directions is None:
        directions = ordered_pairs(judged, within=len(judged) == 1)
    reports = {}
    for direction in directions:
        for modality in (direction.query, direction.gallery):
            if modality not in judged:
                there = ", ".join(sorted(judged)) or "none"
                raise ModalityError(
                    f"{direction} needs {modality} embeddings, got modalities: {there}"
                )
        reports[direction] = evaluate_direction(
            direction,
            judged[direction.query],
            judged[direction.gallery],
            same_modality_mask=same_modality_mask,
        )
    return reports


def evaluate_direction(
    direction: Direction,
    query: Judged,
    gallery: Judged,
    *,
    same_modality_mask: Sequence[int] = (),
    qrels: Qrels | None = None,
) -> DirectionReport:
    """Rank the gallery for every query and measure the rankings.

    Args:
        direction: Which modality searches which; inside one modality, query rows whose
            id is in the gallery do not find themselves.
        query: What searches.
        gallery: What is searched.
        same_modality_mask: Dims set to zero in the query if the direction is inside
            one modality.
        qrels: Relevant gallery ids per query id, in place of labels and pairs.

    Raises:
        DataError: If there is no query or no gallery row, or the judgments name ids
            that are not there.
        ShapeError: If the two differ in dim, or the mask names a dim they lack.
    """
    query_labels, gallery_labels = (side.keys(Relevance.CLASS) for side in (query, gallery))
    if qrels is None:
        pairs = encode(query.keys(Relevance.INSTANCE), gallery.keys(Relevance.INSTANCE))
        answers = match(pairs)
    else:
        answers = match_qrels(query.ids, gallery.ids, qrels)
    values, sums = measure(
        Task(
            search=prepare_search(direction, query, gallery, same_modality_mask),
            classes=None if qrels is not None else encode(query_labels, gallery_labels),
            answers=answers,
        )
    )
    return DirectionReport(
        direction=direction,
        relevance=Relevance.CLASS if qrels is None else Relevance.JUDGED,
        query_ids=tuple(query.ids),
        query_labels=query_labels,
        gallery_classes=count_labels(gallery_labels),
        values=values,
        sums=sums,
        modality_gap=None if direction.within else _gap(query, gallery),
    )


def asymmetry(reports: Mapping[Direction, DirectionReport]) -> dict[str, float]:
    """Return, for pairs of directions, how much better the one is than its reverse.

    Returns:
        Mean average precision of ``audio2visual`` less that of ``visual2audio`` under
        the name of the first, for every pair that was evaluated both ways.
    """
    differences = {}
    for direction, report in reports.items():
        reverse = reports.get(Direction(direction.gallery, direction.query))
        if reverse is None or direction.query >= direction.gallery:
            continue
        ours, theirs = report.mean_average_precision, reverse.mean_average_precision
        if ours is not None and theirs is not None:
            differences[str(direction)] = ours - theirs
    return differences


def _gap(query: Judged, gallery: Judged) -> float:
    """Return the distance between the modalities' mean embeddings.

    Source:
        Liang et al. 2022, Mind the gap, arXiv:2203.02053.
    """
    means = [side.embeddings.mean(axis=0, dtype=np.float64) for side in (query, gallery)]
    return float(np.linalg.norm(means[0] - means[1]))
