"""Settings: what the environment says reaches what it is about."""

from __future__ import annotations

import pytest

from crossmodal.errors import ConfigError
from service.settings import read_settings


def test_the_kind_of_an_index_is_set_by_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bases = read_settings().bases
    assert (bases.kind, bases.memory_bytes, bases.recall) == ("auto", None, 0.99)
    for name, value in (("KIND", "ivf"), ("MEMORY", "4096"), ("RECALL", "0.95")):
        monkeypatch.setenv(f"EARSHOT_INDEX_{name}", value)
    bases = read_settings().bases
    assert (bases.kind, bases.memory_bytes, bases.recall) == ("ivf", 4096, 0.95)


@pytest.mark.parametrize(
    ("name", "value"),
    [("KIND", "tree"), ("KIND", "ivf2"), ("MEMORY", "-1"), ("RECALL", "0")],
)
def test_an_index_that_cannot_be_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"EARSHOT_INDEX_{name}", value)
    with pytest.raises(ConfigError, match=f"EARSHOT_INDEX_{name}"):
        read_settings()
