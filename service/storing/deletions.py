"""Deletions: what a client asks to delete, by id or by a filter."""

from __future__ import annotations

from pydantic import Field, model_validator

from index.writing.operations import Delete
from service.searching.filters import Filter
from service.searching.parameters import ItemId, Strict
from service.storing.new_items import MAX_ITEMS


class DeletionRequest(Strict):
    """Which items to delete: those of some ids, or those that a filter admits."""

    ids: list[ItemId] | None = Field(default=None, min_length=1, max_length=MAX_ITEMS)
    filter: Filter | None = Field(
        default=None, description="with at least one clause: an empty one admits everything"
    )

    @model_validator(mode="after")
    def _check_choice(self) -> DeletionRequest:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("expected either ids or a filter")
        wanted = self.filter
        if wanted and not (wanted.must or wanted.should or wanted.must_not):
            raise ValueError("expected a filter with at least one clause")
        return self

    def meant(self) -> Delete:
        """Return the deletion as the index takes it."""
        if self.filter is not None:
            return Delete(filter=self.filter.meant())
        return Delete(ids=self.ids or ())
