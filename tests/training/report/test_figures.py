"""What figures are made of: which items, which queries, which order."""

import numpy as np
import pytest

from crossmodal.modality import Modality
from training.compare.results import Items, Results
from training.compare.rows import HEADLINE, MEAN
from training.report import hits, maps
from training.report.losses import per_epoch
from training.report.searches import searched
from training.report.standing import Standing, number

A, V = Modality.AUDIO, Modality.VISUAL


def items(labels: list[str], prefix: str, *, paired: bool = True) -> Items:
    count = range(len(labels))
    return Items(
        id=tuple(f"{prefix}{n}" for n in count),
        label=tuple(labels),
        pair=tuple(f"clip{n}" if paired else "" for n in count),
    )


def test_entries_stand_by_their_mean_score(results: Results) -> None:
    standing = Standing(results)
    scores = {
        entry["name"]: next(
            row["mean"]
            for row in results.rows
            if row["method"] == entry["method"]
            and row["preset"] == entry["preset"]
            and (row["direction"], row["metric"]) == (MEAN, HEADLINE)
        )
        for entry in results.card["entries"]
        if entry["status"] == "ok"
    }
    assert list(standing.ranked) == sorted(scores, key=lambda name: -scores[name])
    assert "random" not in standing.best(3)
    assert standing.shown[-1] == "random"
    assert number(None) == "-"


def test_maps_show_both_members_of_a_pair_and_every_class() -> None:
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    audio, visual = items(labels, "x"), items(labels, "y")
    rows = maps.choose(audio, 20)
    np.testing.assert_array_equal(rows, maps.choose(visual, 20))
    shown = [labels[row] for row in rows]
    assert {name: shown.count(name) for name in "abc"} == {"a": 12, "b": 6, "c": 2}
    assert list(rows) == sorted(set(rows.tolist()))


def test_few_items_are_all_shown() -> None:
    rows = maps.choose(items(["a", "b", "a"], "x", paired=False), 20)
    assert rows.tolist() == [0, 1, 2]


def test_map_is_the_same_every_time_and_keeps_neighbors_together() -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(15, 5)), rng.normal(size=(15, 5)) + 20])
    plane = maps.embed_plane(rows)
    np.testing.assert_array_equal(plane, maps.embed_plane(rows))
    gaps = np.linalg.norm(plane[:, None] - plane[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    assert ((gaps.argmin(axis=1) < 15) == (np.arange(30) < 15)).all()


def test_joint_map_takes_features_of_different_widths() -> None:
    rng = np.random.default_rng(0)
    planes = maps.together({A: rng.normal(size=(9, 4)), V: rng.normal(size=(7, 6))})
    assert {m: plane.shape for m, plane in planes.items()} == {A: (9, 2), V: (7, 2)}


def test_queries_are_chosen_at_quantiles_of_their_precision() -> None:
    precision = np.array([0.5, np.nan, 0.1, 0.9, 0.3, 0.7])
    chosen = {which: precision[row] for which, row in hits.choose(precision).items()}
    assert chosen == {"best": 0.9, "good": 0.7, "median": 0.5, "poor": 0.3, "worst": 0.1}
    assert hits.choose(np.array([np.nan])) == {}


def test_first_hits_are_those_of_the_highest_inner_product() -> None:
    rng = np.random.default_rng(0)
    query, gallery = rng.normal(size=(1, 4)), rng.normal(size=(30, 4))
    by_hand = sorted(range(30), key=lambda row: -float(gallery[row] @ query[0]))[:5]
    assert hits.first_rows(query, gallery, 5).tolist() == by_hand


def test_only_records_of_epochs_are_drawn() -> None:
    records = [{"candidate": 1}, {"epoch": 1, "loss": 2.0}, {"epoch": "all"}]
    assert per_epoch(records) == [{"epoch": 1, "loss": 2.0}]


def test_searches_of_all_seeds_become_trials(results: Results) -> None:
    trials = searched(Standing(results), "c_cca")
    assert trials is not None
    candidates = [few for _, few in results.candidates("c_cca")]
    assert len(candidates) == 2
    assert len(trials.trials) == len(candidates[0])
    assert {trial.fits for trial in trials.trials} == {2}
    expected = np.mean([few[0]["score"] for few in candidates])
    assert trials.trials[0].score == pytest.approx(expected)
    assert searched(Standing(results), "cca@paper") is None
