"""Warm-up: what is searched is what is stored, or the service does not become ready."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from crossmodal.errors import CollectionError
from crossmodal.modality import Modality
from index.views.by_id import ItemsById
from index.views.item_map import ItemMap
from service.watching.warmup import warm_up


def test_a_sound_collection_works_in_every_stage(collection: Any, decoder: Any) -> None:
    assert warm_up(collection, decoder) == []


def test_a_gallery_of_other_vectors_than_those_stored_is_found_out(
    collection: Any, decoder: Any
) -> None:
    view = collection.view
    (shelf,) = view.shelves[Modality.VISUAL]
    shifted = np.roll(np.arange(len(shelf)), 1)  # each row now answers for its neighbour

    class Wrong(type(shelf)):  # type: ignore[misc]
        def vectors(self, rows: Any) -> Any:
            return shelf.vectors(rows if len(rows) > 1 else shifted[rows])

    wrong = Wrong(**{f.name: getattr(shelf, f.name) for f in dataclasses.fields(shelf)})
    shelves = {**view.shelves, Modality.VISUAL: [wrong]}
    broken = SimpleNamespace(
        bundle=collection.bundle, view=dataclasses.replace(view, shelves=shelves)
    )
    said = "a stored visual vector does not find itself"
    with pytest.raises(CollectionError, match=said):
        warm_up(broken, decoder)


def test_an_empty_gallery_has_nothing_to_check(collection: Any, decoder: Any) -> None:
    view = collection.view
    empty = SimpleNamespace(
        bundle=collection.bundle,
        view=dataclasses.replace(
            view, items=ItemMap(ItemsById()), shelves={m: [] for m in view.shelves}
        ),
    )
    assert warm_up(empty, decoder) == []
