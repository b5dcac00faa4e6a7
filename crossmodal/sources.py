"""Media sources: a labelled folder or a manifest read into source items.

A folder holds ``audio/<label>/…``, ``images/<label>/…`` and ``video/<label>/…``; of a video
below ``audio`` only the sound is used. A manifest (CSV with a header, or a JSON list of
objects) has the columns ``path`` (relative to the manifest), ``modality`` (``audio``,
``visual`` or ``audio+visual``), ``label``, ``split``, and optionally ``id``, ``pair``,
``group``, ``start``, ``end`` in seconds; further columns become the item's metadata.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crossmodal.errors import CrossmodalError, DataError
from crossmodal.items import ITEM_ID, Segment, SourceItem
from crossmodal.modality import Modality, parse_modality

AUDIO_FILES = {".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac"}
PICTURE_FILES = {".jpg", ".jpeg", ".png"}
VIDEO_FILES = {".mp4", ".webm", ".mkv", ".mov", ".avi", ".ts", ".m4v", ".mpg", ".mpeg"}
FOLDERS = {
    "audio": (AUDIO_FILES | VIDEO_FILES, "audio"),
    "images": (PICTURE_FILES, "visual"),
    "video": (VIDEO_FILES, "audio+visual"),
}
OFFERED = (  # by files of which no more is known
    (AUDIO_FILES, "audio"),
    (PICTURE_FILES, "visual"),
    (VIDEO_FILES, "audio+visual"),
)
MANIFEST = "manifest.csv"
COLUMNS = ("path", "modality", "label", "split", "id", "pair", "group", "start", "end")


def read_source(path: Path) -> list[SourceItem]:
    """Read a labelled folder or a CSV or JSON manifest.

    A folder that holds a ``manifest.csv`` is read by it, since only that knows the splits.
    Files are not opened: a bad one shows when it is decoded.

    Raises:
        DataError: If nothing usable is there, or a row is wrong; names file, row, field.
    """
    if path.is_dir() and (path / MANIFEST).is_file():
        return read_source(path / MANIFEST)
    if path.is_dir():
        items = _read_folder(path)
    elif path.is_file():
        items = _read_manifest(path)
    else:
        raise DataError(f"{path}: no such file or folder")
    if not items:
        raise DataError(f"{path}: no clips found")
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise DataError(f"{path}: two rows bear the id {item.id}")
        seen.add(item.id)
    return items


def _read_folder(root: Path) -> list[SourceItem]:
    rows = []
    others = set()
    for folder, (suffixes, modality) in FOLDERS.items():
        for file in sorted((root / folder).glob("*/**/*")):
            if not file.is_file():
                continue
            if file.suffix.lower() not in suffixes:
                others.add(file.suffix or file.name)
            else:
                relative = file.relative_to(root)
                rows.append(
                    {
                        "path": relative.as_posix(),
                        "modality": modality,
                        "label": relative.parts[1],
                    }
                )
    if others and not rows:
        raise DataError(
            f"{root}: no clips below audio, images and video, but files that end in "
            f"{', '.join(sorted(others))}; a manifest may name files of any ending"
        )
    if not rows:
        raise DataError(
            f"{root}: expected audio/<label>/…, images/<label>/… or video/<label>/… in it; "
            "clips that lie otherwise want a manifest"
        )
    return list(_items(rows, root, root))


def _read_manifest(path: Path) -> list[SourceItem]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a CSV or JSON manifest in UTF-8") from None
    if path.suffix.lower() == ".json":
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise DataError(f"{path}: not valid JSON: {error}") from None
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DataError(f"{path}: expected a JSON list of objects")
    else:
        rows = list(csv.DictReader(text.splitlines()))
    if rows and "path" not in rows[0]:
        raise DataError(f"{path}: no column 'path', found {', '.join(map(str, rows[0]))}")
    return list(_items(rows, path.parent, path))


def _items(rows: list[dict[str, Any]], root: Path, where: Path) -> Iterator[SourceItem]:
    given = {str(row["id"]) for row in rows if row.get("id")}
    for number, row in enumerate(rows, start=1):
        try:
            yield _item(row, root, given)
        except CrossmodalError as error:
            raise DataError(f"{where}: row {number}: {error}") from error


def _item(row: Mapping[str, Any], root: Path, taken: set[str]) -> SourceItem:
    relative = str(row.get("path") or "")
    if not relative:
        raise DataError("path is empty")
    segment = Segment(_seconds(row, "start") or 0.0, _seconds(row, "end"))
    if segment.end_s is not None and segment.end_s <= segment.start_s:
        raise DataError(f"end {segment.end_s} is not after start {segment.start_s}")
    item_id = row.get("id") or _derived_id(relative, segment, taken)
    taken.add(item_id)
    return SourceItem(
        id=str(item_id),
        media={modality: root / relative for modality in _modalities(row, relative)},
        label=_text(row, "label"),
        split=_text(row, "split"),
        pair=_text(row, "pair"),
        group=_text(row, "group"),
        segment=segment,
        metadata={
            key: value
            for key, value in row.items()
            if key not in COLUMNS and key is not None and value not in (None, "")
        },
    )


def _modalities(row: Mapping[str, Any], relative: str) -> list[Modality]:
    named = _text(row, "modality")
    if named is not None:
        return [parse_modality(part.strip()) for part in named.split("+")]
    suffix = Path(relative).suffix.lower()
    for suffixes, modalities in OFFERED:
        if suffix in suffixes:
            return [parse_modality(part) for part in modalities.split("+")]
    raise DataError(f"modality is empty and the extension {suffix!r} does not tell it")


def _derived_id(relative: str, segment: Segment, taken: set[str]) -> str:
    slug = re.sub(r"[^A-Za-z0-9_-]+", "_", str(Path(relative).with_suffix("")))
    if ITEM_ID.fullmatch(slug) and slug not in taken:
        return slug
    key = f"{relative}\0{segment.start_s}\0{segment.end_s}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    return f"{slug[:51]}_{digest}"


def _seconds(row: Mapping[str, Any], column: str) -> float | None:
    value = row.get(column)
    if value in (None, ""):
        return None
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise DataError(f"{column} must be seconds from 0 up, got {value!r}")
    return seconds


def _text(row: Mapping[str, Any], column: str) -> str | None:
    value = row.get(column)
    return None if value in (None, "") else str(value)
