"""Entries: a method with a preset and perhaps settings of its own, one line of a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crossmodal.errors import ConfigError
from training.config import override
from training.methods.catalog import method_named

TUNED = "tuned"


@dataclass(frozen=True, slots=True)
class Entry:
    """A method as it is compared.

    Attributes:
        name: Unique in the comparison; the variant, and the preset where it is not the
            common one.
        method: Method.
        preset: Preset its settings start from.
        settings: Settings of its own as text, by name in alphabetic order.
    """

    name: str
    method: str
    preset: str
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def variant(self) -> str:
        """The method and the settings of its own, as ``METHOD:KEY=VALUE:…``."""
        return written(self.method, self.settings)

    def overrides(self, common: Mapping[str, str]) -> dict[str, str]:
        """Return its own settings over those common to all entries of its method."""
        return {**common, **dict(self.settings)}


def parse_entry(text: str, preset: str) -> Entry:
    """Return the entry written ``METHOD@PRESET:KEY=VALUE:…``, all but METHOD optional.

    Values are kept as the method understands them, so that ``k=5`` and ``k=05`` are one.

    Args:
        text: As given to ``--methods``, between commas.
        preset: The common preset.

    Raises:
        ConfigError: If the method or a setting is unknown, a value is none of its type or
            out of range, or a setting comes twice.
    """
    head, *parts = (part.strip() for part in text.split(":"))
    method, at, own = head.partition("@")
    presets = method_named(method).presets
    chosen = own if at else preset
    given: dict[str, str] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            raise ConfigError(f"--methods {text}: expected METHOD@PRESET:KEY=VALUE:…")
        if key in given:
            raise ConfigError(f"--methods {text}: {key} comes twice")
        given[key] = value
    try:  # where the method lacks the preset, which is a line of the table, by another
        values = override(presets.get(chosen, presets[TUNED]), given).to_json()
    except ConfigError as error:
        raise ConfigError(f"--methods {text}: {error}") from error
    settings = tuple((key, _text(values[key])) for key in sorted(given))
    shown = method if chosen == preset else f"{method}@{chosen}"
    return Entry(written(shown, settings), method, chosen, settings)


def written(head: str, settings: tuple[tuple[str, str], ...]) -> str:
    """Return a name followed by settings, as it is typed."""
    return ":".join([head, *(f"{key}={value}" for key, value in settings)])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value)
