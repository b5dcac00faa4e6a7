"""Relevance: which gallery items answer a query, by class, by pair or by judgment.

Conventions:
    Class relevance holds between items of one label, instance relevance between items
    of one pair key; an item without the key is relevant to nothing and nothing to it.
    Explicit judgments (qrels) name gallery ids per query id. Identity is (item,
    modality): a clip's own other modality is an answer, never removed by clip id.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Int

from crossmodal.errors import DataError

Qrels = Mapping[str, Collection[str]]
Keys = Sequence[str | None]


class Relevance(StrEnum):
    """What makes a gallery item an answer; every figure names its kind."""

    CLASS = "class"
    INSTANCE = "instance"
    JUDGED = "judged"


@dataclass(frozen=True, slots=True)
class Codes:
    """Keys as integers: equal codes mean relevant, a missing key equals nothing.

    Attributes:
        names: The key of each code, sorted.
        query: Code of each query, -1 without a key.
        gallery: Code of each gallery row, -2 without a key.
    """

    names: tuple[str, ...]
    query: Int[np.ndarray, "queries"]
    gallery: Int[np.ndarray, "rows"]


def encode(query_keys: Keys, gallery_keys: Keys) -> Codes:
    """Number the keys that occur on either side."""
    names = sorted({key for key in (*query_keys, *gallery_keys) if key is not None})
    number: dict[str | None, int] = {name: code for code, name in enumerate(names)}
    return Codes(
        tuple(names),
        np.array([number.get(key, -1) for key in query_keys], dtype=np.int32),
        np.array([number.get(key, -2) for key in gallery_keys], dtype=np.int32),
    )


@dataclass(frozen=True, slots=True)
class Matches:
    """The relevant gallery rows of each query, listed a slice of queries at a time.

    Queries that share a key share one list, so the whole takes memory for queries plus
    gallery, not for their product.

    Attributes:
        slot: List of each query, -1 for none.
        offsets: List ``s`` is ``rows[offsets[s]:offsets[s + 1]]``.
        rows: Gallery rows.
    """

    slot: Int[np.ndarray, "queries"]
    offsets: Int[np.ndarray, "bounds"]
    rows: Int[np.ndarray, "entries"]

    def listing(
        self, start: int, stop: int
    ) -> tuple[Int[np.ndarray, "matches"], Int[np.ndarray, "matches"]]:
        """List the matches of queries ``start`` to ``stop``.

        Returns:
            The query of each match, counted from ``start`` and ascending, and its row.
        """
        slot = self.slot[start:stop]
        known = np.flatnonzero(slot >= 0)
        first = self.offsets[slot[known]]
        counts = self.offsets[slot[known] + 1] - first
        skipped = np.cumsum(counts) - counts
        places = np.arange(counts.sum()) + np.repeat(first - skipped, counts)
        return np.repeat(known, counts), self.rows[places]


def match(codes: Codes) -> Matches:
    """List, for every query, the gallery rows that bear its code."""
    rows = np.argsort(codes.gallery, kind="stable")
    offsets = np.searchsorted(codes.gallery[rows], np.arange(len(codes.names) + 1))
    return Matches(codes.query, offsets, rows)


def match_qrels(
    query_ids: Sequence[str], gallery_ids: Sequence[str], qrels: Qrels
) -> Matches:
    """List, for every query, the gallery rows that explicit judgments name.

    Raises:
        DataError: If a judgment names a query or a gallery item that is not there.
    """
    _check_known("queries", qrels, query_ids)
    row_of = {item: row for row, item in enumerate(gallery_ids)}
    lists: list[list[int]] = []
    for query in query_ids:
        answers = set(qrels.get(query, ()))
        _check_known("gallery items", answers, row_of)
        lists.append(sorted(row_of[item] for item in answers))
    return Matches(
        np.arange(len(lists)),
        np.cumsum([0, *(len(rows) for rows in lists)]),
        np.array([row for rows in lists for row in rows], dtype=np.int64),
    )


def _check_known(what: str, named: Collection[str], known: Collection[str]) -> None:
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise DataError(
            f"the judgments name {len(unknown)} {what} that are not evaluated, such as "
            f"{unknown[:5]}; remove them or add the items"
        )
