from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from crossmodal import console
from crossmodal.frontends.catalog import create_frontend
from index.__main__ import app
from index.collection import Collection
from index.work import CollectionJobs
from tests.index.tones import write_tones

ROOT = Path(__file__).parents[2]


class Ran(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Index = Callable[..., Ran]


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Index:
    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["index", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            console.run(app)
        captured = capsys.readouterr()
        return Ran(int(ended.value.code or 0), captured.out, captured.err)

    return run


def test_build_info_and_verify_from_the_command_line(
    tmp_path: Path, features_file: Path, tiny_bundle: Callable[..., Path], index: Index
) -> None:
    out = tmp_path / "data"
    arguments = ("--bundle", tiny_bundle(), "--source", features_file, "--out", out)
    built = index("build", *arguments, "--split", "test")
    assert (built.returncode, built.stdout) == (0, f"{out}\n")
    assert "20 items: 20 audio, 20 visual vectors" in built.stderr
    again = index("build", *arguments)
    assert again.returncode == 2
    assert again.stderr == f"error: {out} holds a collection already; --force replaces it\n"
    forced = index("build", *arguments, "--force", "--format", "json")
    report = json.loads(forced.stdout)
    assert (report["items"], report["vectors"]) == (40, {"audio": 40, "visual": 40})
    assert (report["skipped"], report["out"]) == ([], str(out))

    told = json.loads(index("info", out, "--format", "json").stdout)
    assert told["items"] == 40
    assert told["galleries"]["audio"] == {"items": 40, "vectors": 40}
    assert told["labels"] == {"cat": 14, "dog": 13, "owl": 13}
    assert (told["method"], told["dim"], told["degraded"]) == ("linear", 8, None)
    assert "cat 14, dog 13, owl 13" in index("info", out).stdout

    checked = index("verify", out)
    assert checked.returncode == 0
    assert "recall@10 1.0000" in checked.stdout
    (out / "index" / "CURRENT").unlink()
    damaged = index("verify", out, "--format", "json")
    assert damaged.returncode == 1
    failures = {check["name"] for check in json.loads(damaged.stdout) if not check["ok"]}
    assert failures == {"index", "open"}


def test_a_directory_in_use_is_status_three_in_one_line(data: Path, index: Index) -> None:
    with Collection.open(data, write=True):
        for command in ("info", "verify"):
            refused = index(command, data)
            assert refused.returncode == 3
            assert refused.stdout == ""
            assert refused.stderr.count("\n") == 1
            assert "in use by another process" in refused.stderr


def test_a_backup_is_made_beside_a_writer_and_is_a_data_directory(
    data: Path, tmp_path: Path, index: Index
) -> None:
    with Collection.open(data, write=True):
        made = index("backup", data, "--out", tmp_path / "copy")
    assert (made.returncode, made.stdout) == (0, f"{tmp_path / 'copy'}\n")
    assert "40 items and 0 media files" in made.stderr
    assert index("compact", tmp_path / "copy").returncode == 0
    assert index("verify", tmp_path / "copy").returncode == 0
    again = index("backup", data, "--out", tmp_path / "copy", "--format", "json")
    assert again.returncode == 1
    assert "exists already" in again.stderr
    other = index("backup", data, "--out", tmp_path / "other", "--format", "json")
    assert json.loads(other.stdout)["items"] == 40


def test_a_directory_passes_to_another_bundle_from_the_command_line(
    tmp_path: Path, tiny_bundle: Callable[..., Path], index: Index
) -> None:
    spec = {"audio": create_frontend("logmel").spec}
    old, new = (tiny_bundle(["audio"], frontends=spec, seed=seed) for seed in range(2))
    source = write_tones(tmp_path / "clips", low=200, high=900)
    data = tmp_path / "data"
    index("build", "--bundle", old, "--source", source, "--out", data)
    done = index("reembed", data, "--bundle", new)
    assert (done.returncode, done.stdout) == (0, f"{data}\n")
    assert "2 items embedded, 0 cannot be" in done.stderr
    again = json.loads(index("reembed", data, "--format", "json").stdout)
    assert again["embedded"] == 0
    switched = index("switch", data)
    assert f"model {again['model_id']} is served" in switched.stderr
    told = json.loads(index("info", data, "--format", "json").stdout)
    assert told["model_id"] == again["model_id"] != told["beside"]
    assert told["unserved"] == {}
    assert "2 vectors removed" in index("discard", data).stderr
    assert index("switch", data).returncode == 1
    jobs = serving_jobs(data)
    try:
        index("reembed", data, "--bundle", old, "--served")
        switched = index("switch", data, "--served", "--format", "json")
        assert json.loads(switched.stdout)["model_id"] == told["beside"]
    finally:
        jobs.close()
        jobs._collection.close()


def serving_jobs(data: Path) -> CollectionJobs:
    return CollectionJobs(Collection.open(data, write=True, reserve_bytes=0))


def test_an_operator_chooses_the_kind_by_option_or_environment(
    data: Path, index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "40 audio vectors (flat)" in index("compact", data).stderr
    made = index("compact", data, "--index-kind", "hnsw")
    assert "40 audio vectors (hnsw)" in made.stderr
    assert '"hnsw"' in index("info", data, "--format", "json").stdout
    monkeypatch.setenv("EARSHOT_INDEX_KIND", "hnsw")
    assert "40 audio vectors (hnsw)" in index("compact", data).stderr
    wrong = index("compact", data, "--index-kind", "tree")
    assert wrong.returncode == 2
    assert "not 'tree'" in wrong.stderr


def test_errors_are_one_line_without_traceback(tmp_path: Path, index: Index) -> None:
    failed = index("info", tmp_path / "nothing")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1
    assert index("build").returncode == 2


def test_the_package_is_a_command() -> None:
    helped = subprocess.run(
        [sys.executable, "-m", "index", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(
        command in helped.stdout
        for command in ("build", "info", "backup", "verify", "reembed")
    )
