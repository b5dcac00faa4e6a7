"""Judging: what POST /evaluate asks for, turned into reports on the live index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, SkipValidation, model_validator

from crossmodal.embed import embed_features
from crossmodal.errors import DataError, ModalityError
from crossmodal.metrics.card import Judged, evaluate, evaluate_direction
from crossmodal.metrics.report import DirectionReport
from crossmodal.modality import Direction, Modality, parse_direction
from crossmodal.modality import directions as ordered_pairs
from index.collection import Collection
from index.views.view import View
from service.http.arrays import parse_features, parse_vector
from service.problems import invalid_field
from service.searching.answering import check_trained
from service.searching.parameters import ItemId, Strict

MAX_QUERIES = 10_000
DirectionName = Annotated[str, Field(max_length=64)]
Split = Literal["train", "val", "test", "all"]


class JudgedQuery(Strict):
    """One query: a vector or features, and the label that relevant items bear."""

    id: ItemId
    # numbers are checked where they become an array
    vector: SkipValidation[list[float]] | None = None
    features: SkipValidation[list[Any]] | None = None
    label: Annotated[str, Field(max_length=1000)] | None = None

    @model_validator(mode="after")
    def _check_source(self) -> JudgedQuery:
        if (self.vector is None) == (self.features is None):
            raise ValueError("expected exactly one of vector, features")
        return self


class EvaluationRequest(Strict):
    """Either the stored collection judged by its own labels and pairs, or own queries."""

    stored: bool = False
    directions: list[DirectionName] | None = Field(
        default=None, min_length=1, max_length=16, fail_fast=True
    )
    split: Split | None = None
    direction: DirectionName | None = None
    queries: list[JudgedQuery] | None = Field(
        default=None, min_length=1, max_length=MAX_QUERIES, fail_fast=True
    )
    qrels: dict[ItemId, list[ItemId]] | None = None
    curves: bool = False

    @model_validator(mode="after")
    def _check_kind(self) -> EvaluationRequest:
        own = (self.direction, self.queries)
        if self.stored:
            if any(value is not None for value in (*own, self.qrels)):
                raise ValueError("with stored, direction, queries and qrels do not apply")
        elif any(value is None for value in own):
            raise ValueError("expected stored: true, or direction and queries")
        elif self.directions is not None or self.split is not None:
            raise ValueError("directions and split apply to stored only")
        return self


def judge(
    collection: Collection, view: View, request: EvaluationRequest
) -> Mapping[Direction, DirectionReport]:
    """Return a report per direction.

    Raises:
        ModalityError: If a direction is unknown here.
        ProblemError: If a query or a judgment is unusable, or the bundle was trained for
            another direction alone.
    """
    if request.stored:
        return _judge_stored(collection, view, request)
    return _judge_queries(collection, view, request)


def _judge_stored(
    collection: Collection, view: View, request: EvaluationRequest
) -> Mapping[Direction, DirectionReport]:
    named = request.directions
    directions = None if named is None else [parse_direction(name) for name in named]
    for direction in directions or ():
        check_trained(collection.bundle, direction)
    wanted = set(view.sizes) if directions is None else _modalities(directions, view)
    judged = {modality: view.judged(modality, request.split) for modality in wanted}
    judged = {modality: side for modality, side in judged.items() if len(side)}
    if not judged or (directions is not None and len(judged) < len(wanted)):
        raise invalid_field("split", "no stored item of this split has such a vector")
    if directions is None:
        every = ordered_pairs(judged, within=len(judged) == 1)
        directions = list(filter(collection.bundle.serves, every))
    return evaluate(judged, directions, collection.bundle.manifest.same_modality_mask)


def _modalities(directions: Sequence[Direction], view: View) -> set[Modality]:
    wanted = {side for pair in directions for side in (pair.query, pair.gallery)}
    missing = wanted - set(view.sizes)
    if missing:
        raise ModalityError("no such gallery")
    return wanted


def _judge_queries(
    collection: Collection, view: View, request: EvaluationRequest
) -> Mapping[Direction, DirectionReport]:
    queries = request.queries or []
    direction = parse_direction(request.direction or "")
    if direction.query not in collection.bundle.modalities:
        raise ModalityError("no such encoder")
    check_trained(collection.bundle, direction)
    ids = [query.id for query in queries]
    if len(set(ids)) != len(ids):
        raise invalid_field("queries", "each id may occur once")
    gallery = view.judged(direction.gallery)
    if not len(gallery):
        raise invalid_field("direction", "the gallery is empty")
    embeddings = np.concatenate([_embed(collection, direction.query, q) for q in queries])
    asked = Judged(
        ids=ids, embeddings=embeddings, labels=[query.label for query in queries]
    )
    try:
        report = evaluate_direction(
            direction,
            asked,
            gallery,
            same_modality_mask=collection.bundle.manifest.same_modality_mask,
            qrels=request.qrels,
        )
    except DataError:
        raise invalid_field(
            "qrels", "expected ids of the queries sent and of stored items"
        ) from None
    return {direction: report}


def _embed(collection: Collection, modality: Modality, query: JudgedQuery) -> np.ndarray:
    if query.vector is not None:
        return parse_vector(query.vector, collection.bundle.manifest.dim)
    return embed_features(collection.bundle, modality, parse_features(query.features))


def report_fields(report: DirectionReport, *, curves: bool) -> dict[str, Any]:
    """Return one direction's figures, with its curves if they were asked for."""
    return report.summary() | ({"curves": report.curves()} if curves else {})
