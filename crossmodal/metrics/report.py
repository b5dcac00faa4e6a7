"""What one direction's evaluation found: per query, in figures, and in curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossmodal.metrics import curves, expectations, hubness
from crossmodal.metrics.confusion import normalize_rows
from crossmodal.metrics.measures import (
    CUTOFFS,
    PerQuery,
    QuerySums,
    QueryValues,
    Ranks,
    ranks_of,
)
from crossmodal.metrics.ties import group_tied
from crossmodal.modality import Direction
from crossmodal.relevance import Keys, Relevance


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionReport:
    """The evaluation of one direction.

    Attributes:
        direction: Which modality searched which.
        relevance: What average precision takes as relevant. The rank metrics take the
            instance, or the judgments where those are given.
        query_ids: Id of each query, in the order of the values.
        query_labels: Class of each query, None where unknown.
        gallery_classes: Gallery rows per class.
        values: What each query measured.
        sums: Sums over the queries.
        modality_gap: Distance between the mean query and the mean gallery embedding;
            None inside one modality.
    """

    direction: Direction
    relevance: Relevance
    query_ids: tuple[str, ...]
    query_labels: Keys
    gallery_classes: Mapping[str, int]
    values: QueryValues
    sums: QuerySums
    modality_gap: float | None

    @property
    def average_precision(self) -> PerQuery:
        """AP of each query, NaN where nothing is relevant; for significance tests."""
        return self.values.average_precision

    @property
    def mean_average_precision(self) -> float | None:
        """Mean AP over the queries that have one; None if none has."""
        return _mean(self.average_precision)

    @property
    def random_mean_average_precision(self) -> float | None:
        """Mean AP that random rankings of this very split expect.

        Exact, from each query's own counts: a random ranking is one in which all items
        tie.
        """
        random = group_tied(self.values.size, self.values.relevant)
        return _mean(expectations.average_precision(random))

    @property
    def lift(self) -> float | None:
        """Mean AP over that of random rankings."""
        measured, random = self.mean_average_precision, self.random_mean_average_precision
        return None if measured is None or not random else measured / random

    def summary(self) -> dict[str, Any]:
        """Return the figures of an evaluation card; None where one does not apply."""
        ranks = self.values.ranks
        paired = self.relevance is Relevance.CLASS and bool(ranks.answers.any())
        return {
            "mean_average_precision": self.mean_average_precision,
            "mean_average_precision_without_own_pair": _mean(self.values.without_own_pair)
            if paired
            else None,
            "random_mean_average_precision": self.random_mean_average_precision,
            **_rank_figures(ranks),
            "queries": len(self.query_ids),
            "gallery": int(self.values.size.max()),
            "queries_without_relevant": int(np.count_nonzero(self.values.relevant == 0)),
        }

    def curves(self) -> dict[str, Any]:
        """Return what stands beside the figures, as a JSON-able object.

        Keys: relevance; precision_recall_11_point and precision_recall_101_point
        (interpolated); precision_recall (at depths from 1 to the gallery, thinned);
        precision_scope; average_precision_by_class; query_classes and gallery_classes
        (counts); confusion (shares of the top R and of the top 1, a row per query
        class); lift; random (rank metrics of random rankings); hubness; modality_gap;
        queries_without_instance. None where something does not apply.
        """
        occurrence, answers = self.sums.occurrence, self.values.ranks.answers
        query_classes = count_labels(self.query_labels)
        return {
            "relevance": self.relevance.value,
            **self._precision_recall(),
            "average_precision_by_class": self._by_class(query_classes),
            "query_classes": query_classes,
            "gallery_classes": dict(self.gallery_classes),
            "confusion": self._confusion(query_classes),
            "lift": self.lift,
            "random": self._random_ranks(),
            "hubness": {
                "neighbors": hubness.NEIGHBORS,
                "skewness": hubness.skewness(occurrence),
                "share_never_retrieved": hubness.share_never_retrieved(occurrence),
            },
            "modality_gap": self.modality_gap,
            "queries_without_instance": int(np.count_nonzero(answers == 0)),
        }

    def _precision_recall(self) -> dict[str, Any]:
        answered = int(np.count_nonzero(self.values.relevant))
        names = ("precision_recall_11_point", "precision_recall_101_point")
        if not answered:
            return dict.fromkeys((*names, "precision_recall", "precision_scope"))
        levels = self.sums.levels / answered
        gallery = int(self.values.size.max())
        precision, recall = curves.precision_recall_by_depth(self.sums.mass, answered)
        drawn = curves.choose_depths(gallery)
        scopes = np.array([k for k in curves.SCOPES if k <= gallery] or [gallery])
        return {
            names[0]: levels[:: curves.LEVELS // 10].tolist(),
            names[1]: levels.tolist(),
            "precision_recall": {
                "depth": drawn.tolist(),
                "precision": precision[drawn - 1].tolist(),
                "recall": recall[drawn - 1].tolist(),
            },
            "precision_scope": {
                "k": scopes.tolist(),
                "precision": precision[scopes - 1].tolist(),
            },
        }

    def _by_class(self, classes: Mapping[str, int]) -> dict[str, float | None]:
        labels = np.array([label or "" for label in self.query_labels])
        return {name: _mean(self.average_precision[labels == name]) for name in classes}

    def _confusion(self, classes: Mapping[str, int]) -> dict[str, Any] | None:
        sums = self.sums.confusion
        if sums is None:
            return None
        return {
            "classes": sorted({*classes, *self.gallery_classes}),
            "top_r": normalize_rows(sums.top_r).tolist(),
            "top_1": normalize_rows(sums.top_1).tolist(),
        }

    def _random_ranks(self) -> dict[str, float | None]:
        ranks = ranks_of(group_tied(self.values.size, self.values.ranks.answers))
        return _rank_figures(ranks)


def count_labels(labels: Keys) -> dict[str, int]:
    """Return how often each label occurs, sorted by label."""
    return dict(sorted(Counter(label for label in labels if label is not None).items()))


def _rank_figures(ranks: Ranks) -> dict[str, float | None]:
    first = ranks.first[~np.isnan(ranks.first)]
    recall = zip(CUTOFFS, ranks.recall, strict=True)
    return {
        **{f"recall_at_{k}": _mean(found) for k, found in recall},
        "median_rank": float(np.median(first)) if first.size else None,
        "mean_rank": _mean(first),
        "mean_reciprocal_rank": _mean(ranks.reciprocal),
    }


def _mean(values: PerQuery) -> float | None:
    """Return the mean of the values there are."""
    known = values[~np.isnan(values)]
    return float(np.mean(known)) if known.size else None
