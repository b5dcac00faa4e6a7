"""Vectors of one model among those of several that a database may hold."""

from __future__ import annotations

import json

from index.storage.store import ItemRow, Store


def items_lacking(store: Store, model_id: str) -> list[ItemRow]:
    """Return the items that have no vector of a model, those stored longest ago first."""
    rows = store.connection.execute(
        "SELECT id, seq, label, media_sha256, meta, created FROM items WHERE NOT EXISTS "
        "(SELECT 1 FROM vectors WHERE item_id = items.id AND model_id = ?) ORDER BY seq",
        (model_id,),
    )
    return [
        ItemRow(item_id, seq, label, sha256, json.loads(text), created)
        for item_id, seq, label, sha256, text, created in rows
    ]


def count_items(store: Store) -> int:
    """Return how many items are stored."""
    return int(store.connection.execute("SELECT count(*) FROM items").fetchone()[0])


def count_embedded(store: Store, model_id: str) -> int:
    """Return how many items have a vector of a model."""
    row = store.connection.execute(
        "SELECT count(DISTINCT item_id) FROM vectors WHERE model_id = ?", (model_id,)
    ).fetchone()
    return int(row[0])


def count_vectors(store: Store, model_id: str) -> dict[str, int]:
    """Return how many vectors of a model are stored, by the modality's name."""
    return {g.modality: g.vectors for g in store.groups() if g.model_id == model_id}
