from dataclasses import dataclass

import pytest

from crossmodal.errors import ConfigError
from training.config import Settings, check_choice, check_range, from_json, override


@dataclass(frozen=True, slots=True, kw_only=True)
class Oven(Settings):
    heat: float = 180.0
    trays: int = 2
    fan: bool = False
    mode: str = "bake"

    def __post_init__(self) -> None:
        check_range("heat", self.heat, 30, 300)
        check_choice("mode", self.mode, ("bake", "grill"))


def test_text_becomes_the_type_of_the_setting() -> None:
    found = override(Oven(), {"heat": "2e2", "trays": "3", "fan": "True", "mode": "grill"})
    assert found == Oven(heat=200.0, trays=3, fan=True, mode="grill")


def test_settings_that_are_not_overridden_stay() -> None:
    assert override(Oven(heat=90.0), {"trays": "1"}) == Oven(heat=90.0, trays=1)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"colour": "red"}, "unknown setting 'colour': expected one of heat, trays, fan"),
        ({"trays": "two"}, "trays must be int, got 'two'"),
        ({"trays": "2.5"}, "trays must be int"),
        ({"fan": "maybe"}, "fan must be true or false, got 'maybe'"),
        ({"heat": "29"}, r"heat must be in \[30, 300\], got 29"),
        ({"heat": "nan"}, r"heat must be in \[30, 300\], got nan"),
        ({"mode": "fry"}, "mode must be one of bake, grill, got 'fry'"),
    ],
)
def test_every_mistake_is_reported(overrides: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        override(Oven(), overrides)


def test_settings_survive_json() -> None:
    oven = Oven(heat=200.0, trays=1)
    assert from_json(Oven, oven.to_json()) == oven


def test_whole_numbers_of_json_serve_as_floats() -> None:
    found = from_json(Oven, {**Oven().to_json(), "heat": 200})
    assert isinstance(found.heat, float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "unknown setting 'colour'"),
        ({"heat": "hot"}, "heat must be float, got 'hot'"),
        ({"trays": True}, "trays must be int, got True"),
        ({"trays": 1.5}, "trays must be int, got 1.5"),
    ],
)
def test_stored_values_of_another_kind_are_refused(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        from_json(Oven, {**Oven().to_json(), **change})


def test_stored_values_must_be_complete() -> None:
    with pytest.raises(ConfigError, match="missing setting fan, heat"):
        from_json(Oven, {"trays": 2, "mode": "bake"})
