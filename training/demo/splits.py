"""Splits: which clips of a class train, validate and test."""

from __future__ import annotations

from crossmodal.items import SPLITS

SHARES = {"train": 0.60, "val": 0.15, "test": 0.25}


def split_clips(count: int, *, val_first: bool = False) -> list[str]:
    """Return the split of each of a class's clips, by number.

    The first clip trains, the next two validate and test; from then on each clip goes
    to the split that lags most behind its share (Sainte-Laguë). So a longer list begins
    with the shorter one, every split has a clip from three on, and from four on none is
    a whole clip away from its share.

    Args:
        count: How many clips the class has.
        val_first: Whether the second clip validates rather than tests.
    """
    begun = ["train", "val", "test"] if val_first else ["train", "test", "val"]
    splits = begun[:count]
    while len(splits) < count:
        splits.append(
            max(SPLITS, key=lambda name: SHARES[name] / (2 * splits.count(name) + 1))
        )
    return splits
