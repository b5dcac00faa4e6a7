"""A bundle is laid beside by a process that does not hold the collection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from crossmodal.bundle import Bundle
from crossmodal.frontends.catalog import create_frontend
from index.build import build
from index.collection import Collection
from index.versions.beside import BESIDE, open_beside
from index.versions.laying import lay_beside
from tests.index.tones import write_tones


def drafts(data: Path) -> list[Path]:
    return list(data.glob(f".{BESIDE}.*"))


def test_an_opening_leaves_a_draft_that_is_under_way_and_deletes_one_that_is_not(
    tmp_path: Path, tiny_bundle: Callable[..., Path]
) -> None:
    spec = {"audio": create_frontend("logmel").spec}
    mine, other = (tiny_bundle(["audio"], frontends=spec, seed=seed) for seed in (0, 1))
    data = tmp_path / "data"
    build(mine, write_tones(tmp_path / "clips", low=200, high=3000), data, workers=1)
    abandoned = data / f".{BESIDE}.abandoned"
    points = []

    def open_at(point: str) -> None:
        points.append(point)
        if point == "beside drafted":
            with Collection.open(data, write=True):
                assert len(drafts(data)) == 1

    lay_beside(data, other, open_at)
    assert points == ["beside drafted", "beside laid"]
    laid = open_beside(data)
    assert laid is not None
    assert laid.model_id == Bundle.open(other).model_id
    abandoned.mkdir()
    with Collection.open(data, write=True):
        assert not drafts(data)
    assert open_beside(data) is not None
