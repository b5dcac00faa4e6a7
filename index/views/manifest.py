"""CURRENT: which base files make up the index, written last, in one step.

A base file is a cache of what SQLite holds up to the manifest's seq. It is believed only
if its sha256 is the manifest's: of damaged FAISS files most load without complaint.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from crossmodal.durable import write_json, write_parts
from crossmodal.errors import CollectionError, ModalityError
from crossmodal.modality import Modality, parse_modality
from index.galleries.bases import BaseGallery, load_gallery
from index.galleries.kinds import FLAT

CURRENT = "CURRENT"
FORMAT = 1
GENERATIONS_KEPT = 2

_BASE_NAME = re.compile(r"base-([a-z]+)-(\d+)\.faiss")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFile:
    """One modality's serialized gallery, with all that is checked before it is used.

    A gallery that does not compare with every vector has a search width, and the part
    of the ten best that was found by it when the base was made.
    """

    file: str
    sha256: str
    bytes: int
    count: int
    dim: int
    kind: str = FLAT
    search_width: int | None = None
    recall: float | None = None

    def __post_init__(self) -> None:
        _check_types(self, str, "file", "sha256", "kind")
        _check_types(self, int, "bytes", "count", "dim")
        if self.search_width is not None or self.recall is not None:
            _check_types(self, int, "search_width")
            _check_types(self, float, "recall")


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexManifest:
    """What CURRENT says: the bases hold every vector of the model up to ``seq``."""

    seq: int
    model_id: str
    bases: Mapping[Modality, BaseFile]
    format: int = FORMAT

    def __post_init__(self) -> None:
        _check_types(self, int, "seq", "format")
        _check_types(self, str, "model_id")


def read_manifest(directory: Path) -> IndexManifest:
    """Read CURRENT of an index directory.

    Raises:
        FileNotFoundError: If there is none.
        CollectionError: If it is damaged or of another format.
    """
    try:
        value = json.loads((directory / CURRENT).read_bytes())
        bases = {
            parse_modality(name): BaseFile(**base) for name, base in value["bases"].items()
        }
        manifest = IndexManifest(**(value | {"bases": bases}))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ModalityError):
        raise CollectionError(f"{CURRENT} is damaged or unreadable") from None
    if manifest.format != FORMAT:
        raise CollectionError(
            f"{CURRENT} has format {manifest.format!r}, this build reads {FORMAT}"
        )
    return manifest


def read_base(directory: Path, manifest: IndexManifest, modality: Modality) -> BaseGallery:
    """Load one base after checking name, size, sha256, kind, width, count and seqs.

    Raises:
        CollectionError: If anything about it differs from the manifest.
    """
    base = manifest.bases[modality]
    raw = _read_checked(directory, base, modality)
    gallery = load_gallery(raw, base.kind, base.search_width, base.recall)
    if gallery.dim != base.dim or len(gallery) != base.count:
        raise CollectionError(f"{base.file} is not the index that {CURRENT} describes")
    if len(gallery) and not 0 < gallery.seqs[0] <= gallery.seqs[-1] <= manifest.seq:
        raise CollectionError(f"{base.file} holds vectors newer than {CURRENT} says")
    return gallery


def publish(
    directory: Path,
    galleries: Mapping[Modality, BaseGallery],
    *,
    seq: int,
    model_id: str,
    reached: Callable[[str], None] = lambda point: None,
) -> IndexManifest:
    """Write every base durably, then CURRENT, then delete all but the last two of each.

    Args:
        directory: The index directory.
        galleries: What to write, one per modality.
        seq: The last write the galleries contain.
        model_id: The bundle that made their vectors.
        reached: Told of the points at which a test may end the process.
    """
    bases = {}
    for modality, gallery in galleries.items():
        path = directory / _name(modality, seq)
        bases[modality] = write_parts(path, partial(_describe, gallery, path.name))
        reached("base written")
    manifest = IndexManifest(seq=seq, model_id=model_id, bases=bases)
    reached("before CURRENT")
    write_json(directory / CURRENT, asdict(manifest))
    reached("after CURRENT")
    for path in _old_files(directory, seq):
        path.unlink()
        reached("old base deleted")
    return manifest


def describe(
    galleries: Mapping[Modality, BaseGallery], *, seq: int, model_id: str
) -> IndexManifest:
    """Return the manifest of these galleries, without writing anything."""
    bases = {
        modality: _describe(gallery, _name(modality, seq))
        for modality, gallery in galleries.items()
    }
    return IndexManifest(seq=seq, model_id=model_id, bases=bases)


def oldest_kept(directory: Path) -> int:
    """Return the lowest number that a base of the directory reaches to; 0 for none."""
    names = [_BASE_NAME.fullmatch(path.name) for path in directory.iterdir()]
    return min((int(name[2]) for name in names if name), default=0)


def quarantine(path: Path, reason: str) -> None:
    """Set a damaged file aside under a name that nothing reads, and say so once."""
    target = path.with_name(path.name + ".bad")
    number = 1
    while os.path.lexists(target):
        number += 1
        target = path.with_name(f"{path.name}.bad{number}")
    path.rename(target)
    _log.warning("%s: %s; kept as %s", path.name, reason, target.name)


def _name(modality: Modality, seq: int) -> str:
    return f"base-{modality}-{seq}.faiss"


def _describe(
    gallery: BaseGallery, name: str, sink: Callable[[bytes], object] = lambda part: None
) -> BaseFile:
    """Return what is to be known of a gallery's bytes, which the sink gets in parts."""
    digest, size = hashlib.sha256(), 0

    def take(part: bytes) -> None:
        nonlocal size
        digest.update(part)
        size += len(part)
        sink(part)

    gallery.write(take)
    return BaseFile(
        file=name,
        sha256=digest.hexdigest(),
        bytes=size,
        count=len(gallery),
        dim=gallery.dim,
        kind=gallery.kind,
        search_width=gallery.search_width,
        recall=gallery.recall,
    )


def _check_types(value: object, kind: type, *names: str) -> None:
    for name in names:
        if type(getattr(value, name)) is not kind:
            raise TypeError(f"{name} must be {kind.__name__}")


def _read_checked(directory: Path, base: BaseFile, modality: Modality) -> np.ndarray:
    name = _BASE_NAME.fullmatch(base.file)
    if not name or name[1] != modality:
        raise CollectionError(f"{CURRENT} names {base.file!r}, which is no {modality} base")
    path = directory / base.file
    if path.is_symlink() or not path.is_file():
        raise CollectionError(f"{base.file} is missing or no plain file")
    try:
        if path.stat().st_size != base.bytes:
            raise CollectionError(
                f"{base.file} has not the {base.bytes} bytes of {CURRENT}"
            )
        raw: np.ndarray = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise CollectionError(f"{base.file} cannot be read: {error.strerror}") from None
    if hashlib.sha256(raw.data).hexdigest() != base.sha256:
        raise CollectionError(f"{base.file} has not the sha256 of {CURRENT}")
    return raw


def _old_files(directory: Path, seq: int) -> list[Path]:
    """Return the bases before the last ones, and drafts that were never finished."""
    names = {path: _BASE_NAME.fullmatch(path.name) for path in directory.iterdir()}
    seqs = sorted({int(name[2]) for name in names.values() if name}, reverse=True)
    older = [number for number in seqs if number < seq][GENERATIONS_KEPT - 1 :]
    return [
        path
        for path, name in names.items()
        if (name and int(name[2]) in older) or path.suffix == ".new"
    ]
