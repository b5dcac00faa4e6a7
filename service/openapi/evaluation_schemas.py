"""Schemas of an evaluation's reply: figures and curves per direction."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from service.openapi.schemas import IndexReply, Reply


class PrecisionRecall(BaseModel):
    """A precision-recall curve."""

    model_config = ConfigDict(extra="allow", strict=True)

    recall: list[float]
    precision: list[float]


class Curves(BaseModel):
    """The pictures beside the numbers and more; null where nothing is relevant."""

    model_config = ConfigDict(extra="allow", strict=True)

    precision_recall: PrecisionRecall | None
    precision_recall_11_point: list[float] | None
    average_precision_by_class: dict[str, float | None]


class DirectionReply(BaseModel):
    """One direction's figures; null where a figure does not apply."""

    model_config = ConfigDict(extra="allow", strict=True)

    mean_average_precision: float | None
    mean_average_precision_without_own_pair: float | None
    random_mean_average_precision: float | None
    recall_at_1: float | None
    recall_at_5: float | None
    recall_at_10: float | None
    median_rank: float | None
    mean_rank: float | None
    mean_reciprocal_rank: float | None
    queries: int
    gallery: int
    queries_without_relevant: int
    curves: Curves | None = None


class EvaluationReply(Reply):
    """Figures of the live index, per direction."""

    directions: dict[str, DirectionReply]
    split: str | None
    relevance: dict[str, str]
    index: IndexReply
    took_ms: dict[str, float]
    request_id: str
