from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from crossmodal.errors import FrontEndError
from crossmodal.frontends.weights import (
    WeightsFile,
    fetch_weights,
    find_weights,
    read_weights,
    weights_directory,
)

CONTENT = b"weights of a network"
WEIGHTS = WeightsFile(
    frontend="earnet",
    file_name="earnet.tflite",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size_bytes=len(CONTENT),
    url="https://example.invalid/earnet.tflite",
    license="Apache-2.0",
)


def served(tmp_path: Path, content: bytes) -> WeightsFile:
    source = tmp_path / "remote"
    source.write_bytes(content)
    return replace(WEIGHTS, url=source.as_uri())


def test_the_directory_comes_from_the_environment_else_the_cache() -> None:
    assert weights_directory({"EARSHOT_WEIGHTS": "/models"}) == Path("/models")
    assert weights_directory({"XDG_CACHE_HOME": "/var/cache"}) == Path("/var/cache/earshot")
    assert weights_directory({}) == Path.home() / ".cache" / "earshot"
    assert weights_directory({"EARSHOT_WEIGHTS": ""}) == Path.home() / ".cache" / "earshot"


def test_a_file_is_found_below_a_directory_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "earnet.tflite"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert find_weights(WEIGHTS, tmp_path) == path
    assert read_weights(WEIGHTS, tmp_path) == CONTENT


def test_a_file_given_itself_may_bear_any_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.bin"
    path.write_bytes(CONTENT)
    assert read_weights(WEIGHTS, path) == CONTENT


def test_a_genuine_file_is_found_beside_a_foreign_one(tmp_path: Path) -> None:
    for folder, content in (("a", b"other"), ("b", CONTENT)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "earnet.tflite").write_bytes(content)
    assert find_weights(WEIGHTS, tmp_path) == tmp_path / "b" / "earnet.tflite"


def test_absent_weights_name_file_place_and_command(tmp_path: Path) -> None:
    assert find_weights(WEIGHTS, tmp_path) is None
    with pytest.raises(FrontEndError) as caught:
        read_weights(WEIGHTS, tmp_path)
    message = str(caught.value)
    assert "earnet.tflite" in message
    assert f"searched {tmp_path} and below" in message
    assert "python -m training frontends fetch earnet" in message
    assert "EARSHOT_WEIGHTS" in message


def test_a_foreign_file_of_that_name_is_never_used(tmp_path: Path) -> None:
    path = tmp_path / "earnet.tflite"
    path.write_bytes(b"something else")
    assert find_weights(WEIGHTS, tmp_path) is None
    with pytest.raises(FrontEndError, match=r"earnet\.tflite with another checksum"):
        read_weights(WEIGHTS, tmp_path)


def test_fetching_stores_the_pinned_content(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "earshot"
    path = fetch_weights(served(tmp_path, CONTENT), target)
    assert path == target / "earnet.tflite"
    assert path.read_bytes() == CONTENT
    assert list(target.iterdir()) == [path]


def test_fetching_again_does_not_download(tmp_path: Path) -> None:
    target = tmp_path / "cache"
    path = fetch_weights(served(tmp_path, CONTENT), target)
    assert fetch_weights(WEIGHTS, target) == path  # whose address does not exist


@pytest.mark.parametrize("content", [b"changed!", CONTENT + b"longer", CONTENT[:-1], b""])
def test_content_that_is_not_the_pinned_one_is_not_kept(
    tmp_path: Path, content: bytes
) -> None:
    target = tmp_path / "cache"
    with pytest.raises(FrontEndError, match="gave other content than pinned"):
        fetch_weights(served(tmp_path, content), target)
    assert not target.exists()


def test_an_address_out_of_reach_says_what_to_do(tmp_path: Path) -> None:
    gone = replace(WEIGHTS, url=(tmp_path / "gone").as_uri())
    with pytest.raises(FrontEndError, match=r"cannot download earnet\.tflite.*by hand"):
        fetch_weights(gone, tmp_path / "cache")
