"""Checks of a features file before anything is learned from it or measured on it."""

from __future__ import annotations

import numpy as np

from crossmodal.faults import fault, field_of
from crossmodal.features import FeaturesFile, ModalityFeatures
from crossmodal.modality import Modality

SHOWN = 3  # examples in a message


def check_training_file(data: FeaturesFile) -> None:
    """Check what every fit and every figure takes for granted.

    There are training rows, sides are apart, training rows are of two classes or of none,
    and no row bears a class that training lacks.

    Raises:
        DataError: If one of these fails; the message names the field.
    """
    for modality, table in data.modalities.items():
        check_rows(modality, table, "train")
    check_sides(data)
    trained = {
        str(label)
        for table in data.modalities.values()
        for label in table.label[table.split == "train"]
        if label
    }
    if len(trained) == 1:
        raise fault(
            field_of(min(data.modalities), "label", "train"),
            f"every labeled training row is of one class ({trained.pop()!r})",
            "expected two or more",
        )
    for modality, table in data.modalities.items():
        _check_labels(modality, table, trained)


def check_sides(data: FeaturesFile) -> None:
    """Check that no item, event or group has a side in test and another in training.

    Raises:
        DataError: If one has, or an id comes twice; the message names the field.
    """
    for modality, table in data.modalities.items():
        _check_ids(modality, table)
    _check_apart(data, "pair", "an event belongs to one side")
    check_groups(data)


def check_groups(data: FeaturesFile) -> None:
    """Check that no group has a side in test and another in training.

    Raises:
        DataError: If one has; the message names the field.
    """
    _check_apart(data, "group", "give all its rows one split")


def check_scored(data: FeaturesFile, split: str) -> None:
    """Check that a split can be scored: every modality has rows there, of two classes.

    Unlabeled rows are scored by their pairs, so none need have a class.

    Raises:
        DataError: If it cannot; the message names the field.
    """
    for modality, table in data.modalities.items():
        check_rows(modality, table, split)
    found = {
        str(label)
        for table in data.modalities.values()
        for label in table.label[table.split == split]
        if label
    }
    if len(found) == 1:
        raise fault(
            field_of(min(data.modalities), "label", split),
            f"every labeled {split} row is of one class ({found.pop()!r}), so that any "
            "ranking is perfect",
            "expected two or more",
        )


def check_rows(modality: Modality, table: ModalityFeatures, split: str) -> None:
    """Check that a split of a modality is not empty; ``all`` is every row.

    Raises:
        DataError: If it is; the message names the field.
    """
    rows = len(table) if split == "all" else np.count_nonzero(table.split == split)
    if not rows:
        raise fault(
            f"{modality}/split",
            f"no {modality} row is of split {split}",
            "the column split, of a manifest too, says which items train and which test",
        )


def _check_ids(modality: Modality, table: ModalityFeatures) -> None:
    split_of: dict[str, str] = {}
    for item, split in zip(table.id, table.split, strict=True):
        before = split_of.setdefault(item, split)
        if before != split:
            raise fault(
                f"{modality}/id",
                f"{item!r} is in {before or 'no split'} and in {split or 'no split'}",
                "an item belongs to one split",
            )
    if len(split_of) < len(table):
        raise fault(
            f"{modality}/id",
            f"{len(table) - len(split_of)} rows repeat the id of another",
            "give every row an id of its own",
        )


def _check_apart(data: FeaturesFile, column: str, remedy: str) -> None:
    sides: dict[str, str] = {}
    for modality, table in data.modalities.items():
        for key, split in zip(getattr(table, column), table.split, strict=True):
            side = "test" if split == "test" else "train"
            if key and sides.setdefault(key, side) != side:
                raise fault(
                    f"{modality}/{column}",
                    f"{key!r} has rows in train and in test",
                    remedy,
                )


def _check_labels(modality: Modality, table: ModalityFeatures, trained: set[str]) -> None:
    for split in ("val", "test"):
        found = {str(label) for label in table.label[table.split == split] if label}
        unknown = sorted(found - trained)
        if unknown:
            raise fault(
                field_of(modality, "label", split),
                f"{split} has rows of {', '.join(map(repr, unknown[:SHOWN]))}, which no "
                f"training row is of (those are {_listed(trained)})",
                "leave these rows out, or train on some",
            )


def _listed(names: set[str]) -> str:
    ordered = sorted(names, key=lambda name: (not name.isdecimal(), len(name), name))
    if not ordered:
        return "unlabeled"
    if len(ordered) <= 2 * SHOWN:
        return ", ".join(ordered)
    return f"{', '.join(ordered[:SHOWN])}, … {ordered[-1]}"
