"""Filters as clients write them: which items to search, by their label and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from index.views import filters

Text = Annotated[str, Field(max_length=1000)]
Value = Annotated[bool | int | float | Text, Field(union_mode="left_to_right")]


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
        if len(self._operands()) != 1:
            raise ValueError("expected exactly one of eq, in, gte, lte, contains")
        return self

    def _operands(self) -> Mapping[str, Any]:
        operands = {
            "eq": self.eq,
            "in": self.in_,
            "gte": self.gte,
            "lte": self.lte,
            "contains": self.contains,
        }
        return {name: value for name, value in operands.items() if value is not None}

    def meant(self) -> filters.Clause:
        """Return the condition as the index takes it."""
        ((operator, operand),) = self._operands().items()
        given = tuple(operand) if isinstance(operand, list) else operand
        return filters.Clause(self.field, operator, given)


class Filter(BaseModel):
    """Items that fulfil every ``must``, one of ``should`` if any, and no ``must_not``."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    must: list[Clause] = Field(default=[], max_length=32)
    should: list[Clause] = Field(default=[], max_length=32)
    must_not: list[Clause] = Field(default=[], max_length=32)

    def meant(self) -> filters.Filter:
        """Return the conditions as the index takes them."""
        return filters.Filter(
            must=tuple(clause.meant() for clause in self.must),
            should=tuple(clause.meant() for clause in self.should),
            must_not=tuple(clause.meant() for clause in self.must_not),
        )
