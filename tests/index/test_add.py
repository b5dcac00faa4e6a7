from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crossmodal.errors import CollectionError, ModelMismatchError
from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.modality import Modality
from index.add import add
from index.build import build
from index.collection import Collection
from index.verify import verify

AUDIO, VISUAL = Modality.AUDIO, Modality.VISUAL
ROOT = Path(__file__).parents[2]


def write(path: Path, numbers: range, *, seed: int = 7) -> Path:
    """Features of items named by numbers; the same number has the same features."""
    tables = {}
    for modality in (AUDIO, VISUAL):
        rows = [
            np.random.default_rng([seed, n, *modality.encode()]).standard_normal(6)
            for n in numbers
        ]
        tables[modality] = table(
            np.array(rows, dtype=np.float32),
            id=[f"new{n:04d}" for n in numbers],
            label=["even" if n % 2 == 0 else "odd" for n in numbers],
            split=["train" if n % 2 == 0 else "test" for n in numbers],
        )
    write_features(path, FeaturesFile("made", tables))
    return path


def vectors(data: Path) -> dict[str, bytes]:
    with Collection.open(data) as collection:
        view = collection.view
        return {
            item_id: view.vectors(item_id, AUDIO).tobytes()
            + view.vectors(item_id, VISUAL).tobytes()
            for item_id in view.items
        }


def test_what_is_added_is_what_a_build_would_have_stored(
    data: Path, tmp_path: Path, tiny_bundle: Callable[..., Path]
) -> None:
    source = write(tmp_path / "more.h5", range(30))
    report = add(data, source, workers=1)
    assert (report.added, report.existing, report.skipped) == (30, 0, ())
    build(data / "bundle", source, tmp_path / "other", workers=1)
    found, expected = vectors(data), vectors(tmp_path / "other")
    assert {item_id: found[item_id] for item_id in expected} == expected
    assert len(found) == 70
    assert all(check.ok for check in verify(data))


def test_adding_again_does_nothing_and_adding_more_adds_the_rest(
    data: Path, tmp_path: Path
) -> None:
    add(data, write(tmp_path / "a.h5", range(10)), workers=1)
    before = vectors(data)
    again = add(data, tmp_path / "a.h5", workers=1)
    assert (again.added, again.existing) == (0, 10)
    assert vectors(data) == before
    assert again.view_seq == 120 + 30
    more = add(data, write(tmp_path / "b.h5", range(5, 20)), workers=1)
    assert (more.added, more.existing) == (10, 5)


def test_stored_items_are_embedded_anew_only_where_asked(
    data: Path, tmp_path: Path
) -> None:
    add(data, write(tmp_path / "a.h5", range(4)), workers=1)
    before = vectors(data)
    other = write(tmp_path / "b.h5", range(4), seed=8)
    assert add(data, other, workers=1).existing == 4
    assert vectors(data) == before
    assert add(data, other, workers=1, replace=True).replaced == 4
    after = vectors(data)
    assert all(after[f"new{n:04d}"] != before[f"new{n:04d}"] for n in range(4))
    assert all(after[item_id] == before[item_id] for item_id in after if "clip" in item_id)


def test_a_split_alone_can_be_added(data: Path, tmp_path: Path) -> None:
    report = add(data, write(tmp_path / "a.h5", range(10)), split="test", workers=1)
    assert report.added == 5
    with Collection.open(data) as collection:
        assert collection.view.labels["odd"] == 5
        assert "even" not in collection.view.labels


def test_a_foreign_bundle_is_refused_before_anything_is_read(
    data: Path, tmp_path: Path, tiny_bundle: Callable[..., Path]
) -> None:
    with pytest.raises(ModelMismatchError, match="the data directory was made with"):
        add(data, tmp_path / "missing.h5", bundle=tiny_bundle(seed=1))
    report = add(data, write(tmp_path / "a.h5", range(2)), bundle=data / "bundle")
    assert report.added == 2


def test_what_is_no_data_directory_is_not_added_to(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="python -m index build makes one"):
        add(tmp_path, write(tmp_path / "a.h5", range(2)))


def test_an_interrupted_addition_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.h5", range(100))
    hold = tmp_path / "hold"
    module = "tests.index.crash.stalled_add"
    stalled = [sys.executable, "-m", module, str(data), str(source), str(hold), "12"]
    with subprocess.Popen([*stalled, "alone"], cwd=ROOT) as running:
        deadline = time.monotonic() + 300
        while not hold.exists():
            assert time.monotonic() < deadline
            assert running.poll() is None, "it ended too soon"
            time.sleep(0.01)
        running.kill()
    command = [sys.executable, "-m", "index", "add", "--data", str(data), str(source)]
    done = subprocess.run(
        [*command, "--format", "json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    report = json.loads(done.stdout)
    assert (report["added"], report["existing"]) == (88, 12)
    with Collection.open(data) as collection:
        assert len(collection.view.items) == 140
