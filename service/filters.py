"""Filters: which items to search, by their label and metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

Scalar = str | int | float | bool
Text = Annotated[str, Field(max_length=1000)]
Value = Annotated[bool | int | float | Text, Field(union_mode="left_to_right")]

_MISSING = object()
_LABEL = "label"


class Clause(BaseModel):
    """One condition on one field: ``label`` or a key of the metadata, dotted if nested."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, populate_by_name=False
    )

    field: str = Field(min_length=1, max_length=200)
    eq: Value | None = None
    in_: list[Value] | None = Field(default=None, alias="in", min_length=1, max_length=1000)
    gte: Value | None = None
    lte: Value | None = None
    contains: Value | None = None

    @model_validator(mode="after")
    def _check_operator(self) -> Clause:
        if sum(value is not None for value in self._operands().values()) != 1:
            raise ValueError("expected exactly one of eq, in, gte, lte, contains")
        return self

    def _operands(self) -> Mapping[str, Any]:
        return {
            "eq": self.eq,
            "in": self.in_,
            "gte": self.gte,
            "lte": self.lte,
            "contains": self.contains,
        }

    def holds(self, label: str | None, metadata: Mapping[str, Any]) -> bool:
        """Tell whether an item fulfils the condition; a field it lacks never does."""
        actual = _look_up(self.field, label, metadata)
        return actual is not _MISSING and any(
            OPERATORS[name](actual, operand)
            for name, operand in self._operands().items()
            if operand is not None
        )


class Filter(BaseModel):
    """Items that fulfil every ``must``, one of ``should`` if any, and no ``must_not``."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    must: list[Clause] = Field(default=[], max_length=32)
    should: list[Clause] = Field(default=[], max_length=32)
    must_not: list[Clause] = Field(default=[], max_length=32)

    def admits(self, label: str | None, metadata: Mapping[str, Any]) -> bool:
        """Tell whether an item of that label and metadata is searched."""
        return (
            all(clause.holds(label, metadata) for clause in self.must)
            and (
                not self.should
                or any(clause.holds(label, metadata) for clause in self.should)
            )
            and not any(clause.holds(label, metadata) for clause in self.must_not)
        )


def _look_up(field: str, label: str | None, metadata: Mapping[str, Any]) -> Any:
    if field == _LABEL:
        return _MISSING if label is None else label
    if field in metadata:
        return metadata[field]
    value: Any = metadata
    for key in field.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _equal(actual: Any, operand: Any) -> bool:
    # True == 1 in Python, not in JSON
    return bool(isinstance(actual, bool) == isinstance(operand, bool) and actual == operand)


def _comparable(actual: Any, operand: Any) -> bool:
    numbers = (int, float)
    if isinstance(actual, bool) or isinstance(operand, bool):
        return False
    if isinstance(actual, numbers):
        return isinstance(operand, numbers)
    return isinstance(actual, str) and isinstance(operand, str)


def _contains(actual: Any, operand: Any) -> bool:
    if isinstance(actual, str):
        return isinstance(operand, str) and operand in actual
    return isinstance(actual, list) and any(_equal(member, operand) for member in actual)


OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "in": lambda actual, operand: any(_equal(actual, member) for member in operand),
    "gte": lambda actual, operand: _comparable(actual, operand) and actual >= operand,
    "lte": lambda actual, operand: _comparable(actual, operand) and actual <= operand,
    "contains": _contains,
}
