"""Ready features into items: rows of one id become the segments of one item."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from math import isnan
from typing import NamedTuple

import numpy as np

from crossmodal.bundle import Bundle
from crossmodal.embed import embed_features
from crossmodal.embeddings import Embeddings
from crossmodal.errors import DataError, ShapeError
from crossmodal.faults import fault, field_of
from crossmodal.feature_tables import FeaturesFile, ModalityFeatures
from crossmodal.frontends.frontend import FrontEndSpec
from crossmodal.items import ITEM_ID, Segment
from crossmodal.modality import Modality
from index.sources.source_media import Skipped
from index.storage.new_items import NewItem, NewVector

ROWS_AT_ONCE = 64


class Known(NamedTuple):
    """What a row says of its item beside the features."""

    label: str
    split: str
    pair: str
    group: str


def embed_tables(
    data: FeaturesFile, bundle: Bundle, *, workers: int, advance: Callable[[], None]
) -> Iterator[NewItem | Skipped]:
    """Yield the items of a features file, in the order their ids first appear.

    Args:
        data: The rows; modalities the bundle lacks are left out.
        bundle: What to embed with.
        workers: Threads to embed with.
        advance: Called once per row done.

    Raises:
        DataError: If the bundle encodes none of the modalities, the features come from
            another front end or have another width, or rows of one id contradict.
    """
    tables = served_tables(data, bundle)
    known = {modality: _known(table) for modality, table in tables.items()}
    rows = _rows_by_item(tables, known)
    vectors: dict[str, list[NewVector]] = {item_id: [] for item_id in rows}
    refused: dict[str, str] = {}
    for modality, table in tables.items():
        embedded = _embed_table(bundle, modality, table, workers)
        for row, outcome in enumerate(embedded):
            item_id = str(table.id[row])
            if isinstance(outcome, str):
                refused[item_id] = outcome
            else:
                segment = _segment(float(table.start[row]), float(table.end[row]))
                vectors[item_id].append(NewVector(modality, outcome, segment))
            advance()
    for item_id, facts in rows.items():
        if not ITEM_ID.fullmatch(item_id):
            yield Skipped(item_id, "an item id must be 1 to 64 letters, digits, '_' or '-'")
        elif item_id in refused:
            yield Skipped(item_id, refused[item_id])
        else:
            metadata = {
                name: value
                for name, value in facts._asdict().items()
                if value and name != "label"
            }
            yield NewItem(
                id=item_id,
                label=facts.label or None,
                metadata=metadata,
                vectors=vectors[item_id],
            )


def served_tables(data: FeaturesFile, bundle: Bundle) -> dict[Modality, ModalityFeatures]:
    """Return the tables that the bundle encodes, after checking that they fit it.

    Raises:
        DataError: If there is none, one was made by another front end, or one has a row
            per item where the encoder takes sequences.
    """
    tables = {m: data.modalities[m] for m in bundle.modalities if m in data.modalities}
    if not tables:
        raise DataError(
            f"holds {', '.join(sorted(data.modalities))}; the bundle encodes "
            f"{', '.join(bundle.modalities)}"
        )
    for modality, table in tables.items():
        expected, actual = bundle.spec(modality).frontend, table.frontend
        if expected and actual and _as_json(expected) != _as_json(actual):
            raise fault(
                f"{modality}/features",
                f"come from front end {actual.name} version {actual.version} with other "
                f"settings than the bundle's {expected.name} version {expected.version}",
                "prepare them again",
            )
        if bundle.spec(modality).sequences and not table.timed:
            raise fault(
                f"{modality}/features",
                "has one row per item",
                "the bundle takes sequences, (items, time, dim)",
            )
    return tables


def _embed_table(
    bundle: Bundle, modality: Modality, table: ModalityFeatures, workers: int
) -> Iterator[np.ndarray | str]:
    encoder = bundle.encoder(modality)
    if not table.timed and table.features.shape[1] != encoder.input_dim:
        raise fault(
            field_of(modality, "features", "test"),
            f"rows are {table.features.shape[1]} wide",
            f"the bundle takes {encoder.input_dim}",
        )

    def embed(start: int) -> list[np.ndarray | str]:
        stop = min(start + ROWS_AT_ONCE, len(table))
        if not table.timed:
            with suppress(ShapeError):  # then one row at a time, to tell which
                return list(encoder.embed(table.features[start:stop]))
        rows = range(start, stop)
        return [_embed_row(bundle, modality, table.item(row)) for row in rows]

    with ThreadPoolExecutor(workers) as pool:
        for outcomes in pool.map(embed, range(0, len(table), ROWS_AT_ONCE)):
            yield from outcomes


def _embed_row(
    bundle: Bundle, modality: Modality, features: np.ndarray
) -> np.ndarray | str:
    try:
        embedding: Embeddings = embed_features(bundle, modality, features)
    except ShapeError as error:
        return f"{modality}: {error}"
    row: np.ndarray = embedding[0]
    return row


def _known(table: ModalityFeatures) -> list[Known]:
    columns = (table.label, table.split, table.pair, table.group)
    return [Known(*map(str, row)) for row in zip(*columns, strict=True)]


def _rows_by_item(
    tables: Mapping[Modality, ModalityFeatures], known: Mapping[Modality, list[Known]]
) -> dict[str, Known]:
    items: dict[str, Known] = {}
    for modality, table in tables.items():
        for item_id, facts in zip(map(str, table.id), known[modality], strict=True):
            first = items.setdefault(item_id, facts)
            if first != facts:
                differ = ", ".join(
                    f"{name} {ours!r} and {theirs!r}"
                    for name, ours, theirs in zip(Known._fields, first, facts, strict=True)
                    if ours != theirs
                )
                raise fault(
                    f"{modality}/id",
                    f"{item_id!r} stands for different items: {differ}",
                    "rows of one id are one item, whatever their modality",
                )
    return items


def _segment(start_s: float, end_s: float) -> Segment:
    return Segment(start_s, None if isnan(end_s) else end_s)


def _as_json(spec: FrontEndSpec) -> str:
    return json.dumps(asdict(spec), sort_keys=True)
