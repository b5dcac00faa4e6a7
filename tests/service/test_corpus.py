"""The hostile corpus against a running service: only answers allowed, nothing moved.

``EARSHOT_CORPUS_LIMITS=real`` leaves decoding its limits, and holds answers to their bar.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.corpus import references
from tests.corpus.case import SEARCH, Case, json_body, upload
from tests.corpus.catalogue import families, write
from tests.corpus.clips import clip
from tests.service.canaries import canaries
from tests.service.corpus_launcher import NAME, REAL_LIMITS
from tests.service.corpus_sending import (
    BOUND_S,
    complaints,
    memory_kib,
    send,
    send_all,
    settled,
    watched_children,
)
from tests.service.kills.process import Service

REAL = os.environ.get("EARSHOT_CORPUS_LIMITS") == "real"
SOON_S = 5.0 if REAL else BOUND_S
WORKERS = 2
TOTAL = 388
MOST_GROWTH_KIB = 32 * 1024
MOST_CHILD_KIB = 512 * 1024
CONTROL = json_body("control", '{"vector": [1, 0, 0, 0, 0, 0, 0, 0], "k": 12}', "ok")
HEARD = upload("clip", clip("wav"), "ok", path=SEARCH)


@contextmanager
def served(data: Path, cwd: Path, mutant: str = "") -> Iterator[Service]:
    """Run a service over a data directory, from a working directory of its own."""
    service = Service(data, mutant=mutant, launcher=NAME, cwd=cwd, workers=WORKERS)
    try:
        yield service
    finally:
        service.kill()


@cache
def made(family: str) -> list[Case]:
    """Return the cases of a family, made once."""
    return families()[family].cases()


@pytest.mark.parametrize("family", families())
def test_a_family_has_as_many_cases_as_it_should(family: str) -> None:
    cases = made(family)
    assert len(cases) == len({case.name for case in cases}) == families()[family].count
    assert all(case.codes for case in cases)


@pytest.mark.parametrize("name", ["mkv", "webm", "ogg"])
def test_clips_are_the_same_each_time(name: str) -> None:
    assert clip.__wrapped__(name) == clip(name)


def test_the_manifest_tells_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {"ids": families()["ids"]}
    monkeypatch.setattr("tests.corpus.catalogue.families", lambda: some)
    assert write(tmp_path / "out") == 18
    for line, case in zip(
        json.loads((tmp_path / "out/manifest.json").read_text()), made("ids"), strict=True
    ):
        assert (tmp_path / "out" / line["sha256"]).read_bytes() == case.body
        assert line["endpoint"] == case.endpoint
        assert line["code"] == sorted(case.codes)


@pytest.mark.slow
def test_every_case_gets_an_answer_allowed_and_moves_nothing(
    copied: Path, tmp_path: Path
) -> None:
    limits = REAL_LIMITS if REAL else ""
    with (
        canaries(tmp_path / "cage") as cage,
        served(copied, cage.directory, limits) as service,
    ):
        cases = [case for name in families() if name != "references" for case in made(name)]
        cases += references.cases(cage.canary)
        assert len(cases) == TOTAL
        port, process = service.port, service.process.pid
        before = send(port, CONTROL)
        assert not complaints(HEARD, send(port, HEARD))
        start_kib = memory_kib(process, "VmRSS")
        with watched_children(process) as most_kib:
            wrong = send_all(port, cases, WORKERS, SOON_S)
        grown_kib = memory_kib(process, "VmRSS") - start_kib
        after = send(port, CONTROL)
        assert not wrong, "\n".join(wrong)
        assert settled(after) == settled(before)
        assert not complaints(HEARD, send(port, HEARD))
        assert not cage.touched()
        assert grown_kib <= MOST_GROWTH_KIB
        assert 0 < most_kib[0] <= MOST_CHILD_KIB


@pytest.mark.parametrize(
    ("mutant", "family", "names"),
    [
        ("no format whitelist", "mismatched", ("named au as wav", "named caf as mov")),
        ("default 422 handler", "json", ("vector zero", "vector dim 1")),
        ("no RLIMIT_AS", "table bombs", ("table stsz 25 million",)),
    ],
)
def test_a_service_that_lacks_a_guard_is_found_out(
    copied: Path, tmp_path: Path, mutant: str, family: str, names: tuple[str, ...]
) -> None:
    cases = [case for case in made(family) if case.name in names]
    assert len(cases) == len(names)
    with (
        served(copied, tmp_path, mutant) as service,
        watched_children(service.process.pid) as most_kib,
    ):
        deadline = time.monotonic() + 4 * BOUND_S
        found = False
        while not found and time.monotonic() < deadline:  # memory is looked at now and then
            wrong = send_all(service.port, cases, WORKERS)
            assert not any("no reply" in line for line in wrong)
            found = bool(wrong) or most_kib[0] > MOST_CHILD_KIB
    assert found


def test_the_canaries_notice(tmp_path: Path) -> None:
    with canaries(tmp_path / "cage") as cage:
        assert cage.touched() == []
        cage.canary.file.read_bytes()
        assert cage.touched() == ["file"]
