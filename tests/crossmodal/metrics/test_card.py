from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import mean, median

import numpy as np
import pytest

from crossmodal.embeddings import normalize
from crossmodal.errors import DataError, ModalityError, ShapeError
from crossmodal.metrics import kernels, measure
from crossmodal.metrics.card import (
    DirectionReport,
    Judged,
    asymmetry,
    evaluate,
    evaluate_direction,
)
from crossmodal.modality import Direction, Modality, parse_direction

AUDIO, VISUAL, TEXT = Modality.AUDIO, Modality.VISUAL, Modality.TEXT
A2V, A2A = Direction(AUDIO, VISUAL), Direction(AUDIO, AUDIO)
KEYS = (
    "mean_average_precision",
    "mean_average_precision_without_own_pair",
    "random_mean_average_precision",
    "recall_at_1",
    "recall_at_5",
    "recall_at_10",
    "median_rank",
    "mean_rank",
    "mean_reciprocal_rank",
    "queries",
    "gallery",
    "queries_without_relevant",
)

Make = Callable[[np.random.Generator, int], np.ndarray]


def continuous(rng: np.random.Generator, rows: int) -> np.ndarray:
    return normalize(rng.standard_normal((rows, 5)).astype(np.float32))


def sign_codes(rng: np.random.Generator, rows: int) -> np.ndarray:
    return (np.sign(rng.standard_normal((rows, 5))) / np.sqrt(5)).astype(np.float32)


def scene(make: Make, rows: int = 60, seed: int = 0) -> dict[Modality, Judged]:
    """Labels and pairs with holes, in another order and number on each side."""
    rng = np.random.default_rng(seed)
    sides = {}
    for modality, count in ((AUDIO, rows), (VISUAL, rows - 7)):
        labels = [None if n % 11 == 0 else f"class{n % 4}" for n in range(count)]
        pairs = [None if n % 5 == 0 else f"clip{n % (rows - 9)}" for n in range(count)]
        order = rng.permutation(count)
        sides[modality] = Judged(
            [f"{modality}{n}" for n in order],
            make(rng, count),
            [labels[n] for n in order],
            [pairs[n] for n in order],
        )
    return sides


def keys(column: Sequence[str | None] | None, rows: int) -> list[str | None]:
    return [None] * rows if column is None else list(column)


def measured(
    score: np.ndarray, kernel: Callable, relevant: np.ndarray, there: np.ndarray, *k: int
) -> float:
    rows = np.flatnonzero(there)
    rows = rows[np.argsort(-score[rows], kind="stable")]
    tie = np.unique(-score[rows], return_inverse=True)[1]
    return kernel(relevant[rows], *k, tie_group=tie)


def slowly(
    query: Judged, gallery: Judged, *, within: bool, mask: Sequence[int] = ()
) -> dict:
    """The summary by one sort and one kernel call per query."""
    values: dict[str, list[float]] = {key: [] for key in KEYS[:9]}
    unanswered = 0
    queries = query.embeddings.astype(np.float64)
    queries[:, list(mask)] = 0
    labels, pairs = (
        np.array(keys(column, len(gallery)), dtype=object)
        for column in (gallery.labels, gallery.pairs)
    )
    for row, item in enumerate(query.ids):
        label, pair = (keys(c, len(query))[row] for c in (query.labels, query.pairs))
        there = np.array([not (within and other == item) for other in gallery.ids])
        score = np.round(gallery.embeddings.astype(np.float64) @ queries[row], 9)
        same = there & (labels == label) & (label is not None)
        partner = there & (pairs == pair) & (pair is not None)

        call = partial(measured, score)
        if same.any():
            values[KEYS[0]].append(call(kernels.average_precision, same, there))
            n, r = int(there.sum()), int(same.sum())
            h = sum(1 / i for i in range(1, n + 1))
            values[KEYS[2]].append(((r - 1) / (n - 1) * (n - h) + h) / n)
        else:
            unanswered += 1
        if (same & ~partner).any():
            alone = there & ~partner
            values[KEYS[1]].append(call(kernels.average_precision, same & alone, alone))
        if partner.any():
            for k in (1, 5, 10):
                found = call(kernels.recall_at_k, partner, there, k)
                values[f"recall_at_{k}"].append(found)
            values["mean_rank"].append(call(kernels.first_relevant_rank, partner, there))
            values["mean_reciprocal_rank"].append(
                call(kernels.reciprocal_rank, partner, there)
            )
    values["median_rank"] = [median(values["mean_rank"])] if values["mean_rank"] else []
    figures: dict = {key: mean(found) if found else None for key, found in values.items()}
    if not values["mean_rank"]:
        figures[KEYS[1]] = None
    figures["queries"], figures["queries_without_relevant"] = len(query), unanswered
    figures["gallery"] = max(
        len(gallery) - (within and item in gallery.ids) for item in query.ids
    )
    return figures


def assert_same(summary: dict, expected: dict) -> None:
    assert set(summary) == set(expected)
    for key, value in expected.items():
        assert summary[key] == (
            None if value is None else pytest.approx(value, abs=1e-12)
        ), key


@pytest.mark.parametrize("make", [continuous, sign_codes])
@pytest.mark.parametrize(
    "name", ["audio2visual", "visual2audio", "audio2audio", "visual2visual"]
)
def test_the_summary_is_what_one_query_at_a_time_gives(make: Make, name: str) -> None:
    sides, direction = scene(make), parse_direction(name)
    mask = (1, 3) if direction.within else ()
    report = evaluate(sides, [direction], same_modality_mask=(1, 3))[direction]
    expected = slowly(
        sides[direction.query], sides[direction.gallery], within=direction.within, mask=mask
    )
    assert tuple(report.summary()) == KEYS
    assert_same(report.summary(), expected)


@pytest.mark.parametrize("make", [continuous, sign_codes])
def test_block_sizes_change_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = scene(make)
    whole = evaluate_direction(A2V, sides[AUDIO], sides[VISUAL])
    monkeypatch.setattr(measure, "PIECE_SCORES", 1900)
    monkeypatch.setattr(measure, "FEWEST_MULTIPLIED", 1)
    monkeypatch.setattr(measure, "BLOCK_SCORES", 1)
    monkeypatch.setattr(measure, "FEWEST_RANKED", 1)
    pieces = evaluate_direction(A2V, sides[AUDIO], sides[VISUAL])
    assert_same(pieces.summary(), whole.summary())
    assert np.array_equal(pieces.average_precision, whole.average_precision, equal_nan=True)
    ours, theirs = pieces.curves(), whole.curves()
    assert ours["precision_recall_101_point"] == pytest.approx(
        theirs["precision_recall_101_point"], abs=1e-12
    )
    assert ours["confusion"]["classes"] == theirs["confusion"]["classes"]
    for kind in ("top_r", "top_1"):
        assert np.allclose(ours["confusion"][kind], theirs["confusion"][kind], atol=1e-12)


def shuffled(judged: Judged, order: np.ndarray) -> Judged:
    return Judged(
        [judged.ids[row] for row in order],
        judged.embeddings[order],
        [keys(judged.labels, len(judged))[row] for row in order],
        [keys(judged.pairs, len(judged))[row] for row in order],
    )


@pytest.mark.parametrize("make", [continuous, sign_codes])
@pytest.mark.parametrize("sort", [True, False])
def test_the_order_of_the_gallery_changes_nothing(make: Make, sort: bool) -> None:
    sides = scene(make)
    gallery = sides[VISUAL]
    order = (
        np.argsort([label or "" for label in keys(gallery.labels, len(gallery))])
        if sort
        else np.random.default_rng(9).permutation(len(gallery))
    )
    report = evaluate_direction(A2V, sides[AUDIO], gallery)
    other = evaluate_direction(A2V, sides[AUDIO], shuffled(gallery, order))
    assert_same(other.summary(), report.summary())
    assert other.average_precision == pytest.approx(
        report.average_precision, abs=1e-12, nan_ok=True
    )


def test_codes_that_all_tie_score_what_random_rankings_expect() -> None:
    rows = 40
    same = np.tile(np.float32([0.6, 0.8]), (rows, 1))
    labels = ["rare"] * 4 + ["common"] * 36
    judged = Judged(
        [f"i{n}" for n in range(rows)], same, labels, [f"p{n}" for n in range(rows)]
    )
    report = evaluate_direction(A2V, judged, judged)
    summary = report.summary()
    assert report.lift == pytest.approx(1)
    assert summary["median_rank"] == pytest.approx((rows + 1) / 2)
    assert summary["recall_at_10"] == pytest.approx(10 / rows)
    assert report.curves()["random"] == pytest.approx(
        {key: summary[key] for key in KEYS[3:9]}, abs=1e-12
    )


def test_the_random_baseline_is_the_oracles_and_the_mean_of_simulated_rankings() -> None:
    rng = np.random.default_rng(4)
    labels = ["a"] * 6 + ["b"] * 14 + ["c"] * 30
    ids = [f"i{n}" for n in range(50)]
    judged = Judged(ids, continuous(rng, 50), labels)
    baseline = evaluate_direction(A2V, judged, judged).random_mean_average_precision
    n, h = 50, sum(1 / i for i in range(1, 51))
    oracle = mean((((labels.count(c) - 1) / (n - 1)) * (n - h) + h) / n for c in labels)
    assert baseline == pytest.approx(oracle, abs=1e-12)
    simulated = [
        evaluate_direction(
            A2V, judged, Judged(ids, continuous(rng, 50), labels)
        ).mean_average_precision
        for _ in range(60)
    ]
    error = np.std(simulated) / np.sqrt(len(simulated))
    assert abs(np.mean(simulated) - baseline) < 4 * error
    assert error < 0.003


def test_perfect_embeddings_score_one_in_every_direction() -> None:
    labels = [f"c{n % 6}" for n in range(30)]
    corners = np.eye(6, dtype=np.float32)[[n % 6 for n in range(30)]]
    ids = [f"i{n}" for n in range(30)]
    judged = Judged(ids, corners, labels)
    sides = dict.fromkeys((AUDIO, VISUAL, TEXT), judged)
    names = [Direction(query, gallery) for query in sides for gallery in sides]
    reports = evaluate(sides, names)
    assert len(reports) == 9
    for report in reports.values():
        assert report.mean_average_precision == pytest.approx(1, abs=1e-12)
        assert report.curves()["precision_recall_11_point"] == pytest.approx([1] * 11)
        assert np.allclose(report.curves()["confusion"]["top_r"], np.eye(6))


def test_a_perfect_ranking_with_negative_scores_scores_one() -> None:
    query = Judged(["q"], np.float32([[1, 0]]), ["dog"])
    angles = np.radians([100, 110, 150, 179])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    gallery = Judged(list("wxyz"), rows, ["dog", "dog", "cat", "cat"])
    assert evaluate_direction(A2V, query, gallery).mean_average_precision == 1


def test_identical_pairs_are_found_first() -> None:
    rng = np.random.default_rng(0)
    ids = [f"i{n}" for n in range(25)]
    judged = Judged(ids, continuous(rng, 25), pairs=ids)
    summary = evaluate_direction(A2V, judged, judged).summary()
    assert summary["recall_at_1"] == 1
    assert (
        summary["median_rank"]
        == summary["mean_rank"]
        == summary["mean_reciprocal_rank"]
        == 1
    )
    assert summary["mean_average_precision"] is None
    assert summary["queries_without_relevant"] == 25


def test_without_labels_or_pairs_the_figures_that_need_them_are_none() -> None:
    rng = np.random.default_rng(0)
    bare = Judged(list("abc"), continuous(rng, 3))
    report = evaluate_direction(A2V, bare, bare)
    assert all(report.summary()[key] is None for key in KEYS[:9])
    curves = report.curves()
    assert curves["precision_scope"] is None
    assert curves["confusion"] is None
    assert curves["hubness"]["share_never_retrieved"] == 0
    json.dumps(curves, allow_nan=False)


def test_class_paired_data_has_no_instance_figures() -> None:
    sides = {
        side: replace(judged, pairs=None) for side, judged in scene(continuous).items()
    }
    summary = evaluate_direction(A2V, sides[AUDIO], sides[VISUAL]).summary()
    assert summary["mean_average_precision"] > 0
    assert all(summary[key] is None for key in (KEYS[1], *KEYS[3:9]))


def test_the_own_pair_counts_with_and_is_gone_without() -> None:
    rows = np.float32([[1, 0], [0.8, 0.6], [0, 1]])
    query = Judged(["q"], rows[:1], ["dog"], ["clip"])
    gallery = Judged(list("xyz"), rows, ["dog", "cat", "dog"], ["clip", None, None])
    summary = evaluate_direction(A2V, query, gallery).summary()
    assert summary["mean_average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert summary["mean_average_precision_without_own_pair"] == pytest.approx(1 / 2)


def test_a_query_whose_class_the_gallery_lacks_is_counted_and_not_scored() -> None:
    rows = np.eye(2, dtype=np.float32)
    query = Judged(["p", "q"], rows, ["dog", "bird"])
    gallery = Judged(["x", "y"], rows, ["dog", "cat"])
    report = evaluate_direction(A2V, query, gallery)
    assert report.summary()["queries_without_relevant"] == 1
    assert report.summary()["mean_average_precision"] == 1
    assert np.isnan(report.average_precision).tolist() == [False, True]
    assert report.curves()["average_precision_by_class"] == {"bird": None, "dog": 1.0}


def test_inside_a_modality_a_lone_item_has_nothing_to_rank() -> None:
    one = Judged(["x"], np.float32([[1, 0]]), ["dog"], ["clip"])
    summary = evaluate_direction(A2A, one, one).summary()
    assert summary["gallery"] == 0
    assert summary["mean_average_precision"] is None
    json.dumps(evaluate_direction(A2A, one, one).curves(), allow_nan=False)


def test_across_modalities_an_item_of_the_same_id_is_the_answer() -> None:
    judged = Judged(["x", "y"], np.eye(2, dtype=np.float32), ["dog", "cat"], ["x", "y"])
    assert evaluate_direction(A2V, judged, judged).summary()["recall_at_1"] == 1
    assert evaluate_direction(A2A, judged, judged).summary()["recall_at_1"] is None


def test_the_mask_leaves_directions_across_modalities_alone() -> None:
    sides = scene(continuous)
    plain = evaluate_direction(A2V, sides[AUDIO], sides[VISUAL])
    masked = evaluate_direction(A2V, sides[AUDIO], sides[VISUAL], same_modality_mask=(0, 1))
    assert masked.summary() == plain.summary()


def test_judgments_are_the_relevance_of_every_figure() -> None:
    rows = np.float32([[1, 0], [0.8, 0.6], [0, 1]])
    query = Judged(["p", "q"], rows[:2], ["dog", "dog"], ["clip", None])
    gallery = Judged(list("xyz"), rows, ["dog"] * 3, ["clip", None, None])
    report = evaluate_direction(A2V, query, gallery, qrels={"p": ["y", "z"]})
    summary = report.summary()
    assert summary["mean_average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert summary["mean_average_precision_without_own_pair"] is None
    assert summary["median_rank"] == 2
    assert summary["recall_at_5"] == 1
    assert summary["queries_without_relevant"] == 1
    assert report.curves()["relevance"] == "judged"


@pytest.mark.parametrize(
    ("modalities", "expected"),
    [
        ([AUDIO], ["audio2audio"]),
        ([AUDIO, VISUAL], ["audio2visual", "visual2audio"]),
        (
            [AUDIO, VISUAL, TEXT],
            ["audio2text", "audio2visual", "text2audio", "text2visual", "visual2audio",
             "visual2text"],
        ),
    ],
)  # fmt: skip
def test_default_directions_follow_the_modalities(
    modalities: list[Modality], expected: list[str]
) -> None:
    rng = np.random.default_rng(0)
    sides = {
        m: Judged(list("abcd"), continuous(rng, 4), ["x", "x", "y", "y"])
        for m in modalities
    }
    assert [str(direction) for direction in evaluate(sides)] == expected


def test_asymmetry_is_the_first_directions_lead_over_its_reverse() -> None:
    reports = evaluate(scene(continuous))
    lead = (
        reports[A2V].mean_average_precision
        - reports[Direction(VISUAL, AUDIO)].mean_average_precision
    )
    assert lead != 0
    assert asymmetry(reports) == {"audio2visual": pytest.approx(lead)}
    assert asymmetry({A2V: reports[A2V]}) == {}


def test_everything_reported_is_json() -> None:
    for direction, report in evaluate(scene(continuous), [A2V, A2A]).items():
        assert isinstance(report, DirectionReport)
        text = json.dumps([report.summary(), report.curves()], allow_nan=False)
        assert json.loads(text)[0]["queries"] == 60, direction


def test_a_direction_without_its_modality_raises() -> None:
    with pytest.raises(
        ModalityError, match=r"audio2text needs text embeddings, got .* visual"
    ):
        evaluate(scene(continuous), [Direction(AUDIO, TEXT)])


def test_an_empty_gallery_raises() -> None:
    sides = scene(continuous)
    with pytest.raises(DataError, match="got 60 queries and 0 gallery rows"):
        evaluate_direction(A2V, sides[AUDIO], Judged([], np.zeros((0, 5), np.float32)))


def test_embeddings_of_two_dims_raise() -> None:
    sides = scene(continuous)
    narrow = Judged(["x"], np.float32([[1, 0]]))
    with pytest.raises(ShapeError, match="got 2 for the queries and 5 for the gallery"):
        evaluate_direction(A2V, narrow, sides[VISUAL])


def test_a_mask_beyond_the_dims_raises() -> None:
    sides = scene(continuous)
    with pytest.raises(ShapeError, match=r"dims below 5, got \[5\]"):
        evaluate(sides, [A2A], same_modality_mask=[5])


def test_more_classes_than_a_matrix_shows_leave_out_the_confusion_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sides = scene(continuous)
    whole = evaluate_direction(A2V, sides[AUDIO], sides[VISUAL])
    monkeypatch.setattr(measure, "MOST_CLASSES", 3)
    report = evaluate_direction(A2V, sides[AUDIO], sides[VISUAL])
    assert report.curves()["confusion"] is None
    assert report.summary() == whole.summary()
