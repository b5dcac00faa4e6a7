from __future__ import annotations

import pytest

from crossmodal.errors import DataError
from crossmodal.relevance import Matches, encode, match, match_qrels


def listed(matches: Matches, start: int, stop: int) -> list[tuple[int, int]]:
    query, row = matches.listing(start, stop)
    return list(zip(query.tolist(), row.tolist(), strict=True))


def test_codes_are_equal_exactly_where_the_keys_are() -> None:
    query, gallery = ["b", None, "a", "z"], ["a", "b", None, "b"]
    codes = encode(query, gallery)
    assert codes.names == ("a", "b", "z")
    for number, key in enumerate(query):
        for row, other in enumerate(gallery):
            equal = bool(codes.query[number] == codes.gallery[row])
            assert equal == (key is not None and key == other)


def test_matches_list_the_rows_of_each_querys_key() -> None:
    matches = match(encode(["b", None, "a", "z"], ["a", "b", None, "b"]))
    assert listed(matches, 0, 4) == [(0, 1), (0, 3), (2, 0)]


def test_a_listing_counts_queries_from_its_start() -> None:
    matches = match(encode(["b", None, "a", "b"], ["a", "b", None, "b"]))
    assert listed(matches, 1, 4) == [(1, 0), (2, 1), (2, 3)]
    assert listed(matches, 1, 2) == []


def test_no_keys_match_nothing() -> None:
    assert listed(match(encode([None, None], [None])), 0, 2) == []


def test_judgments_list_the_rows_they_name() -> None:
    matches = match_qrels(
        ["q1", "q2", "q3"], ["x", "y", "z"], {"q3": ["z", "x"], "q1": {"y"}}
    )
    assert listed(matches, 0, 3) == [(0, 1), (2, 0), (2, 2)]


def test_a_judgment_named_twice_counts_once() -> None:
    assert listed(match_qrels(["q"], ["x"], {"q": ["x", "x"]}), 0, 1) == [(0, 0)]


def test_a_judgment_of_an_unknown_item_raises() -> None:
    with pytest.raises(DataError, match=r"name 1 gallery items .* such as \['gone'\]"):
        match_qrels(["q"], ["x"], {"q": ["x", "gone"]})


def test_a_judgment_of_an_unknown_query_raises() -> None:
    with pytest.raises(DataError, match=r"name 1 queries .* such as \['who'\]"):
        match_qrels(["q"], ["x"], {"who": ["x"]})
