"""A collection driven at random beside a dictionary and numpy: they never differ."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from crossmodal.embeddings import normalize
from crossmodal.modality import Modality
from index.collection import Collection
from index.storage.new_items import NewItem, NewVector
from index.views.filters import Clause, Filter
from index.writing.compaction import CompactionPolicy
from index.writing.operations import Delete, Operation, Put, Status

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
EXAMPLES = int(os.environ.get("EARSHOT_STATE_EXAMPLES", "25"))
STEPS = int(os.environ.get("EARSHOT_STATE_STEPS", "30"))
SECONDS = 120  # a bound for what hangs, not for what is slow
# thousands of syncs say nothing here: where there is a file system in memory, use it
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

IDS = st.sampled_from([f"x{n}" for n in range(12)] + ["clip00", "clip01"])
COLORS = st.sampled_from(["red", "green", "blue"])
# few directions, so that ties are common
ROWS = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=8, max_size=8).filter(any)
MODALITIES = st.sets(st.sampled_from([AUDIO, VISUAL]), min_size=1)

# id -> label, color, rows by modality
Model = dict[str, tuple[str | None, str | None, dict[Modality, np.ndarray]]]


class CollectionMachine(RuleBasedStateMachine):
    """Every write goes to both; every answer is compared."""

    original: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="machine-", dir=MEMORY))
        shutil.copytree(self.original, self.folder / "data")
        self.model: Model = {}
        self.collection = self.open()
        self.last_seq = self.collection.view.seq
        for item in self.collection.view.items.values():
            rows = {m: self.collection.view.vectors(item.id, m) for m in (AUDIO, VISUAL)}
            self.model[item.id] = (item.label, None, rows)

    def open(self) -> Collection:
        return Collection.open(
            self.folder / "data",
            write=True,
            reserve_bytes=0,
            policy=CompactionPolicy(tail=15, deleted=0.3),
        )

    def write(self, *operations: Operation) -> list[Status]:
        receipt = self.collection.submit(*operations).result(SECONDS)
        assert self.collection.view.seq >= receipt.seq >= self.last_seq
        self.last_seq = receipt.seq
        return [result.status for result in receipt.results]

    @rule(
        item_id=IDS,
        rows=st.lists(ROWS, min_size=1, max_size=3),
        modalities=MODALITIES,
        color=COLORS,
        replace=st.booleans(),
    )
    def put(
        self,
        item_id: str,
        rows: list[list[float]],
        modalities: set[Modality],
        color: str,
        replace: bool,
    ) -> None:
        vectors = [NewVector(m, np.array(row)) for m in sorted(modalities) for row in rows]
        item = NewItem(id=item_id, vectors=vectors, label="new", metadata={"color": color})
        exists = item_id in self.model
        expected = (
            Status.CREATED if not exists else Status.REPLACED if replace else Status.EXISTS
        )
        assert self.write(Put(item=item, replace=replace)) == [expected]
        if expected is not Status.EXISTS:
            unit = normalize(np.array(rows))
            self.model[item_id] = ("new", color, dict.fromkeys(modalities, unit))

    @rule(item_ids=st.lists(IDS, min_size=1, max_size=4, unique=True))
    def delete(self, item_ids: list[str]) -> None:
        expected = [
            Status.DELETED if item_id in self.model else Status.MISSING
            for item_id in item_ids
        ]
        assert self.write(Delete(ids=item_ids)) == expected
        for item_id in item_ids:
            self.model.pop(item_id, None)

    @rule(color=COLORS)
    def delete_by_filter(self, color: str) -> None:
        wanted = Filter(must=(Clause("color", "eq", color),))
        gone = sorted(i for i, (_, known, _) in self.model.items() if known == color)
        assert len(self.write(Delete(filter=wanted))) == len(gone)
        for item_id in gone:
            del self.model[item_id]

    @rule()
    def compact(self) -> None:
        assert self.collection.compact().seq == self.collection.view.seq

    @rule()
    def restart(self) -> None:
        self.collection.close()
        self.collection = self.open()
        assert self.collection.degraded is None
        assert self.collection.view.seq == self.last_seq

    @rule(
        query=ROWS,
        modality=st.sampled_from([AUDIO, VISUAL]),
        k=st.integers(1, 60),
        offset=st.integers(0, 5),
        exact=st.booleans(),
        wanted=st.one_of(st.none(), COLORS),
    )
    def search(
        self,
        query: list[float],
        modality: Modality,
        k: int,
        offset: int,
        exact: bool,
        wanted: str | None,
    ) -> None:
        row = normalize(np.array([query]))
        (hits,) = self.collection.view.search(
            modality,
            row,
            k,
            offset=offset,
            exact=exact,
            filter=(wanted and Filter(must=(Clause("color", "eq", wanted),))) or None,
        )
        scores = {
            item_id: max(
                round(float(score), 9)
                for score in rows[modality].astype(np.float64) @ row[0].astype(np.float64)
            )
            for item_id, (_, color, rows) in self.model.items()
            if modality in rows and wanted in (None, color)
        }
        ranking = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        expected = ranking[offset : offset + k]
        assert [hit.item_id for hit in hits] == [item_id for item_id, _ in expected]
        np.testing.assert_allclose(
            [hit.score for hit in hits], [score for _, score in expected], atol=1e-9
        )

    @invariant()
    def holds_the_same(self) -> None:
        view = self.collection.view
        assert list(view.items) == sorted(self.model)
        assert len(view.items) == len(self.model)
        for modality in (AUDIO, VISUAL):
            held = [
                rows[modality] for _, _, rows in self.model.values() if modality in rows
            ]
            assert view.sizes[modality] == len(held)
            assert view.segments[modality] == sum(map(len, held))

    def teardown(self) -> None:
        for item_id, (label, _, rows) in self.model.items():
            assert self.collection.view.item(item_id).label == label
            for modality, expected in rows.items():
                stored = self.collection.view.vectors(item_id, modality)
                np.testing.assert_array_equal(stored, expected)
        self.collection.close()
        shutil.rmtree(self.folder)


def test_a_collection_behaves_as_a_dictionary_and_brute_force(data: Path) -> None:
    class Machine(CollectionMachine):
        original = data

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
