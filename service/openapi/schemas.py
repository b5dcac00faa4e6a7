"""Schemas: what the service answers, for OpenAPI and for the tests that hold it to it.

Replies are built as plain dictionaries, since checking one's own output costs more than
a search; the tests validate real replies against these models instead.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Reply(BaseModel):
    """A reply: no field more, none less."""

    model_config = ConfigDict(extra="forbid", strict=True)


class FieldError(Reply):
    """One thing wrong with one field."""

    field: str
    message: str


class ProblemReply(Reply):
    """An error, as RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(description="stable; what programs should look at")
    request_id: str
    errors: list[FieldError] = Field(default=[], max_length=20)


class SegmentReply(Reply):
    """A stretch of an item, in seconds; an end of null is the item's own."""

    start: float
    end: float | None


class MediaReply(Reply):
    """Where an item's media is; null if none is stored."""

    media_url: str | None
    media_type: str | None


class ResultReply(MediaReply):
    """One result of a search."""

    rank: int
    id: str
    score: float
    confidence: float | None = Field(
        description="probability of relevance, null where the model does not say"
    )
    segment: SegmentReply
    label: str | None
    metadata: dict[str, Any]
    vector: list[float] | None = Field(default=None, description="only if asked for")


class QueryReply(Reply):
    """What was searched with; ``duration_s`` is of the part of the clip that was used."""

    modality: str
    source: Literal["file", "features", "vector", "id"]
    duration_s: float | None
    segments: int


class IndexReply(Reply):
    """Which state of which index answered; sizes count items per modality."""

    version: str
    view_seq: int
    size: dict[str, int]
    model: str


class SearchedIndexReply(IndexReply):
    """The index, and whether every vector was compared."""

    exact: bool


class TookReply(Reply):
    """Milliseconds in all and per stage, 0 where a stage did not run."""

    total: float
    decode: float
    features: float
    encode: float
    search: float


class SearchReply(Reply):
    """Ranked results."""

    results: list[ResultReply]
    query: QueryReply
    index: SearchedIndexReply
    took_ms: TookReply
    request_id: str


class BatchedReply(Reply):
    """One search of a batch: its status, and the reply or problem that goes with it."""

    status: int
    body: SearchReply | ProblemReply


class BatchReply(Reply):
    """A reply per search, in their order, all of the same view."""

    results: list[BatchedReply]
    view_seq: int
    took_ms: dict[str, float]
    request_id: str


class EmbeddingReply(Reply):
    """One embedding of unit norm."""

    modality: str
    vector: list[float]
    dim: int
    model: str
    query: QueryReply
    took_ms: dict[str, float]
    request_id: str


class ItemReply(MediaReply):
    """One stored item."""

    id: str
    label: str | None
    metadata: dict[str, Any]
    modalities: list[str]
    seq: int


class ItemWithIdReply(ItemReply):
    """One stored item, asked for by its id."""

    request_id: str


class ItemsReply(Reply):
    """One page of items by ascending id, and the cursor of the next."""

    items: list[ItemReply]
    next_cursor: str | None
    request_id: str


class WrittenItemReply(Reply):
    """What became of one item; without an id if that is what was wrong."""

    id: str | None
    status: Literal["created", "replaced", "exists", "refused"]
    code: str | None = Field(default=None, description="why it was refused")
    detail: str | None = None


class WrittenReply(Reply):
    """One status per item, in their order; searches from ``view_seq`` on find them."""

    items: list[WrittenItemReply]
    view_seq: int
    request_id: str


class ItemWrittenReply(Reply):
    """What became of the item that the path names."""

    id: str
    status: Literal["created", "replaced", "deleted"]
    view_seq: int
    request_id: str


class DeletedItemReply(Reply):
    """What became of one item."""

    id: str
    status: Literal["deleted", "missing"]


class DeletedReply(Reply):
    """One status per item; searches from ``view_seq`` on do not find the deleted ones.

    ``more`` tells whether a filter may admit others, which were not deleted.
    """

    items: list[DeletedItemReply]
    deleted: int
    more: bool
    view_seq: int
    request_id: str


class JobProgressReply(Reply):
    """How much of how much is done; a total of null is not known yet."""

    done: int
    total: int | None


class JobReply(Reply):
    """One piece of long work; times are in Unix seconds."""

    id: str
    kind: str
    state: Literal["queued", "running", "cancelling", "done", "failed", "cancelled"]
    progress: JobProgressReply
    started: float | None
    updated: float
    error: str | None = Field(description="why it failed, in words")
    result: dict[str, Any] | None = Field(description="what it came to")


class JobWithIdReply(JobReply):
    """One piece of long work, asked for by its id."""

    request_id: str


class JobsReply(Reply):
    """The jobs that are kept, newest first."""

    jobs: list[JobReply]
    request_id: str


class ConfidenceReply(Reply):
    """How a direction's probabilities of relevance were fitted."""

    relevance: Literal["class", "instance"]
    base_rate: float = Field(description="share of relevant items in validation")
    calibration_error: float | None = Field(description="on queries that were held out")
    score_at_half: float | None = Field(description="from which a hit is rather relevant")


class ModelReply(Reply):
    """The encoders that made the collection; a null front end takes ready features."""

    id: str
    method: str
    dim: int
    frontends: dict[str, str | None]
    input_dims: dict[str, int]
    confidence: dict[str, ConfidenceReply] = Field(
        description="by direction; a search in another takes no min_confidence"
    )


class VersionIndexReply(Reply):
    """What the index files of one modality are; a recall of null is exact search."""

    kind: str
    vectors: int
    recall: float | None


class VersionReply(Reply):
    """One model's vectors of what is stored, and what can be done with them."""

    role: Literal["current", "previous", "next"]
    state: Literal["current", "building", "ready", "behind"] = Field(
        description="behind: items lack vectors, and no job makes them"
    )
    model_id: str
    method: str
    dim: int
    seq: int | None = Field(description="up to which write its index files reach")
    items: int
    lacking: int = Field(description="items that have no vectors of it")
    vectors: dict[str, int]
    index: dict[str, VersionIndexReply]
    job: str | None = Field(description="the job that builds it")
    progress: JobProgressReply | None


class CollectionReply(Reply):
    """What is stored and what can be asked of it."""

    name: str
    version: str
    view_seq: int
    items: int
    size: dict[str, int]
    segments: dict[str, int]
    directions: list[str]
    labels: list[str]
    splits: list[str]
    model: ModelReply
    media: bool
    versions: list[VersionReply] = Field(description="the one that is served first")
    request_id: str


class Vitals(Reply):
    """Whether the service can do its work, and what stands in the way."""

    status: Literal["starting", "ready", "degraded", "not-ready"]
    reasons: list[str]


class Alive(Reply):
    """The process answers."""

    status: Literal["alive"]


class Health(Vitals):
    """The state of the service in detail."""

    uptime_s: float
    queues: dict[str, dict[str, int]]
    index: IndexReply | None
    unserved: dict[str, int]
    libraries: dict[str, str]
    threads: dict[str, str | None]


class Version(Reply):
    """What this build is."""

    name: Literal["earshot"]
    version: str
    bundle_format: int
    modalities: list[str]
