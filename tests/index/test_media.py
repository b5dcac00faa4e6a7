from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crossmodal.errors import CollectionError
from index.storage.media import UNKNOWN_TYPE, MediaFiles, media_type


@pytest.fixture
def files(tmp_path: Path) -> MediaFiles:
    return MediaFiles(tmp_path / "media", tmp_path / "staging")


def test_a_file_is_kept_under_the_sha256_of_its_content(
    files: MediaFiles, tmp_path: Path
) -> None:
    source = tmp_path / "clip.wav"
    source.write_bytes(b"sound" * 500_000)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert files.add(source) == digest
    kept = tmp_path / "media" / digest[:2] / digest[2:4] / digest
    assert files.path(digest) == kept
    assert kept.read_bytes() == source.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o644
    assert files.is_whole(digest)


def test_one_content_is_kept_once_by_many_threads_and_leaves_no_draft(
    files: MediaFiles, tmp_path: Path
) -> None:
    sources = [tmp_path / f"{number}.mp4" for number in range(12)]
    for number, source in enumerate(sources):
        source.write_bytes(b"film %d" % (number % 3))
    with ThreadPoolExecutor(4) as pool:
        digests = set(pool.map(files.add, sources))
    assert len(digests) == 3
    assert sum(path.is_file() for path in (tmp_path / "media").rglob("*")) == 3
    assert list((tmp_path / "staging").iterdir()) == []


def test_content_is_synced_before_and_its_folder_after_the_rename(
    files: MediaFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "clip"
    source.write_bytes(b"x")
    digest = hashlib.sha256(b"x").hexdigest()
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def spy_fsync(handle: int) -> None:
        events.append(Path(os.readlink(f"/proc/self/fd/{handle}")).parent.name)
        fsync(handle)

    def spy_replace(path: Path, target: Path) -> Path:
        events.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    files.add(source)
    assert events[0] == "staging"
    assert events[-2:] == ["rename", digest[:2]]


def test_damage_is_noticed(files: MediaFiles, tmp_path: Path) -> None:
    source = tmp_path / "clip"
    source.write_bytes(b"sound")
    digest = files.add(source)
    files.path(digest).write_bytes(b"soumd")
    assert not files.is_whole(digest)
    files.path(digest).unlink()
    assert not files.is_whole(digest)


@pytest.mark.parametrize("name", ["../../etc/passwd", "0" * 63, "A" * 64, ""])
def test_only_a_sha256_names_a_file(files: MediaFiles, name: str) -> None:
    with pytest.raises(CollectionError, match="64 hexadecimal digits"):
        files.path(name)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"RIFF\x24\x00\x00\x00AVI LIST", "video/x-msvideo"),
        (b"fLaC\x00\x00\x00\x22", "audio/flac"),
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"OggS\x00\x02" + bytes(22) + b"\x01\x1eOpusHead", "audio/ogg"),
        (b"OggS\x00\x02" + bytes(22) + b"\x01\x2a\x80theora", "video/ogg"),
        (b"\x00\x00\x00\x20ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x20ftypM4A ", "audio/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska", "video/x-matroska"),
        ((b"\x47" + bytes(187)) * 2, "video/mp2t"),
        (b"\x00\x00\x01\xba\x44", "video/mpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"<html><script>", UNKNOWN_TYPE),
        (b"<svg xmlns=", UNKNOWN_TYPE),
        (b"\xff", UNKNOWN_TYPE),
        (b"", UNKNOWN_TYPE),
    ],
)
def test_the_type_follows_the_content_whatever_the_name(
    tmp_path: Path, head: bytes, expected: str
) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(head)
    assert media_type(path) == expected
