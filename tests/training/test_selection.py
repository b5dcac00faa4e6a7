from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from crossmodal.errors import ConfigError, DataError
from crossmodal.modality import Modality
from training.data import TrainingData
from training.methods.c_cca import ClusterCcaSettings
from training.methods.catalog import METHODS
from training.methods.method import flat_state
from training.methods.posterior_product import PosteriorSettings
from training.protocol.selection import expand, fit_method, joined, restore
from training.protocol.validation import score

A, V = Modality.AUDIO, Modality.VISUAL

MakeData = Callable[..., TrainingData]


def test_a_grid_is_tried_whole_and_its_best_candidate_chosen(make_data: MakeData) -> None:
    train, validation = make_data(0, noise=3.0), make_data(1, noise=3.0)
    overrides = {"k": "3", "scale": "none"}
    fitted = fit_method("c_cca", "tuned", overrides, train, validation)
    tried = fitted.selection["candidates"]
    ridges = METHODS["c_cca"].grids[0]["ridge"]
    assert [c["settings"] for c in tried] == [{"ridge": ridge} for ridge in ridges]
    for candidate in tried:
        alone = fit_method(
            "c_cca",
            "tuned",
            overrides | {"ridge": str(candidate["settings"]["ridge"])},
            train,
            None,
        )
        assert score(alone.towers, validation).mean == pytest.approx(candidate["score"])
    best = max(tried, key=lambda candidate: candidate["score"])
    assert fitted.selection["score"] == best["score"]
    assert isinstance(fitted.settings, ClusterCcaSettings)
    assert fitted.settings.ridge == best["settings"]["ridge"]


def test_closed_forms_are_fitted_again_on_train_and_validation(
    make_data: MakeData,
) -> None:
    train, validation = make_data(0), make_data(1)
    overrides = {"k": "2", "ridge": "0.1"}
    fitted = fit_method("cca", "tuned", overrides, train, validation)
    both = fit_method("cca", "tuned", overrides, joined(train, validation), None)
    assert fitted.fit_split == "train+val"
    for name, tensor in flat_state(fitted.towers).items():
        assert torch.equal(tensor, flat_state(both.towers)[name])


def test_networks_keep_their_best_epoch_and_stay_on_train(make_data: MakeData) -> None:
    train, validation = make_data(0), make_data(1)
    overrides = {"epochs": "6", "hidden": "8", "dim": "4", "items_per_class": "4"}
    fitted = fit_method("supcon", "tuned", overrides, train, validation)
    assert fitted.fit_split == "train"
    training = fitted.training
    assert training is not None
    scores = [record["validation"] for record in fitted.history]
    assert [record["epoch"] for record in fitted.history] == [1, 2, 3, 4, 5, 6]
    assert training.best_score == max(scores)
    assert training.best_epoch == 1 + scores.index(max(scores))
    assert training.last_score == scores[-1]
    assert score(fitted.towers, validation).mean == pytest.approx(max(scores))
    last = restore("supcon", fitted.settings.to_json(), fitted.problem, training.last_state)
    assert score(last, validation).mean == pytest.approx(scores[-1])


def test_without_validation_data_nothing_is_chosen(make_data: MakeData) -> None:
    fitted = fit_method("cca", "tuned", {"k": "3"}, make_data(0), None)
    assert fitted.selection["candidates"] == []
    assert fitted.settings == replace(METHODS["cca"].presets["tuned"], k=3)
    assert fitted.fit_split == "train"


def test_presets_other_than_tuned_are_taken_as_they_are(make_data: MakeData) -> None:
    fitted = fit_method("c_cca", "paper", {}, make_data(0), make_data(1))
    assert fitted.settings == METHODS["c_cca"].presets["paper"]
    assert [one["settings"] for one in fitted.selection["candidates"]] == [{}]
    assert any("only 3 of 7 components correlate" in note for note in fitted.notes)


def test_data_without_labels_is_chosen_on_by_reciprocal_rank(make_data: MakeData) -> None:
    train, validation = make_data(0, labeled=False), make_data(1, labeled=False)
    fitted = fit_method("cca", "tuned", {}, train, validation)
    assert fitted.selection["metric"] == "mean_reciprocal_rank"
    assert fitted.selection["score"] > 0.2  # chance is near 0.09
    assert fitted.pairs == "own"


@pytest.mark.parametrize("method", ["c_cca", "posterior_product"])
def test_methods_that_learn_from_labels_say_so(make_data: MakeData, method: str) -> None:
    data = make_data(0, labeled=False)
    with pytest.raises(DataError, match="class"):
        fit_method(method, "tuned", {}, data, None)


@pytest.mark.parametrize(
    ("method", "preset", "overrides", "message"),
    [
        ("nosuch", "tuned", {}, "unknown method 'nosuch': expected one of random, cca"),
        ("cca", "best", {}, "cca has no preset 'best': expected one of paper, tuned"),
        ("cca", "tuned", {"depth": "3"}, "unknown setting 'depth': expected one of k"),
        ("supcon", "tuned", {"eta": "-1"}, r"eta must be in \[0, 100\], got -1"),
    ],
)
def test_every_wrong_name_is_reported(
    make_data: MakeData,
    method: str,
    preset: str,
    overrides: dict[str, str],
    message: str,
) -> None:
    with pytest.raises(ConfigError, match=message):
        fit_method(method, preset, overrides, make_data(0), None)


def test_alternative_grids_are_expanded_each_by_itself() -> None:
    grids = ({"classifier": ("logistic",), "c": (0.1, 1.0)}, {"classifier": ("mlp",)})
    start = PosteriorSettings(c=0.5)

    def names(fixed: list[str], settings: PosteriorSettings = start) -> list[tuple]:
        return [(s.classifier, s.c) for s in expand(settings, grids, fixed)]

    assert names([]) == [("logistic", 0.1), ("logistic", 1.0), ("mlp", 0.5)]
    assert names(["c"]) == [("logistic", 0.5), ("mlp", 0.5)]
    only_networks = replace(start, classifier="mlp")
    assert names(["classifier"], only_networks) == [("mlp", 0.5)]
    assert names(["classifier", "c"]) == [("logistic", 0.5)]


def test_joined_splits_keep_rows_pairs_and_names_together(make_data: MakeData) -> None:
    one, other = make_data(0, per_class=2), make_data(1, per_class=3)
    both = joined(one, other)
    assert both.pairs is not None
    assert other.pairs is not None
    for modality in (A, V):
        rows = both.pairs[modality][8:]
        np.testing.assert_array_equal(
            both.features[modality][rows], other.features[modality][other.pairs[modality]]
        )
        assert list(both.ids[modality]) == [*one.ids[modality], *other.ids[modality]]
        assert len(both.labels[modality]) == 20
