from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.errors import CollectionError, CollectionLockedError
from crossmodal.modality import Modality
from index.collection import Collection
from index.galleries.flat import FlatGallery
from index.storage.store import Store
from index.verify import Check, recall_against_exact, verify
from index.views.manifest import publish, read_manifest


def failed(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.detail for check in checks if not check.ok}


def execute(data: Path, statement: str) -> None:
    store = Store.open(data / "items.db", write=True)
    store._connection.execute("PRAGMA foreign_keys = OFF")
    store._connection.execute(statement)
    store.close()


def test_a_whole_collection_passes_every_check(data: Path) -> None:
    checks = verify(data)
    assert failed(checks) == {}
    assert [check.name for check in checks] == [
        *("bundle", "database", "vectors", "media"),
        *("base-audio-120.faiss", "base-visual-120.faiss"),
        *("open", "search audio", "search visual"),
    ]
    assert checks[-1].detail == "recall@10 1.0000 against brute force, 40 queries"


def test_a_vector_that_changed_is_named(data: Path) -> None:
    execute(data, "UPDATE vectors SET crc = crc + 1 WHERE seq IN (4, 7)")
    assert failed(verify(data))["vectors"] == "damaged: 4, 7"


def test_a_vector_without_item_is_named(data: Path) -> None:
    execute(data, "DELETE FROM items WHERE id = 'clip00'")
    assert "row 1 of vectors has no item" in failed(verify(data))["database"]


def test_a_base_with_other_vectors_than_stored_fails_though_its_checksum_holds(
    data: Path,
) -> None:
    index = data / "index"
    manifest = read_manifest(index)
    with Collection.open(data) as collection:
        shelves = collection.view.shelves
        galleries = {
            m: FlatGallery.of(s[0].seqs, s[0].vectors(np.arange(40)))
            for m, s in shelves.items()
        }
    rng = np.random.default_rng(0)
    galleries[Modality.AUDIO] = FlatGallery.of(
        galleries[Modality.AUDIO].seqs, normalize(rng.standard_normal((40, 8)))
    )
    publish(index, galleries, seq=manifest.seq, model_id=manifest.model_id)
    assert failed(verify(data)) == {
        "base-audio-120.faiss": "its vectors differ from the stored ones"
    }


def test_damage_of_index_bundle_and_media_is_named(data: Path) -> None:
    whole = data.with_name("whole")
    shutil.copytree(data, whole)

    (next((data / "index").glob("base-visual-*"))).write_bytes(b"")
    found = failed(verify(data))
    assert set(found) == {"base-visual-120.faiss", "open"}

    (data / "index" / "CURRENT").unlink()
    assert failed(verify(data))["index"] == "there is no CURRENT"

    (data / "bundle" / "audio.onnx").write_bytes(b"")
    assert "audio.onnx" in failed(verify(data))["bundle"]

    execute(whole, f"UPDATE items SET media_sha256 = '{'0' * 64}' WHERE id = 'clip00'")
    assert failed(verify(whole)) == {"media": f"missing or damaged: {'0' * 64}"}


def test_verify_changes_nothing_and_needs_no_writer_beside_it(data: Path) -> None:
    (data / "index" / "CURRENT").write_bytes(b"damaged")
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert "index" in failed(verify(data))
    after = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert after == before
    with Collection.open(data, write=True), pytest.raises(CollectionLockedError):
        verify(data)


def test_recall_is_the_part_of_the_exact_hits_that_is_found(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Collection.open(data) as collection:
        view = collection.view
        queries = view.judged(Modality.AUDIO).embeddings
        assert recall_against_exact(view, Modality.AUDIO, queries, 10) == 1.0
        search = FlatGallery.search

        def forgetful(gallery: FlatGallery, queries: np.ndarray, count: int) -> object:
            found = search(gallery, queries, len(gallery))
            return type(found)(found.seqs[:, 3:], found.scores[:, 3:])

        monkeypatch.setattr(FlatGallery, "search", forgetful)
        assert recall_against_exact(view, Modality.AUDIO, queries, 10) == pytest.approx(0.7)


def test_verify_of_another_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="no data directory"):
        verify(tmp_path)
