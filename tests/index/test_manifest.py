from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import faiss
import numpy as np
import pytest

from crossmodal.durable import write_json
from crossmodal.embeddings import normalize
from crossmodal.errors import CollectionError
from crossmodal.modality import Modality
from index.galleries.flat import FlatGallery
from index.views import manifest as module
from index.views.manifest import publish, quarantine, read_base, read_manifest

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL


def gallery(count: int = 5, first_seq: int = 1) -> FlatGallery:
    rng = np.random.default_rng(count)
    vectors = normalize(rng.standard_normal((count, 4)))
    return FlatGallery.of(np.arange(first_seq, first_seq + count), vectors)


def test_what_was_published_is_read_back(tmp_path: Path) -> None:
    galleries = {AUDIO: gallery(5), VISUAL: gallery(3, first_seq=6)}
    written = publish(tmp_path, galleries, seq=9, model_id="m")
    manifest = read_manifest(tmp_path)
    assert manifest == written
    assert (manifest.seq, manifest.model_id, manifest.format) == (9, "m", 1)
    for modality, expected in galleries.items():
        read = read_base(tmp_path, manifest, modality)
        np.testing.assert_array_equal(read.seqs, expected.seqs)
        np.testing.assert_array_equal(
            read.vectors(read.seqs), expected.vectors(expected.seqs)
        )


def test_an_empty_gallery_is_published_and_read(tmp_path: Path) -> None:
    empty = FlatGallery.of(np.empty(0, np.int64), np.empty((0, 4), np.float32))
    manifest = publish(tmp_path, {AUDIO: empty}, seq=0, model_id="m")
    read = read_base(tmp_path, manifest, AUDIO)
    assert (len(read), read.dim) == (0, 4)


def test_current_comes_after_every_base_is_synced_and_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def spy_fsync(handle: int) -> None:
        events.append("sync " + Path(os.readlink(f"/proc/self/fd/{handle}")).name)
        fsync(handle)

    def spy_replace(path: Path, target: Path) -> Path:
        events.append(f"rename {Path(target).name}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    publish(tmp_path, {AUDIO: gallery(), VISUAL: gallery()}, seq=7, model_id="m")
    directory = tmp_path.name
    expected = []
    for name in ("base-audio-7.faiss", "base-visual-7.faiss", "CURRENT"):
        expected += [f"sync {name}.new", f"rename {name}", f"sync {directory}"]
    assert events == expected


def test_a_crash_before_current_leaves_the_old_index_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = publish(tmp_path, {AUDIO: gallery(5)}, seq=5, model_id="m")

    def crash(path: Path, value: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_json", crash)
    with pytest.raises(KeyboardInterrupt):
        publish(tmp_path, {AUDIO: gallery(6)}, seq=6, model_id="m")
    assert read_manifest(tmp_path) == before
    assert len(read_base(tmp_path, before, AUDIO)) == 5


def test_the_last_two_generations_are_kept(tmp_path: Path) -> None:
    for seq in (5, 6, 17, 18):
        publish(tmp_path, {AUDIO: gallery(), VISUAL: gallery()}, seq=seq, model_id="m")
    assert sorted(path.name for path in tmp_path.glob("*.faiss")) == [
        "base-audio-17.faiss",
        "base-audio-18.faiss",
        "base-visual-17.faiss",
        "base-visual-18.faiss",
    ]


def test_every_flipped_bit_and_cut_of_a_base_is_noticed(tmp_path: Path) -> None:
    manifest = publish(tmp_path, {AUDIO: gallery()}, seq=5, model_id="m")
    path = tmp_path / manifest.bases[AUDIO].file
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.choice(len(whole), size=60, replace=False):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(CollectionError, match="has not the sha256"):
            read_base(tmp_path, manifest, AUDIO)
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CollectionError, match="has not the 210 bytes"):
            read_base(tmp_path, manifest, AUDIO)
    path.write_bytes(whole)
    assert len(read_base(tmp_path, manifest, AUDIO)) == 5


def test_a_base_that_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    manifest = publish(tmp_path, {AUDIO: gallery()}, seq=5, model_id="m")
    path = tmp_path / manifest.bases[AUDIO].file
    elsewhere = path.rename(tmp_path / "elsewhere")
    for make in (
        lambda: None,
        lambda: path.symlink_to(elsewhere),
        lambda: (path.unlink(), path.mkdir()),
    ):
        make()
        with pytest.raises(CollectionError, match="missing or no plain file"):
            read_base(tmp_path, manifest, AUDIO)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (faiss.IndexFlatIP(4), "another index than the manifest names"),
        (faiss.IndexIDMap(faiss.IndexFlatL2(4)), "another metric than inner product"),
        (
            faiss.IndexIDMap(faiss.IndexHNSWFlat(4, 8)),
            "another index than the manifest names",
        ),
        (faiss.IndexIDMap(faiss.IndexFlatIP(5)), "not the index that CURRENT describes"),
        (faiss.IndexIDMap(faiss.IndexFlatIP(4)), "not the index that CURRENT describes"),
        (None, "refused by FAISS"),
    ],
)
def test_another_index_with_its_right_checksum_is_refused(
    tmp_path: Path, index: faiss.Index | None, message: str
) -> None:
    publish(tmp_path, {AUDIO: gallery()}, seq=5, model_id="m")
    raw = b"no index" if index is None else faiss.serialize_index(index).tobytes()
    rewrite(tmp_path, raw)
    with pytest.raises(CollectionError, match=message):
        read_base(tmp_path, read_manifest(tmp_path), AUDIO)


def test_ids_that_do_not_ascend_or_are_too_new_are_refused(tmp_path: Path) -> None:
    publish(tmp_path, {AUDIO: gallery()}, seq=5, model_id="m")
    unit = np.eye(5, 4, dtype=np.float32) + np.float32(0.1)
    index = faiss.IndexIDMap(faiss.IndexFlatIP(4))
    index.add_with_ids(unit, np.array([1, 2, 3, 3, 5]))
    rewrite(tmp_path, faiss.serialize_index(index).tobytes())
    with pytest.raises(CollectionError, match="ids that do not ascend"):
        read_base(tmp_path, read_manifest(tmp_path), AUDIO)
    parts: list[bytes] = []
    gallery(first_seq=2).write(parts.append)
    rewrite(tmp_path, b"".join(parts))
    with pytest.raises(CollectionError, match="newer than CURRENT says"):
        read_base(tmp_path, read_manifest(tmp_path), AUDIO)


def rewrite(directory: Path, raw: bytes) -> None:
    """Put other bytes in the place of the audio base and their checksum into CURRENT."""
    value = json.loads((directory / "CURRENT").read_text())
    base = value["bases"]["audio"]
    (directory / base["file"]).write_bytes(raw)
    base |= {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw)}
    write_json(directory / "CURRENT", value)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": True},
        {"seq": "5"},
        {"seq": 5.0},
        {"model_id": None},
        {"bases": []},
        {"bases": {"smell": {}}},
        {"bases": {"audio": {"file": "x"}}},
        {"more": 1},
    ],
)
def test_a_manifest_that_says_something_else_is_refused(
    tmp_path: Path, change: dict[str, object]
) -> None:
    publish(tmp_path, {AUDIO: gallery()}, seq=5, model_id="m")
    value = json.loads((tmp_path / "CURRENT").read_text())
    write_json(tmp_path / "CURRENT", value | change)
    with pytest.raises(CollectionError, match="CURRENT"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("name", ["../elsewhere", "base-visual-5.faiss", "CURRENT"])
def test_a_manifest_cannot_name_other_files(tmp_path: Path, name: str) -> None:
    publish(tmp_path, {AUDIO: gallery()}, seq=5, model_id="m")
    value = json.loads((tmp_path / "CURRENT").read_text())
    value["bases"]["audio"]["file"] = name
    write_json(tmp_path / "CURRENT", value)
    with pytest.raises(CollectionError, match="which is no audio base"):
        read_base(tmp_path, read_manifest(tmp_path), AUDIO)


def test_no_manifest_is_told_apart_from_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_manifest(tmp_path)
    (tmp_path / "CURRENT").mkdir()
    with pytest.raises(CollectionError, match="damaged or unreadable"):
        read_manifest(tmp_path)


def test_quarantined_files_do_not_replace_each_other(tmp_path: Path) -> None:
    for content in ("one", "two", "three"):
        (tmp_path / "f").write_text(content)
        quarantine(tmp_path / "f", "damaged")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "f.bad": "one",
        "f.bad2": "two",
        "f.bad3": "three",
    }
