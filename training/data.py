"""Training data: features, class numbers and pairs, as every method takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32, Int64

from crossmodal.faults import fault, field_of
from crossmodal.features import FeaturesFile
from crossmodal.metrics.card import Judged
from crossmodal.modality import Modality
from training.checks import check_rows

Matrix = Float32[np.ndarray, "items dim"]
Features = Float32[np.ndarray, "_ ... _"]
Sequences = Float32[np.ndarray, "_ _ _"]
Classes = Int64[np.ndarray, "items"]
Rows = Int64[np.ndarray, "pairs"]

UNLABELED = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingData:
    """One split, ready for a method.

    ``labels`` are positions in ``classes``, -1 where unknown. ``pairs`` maps each modality
    to row numbers, entry i of every modality being one event; None where the data set has
    no pairs. ``groups`` are equal for rows of one source; None where there are none.
    ``sequences`` holds the steps of every row (items, time, dim), NaN where a row has none
    any more, of modalities whose features have a time axis.
    """

    features: Mapping[Modality, Features]
    labels: Mapping[Modality, Classes]
    classes: tuple[str, ...]
    pairs: Mapping[Modality, Rows] | None
    ids: Mapping[Modality, Sequence[str]]
    pair_keys: Mapping[Modality, Sequence[str | None]]
    groups: Mapping[Modality, Sequence[str | None]] | None = None
    sequences: Mapping[Modality, Sequences] = field(default_factory=dict)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities present, in a stable order."""
        return tuple(sorted(self.features))

    def judged(self, embeddings: Mapping[Modality, Matrix]) -> dict[Modality, Judged]:
        """Return the embeddings beside what relevance needs to know of their rows."""
        return {
            modality: Judged(
                ids=self.ids[modality],
                embeddings=matrix,
                labels=[
                    None if number == UNLABELED else self.classes[number]
                    for number in self.labels[modality]
                ],
                pairs=self.pair_keys[modality],
            )
            for modality, matrix in embeddings.items()
        }

    def group_numbers(self, modality: Modality) -> Classes:
        """Return a number per row, equal for rows of one source or, without, one pair."""
        groups = (self.groups or {}).get(modality) or [None] * len(self.ids[modality])
        keys = zip(groups, self.pair_keys[modality], self.ids[modality], strict=True)
        names = [f"g{g}" if g else f"p{p}" if p else f"i{i}" for g, p, i in keys]
        numbers: Classes = np.unique(names, return_inverse=True)[1].astype(np.int64)
        return numbers

    def with_sequences(self) -> TrainingData:
        """Return the data with sequences in the place of pooled features.

        Raises:
            DataError: If a modality has no time axis.
        """
        missing = [m for m in self.modalities if m not in self.sequences]
        if missing:
            raise fault(
                field_of(missing[0], "features", "train"),
                "has one row per item",
                "the method takes sequences, (items, time, dim)",
            )
        return replace(self, features=self.sequences, sequences={})

    def with_drawn_pairs(self, seed: int) -> TrainingData:
        """Return the data with pairs: its own, or same-class pairs drawn by chance.

        Every row of the larger modality of a class is used once, rows of the smaller
        repeat evenly.

        Raises:
            DataError: If pairs must be drawn and no class is present in every modality.
        """
        if self.pairs is not None:
            return self
        rng = np.random.default_rng(seed)
        drawn: dict[Modality, list[np.ndarray]] = {m: [] for m in self.modalities}
        for number in range(len(self.classes)):
            members = {m: np.flatnonzero(self.labels[m] == number) for m in self.modalities}
            if not all(rows.size for rows in members.values()):
                continue
            count = max(rows.size for rows in members.values())
            for modality, rows in members.items():
                shuffled = rng.permutation(rows)
                drawn[modality].append(np.resize(shuffled, count))
        if not any(drawn.values()):
            raise fault(
                field_of(min(self.modalities), "label", "train"),
                "no class has items in every modality, so no pairs can be drawn",
                "give the modalities classes in common, or pairs",
            )
        pairs = {m: np.concatenate(rows).astype(np.int64) for m, rows in drawn.items()}
        return replace(self, pairs=pairs)


def training_data(
    data: FeaturesFile, split: str, classes: Sequence[str] | None = None
) -> TrainingData:
    """Return one split of a features file.

    Args:
        data: The data set.
        split: Which rows to take: train, val, test or all.
        classes: The class names in order; those of the whole file if not given.

    Raises:
        DataError: If a modality has no row in the split or bears a label not in classes.
    """
    if classes is None:
        classes = class_names(data)
    number = {name: position for position, name in enumerate(classes)}
    features, sequences, labels, columns = {}, {}, {}, {}
    for modality, table in data.modalities.items():
        check_rows(modality, table, split)
        part = table.of_split(split)
        unknown = sorted(set(part.label) - set(number) - {""})
        if unknown:
            raise fault(
                field_of(modality, "label", split),
                f"{split} has a row of {unknown[0]!r}, which is not among the classes "
                "trained on",
                "leave its rows out, or train on some",
            )
        features[modality] = part.pooled
        numbers = [number.get(label, UNLABELED) for label in part.label]
        labels[modality] = np.array(numbers, dtype=np.int64)
        columns[modality] = part.id, part.pair, part.group
        del part  # its steps are as large as those taken now
        if (steps := table.sequences(split)) is not None:
            sequences[modality] = steps
    return TrainingData(
        features=features,
        labels=labels,
        classes=tuple(classes),
        pairs=_pairs({m: pair for m, (_, pair, _) in columns.items()}),
        ids={m: list(ids) for m, (ids, _, _) in columns.items()},
        pair_keys={m: [key or None for key in pair] for m, (_, pair, _) in columns.items()},
        groups={m: [key or None for key in group] for m, (_, _, group) in columns.items()},
        sequences=sequences,
    )


def own_steps(sequence: Float32[np.ndarray, "time dim"]) -> np.ndarray:
    """Return the steps of one row of ``TrainingData.sequences``, without the padding."""
    own: np.ndarray = sequence[~np.isnan(sequence[:, 0])]
    return own


def class_names(data: FeaturesFile) -> tuple[str, ...]:
    """Return every label of the file, numbers in numeric order, else alphabetically."""
    names = {name for table in data.modalities.values() for name in table.label if name}
    numeric = all(name.isdecimal() for name in names)
    return tuple(sorted(names, key=(lambda name: (int(name), name)) if numeric else None))


def _pairs(keys: Mapping[Modality, np.ndarray]) -> dict[Modality, Rows] | None:
    """Join rows by pair key; a key counts if every modality has it exactly once."""
    positions = {
        modality: {key: row for row, key in enumerate(column) if key}
        for modality, column in keys.items()
    }
    first, *others = positions.values()
    shared = [key for key in first if all(key in other for other in others)]
    if not shared or not others:
        return None
    return {
        modality: np.array([row[key] for key in shared], dtype=np.int64)
        for modality, row in positions.items()
    }
