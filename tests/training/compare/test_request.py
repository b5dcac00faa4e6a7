from pathlib import Path

import pytest

from crossmodal.errors import ConfigError
from training.compare.entry import Entry
from training.compare.request import CompareRequest, parse_entries, parse_overrides
from training.methods.catalog import METHODS


def test_entries_are_methods_with_a_preset_and_random_joins() -> None:
    assert parse_entries("cca,cca@paper", "tuned") == (
        Entry("random", "random", "tuned"),
        Entry("cca", "cca", "tuned"),
        Entry("cca@paper", "cca", "paper"),
    )
    assert [e.name for e in parse_entries("cca,random", "tuned")] == ["cca", "random"]
    assert [e.name for e in parse_entries("all,cca:k=3", "tuned")] == [*METHODS, "cca:k=3"]
    assert [e.method for e in parse_entries("all", "paper")] == list(METHODS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cca,nosuch", "unknown method 'nosuch'"),
        ("cca,cca", "cca comes twice"),
        ("cca,cca@tuned", "cca comes twice"),
        ("all,cca", "cca comes twice"),
        ("cca:k=5,cca:k=05", "cca:k=5 comes twice"),
        ("cca:k", "--methods cca:k: expected METHOD@PRESET:KEY=VALUE"),
        ("cca:=5", "--methods cca:=5: expected"),
        ("cca:k=", "--methods cca:k=: expected"),
        ("cca:k=5:k=6", "--methods cca:k=5:k=6: k comes twice"),
        ("cca:nosuch=5", "--methods cca:nosuch=5: unknown setting 'nosuch'"),
        ("cca:k=five", "--methods cca:k=five: k must be int, got 'five'"),
        ("eics:space=outer", "--methods eics:space=outer: space must be one of both"),
        ("c_cca@as_coded:k=0", "--methods c_cca@as_coded:k=0: k must be in"),
    ],
)
def test_wrong_methods_are_reported(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_entries(text, "tuned")


def test_settings_are_given_by_method() -> None:
    assert parse_overrides(["cca.k=3", "cca.ridge=1", "c_cca.k=2"]) == {
        "cca": {"k": "3", "ridge": "1"},
        "c_cca": {"k": "2"},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k=3", "expected METHOD.KEY=VALUE"),
        ("cca.k", "expected METHOD.KEY=VALUE"),
        ("nosuch.k=3", "unknown method"),
        ("cca.k=4", "cca.k comes twice"),
    ],
)
def test_wrong_settings_are_reported(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_overrides(["cca.k=3", text])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": ()}, "seeds must be 1 or more"),
        ({"folds": 1}, "folds must be 2 or more, got 1"),
        ({"folds": 3, "split": "val"}, "drop --split"),
        ({"tune": 0}, "1 to 1000 candidates, got 0"),
        ({"workers": 0}, "workers must be 1 or more"),
        ({"overrides": {"c_cca": {"k": "3"}}}, "c_cca is not compared"),
    ],
)
def test_requests_out_of_range_are_reported(
    fields: dict[str, object], message: str
) -> None:
    given: dict[str, object] = {"seeds": (0,), "overrides": {}}
    with pytest.raises(ConfigError, match=message):
        CompareRequest(
            data=Path("f.h5"),
            entries=parse_entries("cca", "tuned"),
            **(given | fields),  # type: ignore[arg-type]
        )
