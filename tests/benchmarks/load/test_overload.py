"""Overload, and the command, at a scale that says nothing about speed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from benchmarks.load.__main__ import main
from benchmarks.load.generator import Plan, drive
from benchmarks.load.overload import bars, told
from benchmarks.load.requests import Cycle, http_request
from tests.benchmarks.load.scripted import OK, answer, scripted

REFUSAL = answer(429, "Retry-After: 1")


def figures(replies: list[bytes | None], goodput: float = 1.0) -> dict[str, Any]:
    with scripted(lambda number: replies[number % len(replies)]) as server:
        plan = Plan(
            port=server.port,
            request=Cycle([http_request("/x", b"1")]),
            connections=1,
            seconds=600.0,
            due_s=np.zeros(20),
        )
        return {**told(drive(plan), 600.0), "goodput_of_peak": goodput}


def missed(told: dict[str, Any]) -> list[str]:
    return [bar.name for bar in bars(told) if not bar.kept]


def test_refusals_that_say_when_to_come_back_are_as_promised() -> None:
    shed = figures([OK, REFUSAL, answer(503, "Retry-After: 5"), REFUSAL])
    assert missed(shed) == []
    assert shed["statuses"] == {"200": 5, "429": 10, "503": 5}
    assert shed["refused"] == 15
    assert shed["goodput_per_s"] == pytest.approx(5 / 600, abs=0.1)
    assert "served_p99_ms" in shed


@pytest.mark.parametrize(
    ("replies", "goodput", "bar"),
    [
        ([OK, answer(429)], 1.0, "refusals without Retry-After"),
        ([OK, answer(500)], 1.0, "answers other than 200, 429, 503"),
        ([OK, OK], 0.79, "goodput, part of peak"),
    ],
)
def test_each_broken_promise_misses_its_bar(
    replies: list[bytes | None], goodput: float, bar: str
) -> None:
    assert missed(figures(replies, goodput)) == [bar]


def test_a_connection_that_ends_with_an_answer_owed_misses_two_bars() -> None:
    assert missed(figures([OK, None])) == ["answers other than 200, 429, 503", "resets"]


@pytest.mark.parametrize(
    ("option", "said"),
    [({"parts": "speed"}, "no part 'speed'"), ({"peers": "milvus"}, "no peer 'milvus'")],
)
def test_an_unknown_name_is_told_with_those_there_are(
    option: dict[str, str], said: str
) -> None:
    with pytest.raises(typer.BadParameter, match=f"{said}; there are"):
        main(**option)


def test_a_part_is_measured_and_one_that_fails_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("no such luck")

    from benchmarks.load.parts import PARTS

    monkeypatch.setattr(
        "benchmarks.load.__main__.PARTS", {"ceiling": broken, "search": PARTS["search"]}
    )
    with pytest.raises(SystemExit, match="failed: ceiling"):
        main(parts="ceiling,search", items=300, dim=8, seconds=0.2, out=tmp_path)
    (path,) = tmp_path.glob("load-*.json")
    told = json.loads(path.read_text())
    assert told["machine"]["packages"]["faiss-cpu"]
    assert told["scale"]["items"] == 300
    assert told["parts"]["ceiling"]["failed"] == "RuntimeError: no such luck"
    searched = told["parts"]["search"]["service, JSON"]
    assert searched["recall_at_10"] == 1.0
    assert set(searched["peaks"]) == {"1", "8", "32"}
    runs = [*searched["peaks"].values(), searched["at_60_percent"]]
    assert {status for run in runs for status in run["statuses"]} == {"200"}
    kept = {bar["bound"]: bar["kept"] for bar in told["parts"]["search"]["bars"]}
    assert kept[">= 0.99"]
    assert kept["<= 0"]
    assert "search: bars" in capsys.readouterr().out
