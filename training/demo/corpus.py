"""The corpus: clips made in parallel, and the manifest that describes them."""

from __future__ import annotations

import csv
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crossmodal.errors import ConfigError, DataError
from training.demo.catalog import CLASSES
from training.demo.clip import Clip
from training.demo.encode import encode_clip
from training.demo.splits import split_clips

MANIFEST = "manifest.csv"
COLUMNS = ("path", "modality", "label", "split", "id", "pair", "group")
UNFINISHED = ".part"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class PlannedClip:
    """A clip to be made: its class, its number within the class, its split."""

    label: str
    number: int
    split: str

    @property
    def id(self) -> str:
        """The clip's id, which is its file's name as well."""
        return f"{self.label}-{self.number:04d}"

    @property
    def path(self) -> str:
        """Where the clip lies, relative to the corpus."""
        return f"video/{self.label}/{self.id}.mp4"


def plan_clips(clips: int) -> list[PlannedClip]:
    """Return the clips of a corpus, class by class.

    The classes get equal numbers of clips, the first ones one more if need be. A smaller
    corpus is part of any larger one, splits included.

    Raises:
        ConfigError: If there is not a clip for every class.
    """
    if clips < len(CLASSES):
        raise ConfigError(
            f"expected at least {len(CLASSES)} clips, one for each class, got {clips}; "
            f"from {3 * len(CLASSES)} on every split has every class"
        )
    planned = []
    for place, label in enumerate(CLASSES):
        count = clips // len(CLASSES) + (place < clips % len(CLASSES))
        splits = split_clips(count, val_first=place % 2 == 1)
        planned += [
            PlannedClip(label, number, split) for number, split in enumerate(splits)
        ]
    return planned


def write_demo(
    out: Path,
    *,
    clips: int = 400,
    seed: int = 0,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the demo corpus: ``video/<label>/<id>.mp4`` and, last, ``manifest.csv``.

    The same seed gives the same bytes, whatever the number of workers. A clip depends on
    the seed, its class and its number alone, so corpora of one seed and different sizes
    share their clips. Clips that are already there are made again.

    Args:
        out: Directory to write to; made if missing. It may hold an earlier or unfinished
            demo corpus that is not larger.
        clips: How many clips, over all classes.
        seed: What all chance follows from; 0 or more.
        workers: How many processes; the usable cores if not given, 1 for none besides
            the caller's.
        progress: Called with the number of clips done and of all.

    Returns:
        The path of the manifest.

    Raises:
        ConfigError: If there are too few clips or workers or the seed is negative.
        DataError: If ``out`` is no directory or holds other video files.
    """
    workers = usable_cores() if workers is None else workers
    if workers < 1:
        raise ConfigError(f"expected at least 1 worker, got {workers}")
    if seed < 0:
        raise ConfigError(f"expected a seed of 0 or more, got {seed}")
    planned = plan_clips(clips)
    _check_target(out, planned)
    manifest = out / MANIFEST
    manifest.unlink(missing_ok=True)
    for label in CLASSES:
        (out / "video" / label).mkdir(parents=True, exist_ok=True)
    for done, _ in enumerate(_make_all(out, planned, seed, workers), start=1):
        if progress is not None:
            progress(done, len(planned))
    _write_manifest(manifest, planned)
    return manifest


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _check_target(out: Path, planned: list[PlannedClip]) -> None:
    if out.exists() and not out.is_dir():
        raise DataError(f"expected a directory to write to, but {out} is a file")
    expected = {clip.path for clip in planned}
    for path in sorted((out / "video").rglob("*")):
        name = path.relative_to(out).as_posix().removesuffix(UNFINISHED)
        if path.is_file() and name not in expected:
            raise DataError(
                f"{path} is not part of the corpus to be written and would be taken for "
                f"it; choose an empty directory or remove {out / 'video'}"
            )


def _make_all(
    out: Path, planned: list[PlannedClip], seed: int, workers: int
) -> Iterator[None]:
    if workers == 1:
        for clip in planned:
            make_clip(out, clip, seed)
            yield
        return
    with _pool(workers) as pool:
        count = len(planned)
        yield from pool.map(make_clip, [out] * count, planned, [seed] * count)


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    # A fork would copy the caller's threads' locks; a fork server starts clean.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context(
        "forkserver" if "forkserver" in methods else "spawn"
    )
    pool = ProcessPoolExecutor(workers, mp_context=context)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def make_clip(out: Path, planned: PlannedClip, seed: int) -> None:
    """Write one clip's file, under its own name only once it is whole."""
    clip = Clip(planned.label, planned.number, seed)
    path = out / planned.path
    draft = path.with_name(path.name + UNFINISHED)
    encode_clip(draft, clip.frames(), clip.sound())
    draft.replace(path)


def _write_manifest(manifest: Path, planned: list[PlannedClip]) -> None:
    draft = manifest.with_name(manifest.name + UNFINISHED)
    with draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for clip in planned:
            writer.writerow(
                (
                    clip.path,
                    "audio+visual",
                    clip.label,
                    clip.split,
                    clip.id,
                    clip.id,
                    clip.id,
                )
            )
        file.flush()
        os.fsync(file.fileno())
    draft.replace(manifest)
