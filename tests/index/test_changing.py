"""Passing to another bundle while a collection is searched and written to, and back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossmodal.bundle import Bundle
from crossmodal.errors import CollectionError, ModelChangedError, ModelMismatchError
from crossmodal.frontends.catalog import create_frontend
from crossmodal.modality import Modality
from index.add import add, add_to
from index.backup import back_up
from index.build import build
from index.collection import Collection
from index.jobs.queue import Jobs
from index.jobs.task import Task
from index.storage.job import Job, JobState
from index.storage.lock import LAYING
from index.storage.new_items import NewItem, NewVector
from index.verify import verify
from index.versions.beside import BESIDE, open_beside, settle
from index.versions.changing import LAST, switch
from index.versions.laying import lay_beside
from index.views.manifest import read_manifest
from index.work import REEMBED, SWITCH, CollectionJobs
from index.writing.operations import Delete, Put
from tests.index.test_jobs import ended
from tests.index.tones import write_tones

AUDIO = Modality.AUDIO
LOGMEL = create_frontend("logmel")
SECONDS = 120
MakeBundle = Callable[..., Path]


@pytest.fixture
def bundles(tiny_bundle: MakeBundle) -> list[Path]:
    spec = {"audio": LOGMEL.spec}
    return [tiny_bundle(["audio"], frontends=spec, seed=seed) for seed in range(3)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_tones(tmp_path / "clips", low=200, high=3000, mid=900)


@pytest.fixture
def data(tmp_path: Path, bundles: list[Path], source: Path) -> Path:
    build(bundles[0], source, tmp_path / "data", workers=1)
    return tmp_path / "data"


def known(data: Path) -> dict[str, tuple[object, ...]]:
    """What is stored of each item, but for numbers and times."""
    with Collection.open(data) as collection:
        view = collection.view
        return {
            item.id: (
                item.label,
                item.metadata,
                item.media_sha256,
                view.vectors(item.id, AUDIO).tobytes() if item.modalities else b"",
            )
            for item in view.items.values()
        }


class Service:
    """A collection as a service holds it: what is served changes by one reference."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.collection = Collection.open(data, write=True, reserve_bytes=0, **settings)
        self.jobs: Jobs = CollectionJobs(self.collection, self.serve)

    def serve(self, changed: Collection) -> None:
        self.collection = changed

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.jobs.close()
        self.collection.close()

    def do(self, kind: str, **params: Any) -> Job:
        return ended(self.jobs, self.jobs.start(kind, params).id)

    def done(self, kind: str, **params: Any) -> Any:
        job = self.do(kind, **params)
        assert job.state is JobState.DONE, job.error
        return job.result


def expected(bundle: Path, sources: list[Path], out: Path) -> dict[str, tuple[object, ...]]:
    build(bundle, sources[0], out, workers=1)
    for more in sources[1:]:
        add(out, more, workers=1, replace=True)
    return known(out)


def test_a_collection_passes_to_another_bundle_and_back_while_it_is_open(
    data: Path, bundles: list[Path], source: Path, tmp_path: Path
) -> None:
    before = known(data)
    wanted = expected(bundles[1], [source], tmp_path / "expected")
    with Service(data) as service:
        old = service.collection
        query = old.view.vectors(min(before), AUDIO)
        lay_beside(data, bundles[1])
        told = service.done(REEMBED)
        assert (told["embedded"], told["left_out"]) == (3, 0)
        assert service.collection is old
        assert service.done(SWITCH)["embedded"] == 0
        new = service.collection
        assert new.bundle.model_id == new.view.model_id == told["model_id"]
        assert new.degraded is None
        for item_id in wanted:
            assert new.view.vectors(item_id, AUDIO).tobytes() == wanted[item_id][3]
        # who began with the old model ends with it
        assert old.view.model_id == old.bundle.model_id != told["model_id"]
        assert old.view.search(AUDIO, query, 1)[0][0].item_id == min(before)
    assert known(data) == wanted
    assert all(check.ok for check in verify(data))
    with Service(data) as service:
        assert service.collection.degraded is None
        assert service.done(SWITCH)["embedded"] == 0
        assert service.collection.bundle.model_id == old.bundle.model_id
    assert known(data) == before
    assert not list((data / "index").glob("*.bad*"))


def test_what_is_written_meanwhile_is_there_after_the_change(
    data: Path, bundles: list[Path], source: Path, tmp_path: Path
) -> None:
    more = write_tones(tmp_path / "more", new=400, high=3500)
    last = write_tones(tmp_path / "last", last=500)
    with Service(data) as service:
        lay_beside(data, bundles[1])
        service.done(REEMBED)
        gone = next(i for i in service.collection.view.items if "low" in i)
        service.collection.submit(Delete(ids=[gone])).result(SECONDS)
        add_to(service.collection, more, workers=1, replace=True)
        assert service.done(SWITCH)["embedded"] == 2
        add_to(service.collection, last, workers=1)
        seqs = [item.seq for item in service.collection.view.items.values()]
        assert len(set(seqs)) == len(seqs) == 4
        assert service.collection.view.seq >= max(seqs)
        service.collection.compact()
    wanted = expected(bundles[1], [source, more, last], tmp_path / "expected")
    del wanted[gone]
    assert known(data) == wanted
    with Service(data) as service:  # what only the new model embedded is embedded back
        assert service.done(SWITCH)["embedded"] == 1
    wanted = expected(bundles[0], [source, more, last], tmp_path / "again")
    del wanted[gone]
    assert known(data) == wanted


def test_what_comes_in_the_last_moment_is_embedded_before_the_change(
    data: Path, bundles: list[Path], source: Path, tmp_path: Path
) -> None:
    late = write_tones(tmp_path / "late", late=400)
    laid = lay_beside(data, bundles[1])
    with Service(data) as service:
        service.done(REEMBED)
        moments = iter([late])

        def write() -> None:
            for folder in moments:
                add_to(service.collection, folder, workers=1)

        task = interrupted(write, model_id=laid.model_id)
        assert switch(service.collection, task, service.serve)["embedded"] == 1
    assert known(data) == expected(bundles[1], [source, late], tmp_path / "expected")


def interrupted(write: Callable[[], None], **params: Any) -> Task:
    """A task whose work is interrupted when all is embedded and writes do not wait yet."""

    def asked() -> bool:
        write()
        return False

    return Task(params=params, note=lambda *_: None, cancelled=asked, stopped=lambda: False)


def test_vectors_without_media_do_not_keep_a_change_from_coming_however_many_they_are(
    data: Path, bundles: list[Path]
) -> None:
    laid = lay_beside(data, bundles[1])
    with Service(data) as service:
        service.done(REEMBED)
        written = 0

        def write() -> None:
            nonlocal written
            vectors = [NewVector(AUDIO, np.eye(8)[0])]
            many = range(written, written + 2 * LAST)
            puts = [Put(item=NewItem(id=f"n{n}", vectors=vectors)) for n in many]
            service.collection.submit(*puts).result(SECONDS)
            written += len(puts)

        task = interrupted(write, model_id=laid.model_id, partial=True)
        told = switch(service.collection, task, service.serve)
        assert told["left_out"] == written == 2 * LAST
        assert service.collection.view.sizes[AUDIO] == 3


def test_vectors_of_the_model_before_are_not_written_after_the_change(
    data: Path, bundles: list[Path]
) -> None:
    lay_beside(data, bundles[1])
    with Service(data) as service:
        old = service.collection
        service.done(SWITCH)
        put = Put(item=NewItem(id="n", vectors=[NewVector(AUDIO, np.eye(8)[0])]))
        with pytest.raises(ModelChangedError):
            old.submit(put).result(SECONDS)
        assert service.collection.submit(put).result(SECONDS).results[0].seq
        assert "n" in service.collection.view.items
        assert "n" not in old.view.items
        old.submit(Delete(ids=["n"])).result(SECONDS)
        assert "n" not in service.collection.view.items


def test_items_without_media_stop_the_change_unless_they_may_be_left_out(
    data: Path, bundles: list[Path]
) -> None:
    before = known(data)
    lay_beside(data, bundles[1])
    with Service(data) as service:
        put = Put(item=NewItem(id="n", vectors=[NewVector(AUDIO, np.eye(8)[0])]))
        service.collection.submit(put).result(SECONDS)
        assert service.done(REEMBED)["skipped"] == [
            {"item_id": "n", "reason": "it has no media to be embedded from"}
        ]
        failed = service.do(SWITCH)
        assert failed.state is JobState.FAILED
        assert "1 items cannot be embedded" in str(failed.error)
        assert str(failed.error).endswith("leaves them out of searches: n")
        told = service.done(SWITCH, partial=True)
        view = service.collection.view
        assert (told["left_out"], len(view.items)) == (1, 4)
        assert view.sizes[AUDIO] == 3
        assert not view.unserved
        service.done(SWITCH, partial=True)
        assert service.collection.view.sizes[AUDIO] == 4
    after = known(data)
    assert {i: after[i] for i in before} == before


def test_a_cancelled_job_leaves_no_trace(data: Path, bundles: list[Path]) -> None:
    before, files = known(data), sorted(p.name for p in data.iterdir())
    lay_beside(data, bundles[1])
    with Service(data) as service:
        service.done(REEMBED)
        put_back = Job(
            id="a",
            kind=REEMBED,
            state=JobState.CANCELLING,
            updated=1.0,
            params={"model_id": open_beside(data).model_id},  # type: ignore[union-attr]
        )
        service.collection.keep_job(put_back)
    with Service(data) as service:
        assert ended(service.jobs, "a").state is JobState.CANCELLED
        groups = vectors_by_model(service.collection)
        assert set(groups) == {service.collection.bundle.model_id}
    assert known(data) == before
    assert {p.name for p in data.iterdir()} == {*files, "orders", LAYING}
    with Service(data) as service:
        failed = service.do(REEMBED)
        assert "no bundle lies beside" in str(failed.error)


def vectors_by_model(collection: Collection) -> dict[str, int]:
    with collection.open_beside_writer() as store:
        return {group.model_id: group.vectors for group in store.groups()}


def test_a_damaged_bundle_beside_does_not_keep_a_collection_from_being_served(
    data: Path, bundles: list[Path], tmp_path: Path
) -> None:
    lay_beside(data, bundles[1])
    with Service(data) as service:
        service.done(REEMBED)
    back_up(data, tmp_path / "copy")
    assert open_beside(tmp_path / "copy") is not None
    with Service(tmp_path / "copy") as service:
        assert not service.collection.view.unserved
        assert service.done(SWITCH)["embedded"] == 0
    (graph,) = (data / BESIDE / "bundle").glob("*.onnx")
    graph.write_bytes(b"")
    with Service(data) as service:
        assert len(service.collection.view.items) == 3
        assert "audio.onnx has sha256" in str(service.do(SWITCH).error)
        service.done("discard")
    assert open_beside(data) is None


def test_a_version_can_be_discarded_and_another_laid(
    data: Path, bundles: list[Path]
) -> None:
    lay_beside(data, bundles[1])
    with pytest.raises(ModelMismatchError, match="index discard"):
        lay_beside(data, bundles[2])
    with Service(data) as service:
        service.done(SWITCH)
        served = service.collection.bundle.model_id
        assert service.done("discard")["vectors"] == 3
        assert vectors_by_model(service.collection) == {served: 3}
        lay_beside(data, bundles[2])
        service.done(SWITCH)
    assert Bundle.open(data / "bundle").model_id == Bundle.open(bundles[2]).model_id


def test_bundles_that_do_not_belong_here_are_refused(
    data: Path, bundles: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ModelMismatchError, match="serves this bundle already"):
        lay_beside(data, bundles[0])
    with pytest.raises(CollectionError, match="is no data directory"):
        lay_beside(tmp_path, bundles[1])
    laid = lay_beside(data, bundles[1])
    assert lay_beside(data, bundles[1]).model_id == laid.model_id


def test_a_switch_that_was_done_is_not_done_back_after_a_crash(
    data: Path, bundles: list[Path]
) -> None:
    laid = lay_beside(data, bundles[1])
    with Service(data) as service:
        service.done(SWITCH)
        params = {"model_id": laid.model_id}
        running = Job(
            id="a", kind=SWITCH, state=JobState.RUNNING, updated=1.0, params=params
        )
        service.collection.keep_job(running)
    with Service(data) as service:
        done = ended(service.jobs, "a")
        assert (done.state, done.result) == (JobState.DONE, params)
        assert service.collection.bundle.model_id == laid.model_id


def test_index_files_follow_a_bundle_whose_change_was_interrupted(
    data: Path, bundles: list[Path], tmp_path: Path
) -> None:
    laid = lay_beside(data, bundles[1])
    stop = tmp_path / "stopped"

    def reached(point: str) -> None:
        if point == "bundles exchanged":
            shutil.copytree(data, stop)

    with Service(data, reached=reached) as service:
        service.done(SWITCH)
    assert read_manifest(stop / "index").model_id != laid.model_id
    with Collection.open(stop, write=True) as collection:
        assert collection.bundle.model_id == laid.model_id
        assert collection.degraded is None
    assert read_manifest(stop / "index").model_id == laid.model_id
    settle(stop)
    assert read_manifest(stop / "index").model_id == laid.model_id
    assert known(stop) == known(data)
    assert (data / BESIDE / "used").exists()
