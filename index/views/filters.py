"""Filters: conditions on an item's label and metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crossmodal.errors import ConfigError

Scalar = str | int | float | bool

_MISSING = object()
_LABEL = "label"


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition on one field: ``label`` or a key of the metadata, dotted if nested.

    ``operator`` is one of ``eq``, ``in`` (the operand is a tuple), ``gte``, ``lte``
    and ``contains`` (of a text or a list). A field that an item lacks fulfils none.
    """

    field: str
    operator: str
    operand: Scalar | tuple[Scalar, ...]

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise ConfigError(
                f"a filter's operator must be one of {', '.join(OPERATORS)}, "
                f"got {self.operator!r}"
            )

    def holds(self, label: str | None, metadata: Mapping[str, Any]) -> bool:
        """Tell whether an item fulfils the condition."""
        actual = _look_up(self.field, label, metadata)
        return actual is not _MISSING and OPERATORS[self.operator](actual, self.operand)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Items that fulfil every ``must``, one of ``should`` if any, and no ``must_not``."""

    must: tuple[Clause, ...] = ()
    should: tuple[Clause, ...] = ()
    must_not: tuple[Clause, ...] = ()

    def admits(self, label: str | None, metadata: Mapping[str, Any]) -> bool:
        """Tell whether an item of that label and metadata is meant."""
        return (
            all(clause.holds(label, metadata) for clause in self.must)
            and (
                not self.should
                or any(clause.holds(label, metadata) for clause in self.should)
            )
            and not any(clause.holds(label, metadata) for clause in self.must_not)
        )


def _look_up(field: str, label: str | None, metadata: Mapping[str, Any]) -> Any:
    if field == _LABEL:
        return _MISSING if label is None else label
    if field in metadata:
        return metadata[field]
    value: Any = metadata
    for key in field.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return _MISSING
        value = value[key]
    return value


def _equal(actual: Any, operand: Any) -> bool:
    # True == 1 in Python, not in JSON
    return bool(isinstance(actual, bool) == isinstance(operand, bool) and actual == operand)


def _comparable(actual: Any, operand: Any) -> bool:
    numbers = (int, float)
    if isinstance(actual, bool) or isinstance(operand, bool):
        return False
    if isinstance(actual, numbers):
        return isinstance(operand, numbers)
    return isinstance(actual, str) and isinstance(operand, str)


def _contains(actual: Any, operand: Any) -> bool:
    if isinstance(actual, str):
        return isinstance(operand, str) and operand in actual
    return isinstance(actual, list) and any(_equal(member, operand) for member in actual)


OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": _equal,
    "in": lambda actual, operand: any(_equal(actual, member) for member in operand),
    "gte": lambda actual, operand: _comparable(actual, operand) and actual >= operand,
    "lte": lambda actual, operand: _comparable(actual, operand) and actual <= operand,
    "contains": _contains,
}
