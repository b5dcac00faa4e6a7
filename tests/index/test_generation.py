"""A generation made by another bundle beside the one in use, and the change of places."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crossmodal.errors import CollectionError, CollectionLockedError, ModelMismatchError
from crossmodal.frontends.catalog import create_frontend
from crossmodal.modality import Modality
from index.add import add
from index.build import build
from index.collection import Collection
from index.generation import Origin, catch_up, read_origin, switch
from index.new_items import NewItem, NewVector
from index.operations import Delete, Put
from index.verify import verify

AUDIO = Modality.AUDIO
LOGMEL = create_frontend("logmel")
SECONDS = 20
MakeBundle = Callable[..., Path]


def write_tones(folder: Path, **hertz: float) -> Path:
    (folder / "audio" / "tone").mkdir(parents=True, exist_ok=True)
    for name, frequency in hertz.items():
        wave_form = np.sin(2 * np.pi * frequency * np.arange(16_000) / 16_000)
        with wave.open(str(folder / "audio" / "tone" / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((8_000 * wave_form).astype("<i2").tobytes())
    return folder


def known(data: Path) -> dict[str, tuple[object, ...]]:
    """What is stored of each item, but for numbers and times."""
    with Collection.open(data) as collection:
        view = collection.view
        return {
            item.id: (
                item.label,
                item.metadata,
                item.media_sha256,
                view.vectors(item.id, AUDIO).tobytes() if item.modalities else b"",
            )
            for item in view.items.values()
        }


@pytest.fixture
def bundles(tiny_bundle: MakeBundle) -> list[Path]:
    return [
        tiny_bundle(["audio"], frontends={"audio": LOGMEL.spec}, seed=seed)
        for seed in range(2)
    ]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tones(tmp_path / "clips", low=200, high=3000, mid=900)


@pytest.fixture
def blue(tmp_path: Path, bundles: list[Path], source: Path) -> Path:
    build(bundles[0], source, tmp_path / "blue", workers=1)
    return tmp_path / "blue"


def test_a_generation_is_what_a_build_by_its_bundle_would_be(
    blue: Path, bundles: list[Path], source: Path, tmp_path: Path
) -> None:
    done = catch_up(blue, bundles[1], tmp_path / "green", workers=1)
    assert (done.embedded, done.deleted, done.skipped) == (3, 0, ())
    build(bundles[1], source, tmp_path / "expected", workers=1)
    expected = known(tmp_path / "expected")
    assert known(tmp_path / "green") == expected
    assert known(blue) != expected
    assert all(check.ok for check in verify(tmp_path / "green"))


def test_what_was_written_meanwhile_is_caught_up_with_while_it_is_served(
    blue: Path, bundles: list[Path], tmp_path: Path
) -> None:
    green = tmp_path / "green"
    catch_up(blue, bundles[1], green, workers=1)
    more = write_tones(tmp_path / "more", new=400, high=3500)
    add(blue, more, workers=1, replace=True)
    with Collection.open(blue, write=True) as serving:  # as a service holds it
        (gone,) = [i.id for i in serving.view.items.values() if "low" in i.id]
        serving.submit(Delete(ids=[gone])).result(SECONDS)
        done = catch_up(blue, bundles[1], green, workers=1)
    assert (done.embedded, done.deleted) == (2, 1)
    assert set(known(green)) == set(known(blue))
    assert catch_up(blue, bundles[1], green, workers=1).embedded == 0
    build(bundles[1], more, tmp_path / "expected", workers=1)
    found = known(green)
    expected = known(tmp_path / "expected")
    assert {item_id: found[item_id] for item_id in expected} == expected


def test_the_two_change_places_and_can_go_back(
    blue: Path, bundles: list[Path], tmp_path: Path
) -> None:
    green = tmp_path / "green"
    catch_up(blue, bundles[1], green, workers=1)
    was, will_be = known(blue), known(green)
    with Collection.open(blue) as collection:
        old_model, seq = collection.bundle.model_id, collection.view.seq
        assert collection.info()["made_from"] is None
    switch(blue, green)
    assert (known(blue), known(green)) == (will_be, was)
    with Collection.open(blue, write=True) as collection:
        assert collection.bundle.model_id != old_model
        assert collection.info()["made_from"] == {"model_id": old_model, "seq": seq}
        vectors = [NewVector(AUDIO, np.eye(8)[0])]
        collection.submit(Put(item=NewItem(id="n", vectors=vectors))).result(SECONDS)
    with pytest.raises(CollectionError, match="1 items that could not be embedded"):
        switch(blue, green)
    switch(blue, green, partial=True)
    assert known(blue) == was


def test_nothing_is_switched_to_that_lacks_something(
    blue: Path, bundles: list[Path], tmp_path: Path
) -> None:
    green = tmp_path / "green"
    catch_up(blue, bundles[1], green, workers=1)
    before = known(green)
    vectors = [NewVector(AUDIO, np.eye(8)[0])]
    with Collection.open(blue, write=True) as serving:
        serving.submit(Put(item=NewItem(id="n", vectors=vectors))).result(SECONDS)
        with pytest.raises(CollectionLockedError):
            switch(blue, green)
    with pytest.raises(CollectionError, match="catch up first"):
        switch(blue, green)
    done = catch_up(blue, bundles[1], green, workers=1)
    assert [skipped.item_id for skipped in done.skipped] == ["n"]
    assert "no media" in done.skipped[0].reason
    with pytest.raises(CollectionError, match="1 items that could not be embedded"):
        switch(blue, green)
    assert known(green) == before
    switch(blue, green, partial=True)
    assert known(blue) == before


def test_an_item_that_lost_its_media_does_not_stay_as_it_was(
    blue: Path, bundles: list[Path], tmp_path: Path
) -> None:
    green = tmp_path / "green"
    catch_up(blue, bundles[1], green, workers=1)
    item_id = min(known(blue))
    with Collection.open(blue, write=True) as serving:
        item = NewItem(id=item_id, vectors=[NewVector(AUDIO, np.eye(8)[0])])
        serving.submit(Put(item=item)).result(SECONDS)
    assert len(catch_up(blue, bundles[1], green, workers=1).skipped) == 1
    assert item_id not in known(green)


def test_bundles_and_directories_that_do_not_belong_together_are_refused(
    blue: Path, bundles: list[Path], tiny_bundle: MakeBundle, tmp_path: Path
) -> None:
    green = tmp_path / "green"
    with pytest.raises(ModelMismatchError, match="with this bundle already"):
        catch_up(blue, bundles[0], green)
    catch_up(blue, bundles[1], green, workers=1)
    third = tiny_bundle(["audio"], frontends={"audio": LOGMEL.spec}, seed=5)
    with pytest.raises(ModelMismatchError, match="made with another bundle"):
        catch_up(blue, third, green)
    with pytest.raises(ModelMismatchError, match="was not made from"):
        catch_up(green, bundles[0], blue)
    with pytest.raises(CollectionError, match="is no data directory"):
        switch(blue, tmp_path)
    (green / "origin.json").write_text("{")
    with pytest.raises(CollectionError, match=r"origin\.json is damaged"):
        catch_up(blue, bundles[1], green)


def test_a_run_goes_on_from_where_the_last_one_was_noted(
    blue: Path, bundles: list[Path], tmp_path: Path
) -> None:
    green = tmp_path / "green"
    catch_up(blue, bundles[1], green, workers=1)
    expected = known(green)
    with Collection.open(blue) as collection:
        seqs = sorted(item.seq for item in collection.view.items.values())
    note = read_origin(green)
    assert note is not None
    interrupted = Origin(model_id=note.model_id, seq=seqs[0])
    (green / "origin.json").write_text(
        json.dumps({"model_id": interrupted.model_id, "seq": interrupted.seq})
    )
    assert catch_up(blue, bundles[1], green, workers=1).embedded == 2
    assert known(green) == expected
    assert read_origin(green) == note
