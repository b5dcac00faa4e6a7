from __future__ import annotations

import numpy as np

from crossmodal.metrics.arrangement import arrange, invert, runs
from crossmodal.metrics.ranking import REMOVED, score_keys
from crossmodal.metrics.search import Search
from crossmodal.relevance import encode, match


def test_keys_are_the_scores_of_the_rows_with_the_relevant_ones_marked() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(np.array(["a", "b", "c", None], dtype=object), 40)
    rows = (rng.integers(-8, 9, (40, 3)) / 16).astype(np.float32)
    own_row = np.where(np.arange(25) % 3 == 0, np.arange(25) + 7, -1)
    codes = encode(labels[:25].tolist(), labels.tolist())
    arranged = arrange(Search(rows[:25], rows, own_row), codes)
    keys = np.concatenate([arranged.keys(0, 9), arranged.keys(9, 25)])
    back = keys[invert(arranged.query_order)][:, invert(arranged.gallery_order)]
    expected = score_keys(rows[:25].astype(np.float64) @ rows.T.astype(np.float64))
    for query in range(25):
        for row in range(40):
            same = labels[query] is not None and labels[query] == labels[row]
            own = own_row[query] == row
            wanted = REMOVED if own else int(expected[query, row]) + same
            assert back[query, row] == wanted


def test_matches_are_the_same_ones_elsewhere() -> None:
    rng = np.random.default_rng(1)
    rows = np.eye(6, dtype=np.float32)
    labels, pairs = list("babcca"), ["x", "y", None, "x", "z", "y"]
    order = rng.permutation(6)
    codes = encode(labels, [labels[n] for n in order])
    arranged = arrange(Search(rows, rows, np.full(6, -1)), codes)
    answers = match(encode(pairs, [pairs[n] for n in order]))
    query, row = arranged.relocate(answers).listing(0, 6)
    found = set(
        zip(
            arranged.query_order[query].tolist(),
            arranged.gallery_order[row].tolist(),
            strict=True,
        )
    )
    assert found == set(
        zip(*(side.tolist() for side in answers.listing(0, 6)), strict=True)
    )


def test_without_classes_everything_stays_where_it_was() -> None:
    rows = np.eye(3, dtype=np.float32)
    arranged = arrange(Search(rows, rows, np.array([-1, 2, -1])), None)
    assert arranged.query_order.tolist() == arranged.gallery_order.tolist() == [0, 1, 2]
    assert arranged.own_row.tolist() == [-1, 2, -1]
    assert not (arranged.keys(0, 3)[arranged.keys(0, 3) != REMOVED] & 1).any()


def test_runs_end_where_any_column_changes() -> None:
    one, two = np.array([1, 1, 1, 2, 2]), np.array([5, 5, 6, 6, 6])
    assert list(runs(one, two)) == [(0, 2), (2, 3), (3, 5)]
    assert list(runs(one[:1])) == [(0, 1)]
    assert list(runs(one[:0])) == []
