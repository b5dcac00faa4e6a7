from collections import Counter

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from crossmodal.errors import ConfigError
from crossmodal.features import FeaturesFile
from crossmodal.modality import Modality
from training.datasets.shapes import SHAPES
from training.demo.features import Difficulty, bayes_accuracy, make_features

A, V = Modality.AUDIO, Modality.VISUAL
VEGAS = SHAPES["vegas"]


def accuracy(data: FeaturesFile, modality: Modality) -> float:
    rows = data.modalities[modality]
    train, test = rows.split == "train", rows.split == "test"
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=1e-3)
    model.fit(rows.features[train], rows.label[train])
    return float(model.score(rows.features[test], rows.label[test]))


def made(items: int = 3000, **difficulty: float) -> FeaturesFile:
    return make_features(VEGAS, Difficulty(**difficulty), items=items)


def test_sizes_are_those_of_vegas_exactly() -> None:
    data = make_features(VEGAS, Difficulty())
    for modality, width in ((A, 128), (V, 1024)):
        rows = data.modalities[modality]
        assert rows.features.shape == (28_103, width)
        assert rows.features.dtype == np.float32
        assert Counter(rows.split) == {"train": 22_482, "test": 5_621}
        assert list(rows.pair) == list(data.modalities[A].id)
    sizes = Counter(data.modalities[A].label)
    assert set(sizes) == set(VEGAS.classes)
    assert max(sizes.values()) > 2 * min(sizes.values())


def test_fewer_items_keep_the_proportion_of_train_to_test() -> None:
    rows = made(items=281).modalities[A]
    assert Counter(rows.split) == {"train": 225, "test": 56}
    assert set(rows.label[rows.split == "test"]) == set(VEGAS.classes)


def test_same_seed_gives_the_same_rows_and_another_seed_does_not() -> None:
    first, again = (make_features(VEGAS, Difficulty(), items=300, seed=4) for _ in range(2))
    other = make_features(VEGAS, Difficulty(), items=300, seed=5)
    for modality in (A, V):
        rows = first.modalities[modality].features
        np.testing.assert_array_equal(rows, again.modalities[modality].features)
        assert not np.array_equal(rows, other.modalities[modality].features)


def test_rows_are_not_sorted_by_class() -> None:
    labels = made(items=600).modalities[A].label
    assert (labels[1:] != labels[:-1]).mean() > 0.8


def test_bayes_accuracy_of_two_classes_is_that_of_the_textbook() -> None:
    # two normal classes d apart: the midpoint errs with probability 1 - Phi(d / 2)
    assert bayes_accuracy(2.0, 2) == pytest.approx(0.8413447, abs=1e-6)
    assert bayes_accuracy(0.0, 10) == pytest.approx(0.1, abs=1e-6)


def test_sound_is_classified_as_well_as_its_separation_allows() -> None:
    for separation in (1.5, 3.0):
        data = made(9000, audio_separation=separation, modes=1, label_noise=0.0)
        # sizes differ, which helps the classifier a little; 128 dims cost it a little
        expected = bayes_accuracy(separation, 10)
        assert accuracy(data, A) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("modality", "harder"),
    [
        (A, {"audio_separation": 3.0}),
        (V, {"visual_separation": 3.0}),
        (A, {"modes": 6}),
        (A, {"label_noise": 0.4}),
    ],
)
def test_harder_settings_classify_worse(
    modality: Modality, harder: dict[str, float]
) -> None:
    assert accuracy(made(**harder), modality) < accuracy(made(), modality) - 0.1


def test_difficulty_of_one_modality_leaves_the_other_alone() -> None:
    easy, hard = made(audio_separation=8.0), made(audio_separation=0.0)
    assert accuracy(hard, V) == pytest.approx(accuracy(easy, V), abs=0.04)
    assert accuracy(hard, A) < 0.25 < accuracy(easy, A)


def median_own_rank(data: FeaturesFile) -> float:
    """Rank of the own pair by a ridge map from sound to picture, fitted on train."""
    audio, visual = (data.modalities[m] for m in (A, V))
    train, test = audio.split == "train", audio.split == "test"
    x, y = (m.features.astype(np.float64) for m in (audio, visual))
    x, y = x - x[train].mean(0), y - y[train].mean(0)
    gram = x[train].T @ x[train] + 10 * np.eye(x.shape[1])
    guess = x[test] @ np.linalg.solve(gram, x[train].T @ y[train])
    scores = guess @ y[test].T
    own = np.diag(scores)[:, None]
    return float(np.median((scores > own).sum(axis=1) + 1))


def test_shared_factors_make_pairs_findable() -> None:
    found = median_own_rank(made(pair_correlation=0.95))
    lost = median_own_rank(made(pair_correlation=0.0))
    assert found * 4 < lost


def test_label_noise_changes_that_share_of_the_labels() -> None:
    clean, noisy = made(label_noise=0.0), made(label_noise=0.25)
    changed = clean.modalities[A].label != noisy.modalities[A].label
    assert changed.sum() == 750
    assert list(noisy.modalities[A].label) == list(noisy.modalities[V].label)


@pytest.mark.parametrize("items", [10, 97, 28_104])
def test_too_few_or_too_many_items_are_refused(items: int) -> None:
    with pytest.raises(ConfigError, match=f"--items {items}: expected 98 .* to 28103"):
        made(items=items)


def test_the_fewest_items_leave_every_class_something_to_test() -> None:
    rows = made(items=98, label_noise=0.0).modalities[A]
    assert set(rows.label[rows.split == "test"]) == set(VEGAS.classes)


@pytest.mark.parametrize(
    "wrong", [{"pair_correlation": 1.1}, {"label_noise": -0.1}, {"modes": 0}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Difficulty(**wrong)


def test_more_latent_dimensions_than_features_are_refused() -> None:
    with pytest.raises(ConfigError, match="do not fit into audio features 128 wide"):
        made(nuisance=200)
