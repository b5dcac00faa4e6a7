from __future__ import annotations

import csv
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from crossmodal.embed import embed_features
from crossmodal.errors import (
    BundleError,
    CollectionLockedError,
    ConfigError,
    DataError,
    FrontEndError,
)
from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.frontends.catalog import create_frontend
from crossmodal.items import Segment
from crossmodal.modality import Modality
from index.build import build
from index.collection import Collection
from index.sources.source_media import Skipped

AUDIO, VISUAL, TEXT = Modality.AUDIO, Modality.VISUAL, Modality.TEXT

MakeBundle = Callable[..., Path]


def features(path: Path, **tables: object) -> Path:
    write_features(path, FeaturesFile("made", {Modality(m): t for m, t in tables.items()}))  # type: ignore[misc]
    return path


def rows(count: int, dim: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def test_a_split_holds_only_its_items(
    tmp_path: Path, features_file: Path, tiny_bundle: MakeBundle
) -> None:
    report = build(tiny_bundle(), features_file, tmp_path / "data", split="test")
    assert report.items == 20
    assert report.vectors == {AUDIO: 20, VISUAL: 20}
    assert report.skipped == ()
    with Collection.open(tmp_path / "data") as collection:
        assert collection.view.splits == {"test": 20}
        assert report.model_id == collection.bundle.model_id == collection.view.model_id


def test_rows_of_one_id_are_the_segments_of_one_item(
    tmp_path: Path, tiny_bundle: MakeBundle
) -> None:
    source = features(
        tmp_path / "f.h5",
        audio=table(rows(3), id=["a", "b", "a"], start=[0, 0, 2.5], end=[2.5, np.nan, 5]),
    )
    build(tiny_bundle(), source, tmp_path / "data")
    with Collection.open(tmp_path / "data") as collection:
        view = collection.view
        assert view.sizes == {AUDIO: 2, VISUAL: 0}
        assert view.segments == {AUDIO: 3, VISUAL: 0}
        second = view.vectors("a", AUDIO)[1:]
        (hits,) = view.search(AUDIO, second, 5)
        assert (hits[0].item_id, hits[0].segment) == ("a", Segment(2.5, 5.0))
        (hits,) = view.search(AUDIO, second, 5, group="segment")
        assert sorted(hit.item_id for hit in hits) == ["a", "a", "b"]
        assert view.search(VISUAL, second, 5) == [[]]
        assert view.item("a").label is None
        assert view.item("a").metadata == {}


def test_features_over_time_are_pooled_as_for_training(
    tmp_path: Path, tiny_bundle: MakeBundle
) -> None:
    over_time = rows(4 * 5).reshape(4, 5, 6)
    source = features(tmp_path / "f.h5", audio=table(over_time, id=list("abcd")))
    build(tiny_bundle(), source, tmp_path / "data")
    pooled = features(
        tmp_path / "g.h5", audio=table(over_time.mean(axis=1), id=list("abcd"))
    )
    build(tiny_bundle(), pooled, tmp_path / "pooled")
    with (
        Collection.open(tmp_path / "data") as one,
        Collection.open(tmp_path / "pooled") as two,
    ):
        for item_id in "abcd":
            np.testing.assert_allclose(
                one.view.vectors(item_id, AUDIO),
                two.view.vectors(item_id, AUDIO),
                atol=1e-6,
            )


def test_sequences_are_embedded_without_their_padding(
    tmp_path: Path, tiny_bundle: MakeBundle
) -> None:
    bundle = tiny_bundle(["audio"], sequences=True)
    over_time = rows(3 * 5).reshape(3, 5, 6)
    lengths = [5, 1, 3]
    source = features(
        tmp_path / "f.h5", audio=table(over_time, id=list("abc"), length=lengths)
    )
    report = build(bundle, source, tmp_path / "data")
    assert report.vectors == {AUDIO: 3}
    with Collection.open(tmp_path / "data") as collection:
        for row, (item_id, length) in enumerate(zip("abc", lengths, strict=True)):
            expected = embed_features(collection.bundle, AUDIO, over_time[row, :length])
            np.testing.assert_array_equal(collection.view.vectors(item_id, AUDIO), expected)


def test_one_row_per_item_is_no_sequence(tmp_path: Path, tiny_bundle: MakeBundle) -> None:
    source = features(tmp_path / "f.h5", audio=table(rows(2), id=["a", "b"]))
    with pytest.raises(DataError, match="field audio/features: has one row per item; the"):
        build(tiny_bundle(["audio"], sequences=True), source, tmp_path / "data")


def test_what_cannot_be_embedded_is_reported_and_left_out(
    tmp_path: Path, tiny_bundle: MakeBundle
) -> None:
    some = rows(3)
    some[1] = 0  # its embedding has no direction
    source = features(tmp_path / "f.h5", audio=table(some, id=["a", "b", "no/id"]))
    report = build(tiny_bundle(), source, tmp_path / "data")
    assert report.items == 1
    assert [skipped.item_id for skipped in report.skipped] == ["b", "no/id"]
    assert "norm" in report.skipped[0].reason
    assert "an item id must be" in report.skipped[1].reason
    with Collection.open(tmp_path / "data") as collection:
        assert list(collection.view.items) == ["a"]


def test_modalities_the_bundle_lacks_are_left_out(
    tmp_path: Path, tiny_bundle: MakeBundle
) -> None:
    source = features(
        tmp_path / "f.h5",
        audio=table(rows(2), id=["a", "b"]),
        text=table(rows(2, 3), id=["a", "b"]),
    )
    report = build(tiny_bundle(["audio"]), source, tmp_path / "data")
    assert report.vectors == {AUDIO: 2}


def test_the_same_source_gives_the_same_bytes_with_any_number_of_workers(
    tmp_path: Path, features_file: Path, tiny_bundle: MakeBundle
) -> None:
    bundle = tiny_bundle()
    contents = []
    for workers in (1, 3):
        out = tmp_path / f"data{workers}"
        build(bundle, features_file, out, workers=workers)
        connection = sqlite3.connect(out / "items.db")
        kept = connection.execute("SELECT id, seq, label, meta FROM items").fetchall()
        kept += connection.execute("SELECT * FROM vectors").fetchall()
        connection.close()
        files = sorted((out / "index").iterdir())
        contents.append((kept, [(file.name, file.read_bytes()) for file in files]))
    assert contents[0] == contents[1]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (
            {"text": table(rows(2, 3), id=["a", "b"])},
            "holds text; the bundle encodes audio",
        ),
        (
            {"audio": table(rows(2, 7), id=["a", "b"])},
            r"field audio/features \(audio_test\): rows are 7 wide; the bundle takes 6",
        ),
        (
            {
                "audio": table(rows(1), id=["a"], label=["cat"]),
                "visual": table(rows(1), id=["a"], label=["dog"]),
            },
            "field visual/id: 'a' stands for different items: label 'cat' and 'dog'; rows",
        ),
        ({"audio": table(rows(1) * 0, id=["a"])}, "nothing could be embedded; the first:"),
        (
            {"audio": table(rows(1), id=["a"], split=["val"])},
            "no row belongs to split test",
        ),
    ],
)
def test_an_unusable_features_file_leaves_nothing_behind(
    tmp_path: Path, tiny_bundle: MakeBundle, tables: dict[str, object], message: str
) -> None:
    source = features(tmp_path / "f.h5", **tables)
    split = "test" if "split test" in message else "all"
    with pytest.raises(DataError, match=message):
        build(tiny_bundle(), source, tmp_path / "data", split=split)
    assert list(tmp_path.iterdir()) == [source]


def test_features_of_another_front_end_are_refused(
    tmp_path: Path, tiny_bundle: MakeBundle
) -> None:
    spec = create_frontend("logmel").spec
    other = spec.__class__(
        **{name: getattr(spec, name) for name in spec.__slots__} | {"version": 99}
    )
    source = features(
        tmp_path / "f.h5",
        audio=table(rows(2, spec.pooled_dim), id=["a", "b"], frontend=other),
    )
    with pytest.raises(DataError, match="front end logmel version 99 with other settings"):
        build(tiny_bundle(["audio"], frontends={"audio": spec}), source, tmp_path / "data")


def test_media_need_a_bundle_with_front_ends(
    tmp_path: Path, tiny_bundle: MakeBundle
) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("path,modality\nclip.wav,audio\n")
    with pytest.raises(FrontEndError, match="ready audio features"):
        build(tiny_bundle(), manifest, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_damaged_bundle_and_an_unknown_split_are_refused(
    tmp_path: Path, features_file: Path, tiny_bundle: MakeBundle
) -> None:
    bundle = tiny_bundle()
    with pytest.raises(ConfigError, match="split must be train, val, test or all, got 'x'"):
        build(bundle, features_file, tmp_path / "data", split="x")
    (bundle / "audio.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"audio\.onnx"):
        build(bundle, features_file, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_only_an_empty_place_or_a_collection_to_be_replaced_is_taken(
    tmp_path: Path, features_file: Path, tiny_bundle: MakeBundle
) -> None:
    bundle, out = tiny_bundle(), tmp_path / "data"
    out.mkdir()
    build(bundle, features_file, out, split="test")
    with pytest.raises(
        ConfigError, match="holds a collection already; --force replaces it"
    ):
        build(bundle, features_file, out)
    with Collection.open(out), pytest.raises(CollectionLockedError):
        build(bundle, features_file, out, replace=True)
    build(bundle, features_file, out, replace=True)
    with Collection.open(out) as collection:
        assert len(collection.view.items) == 40
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "letter.txt").write_text("dear")
    for replace in (False, True):
        with pytest.raises(ConfigError, match="not empty and no data directory"):
            build(bundle, features_file, foreign, replace=replace)
    with pytest.raises(ConfigError, match="is a file"):
        build(bundle, features_file, foreign / "letter.txt")
    link = tmp_path / "link"
    link.symlink_to(out)
    with pytest.raises(ConfigError, match="is a link or a mount point"):
        build(bundle, features_file, link, replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("data", "features.h5", "foreign", "link"),
    ]


def test_a_build_that_is_stopped_leaves_the_old_collection_and_no_rest(
    tmp_path: Path, features_file: Path, tiny_bundle: MakeBundle
) -> None:
    bundle, out = tiny_bundle(), tmp_path / "data"
    build(bundle, features_file, out, split="test")

    @contextmanager
    def stopped(description: str, total: int) -> Iterator[Callable[[], None]]:
        assert (description, total) == ("Embedding features", 80)

        def advance() -> None:
            raise KeyboardInterrupt

        yield advance

    with pytest.raises(KeyboardInterrupt):
        build(bundle, features_file, out, replace=True, progress=stopped)
    with Collection.open(out, write=True) as collection:
        assert len(collection.view.items) == 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "features.h5"]


def test_progress_counts_every_row(
    tmp_path: Path, features_file: Path, tiny_bundle: MakeBundle
) -> None:
    done = []

    @contextmanager
    def counted(description: str, total: int) -> Iterator[Callable[[], None]]:
        yield lambda: done.append(total)

    build(tiny_bundle(), features_file, tmp_path / "data", progress=counted)
    assert done == [80] * 80


@pytest.fixture(scope="module")
def samples() -> Path:
    root = os.environ.get("EARSHOT_TEST_DATA")
    if not root:
        pytest.skip("EARSHOT_TEST_DATA is unset: no real clips")
    return Path(root) / "samples_av"


def test_clips_are_embedded_copied_and_playable_and_bad_files_reported(
    tmp_path: Path, tiny_bundle: MakeBundle, samples: Path
) -> None:
    specs = {
        "audio": create_frontend("logmel").spec,
        "visual": create_frontend("framestats").spec,
    }
    clip = min(samples.rglob("*.mp4"), key=lambda path: path.stat().st_size)
    (tmp_path / "broken.mp4").write_bytes(clip.read_bytes()[:200])
    manifest = tmp_path / "manifest.csv"
    with manifest.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            ["id", "path", "modality", "label", "split", "start", "end", "title"]
        )
        writer.writerow(["whole", clip, "audio+visual", "film", "test", "", "", "A title"])
        writer.writerow(["part", clip, "audio+visual", "film", "test", 0.5, 1.5, ""])
        writer.writerow(["sound", clip, "audio", "film", "test", "", "", ""])
        writer.writerow(["broken", "broken.mp4", "audio+visual", "", "", "", "", ""])
        writer.writerow(["gone", "gone.mp4", "audio+visual", "", "", "", "", ""])
    report = build(tiny_bundle(frontends=specs), manifest, tmp_path / "data", workers=2)
    assert report.items == 3
    assert report.vectors == {AUDIO: 3, VISUAL: 2}
    assert [skipped.item_id for skipped in report.skipped] == ["broken", "gone"]
    assert all(isinstance(skipped, Skipped) for skipped in report.skipped)
    with Collection.open(tmp_path / "data") as collection:
        view = collection.view
        whole = view.item("whole")
        assert whole.metadata == {"title": "A title", "split": "test"}
        path, kind = collection.media("whole")
        assert path.read_bytes() == clip.read_bytes()
        assert kind == "video/mp4"
        assert collection.media("part") == (path, kind)
        (hits,) = view.search(AUDIO, view.vectors("part", AUDIO), 1)
        assert (hits[0].item_id, hits[0].segment) == ("part", Segment(0.5, 1.5))
        (hits,) = view.search(VISUAL, view.vectors("whole", VISUAL), 1)
        segment = hits[0].segment
        assert segment.start_s == 0
        assert segment.end_s is not None
        assert segment.end_s > 1
        np.testing.assert_array_equal(
            view.vectors("sound", AUDIO), view.vectors("whole", AUDIO)
        )
    assert (
        len([path for path in (tmp_path / "data" / "media").rglob("*") if path.is_file()])
        == 1
    )
