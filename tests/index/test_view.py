from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from crossmodal.bundle import Bundle
from crossmodal.errors import ModalityError, UnknownItemError
from crossmodal.features import read_features
from crossmodal.items import Segment
from crossmodal.metrics.card import evaluate_direction
from crossmodal.modality import Modality, parse_direction
from index.collection import Collection
from index.views.view import View

AUDIO, VISUAL, TEXT = Modality.AUDIO, Modality.VISUAL, Modality.TEXT


@pytest.fixture
def view(data: Path) -> Iterator[View]:
    with Collection.open(data) as collection:
        yield collection.view


def expected_embeddings(data: Path, features_file: Path, modality: Modality) -> np.ndarray:
    rows = read_features(features_file).modalities[modality]
    return Bundle.open(data / "bundle").encoder(modality).embed(rows.features)


def test_stored_vectors_are_the_encoders_bit_for_bit(
    view: View, data: Path, features_file: Path
) -> None:
    for modality in (AUDIO, VISUAL):
        expected = expected_embeddings(data, features_file, modality)
        for number in range(40):
            vectors = view.vectors(f"clip{number:02d}", modality)
            np.testing.assert_array_equal(vectors, expected[number : number + 1])


def test_every_item_finds_itself_first_in_its_own_modality(view: View) -> None:
    for item_id in view.items:
        (hits,) = view.search(AUDIO, view.vectors(item_id, AUDIO), 1)
        assert hits[0].item_id == item_id
        assert hits[0].score == pytest.approx(1, abs=1e-6)
        assert hits[0].segment == Segment(0.0, None)


def test_an_item_tells_what_it_was_built_from(view: View) -> None:
    item = view.item("clip04")
    assert (item.id, item.label, item.split, item.pair) == (
        "clip04",
        "dog",
        "train",
        "clip04",
    )
    assert item.metadata == {"split": "train", "pair": "clip04"}
    assert item.modalities == (AUDIO, VISUAL)
    assert item.media_sha256 is None


def test_labels_and_splits_are_counted(view: View) -> None:
    assert view.labels == {"cat": 14, "dog": 13, "owl": 13}
    assert view.splits == {"test": 20, "train": 20}
    assert view.segments == {AUDIO: 40, VISUAL: 40}
    assert view.unserved == {}


def test_an_item_of_both_modalities_is_its_own_pair_one_alone_has_none(view: View) -> None:
    item = view.item("clip00")
    assert item._replace(metadata={}).pair == "clip00"
    assert item._replace(metadata={}, modalities=(AUDIO,)).pair is None
    assert item._replace(metadata={"pair": "p"}, modalities=(AUDIO,)).pair == "p"


def test_pages_follow_each_other_without_gap_or_repeat(view: View) -> None:
    ids, cursor = [], None
    for _ in range(6):
        page = view.page(cursor, limit=7)
        ids += [item.id for item in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert ids == sorted(view.items)
    assert len(view.page(None, 40).items) == 40
    assert view.page(None, 40).next_cursor is None
    assert view.page("clip38", 5).items == [view.item("clip39")]
    assert view.page("zzz", 5) == ([], None)


def test_judged_vectors_are_the_galleries_with_labels_and_pairs(view: View) -> None:
    judged = view.judged(VISUAL, split="test")
    assert list(judged.ids) == [f"clip{number:02d}" for number in range(1, 40, 2)]
    assert judged.pairs == list(judged.ids)
    assert judged.labels is not None
    assert judged.labels[0] == "dog"
    for item_id, row in zip(judged.ids, judged.embeddings, strict=True):
        np.testing.assert_array_equal(row, view.vectors(item_id, VISUAL)[0])
    assert len(view.judged(VISUAL)) == len(view.judged(VISUAL, split="all")) == 40


def test_the_live_index_evaluates_as_its_embeddings_do_offline(
    view: View, data: Path, features_file: Path
) -> None:
    rows = read_features(features_file).modalities[AUDIO]
    offline = {
        modality: view.judged(modality).__class__(
            ids=list(rows.id),
            embeddings=expected_embeddings(data, features_file, modality),
            labels=list(rows.label),
            pairs=list(rows.pair),
        )
        for modality in (AUDIO, VISUAL)
    }
    direction = parse_direction("audio2visual")
    live = evaluate_direction(direction, view.judged(AUDIO), view.judged(VISUAL))
    assert live.summary() == evaluate_direction(direction, *offline.values()).summary()


def test_what_is_not_stored_is_refused(view: View) -> None:
    with pytest.raises(UnknownItemError, match="no stored item"):
        view.item("clip99")
    with pytest.raises(UnknownItemError, match="no stored item"):
        view.vectors("clip99", AUDIO)
    with pytest.raises(ModalityError, match="no text gallery, only audio, visual"):
        view.vectors("clip00", TEXT)
    with pytest.raises(ModalityError, match="no text gallery"):
        view.judged(TEXT)
