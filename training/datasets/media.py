"""Media to features: every clip of a source through the front ends.

Work done is kept beside the output until the whole is written, so that a run that was
stopped goes on where it was; the record is tied to the front ends' settings.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from crossmodal.durable import sha256_file, write_json
from crossmodal.embed import clip_features
from crossmodal.errors import CrossmodalError, DataError, FrontEndError
from crossmodal.features import FeaturesFile, ModalityFeatures, table
from crossmodal.frontends.frontend import Features, FrontEnd, Pooled
from crossmodal.items import SourceItem
from crossmodal.media.decoder import Decoder
from crossmodal.modality import Modality

Advance = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one clip: features by modality, their file and its length."""

    rows: Mapping[Modality, Features | Pooled]
    media: Mapping[Modality, str]
    duration_s: Mapping[Modality, float]


@dataclass(frozen=True, slots=True)
class Failure:
    """A clip that gave no features, and why."""

    item_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """The features of every clip that could be read, and those that could not."""

    data: FeaturesFile
    failures: Sequence[Failure]
    reused: int


def prepare_media(
    items: Sequence[SourceItem],
    frontends: Mapping[Modality, FrontEnd],
    *,
    name: str,
    record: Path,
    workers: int,
    advance: Advance,
    keep_steps: bool = False,
) -> Prepared:
    """Compute the features of every item, several at a time.

    Args:
        items: What to read; modalities without a front end are left out.
        frontends: One per modality wanted.
        name: The data set's name.
        record: Folder that keeps finished clips; the caller removes it in the end.
        workers: Clips decoded at a time.
        advance: Called once per item done.
        keep_steps: Whether features stay (time, dim) instead of being pooled; all items
            then take the room of the longest.

    Raises:
        DataError: If no item has a modality that a front end is given for, or all fail.
        FrontEndError: If weights or runtime are missing.
    """
    wanted = [item for item in items if any(m in frontends for m in item.media)]
    if not wanted:
        raise DataError(
            f"{name}: no item has a modality among {', '.join(sorted(frontends))}"
        )
    _open_record(record, frontends, keep_steps=keep_steps)
    failures: list[Failure] = []
    clips: dict[str, Read] = {}
    reused = 0
    with Decoder(workers=workers) as decoder, ThreadPoolExecutor(workers) as pool:

        def features_of(item: SourceItem) -> tuple[Read | str, bool]:
            kept = _kept(record, item)
            if kept is not None:
                return kept, True
            try:
                clip = _read(item, frontends, decoder, keep_steps=keep_steps)
            except FrontEndError:
                raise  # no other clip would fare better
            except (CrossmodalError, OSError) as error:
                return str(error) or type(error).__name__, False
            _keep(record, item, clip)
            return clip, False

        for item, (outcome, was_kept) in zip(
            wanted, pool.map(features_of, wanted), strict=True
        ):
            if isinstance(outcome, str):
                failures.append(Failure(item.id, outcome))
            else:
                clips[item.id] = outcome
                reused += was_kept
            advance()
    if not clips:
        raise DataError(f"{name}: no clip could be read; the first: {failures[0].reason}")
    modalities = {
        modality: _table([i for i in wanted if i.id in clips], modality, frontend, clips)
        for modality, frontend in frontends.items()
        if any(modality in clip.rows for clip in clips.values())
    }
    return Prepared(FeaturesFile(name, modalities), failures, reused)


def _read(
    item: SourceItem,
    frontends: Mapping[Modality, FrontEnd],
    decoder: Decoder,
    *,
    keep_steps: bool,
) -> Read:
    by_file: dict[Path, dict[Modality, FrontEnd]] = {}
    for modality, path in item.media.items():
        if modality in frontends:
            by_file.setdefault(path, {})[modality] = frontends[modality]
    rows: dict[Modality, Features | Pooled] = {}
    media: dict[Modality, str] = {}
    duration_s: dict[Modality, float] = {}
    for path, needed in by_file.items():
        found, seconds, _ = clip_features(
            path,
            needed,
            decoder,
            start_s=item.segment.start_s,
            end_s=item.segment.end_s,
            keep_steps=tuple(needed) if keep_steps else (),
        )
        rows |= found
        media |= dict.fromkeys(found, sha256_file(path))
        duration_s |= dict.fromkeys(found, seconds)
    return Read(rows, media, duration_s)


def _table(
    items: Iterable[SourceItem],
    modality: Modality,
    frontend: FrontEnd,
    clips: Mapping[str, Read],
) -> ModalityFeatures:
    rows = [item for item in items if modality in clips[item.id].rows]
    both = {item.id for item in rows if len(clips[item.id].rows) > 1}
    features, length = _stacked([clips[item.id].rows[modality] for item in rows])
    return table(
        features,
        id=[item.id for item in rows],
        label=[item.label or "" for item in rows],
        split=[item.split or "" for item in rows],
        pair=[item.pair or (item.id if item.id in both else "") for item in rows],
        group=[item.group or "" for item in rows],
        start=[item.segment.start_s for item in rows],
        end=[np.nan if (end := item.segment.end_s) is None else end for item in rows],
        media=[clips[item.id].media[modality] for item in rows],
        duration=[clips[item.id].duration_s[modality] for item in rows],
        length=length,
        frontend=frontend.spec,
    )


def _stacked(
    features: Sequence[Float32[np.ndarray, "..."]],
) -> tuple[np.ndarray, list[int] | None]:
    """Return rows or steps as one array, and how many steps each has if they have any."""
    if features[0].ndim == 1:
        return np.stack(features), None
    length = [len(steps) for steps in features]
    stacked = np.zeros((len(features), max(length), features[0].shape[1]), np.float32)
    for row, steps in zip(stacked, features, strict=True):
        row[: len(steps)] = steps
    return stacked, length


def _open_record(
    record: Path, frontends: Mapping[Modality, FrontEnd], *, keep_steps: bool
) -> None:
    settings: dict[str, Any] = {m.value: asdict(f.spec) for m, f in frontends.items()}
    if keep_steps:
        settings["keep_steps"] = True
    settings = json.loads(json.dumps(settings))
    marker = record / "frontends.json"
    if marker.is_file() and json.loads(marker.read_text()) != settings:
        shutil.rmtree(record)
    if not marker.is_file():
        record.mkdir(parents=True, exist_ok=True)
        write_json(marker, settings)


def _record_file(record: Path, item: SourceItem) -> Path:
    parts: list[object] = [item.id, item.segment.start_s, item.segment.end_s]
    for modality, path in sorted(item.media.items()):
        status = path.stat()
        parts += [modality.value, str(path), status.st_size, status.st_mtime_ns]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return record / digest[:2] / f"{digest}.npz"


def _kept(record: Path, item: SourceItem) -> Read | None:
    try:
        with np.load(_record_file(record, item), allow_pickle=False) as archive:
            kept = {name: archive[name] for name in archive.files}
        modalities = [Modality(name) for name in kept if "." not in name]
        return Read(
            {m: kept[m.value] for m in modalities},
            {m: str(kept[f"{m}.media"]) for m in modalities},
            {m: float(kept[f"{m}.duration"]) for m in modalities},
        )
    except (OSError, ValueError, KeyError):  # not there yet, or cut short by a crash
        return None


def _keep(record: Path, item: SourceItem, clip: Read) -> None:
    path = _record_file(record, item)
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new.npz")
    arrays = {m.value: row for m, row in clip.rows.items()}
    arrays |= {f"{m}.media": np.array(sha256) for m, sha256 in clip.media.items()}
    arrays |= {f"{m}.duration": np.array(s) for m, s in clip.duration_s.items()}
    np.savez(draft, allow_pickle=False, **arrays)
    draft.replace(path)
