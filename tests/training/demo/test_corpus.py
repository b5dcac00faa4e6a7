import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest

from crossmodal.errors import ConfigError, DataError
from crossmodal.items import check_item_id
from training.demo.catalog import CLASSES
from training.demo.corpus import plan_clips, write_demo

CLIPS = len(CLASSES) + 2


def digests(corpus: Path) -> dict[str, str]:
    return {
        path.relative_to(corpus).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in corpus.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def progress() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def corpus(
    tmp_path_factory: pytest.TempPathFactory, progress: list[tuple[int, int]]
) -> Path:
    return write_demo(
        tmp_path_factory.mktemp("demo") / "corpus",
        clips=CLIPS,
        seed=5,
        workers=2,
        progress=lambda done, total: progress.append((done, total)),
    ).parent


def test_progress_counts_up_to_all(corpus: Path, progress: list[tuple[int, int]]) -> None:
    assert progress == [(done, CLIPS) for done in range(1, CLIPS + 1)]


@pytest.mark.slow
def test_one_worker_completes_an_unfinished_corpus_to_the_same_bytes(
    corpus: Path, tmp_path: Path
) -> None:
    label = next(iter(CLASSES))
    folder = tmp_path / "video" / label
    folder.mkdir(parents=True)
    (folder / f"{label}-0000.mp4").write_bytes(b"cut off")
    (folder / f"{label}-0001.mp4.part").write_bytes(b"cut off")
    write_demo(tmp_path, clips=CLIPS, seed=5, workers=1)
    assert digests(tmp_path) == digests(corpus)


def test_manifest_describes_every_file_and_nothing_else(corpus: Path) -> None:
    with (corpus / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "modality", "label", "split", "id", "pair", "group"]
    assert len(rows) == len({row["id"] for row in rows}) == CLIPS
    for row in rows:
        check_item_id(row["id"])
        assert row["path"] == f"video/{row['label']}/{row['id']}.mp4"
        assert row["modality"] == "audio+visual"
        assert row["pair"] == row["group"] == row["id"]
    assert {row["path"] for row in rows} | {"manifest.csv"} == set(digests(corpus))


def test_four_hundred_clips_are_shared_out_evenly_in_60_15_25() -> None:
    planned = plan_clips(400)
    assert len(planned) == 400
    labels = Counter(clip.label for clip in planned)
    assert set(labels) == set(CLASSES)
    assert max(labels.values()) - min(labels.values()) <= 1
    for label, count in labels.items():
        splits = Counter(clip.split for clip in planned if clip.label == label)
        for name, share in (("train", 0.6), ("val", 0.15), ("test", 0.25)):
            assert abs(splits[name] - share * count) < 1


def test_a_smaller_corpus_is_part_of_a_larger_one() -> None:
    assert set(plan_clips(100)) < set(plan_clips(101)) < set(plan_clips(400))


def test_too_few_clips_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"at least {len(CLASSES)} clips.*got 3"):
        write_demo(tmp_path, clips=3)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"workers": 0}, "at least 1 worker, got 0"), ({"seed": -1}, "seed of 0 or more")],
)
def test_settings_out_of_range_are_refused(
    tmp_path: Path, setting: dict[str, int], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        write_demo(tmp_path, **setting)


def test_a_file_as_target_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    target.write_text("mine")
    with pytest.raises(DataError, match="expected a directory"):
        write_demo(target)
    assert target.read_text() == "mine"


def test_foreign_clips_in_the_target_are_refused_and_kept(tmp_path: Path) -> None:
    mine = tmp_path / "video" / "ball" / "holiday.mp4"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(DataError, match=r"holiday\.mp4 is not part of the corpus"):
        write_demo(tmp_path)
    assert mine.read_bytes() == b"mine"
    assert not (tmp_path / "manifest.csv").exists()
