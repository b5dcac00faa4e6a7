"""Parameters: what may stand beside a query, from JSON, a part or the query string."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.datastructures import QueryParams

from crossmodal.items import ITEM_ID
from service.problems import FieldProblem, ProblemError, invalid_field, message_of
from service.searching.filters import Filter

ItemId = Annotated[str, Field(pattern=f"^{ITEM_ID.pattern}$")]
Moment = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]
Model = TypeVar("Model", bound=BaseModel)

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# how the query string spells parameters that are no numbers or booleans
_LISTS, _OBJECTS = ("exclude",), ("filter", "metadata")
_TEXTS = ("group_by", "cursor", "id", "label", "model")


class Strict(BaseModel):
    """A request model: unknown fields and look-alike types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ClipParameters(Strict):
    """Which stretch of an uploaded clip to use."""

    start: Moment | None = Field(default=None, description="seconds into the query clip")
    end: Moment | None = Field(default=None, description="seconds into the query clip")

    @model_validator(mode="after")
    def _check_order(self) -> ClipParameters:
        if self.end is not None and self.end <= (self.start or 0):
            raise ValueError("end must be greater than start")
        return self


class SearchParameters(ClipParameters):
    """What a search may be told besides its query."""

    k: int = Field(default=10, ge=1, le=1000, description="how many results")
    offset: int = Field(default=0, ge=0, le=10_000, description="results to skip")
    exclude: list[ItemId] = Field(
        default=[], max_length=1000, description="items to leave out"
    )
    exact: bool = Field(default=False, description="compare with every vector")
    with_vector: bool = Field(default=False, description="return each hit's vector")
    score_threshold: float | None = Field(
        default=None, ge=-1, le=1, description="the lowest score to return"
    )
    min_confidence: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="the lowest probability of relevance to return",
    )
    group_by: Literal["item", "segment"] = Field(
        default="item", description="one result per item, or one per segment"
    )
    filter: Filter | None = Field(default=None, description="which items to search")


class PageParameters(Strict):
    """Which page of the stored items to return."""

    cursor: ItemId | None = Field(default=None, description="the last `next_cursor`")
    limit: int = Field(default=50, ge=1, le=200, description="how many items at most")


def parse_parameters(
    model: type[Model], given: Mapping[str, Any], query: QueryParams
) -> Model:
    """Return the parameters of a body and of the query string together.

    Raises:
        ProblemError: ``invalid-field`` if one is unknown, wrong, or given in both places.
    """
    if not query:
        return validate(model, given)
    text: dict[str, Any] = {}
    for name, value in query.multi_items():
        if name in given or (name in text and name not in _LISTS):
            raise invalid_field(_shown(name), "given twice")
        if name in _LISTS:
            text.setdefault(name, []).extend(value.split(","))
        elif name in _OBJECTS:
            text[name] = _object(name, value)
        else:
            text[name] = value if name in _TEXTS else _scalar(value)
    return validate(model, {**given, **text})


def validate(model: type[Model], given: Mapping[str, Any]) -> Model:
    """Return the model of the fields given.

    Raises:
        ProblemError: ``invalid-field``, with at most 20 errors and none of the values.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = [
            FieldProblem(_place(item["loc"]), message_of(item))
            for item in error.errors(
                include_url=False, include_context=False, include_input=False
            )[:20]
        ]
    first = found[0]
    raise ProblemError("invalid-field", f"{first.field}: {first.message}", errors=found)


def _scalar(text: str) -> Any:
    """Return the number or boolean that a query string's text spells, else the text."""
    if len(text) > 32 or text[:1] in '[{"n':
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _object(name: str, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise invalid_field(name, "expected a JSON object") from None


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(_shown(str(part)) for part in location) or "body"


def _shown(name: str) -> str:
    """Return a field's name, unless it is no name at all."""
    return name if _PLAIN.fullmatch(name) else "?"
