"""Modalities and directions: what an item is made of, and what searches what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from crossmodal.errors import ModalityError


class Modality(StrEnum):
    """What an item is made of; a new member is added here and nowhere else."""

    AUDIO = "audio"
    VISUAL = "visual"
    TEXT = "text"


@dataclass(frozen=True, slots=True, order=True)
class Direction:
    """An ordered pair of modalities, printed as ``audio2visual``."""

    query: Modality
    gallery: Modality

    def __str__(self) -> str:
        return f"{self.query}2{self.gallery}"

    @property
    def within(self) -> bool:
        """Whether query and gallery are of one modality."""
        return self.query == self.gallery


def parse_modality(text: str) -> Modality:
    """Return the modality of that name.

    Raises:
        ModalityError: If this build has no such modality.
    """
    try:
        return Modality(text)
    except ValueError:
        known = ", ".join(Modality)
        raise ModalityError(f"unknown modality {text!r}: expected one of {known}") from None


def parse_direction(text: str) -> Direction:
    """Return the direction written ``query2gallery``, as in ``audio2visual``.

    Raises:
        ModalityError: If the text is no pair of known modalities.
    """
    query, two, gallery = text.partition("2")
    if not two:
        raise ModalityError(f"unknown direction {text!r}: expected QUERY2GALLERY")
    return Direction(parse_modality(query), parse_modality(gallery))


def directions(modalities: Iterable[Modality], *, within: bool = False) -> list[Direction]:
    """Return every ordered pair of the modalities, in a stable order.

    Args:
        modalities: The modalities at hand.
        within: Whether to add the directions inside one modality.
    """
    known = sorted(set(modalities))
    pairs = [Direction(query, gallery) for query, gallery in product(known, known)]
    return [pair for pair in pairs if within or not pair.within]
