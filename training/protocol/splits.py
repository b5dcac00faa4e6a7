"""Splits: a test part, and a validation part of the rest; stratified and group-aware."""

from __future__ import annotations

from dataclasses import replace
from zlib import crc32

import numpy as np

from crossmodal.features import FeaturesFile, ModalityFeatures
from training.checks import check_groups

SHARE = 0.1
TEST_SHARE = 0.25


def with_validation(
    data: FeaturesFile, *, seed: int = 0, share: float = SHARE
) -> FeaturesFile:
    """Return the data set with a validation split: its own, or a share of train.

    Rows of one group, or of one pair, go to the same side in every modality: the choice is
    made per group key, stratified by label, and a row without either key is its own group.
    Every class keeps at least one training group.

    Raises:
        DataError: If a group has rows in train and in test.
    """
    check_groups(data)
    if any((table.split == "val").any() for table in data.modalities.values()):
        return data
    return _moved(data, _chosen_keys(data, seed, share), "val")


def with_test(
    data: FeaturesFile, *, seed: int = 0, share: float = TEST_SHARE
) -> FeaturesFile:
    """Return the data set with splits: its own, or train and test if no row has one.

    Test rows are chosen as `with_validation` chooses its own.
    """
    if any((table.split != "").any() for table in data.modalities.values()):
        return data
    modalities = {
        modality: replace(table, split=np.full(len(table), "train", dtype=object))
        for modality, table in data.modalities.items()
    }
    everything = FeaturesFile(data.name, modalities)
    return _moved(everything, _chosen_keys(everything, seed, share), "test")


def split_keys(table: ModalityFeatures) -> list[str]:
    """Return for each row the key of what may not be cut: its group, its pair or itself."""
    return [
        f"g{g}" if g else f"p{p}" if p else f"i{i}"
        for g, p, i in zip(table.group, table.pair, table.id, strict=True)
    ]


def _moved(data: FeaturesFile, chosen: set[str], to: str) -> FeaturesFile:
    modalities = {}
    for modality, table in data.modalities.items():
        moved = np.array([key in chosen for key in split_keys(table)], dtype=bool)
        split = np.where((table.split == "train") & moved, to, table.split)
        modalities[modality] = replace(table, split=split.astype(object))
    return FeaturesFile(data.name, modalities)


def _chosen_keys(data: FeaturesFile, seed: int, share: float) -> set[str]:
    chosen: set[str] = set()
    for table in data.modalities.values():
        train = table.split == "train"
        keys = split_keys(table)
        for label in sorted(set(table.label[train])):
            rows = np.flatnonzero(train & (table.label == label))
            groups = sorted({keys[row] for row in rows})
            wanted = min(round(share * len(groups)) or 1, len(groups) - 1)
            already = sum(group in chosen for group in groups)
            rng = np.random.default_rng([seed, crc32(label.encode())])
            fresh = [str(group) for group in rng.permutation(groups) if group not in chosen]
            chosen.update(fresh[: max(0, wanted - already)])
    return chosen
