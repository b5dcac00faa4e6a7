"""The list itself: every claim can be run, and says what its source prints."""

from collections import Counter

import pytest

from training.compare.claim import CHAIN, FIRST, Claim
from training.compare.claim_entries import entry_for, needed_entries
from training.compare.claims import CLAIMS
from training.compare.entry import parse_entry
from training.compare.request import parse_entries
from training.methods.catalog import METHODS


def claim(*order: str, shape: str = CHAIN) -> Claim:
    return Claim(key="made", source="s", statement="t", order=order, scope={}, shape=shape)


def test_a_chain_claims_neighbors_and_first_claims_itself_against_all() -> None:
    assert claim("a", "b", "c").steps == ((0, 1), (1, 2))
    assert claim("a", "b", "c", shape=FIRST).steps == ((0, 1), (0, 2))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.key)
def test_a_claim_is_what_its_source_prints(claim: Claim) -> None:
    assert claim.scope
    for figures in claim.scope.values():
        assert len(figures) in (0, len(claim.order))
        if figures:
            for better, worse in claim.steps:
                assert figures[better] > figures[worse]


def test_claims_have_a_name_each_and_no_step_comes_twice_in_one() -> None:
    assert max(Counter(claim.key for claim in CLAIMS).values()) == 1
    for each in CLAIMS:
        assert len(set(each.order)) == len(each.order) >= 2


@pytest.mark.parametrize("preset", ["tuned", "paper"])
def test_all_and_claims_compare_every_entry_of_every_claim(preset: str) -> None:
    entries = parse_entries("all,claims", preset)
    assert [e.name for e in entries][: len(METHODS)] == list(METHODS)
    for each in CLAIMS:
        found = [entry_for(text, entries, preset, {}) for text in each.order]
        assert None not in found
        assert len({entry.name for entry in found if entry}) == len(each.order)
    assert parse_entries("claims,all", preset) == entries
    names = [e.name for e in parse_entries("claims", preset)]
    assert names[0] == "random"
    assert set(names[1:]) < {e.name for e in entries}


def test_variants_that_a_preset_has_anyway_are_not_fitted_twice() -> None:
    wanted = claim("tnn_c_cca:strategy=batch_all", "tnn_c_cca:strategy=hard")
    names = [entry.name for entry in needed_entries([wanted, wanted], "tuned")]
    assert names == ["tnn_c_cca", "tnn_c_cca:strategy=hard"]


@pytest.mark.parametrize(
    ("entry", "text", "common", "stands"),
    [
        ("eics", "eics", {}, True),
        ("eics", "eics", {"epochs": "2"}, True),
        ("eics:alpha=2", "eics", {}, False),
        ("eics@paper", "eics", {}, False),
        ("eics", "eics:space=both", {}, True),
        ("eics", "eics:space=both", {"space": "explicit"}, False),
        ("eics", "eics:space=explicit", {"space": "explicit"}, True),
        ("eics:space=both", "eics:space=both", {"space": "explicit"}, True),
        ("eics:alpha=2:space=both", "eics:space=both", {}, False),
        ("eics", "dcca", {}, False),
        ("cca", "cca:k=10", {}, False),  # validation may choose another
        ("cca", "cca:k=10", {"k": "10"}, True),
        ("cca:k=10", "cca:k=10", {}, True),
    ],
)
def test_an_entry_stands_for_what_it_surely_is(
    entry: str, text: str, common: dict[str, str], stands: bool
) -> None:
    entries = [parse_entry(entry, "tuned")]
    found = entry_for(text, entries, "tuned", {text.split(":")[0]: common})
    assert (found is not None) == stands
