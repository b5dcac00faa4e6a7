"""Tallies: how many items bear what, kept up to date by what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from index.views.items import StoredItem


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of some items bear each label, belong to each split, and have media.

    Not to be changed; a name that nothing bears is not in it.
    """

    labels: Counter[str]
    splits: Counter[str]
    media: int

    @classmethod
    def of(cls, items: Iterable[StoredItem]) -> Tally:
        """Count items."""
        labels: Counter[str] = Counter()
        splits: Counter[str] = Counter()
        media = 0
        for item in items:
            if item.label is not None:
                labels[item.label] += 1
            if item.split is not None:
                splits[item.split] += 1
            media += item.media_sha256 is not None
        return cls(labels, splits, media)

    def after(self, gone: Tally, come: Tally) -> Tally:
        """Return the tally after some of the items went and others came."""
        return Tally(
            labels=(self.labels + come.labels) - gone.labels,
            splits=(self.splits + come.splits) - gone.splits,
            media=self.media + come.media - gone.media,
        )


def by_name(counted: Mapping[str, int]) -> dict[str, int]:
    """Return counts with names ascending."""
    return {name: counted[name] for name in sorted(counted)}
