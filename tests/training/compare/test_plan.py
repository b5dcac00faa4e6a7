from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crossmodal.errors import ConfigError
from crossmodal.modality import Modality
from training.compare.plan import plan_jobs, starting_settings
from training.compare.provenance import made_by
from training.compare.request import CompareRequest, parse_entries
from training.methods.method import Problem

PROBLEM = Problem({Modality.AUDIO: 4, Modality.VISUAL: 5}, 3)


def request(methods: str, **fields: Any) -> CompareRequest:
    given = {"seeds": (0, 1), "overrides": {}} | fields
    return CompareRequest(
        data=Path("f.h5"), entries=parse_entries(methods, "tuned"), **given
    )


def test_first_seeds_come_first_and_only_they_keep_embeddings() -> None:
    jobs, refusals = plan_jobs(request("cca", folds=2), PROBLEM)
    assert refusals == []
    assert [(j.seed, j.fold, j.entry, j.detail) for j in jobs] == [
        (seed, fold, entry, seed == 0)
        for seed in (0, 1)
        for fold in (1, 2)
        for entry in ("random", "cca")
    ]


def test_a_preset_of_two_models_is_one_job_per_direction() -> None:
    jobs, _ = plan_jobs(request("tnn@paper", seeds=(0,)), PROBLEM)
    of_tnn = [job for job in jobs if job.method == "tnn"]
    assert [job.direction for job in of_tnn] == ["audio2visual", "visual2audio"]
    anchors = [starting_settings(job).to_json()["anchor"] for job in of_tnn]
    assert len(set(anchors)) == 2
    assert "each" not in anchors


def test_an_entry_without_the_preset_is_refused_with_the_reason() -> None:
    jobs, refusals = plan_jobs(request("cca@as_coded"), PROBLEM)
    assert {job.entry for job in jobs} == {"random"}
    assert [(r.entry.name, r.reason) for r in refusals] == [
        ("cca@as_coded", "has no preset as_coded")
    ]


def test_wrong_settings_are_reported_before_anything_runs() -> None:
    with pytest.raises(ConfigError, match="--set cca: unknown setting 'x'"):
        plan_jobs(request("cca", overrides={"cca": {"x": "1"}}), PROBLEM)


def test_settings_of_an_entry_go_before_those_of_its_method() -> None:
    asked = request(
        "cca:k=3,cca,cca@paper:scale=rho:k=4",
        overrides={"cca": {"k": "7", "ridge": "0.5"}},
        seeds=(0,),
    )
    jobs, _ = plan_jobs(asked, PROBLEM)
    settings = {job.entry: starting_settings(job).to_json() for job in jobs[1:]}
    assert {n: (s["k"], s["ridge"], s["scale"]) for n, s in settings.items()} == {
        "cca:k=3": (3, 0.5, "none"),
        "cca": (7, 0.5, "none"),
        "cca@paper:k=4:scale=rho": (4, 0.5, "rho"),
    }


def test_the_key_changes_with_all_that_an_outcome_depends_on() -> None:
    (_, job, *_), _ = plan_jobs(request("cca"), PROBLEM)
    key = job.key("data", "code")
    assert key == replace(job).key("data", "code")
    others = [
        job.key("other data", "code"),
        job.key("data", "other code"),
        *(
            replace(job, **change).key("data", "code")
            for change in (
                {"seed": 1},
                {"fold": 1, "folds": 2},
                {"overrides": {"k": "3"}},
                {"preset": "paper"},
                {"tune": 3},
                {"split": "val"},
                {"detail": False},
            )
        ),
    ]
    assert len({key, *others}) == 1 + len(others)


def test_code_is_told_apart_by_what_a_method_imports() -> None:
    assert made_by("cca") == made_by("cca")
    assert made_by("cca") != made_by("supcon")
