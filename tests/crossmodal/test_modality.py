import pytest

from crossmodal.errors import ModalityError
from crossmodal.modality import (
    Direction,
    Modality,
    directions,
    parse_direction,
    parse_modality,
)


def test_direction_prints_and_parses_back() -> None:
    for query in Modality:
        for gallery in Modality:
            pair = Direction(query, gallery)
            assert parse_direction(str(pair)) == pair


@pytest.mark.parametrize(
    "text", ["", "audio", "audio2", "2visual", "Audio2visual", "audio2smell", "a2v2t"]
)
def test_unknown_direction_is_an_error(text: str) -> None:
    with pytest.raises(ModalityError, match="unknown"):
        parse_direction(text)


def test_unknown_modality_lists_the_choices() -> None:
    with pytest.raises(ModalityError, match="audio, visual, text"):
        parse_modality("smell")


@pytest.mark.parametrize(("count", "pairs"), [(1, 0), (2, 2), (3, 6)])
def test_directions_are_the_ordered_pairs(count: int, pairs: int) -> None:
    some = list(Modality)[:count]
    found = directions(some)
    assert len(set(found)) == len(found) == pairs
    assert not any(pair.within for pair in found)
    assert len(directions(some, within=True)) == count**2
