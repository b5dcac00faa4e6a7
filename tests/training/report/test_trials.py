import pytest

from training.protocol.trials import Trials, averaged, is_numeric


@pytest.fixture
def trials() -> Trials:
    found = [
        ({"k": 10, "mode": "hard"}, 0.30, {"a": 0.2, "b": 0.4}),
        ({"k": 5, "mode": "hard"}, 0.10, {"a": 0.1, "b": 0.1}),
        ({"k": 10, "mode": "all"}, 0.50, {"a": 0.6, "b": 0.4}),
        ({"k": 10, "mode": "hard"}, 0.40, {"a": 0.4, "b": 0.4}),
    ]
    return Trials("tnn", "validation", "mean_average_precision", averaged(found))


def test_fits_of_one_combination_are_averaged(trials: Trials) -> None:
    first = trials.trials[0]
    assert first.settings == {"k": 10, "mode": "hard"}
    assert first.score == pytest.approx(0.35)
    assert first.directions == pytest.approx({"a": 0.3, "b": 0.4})
    assert [trial.fits for trial in trials.trials] == [2, 1, 1]


def test_varied_numbers_are_in_order_and_words_as_they_came(trials: Trials) -> None:
    assert trials.varied == {"k": [5, 10], "mode": ["hard", "all"]}
    assert trials.best.settings == {"k": 10, "mode": "all"}


def test_best_at_a_value_is_over_the_other_settings(trials: Trials) -> None:
    assert trials.best_at("k", 10) == 0.5
    assert trials.best_at("mode", "hard") == pytest.approx(0.35)
    assert trials.best_at("mode", "hard", "b") == pytest.approx(0.4)
    assert str(trials.best_at("k", 99)) == "nan"


def test_truth_values_are_no_numbers() -> None:
    assert is_numeric([1, 2.5])
    assert not is_numeric([True, False])
    assert not is_numeric([1, "2"])
