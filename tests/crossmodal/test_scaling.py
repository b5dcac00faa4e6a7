import numpy as np
import pytest

from crossmodal.scaling import find_scaling

RNG = np.random.default_rng(2)
TRAIN = (RNG.standard_normal((60, 6)) * 3 + 1).astype(np.float32)
TEST = (RNG.standard_normal((20, 6)) * 3 + 1).astype(np.float32)
BOTH = np.concatenate([TRAIN, TEST])


def unit_range(rows: np.ndarray, fitted_on: np.ndarray) -> np.ndarray:
    low, high = fitted_on.min(axis=0), fitted_on.max(axis=0)
    return (rows - low) / (high - low)


def standard(rows: np.ndarray, fitted_on: np.ndarray) -> np.ndarray:
    return (rows - fitted_on.mean(axis=0)) / fitted_on.std(axis=0)


@pytest.mark.parametrize("scale", [unit_range, standard])
@pytest.mark.parametrize(
    ("train_from", "test_from", "found", "leaks"),
    [
        (TRAIN, TRAIN, "train", False),
        (BOTH, BOTH, "train and test together", True),
        (TRAIN, TEST, "train and test, each on its own", True),
    ],
)
def test_what_a_scaler_was_fitted_on_shows(
    scale: object, train_from: np.ndarray, test_from: np.ndarray, found: str, leaks: bool
) -> None:
    scaling = find_scaling(scale(TRAIN, train_from), scale(TEST, test_from))  # type: ignore[operator]
    assert scaling is not None
    assert scaling.fitted_on == found
    assert scaling.leaks is leaks


@pytest.mark.parametrize(
    "train",
    [
        TRAIN,
        np.clip(TRAIN, 0, 1),  # a relu or a histogram also ends at 0
        TRAIN / np.linalg.norm(TRAIN, axis=1, keepdims=True),
    ],
)
def test_features_that_nobody_scaled_bear_no_mark(train: np.ndarray) -> None:
    if train.min() == 0:
        train = np.maximum(TRAIN, 0)
    assert find_scaling(train, TEST) is None


def test_constant_columns_do_not_hide_the_mark() -> None:
    train, test = unit_range(TRAIN, BOTH), unit_range(TEST, BOTH)
    dead = np.zeros((60, 5), np.float32), np.zeros((20, 5), np.float32)
    scaling = find_scaling(np.hstack([train, dead[0]]), np.hstack([test, dead[1]]))
    assert scaling is not None
    assert scaling.leaks


def test_too_few_rows_to_tell_are_not_accused() -> None:
    assert find_scaling(unit_range(TRAIN, BOTH)[:5], unit_range(TEST, BOTH)[:5]) is None
