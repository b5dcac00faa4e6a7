"""Folds: every row is tested once; stratified by label, groups and pairs kept together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from zlib import crc32

import numpy as np

from crossmodal.faults import fault
from crossmodal.features import FeaturesFile
from training.protocol.splits import split_keys

SEED = 0


def assign_folds(data: FeaturesFile, folds: int) -> dict[str, int]:
    """Return the fold of every group of rows, by its key.

    Rows of one group, or of one pair, share a fold in every modality. Class by class, the
    largest groups first, a group goes where its class is rarest; among equals, where
    there are fewest rows. The assignment depends on the data alone.

    Args:
        data: All rows: those of every split of its own are dealt anew.
        folds: How many.

    Returns:
        Keys of `training.protocol.splits.split_keys` with fold numbers from 1.

    Raises:
        DataError: If a class has fewer groups than there are folds.
    """
    sizes: dict[str, Counter[str]] = {}
    for table in data.modalities.values():
        for key, label in zip(split_keys(table), table.label, strict=True):
            sizes.setdefault(str(label), Counter())[key] += 1
    fold_of: dict[str, int] = {}
    rows = Counter({fold: 0 for fold in range(1, folds + 1)})
    for label, groups in sorted(sizes.items()):
        if label and len(groups) < folds:
            raise fault(
                f"{min(data.modalities)}/label",
                f"{label!r} has {len(groups)} groups of items, fewer than {folds} folds",
                f"deal into {len(groups)} or less, or leave the class out",
            )
        of_class = Counter({fold: 0 for fold in rows})
        for key, count in groups.items():
            if key in fold_of:
                of_class[fold_of[key]] += count
        rng = np.random.default_rng([SEED, crc32(label.encode())])
        fresh = [str(key) for key in rng.permutation(sorted(groups)) if key not in fold_of]
        for key in sorted(fresh, key=lambda key: -groups[key]):
            fold = min(rows, key=lambda fold: (of_class[fold], rows[fold], fold))
            fold_of[key] = fold
            of_class[fold] += groups[key]
            rows[fold] += groups[key]
    return fold_of


def with_fold(data: FeaturesFile, folds: int, fold: int) -> FeaturesFile:
    """Return the data set with one fold as test and all other rows as train.

    Args:
        data: The data set; its own splits are dealt anew.
        folds: How many folds there are.
        fold: Which one is tested, from 1.

    Raises:
        DataError: If a class has fewer groups than there are folds.
    """
    fold_of = assign_folds(data, folds)
    modalities = {}
    for modality, table in data.modalities.items():
        tested = np.array([fold_of[key] == fold for key in split_keys(table)], dtype=bool)
        split = np.where(tested, "test", "train").astype(object)
        modalities[modality] = replace(table, split=split)
    return FeaturesFile(data.name, modalities)


def fold_ids(data: FeaturesFile, folds: int) -> dict[str, dict[str, list[str]]]:
    """Return the ids of every fold by modality, for others to repeat the experiment."""
    fold_of = assign_folds(data, folds)
    found: dict[str, dict[str, list[str]]] = {}
    for fold in range(1, folds + 1):
        found[f"fold{fold}"] = {
            modality.value: [
                str(item)
                for item, key in zip(table.id, split_keys(table), strict=True)
                if fold_of[key] == fold
            ]
            for modality, table in data.modalities.items()
        }
    return found
