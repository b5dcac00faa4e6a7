"""By id: columns, and what was written on top of them, stand for what a dict would."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
import pytest

from crossmodal.modality import Modality
from index.views.by_id import ItemsById, NumbersById
from index.views.item_map import ItemMap
from index.views.items import StoredItem
from index.views.rows import Rows

STRANGE = ["", "A", "a", "a0", "a00", "é", "Ω", "\U0001f50a", "\uffff", "zz"]


def item(item_id: str, seq: int) -> StoredItem:
    label = None if seq % 3 else f"label{seq % 2}"
    modalities = (Modality.AUDIO, Modality.VISUAL)[: 1 + seq % 2]
    metadata = {"n": seq} | ({"split": "ab"[seq % 2]} if seq % 5 else {})
    media = "sha" if seq % 4 == 1 else None
    return StoredItem(item_id, seq, label, metadata, modalities, media, seq / 2)


def check_tally(found: ItemMap, wanted: Mapping[str, StoredItem]) -> None:
    """Count every item one by one."""
    labels: dict[str, int] = {}
    splits: dict[str, int] = {}
    for each in wanted.values():
        for counts, name in ((labels, each.label), (splits, each.split)):
            if name is not None:
                counts[name] = counts.get(name, 0) + 1
    assert found.tally.labels == labels
    assert found.tally.splits == splits
    assert found.tally.media == sum(each.media_sha256 == "sha" for each in wanted.values())


def check_alike(found: Mapping[str, object], wanted: Mapping[str, object]) -> None:
    ids = sorted(wanted)
    assert list(found) == list(found.keys()) == ids
    assert list(found.values()) == [wanted[item_id] for item_id in ids]
    assert list(found.items()) == [(item_id, wanted[item_id]) for item_id in ids]
    assert len(found) == len(found.values()) == len(wanted)
    for item_id in [*STRANGE, *wanted, "missing", "a000", "zzz"]:
        assert found.get(item_id) == wanted.get(item_id)
        assert (item_id in found) == (item_id in wanted)
    with pytest.raises(KeyError):
        found["missing"]


@pytest.mark.parametrize("count", [0, 1, len(STRANGE), 10_000])
def test_items_and_numbers_are_found_as_in_a_dict(count: int) -> None:
    ids = sorted((STRANGE + [f"item{n}" for n in range(count)])[:count])
    items = {item_id: item(item_id, seq) for seq, item_id in enumerate(ids)}
    check_alike(ItemsById(iter(items.values())), items)
    numbers = {item_id: 7 * n for n, item_id in enumerate(ids)}
    check_alike(NumbersById(ids, numbers.values()), numbers)


def test_what_was_written_and_deleted_is_seen_as_in_a_dict() -> None:
    drawn = random.Random(0)
    ids = STRANGE + [f"item{n}" for n in range(40)]
    wanted = {item_id: item(item_id, n) for n, item_id in enumerate(sorted(ids)[::2])}
    found = ItemMap(ItemsById(wanted.values()))
    before, first = found, dict(wanted)
    for seq in range(100, 160):
        changes = {
            item_id: item(item_id, seq) if drawn.random() < 0.6 else None
            for item_id in drawn.sample(ids, 3)
        }
        found = found.after(changes)
        for item_id, changed in changes.items():
            wanted.pop(item_id, None)
            if changed is not None:
                wanted[item_id] = changed
        check_alike(found, wanted)
        check_tally(found, wanted)
        if seq % 20 == 0:
            found = ItemMap(found.whole())
            check_alike(found, wanted)
            check_tally(found, wanted)
    check_alike(before, first)


def chains(item_ids: list[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row, item_id in enumerate(item_ids):
        found.setdefault(item_id, []).append(row)
    return found


@pytest.mark.parametrize("distinct", [1, 7, 60])
def test_the_rows_of_an_id_are_all_that_bear_it(distinct: int) -> None:
    drawn = random.Random(distinct)
    item_ids = [f"item{drawn.randrange(distinct)}" for _ in range(60)]
    times = np.full(60, np.nan)
    rows = Rows.of(np.arange(1, 61), item_ids, np.zeros(60), times)
    wanted = chains(item_ids)
    assert {item_id: rows.chain(item_id) for item_id in wanted} == wanted
    assert rows.chain("missing") == []
    assert dict(rows.last) == {item_id: own[-1] for item_id, own in wanted.items()}
    other = Rows.of(np.arange(61, 121), list(item_ids), np.zeros(60), times.copy(), rows)
    assert (other.last, other.item_ids) == (rows.last, rows.item_ids)
    assert other.starts_s is rows.starts_s
    assert other.ends_s is rows.ends_s
    apart = Rows.of(np.arange(60), item_ids[::-1], np.ones(60), np.ones(60), rows)
    assert {item_id: apart.chain(item_id) for item_id in wanted} == chains(item_ids[::-1])
    later = Rows.of(np.arange(60), list(item_ids), np.ones(60), np.ones(60), rows)
    assert (later.starts_s.tolist(), later.ends_s.tolist()) == ([1] * 60, [1] * 60)
