"""Settings: frozen values of one method, read from text with every mistake reported."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar, get_type_hints

from crossmodal.errors import ConfigError

SettingsType = TypeVar("SettingsType", bound="Settings")

Number = float | int  # int is a float to mypy, but not at run time

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one method depends on; each method adds its fields and their ranges."""

    def to_json(self) -> dict[str, Any]:
        """Return the values by name, as a run's config.json holds them."""
        return asdict(self)


def check_range(name: str, value: Number, low: Number, high: Number = float("inf")) -> None:
    """Check low <= value <= high.

    Raises:
        ConfigError: If the value is outside, or not a number.
    """
    if not low <= value <= high:
        raise ConfigError(f"{name} must be in [{low:g}, {high:g}], got {value!r}")


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Check that a value is one of the choices.

    Raises:
        ConfigError: If it is not; the message lists them.
    """
    if value not in choices:
        raise ConfigError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def parse_settings(pairs: list[str]) -> dict[str, str]:
    """Return ``KEY=VALUE`` texts as a mapping.

    Raises:
        ConfigError: If a text has no ``=`` or a key comes twice.
    """
    settings: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key or key in settings:
            raise ConfigError(f"--set {pair}: expected KEY=VALUE, each key once")
        settings[key] = value
    return settings


def override(settings: SettingsType, overrides: Mapping[str, str]) -> SettingsType:
    """Return the settings with values given as text, as in ``--set ridge=0.1``.

    Raises:
        ConfigError: If a key is unknown, a text is no value of its type, or a value is
            out of range.
    """
    types = get_type_hints(type(settings))
    _check_known(settings, overrides)
    return replace(
        settings, **{key: _parse(key, text, types[key]) for key, text in overrides.items()}
    )


def from_json(settings: type[SettingsType], values: Mapping[str, Any]) -> SettingsType:
    """Return settings from the values of a config.json, complete and of the right type.

    Raises:
        ConfigError: If a key is unknown or missing, or a value has the wrong type.
    """
    types = get_type_hints(settings)
    _check_known(settings, values)
    missing = sorted(set(types) - set(values))
    if missing:
        raise ConfigError(f"missing setting {', '.join(missing)}")
    for key, value in values.items():
        wanted = (int, float) if types[key] is float else types[key]
        if not isinstance(value, wanted) or (
            isinstance(value, bool) and types[key] is not bool
        ):
            raise ConfigError(f"{key} must be {types[key].__name__}, got {value!r}")
    return settings(**{key: types[key](value) for key, value in values.items()})


def _check_known(settings: Settings | type[Settings], keys: Collection[str]) -> None:
    known = [field.name for field in fields(settings)]
    unknown = sorted(set(keys) - set(known))
    if unknown:
        choices = ", ".join(known) or "none"
        raise ConfigError(f"unknown setting {unknown[0]!r}: expected one of {choices}")


def _parse(key: str, text: str, wanted: type) -> Any:
    if wanted is bool:
        if text.lower() not in _TRUTH:
            raise ConfigError(f"{key} must be true or false, got {text!r}")
        return _TRUTH[text.lower()]
    try:
        return wanted(text)
    except ValueError:
        raise ConfigError(f"{key} must be {wanted.__name__}, got {text!r}") from None
