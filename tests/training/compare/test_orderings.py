"""Verdicts on results made by hand, where they are known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.compare.made import DIRECTIONS, request, standing, unit_keys
from training.compare.claim import CHAIN, FIRST, Claim
from training.compare.claim_tables import claim_notes, claim_tables
from training.compare.orderings import (
    HOLDS,
    NOT_RUN,
    NOT_SHOWN,
    REVERSED,
    claim_verdict,
    judge,
)

QUERIES = 60
KEYS = unit_keys(QUERIES, QUERIES)


def claim(*order: str, shape: str = CHAIN) -> Claim:
    scope = {"VEGAS": tuple(0.9 - n / 10 for n in range(len(order)))}
    return Claim(
        key="-".join(order), source="s", statement="a claim", order=order, scope=scope,
        shape=shape,
    )  # fmt: skip


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., Any]:
    """Entries by name and, per seed, how far their AP lies above a common base."""
    rng = np.random.default_rng(0)
    base = {d: 0.2 + 0.5 * rng.random(QUERIES) for d in DIRECTIONS}

    def run(
        lifts: dict[str, list[float | str]],
        *claims: Claim,
        noise: float = 0.05,
        **fields: Any,
    ) -> dict[str, Any]:
        standings = []
        for name, of_seeds in lifts.items():
            jobs = [
                lift
                if isinstance(lift, str)
                else {
                    d: base[d] + lift + noise * rng.standard_normal(QUERIES)
                    for d in DIRECTIONS
                }
                for lift in of_seeds
            ]
            standings.append(standing(tmp_path, name, jobs))
        asked = request("random," + ",".join(lifts), **fields)
        standings.insert(0, standing(tmp_path, "random", ["not asked"]))
        return judge(claims, asked, standings, DIRECTIONS, KEYS)

    return run


@pytest.mark.parametrize(
    ("better", "worse", "verdict"),
    [
        ([0.1, 0.1, 0.1], [0.0, 0.0, 0.0], HOLDS),
        ([0.0, 0.0, 0.0], [0.1, 0.1, 0.1], REVERSED),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], NOT_SHOWN),
        ([0.5, -0.2, 0.1], [0.0, 0.0, 0.0], NOT_SHOWN),  # sure of queries, not of seeds
        ([0.1], [0.0], HOLDS),
    ],
)
def test_a_verdict_takes_queries_and_seeds(
    judged: Callable[..., Any], better: list[float], worse: list[float], verdict: str
) -> None:
    found = judged({"c_cca": better, "cca": worse}, claim("c_cca", "cca"))
    (one,) = found["claims"]
    (step,) = one["steps"]
    assert (one["verdict"], step["verdict"]) == (verdict, verdict)
    assert step["difference"] == pytest.approx(np.mean(better) - np.mean(worse), abs=0.02)
    assert len(step["by_seed"]) == len(better)
    if len(better) == 3 and better[0] == 0.5:
        assert step["p_value"] < 0.05


def test_noise_over_queries_alone_is_not_shown(judged: Callable[..., Any]) -> None:
    lifts = {"c_cca": [0.004] * 3, "cca": [0.0] * 3}
    found = judged(lifts, claim("c_cca", "cca"), noise=0.3)
    assert found["claims"][0]["steps"][0]["p_value"] > 0.05
    assert found["claims"][0]["verdict"] == NOT_SHOWN


def test_a_chain_is_of_neighbors_and_first_of_the_first(judged: Callable[..., Any]) -> None:
    lifts = {"c_cca": [0.3] * 2, "cca": [0.0] * 2, "kcca": [0.1] * 2}
    order = ("c_cca", "cca", "kcca")
    chain, first = judged(lifts, claim(*order), claim(*order, shape=FIRST))["claims"]
    assert [(s["better"], s["worse"], s["verdict"]) for s in chain["steps"]] == [
        ("c_cca", "cca", HOLDS),
        ("cca", "kcca", REVERSED),
    ]
    assert chain["verdict"] == REVERSED
    assert [(s["better"], s["worse"]) for s in first["steps"]] == [
        ("c_cca", "cca"),
        ("c_cca", "kcca"),
    ]
    assert first["verdict"] == HOLDS


def test_all_steps_make_a_claim_hold_and_one_reverses_it() -> None:
    assert claim_verdict([HOLDS, HOLDS]) == HOLDS
    assert claim_verdict([HOLDS, NOT_SHOWN]) == NOT_SHOWN
    assert claim_verdict([HOLDS, NOT_SHOWN, REVERSED]) == REVERSED
    assert claim_verdict([NOT_SHOWN]) == NOT_SHOWN


def test_claims_of_other_entries_are_left_out_and_of_failed_ones_not_run(
    judged: Callable[..., Any],
) -> None:
    lifts = {"c_cca": [0.1, 0.1], "cca": [0.0, "memory"], "kcca": [0.0, 0.0]}
    claims = [claim("c_cca", "dcca"), claim("c_cca", "cca"), claim("c_cca", "kcca")]
    found = judged(lifts, *claims)
    assert found["left_out"] == ["c_cca-dcca"]
    failed, fine = found["claims"]
    assert (failed["verdict"], failed["steps"]) == (NOT_RUN, [])
    assert failed["reason"] == "cca: incomplete: 1 of 2 fits: memory"
    assert (fine["verdict"], fine["reason"]) == (HOLDS, None)


def test_variants_are_found_by_what_they_are(judged: Callable[..., Any]) -> None:
    lifts = {"eics": [0.1, 0.1], "eics:space=explicit": [0.0, 0.0]}
    wanted = claim("eics:space=both", "eics:space=explicit")
    assert judged(lifts, wanted)["claims"][0]["order"] == list(lifts)
    changed = judged(lifts, wanted, overrides={"eics": {"space": "implicit"}})
    assert changed["left_out"] == [wanted.key]


def test_tables_say_what_is_claimed_shown_and_missing(judged: Callable[..., Any]) -> None:
    lifts = {"c_cca": [0.1, 0.1], "cca": [0.0, 0.0], "kcca": ["memory", "memory"]}
    claims = [claim("c_cca", "cca"), claim("cca", "kcca"), claim("cca", "dcca")]
    found = judged(lifts, *claims)
    first, second = claim_tables(found)
    assert first.lines == [
        ["a claim", "c_cca > cca", "s", "VEGAS 0.900, 0.800", HOLDS],
        ["a claim", "cca > kcca", "s", "VEGAS 0.900, 0.800", NOT_RUN],
    ]
    (line,) = second.lines
    assert line[:2] == ["c_cca", "cca"]
    assert float(line[2]) == pytest.approx(0.1, abs=0.02)
    assert line[2].startswith("+")
    assert line[-2:] == ["2 of 2", HOLDS]
    card = {
        "data": {"name": "made"},
        "request": {"preset": "tuned", "seeds": [0]},
        "entries": [{"pairs": "drawn"}],
    }
    text = "\n".join(claim_notes(found, card))
    for part in (
        "p < 0.05",
        "here it is made with the settings of preset tuned",
        "There is one seed",
        "pairs drawn within a class",
        "Not run: a claim (kcca: failed: memory)",
        "1 more claims",
    ):
        assert part in text
    assert claim_tables({"claims": [], "left_out": ["x"]}) == []


def test_a_verdict_of_queries_alone_would_be_caught(
    judged: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lifts = {"c_cca": [0.5, -0.2, 0.1], "cca": [0.0, 0.0, 0.0]}
    assert judged(lifts, claim("c_cca", "cca"))["claims"][0]["verdict"] == NOT_SHOWN
    monkeypatch.setattr("training.compare.paired.t_interval", lambda values: None)
    assert judged(lifts, claim("c_cca", "cca"))["claims"][0]["verdict"] == HOLDS
