import numpy as np
import pytest
import scipy.linalg

from training.correlation import kernels
from training.correlation.kernels import (
    KernelMap,
    UnitRows,
    choose_landmarks,
    gaussian,
    laplacian,
    median_gamma,
)
from training.correlation.linear_cca import Solution, pair_moments, solve

Rows = list[np.ndarray]


def pairs(count: int, seed: int = 0) -> Rows:
    """Two modalities that share two numbers, each through a bend of its own."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((count, 2))
    bent = np.sin(2 * shared), shared**2
    return [
        np.concatenate([part, 0.3 * rng.standard_normal((count, 3))], axis=1)
        for part in bent
    ]


def kernel_cca(data: Rows, maps: list[KernelMap], ridge: float) -> Solution:
    kernels = [one.kernel(rows) for one, rows in zip(maps, data, strict=True)]
    penalties = maps[0].penalty(), maps[1].penalty()
    return solve(pair_moments(*kernels), ridge, penalties=penalties, components=4)


def projected(one: KernelMap, rows: np.ndarray, directions: np.ndarray) -> np.ndarray:
    found: np.ndarray = one.kernel(rows) @ directions
    return found - found.mean(axis=0)


def test_kernel_is_that_of_the_double_loop() -> None:
    items, landmarks = pairs(6)[0], pairs(4, 1)[0]
    expected = [[np.exp(-0.7 * sum((x - z) ** 2)) for z in landmarks] for x in items]
    np.testing.assert_allclose(gaussian(items, landmarks, 0.7), expected, atol=1e-12)


def test_laplacian_kernel_is_that_of_the_double_loop() -> None:
    items, landmarks = pairs(6)[0], pairs(4, 1)[0]
    expected = [[np.exp(-0.7 * sum(abs(x - z))) for z in landmarks] for x in items]
    np.testing.assert_allclose(laplacian(items, landmarks, 0.7), expected, atol=1e-12)
    shaped = KernelMap(landmarks, 0.7, "laplacian").kernel(items)
    np.testing.assert_array_equal(shaped, laplacian(items, landmarks, 0.7))


def test_item_is_wholly_like_itself_even_far_from_zero() -> None:
    rows = pairs(20)[0] + 1e4
    kernel = gaussian(rows, rows, 0.5)
    np.testing.assert_allclose(np.diag(kernel), 1, atol=1e-6)
    assert kernel.max() <= 1


def test_median_width_is_that_of_all_distances() -> None:
    rows = pairs(30)[0]
    distances = [((rows[i] - rows[j]) ** 2).sum() for i in range(30) for j in range(i)]
    found = median_gamma(rows, np.random.default_rng(0))
    assert found == pytest.approx(1 / np.median(distances))


def test_median_width_of_a_laplacian_is_that_of_coordinate_distances() -> None:
    rows = pairs(30)[0]
    distances = [abs(rows[i] - rows[j]).sum() for i in range(30) for j in range(i)]
    found = median_gamma(rows, np.random.default_rng(0), "laplacian")
    assert found == pytest.approx(1 / np.median(distances))


@pytest.mark.parametrize("rows", [np.ones((9, 2)), np.ones((1, 2))])
def test_items_without_distance_have_no_width(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="half of the items are equal or more"):
        median_gamma(rows, np.random.default_rng(0))


def test_every_item_is_a_landmark_up_to_the_limit() -> None:
    rng = np.random.default_rng(0)
    few = choose_landmarks(7, exact=7, landmarks=3, rng=rng)
    np.testing.assert_array_equal(few, np.arange(7))
    drawn = choose_landmarks(8, exact=7, landmarks=3, rng=rng)
    assert len(set(drawn.tolist())) == 3
    again = choose_landmarks(8, exact=7, landmarks=3, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, again)


def test_every_item_as_landmark_is_kernel_cca_in_its_dual_form() -> None:
    """(K_x + N r)^-1 K_y (K_y + N r)^-1 K_x a = rho^2 a with centred kernels."""
    data, ridge = pairs(60), 0.01
    maps = [KernelMap(rows, gamma) for rows, gamma in zip(data, (0.5, 0.2), strict=True)]
    centre = np.eye(60) - 1 / 60
    x, y = (
        centre @ one.kernel(rows) @ centre for one, rows in zip(maps, data, strict=True)
    )
    shift = 60 * ridge * np.eye(60)
    product = np.linalg.solve(x + shift, y) @ np.linalg.solve(y + shift, x)
    squares, vectors = scipy.linalg.eig(product)
    order = np.argsort(-squares.real)
    found = kernel_cca(data, maps, ridge)
    np.testing.assert_allclose(found.correlations**2, squares.real[order][:4], atol=1e-4)
    ours = projected(maps[0], data[0], found.left)[:, 0]
    theirs = (x @ vectors[:, order[0]]).real
    assert abs(np.corrcoef(ours, theirs)[0, 1]) == pytest.approx(1, abs=1e-5)


def test_equal_items_are_no_obstacle() -> None:
    data = [np.repeat(rows, 2, axis=0) for rows in pairs(20)]
    maps = [KernelMap(rows, 0.5) for rows in data]
    assert np.isfinite(kernel_cca(data, maps, 1e-3).left).all()


@pytest.mark.slow
def test_a_third_of_3000_items_as_landmarks_finds_what_all_find() -> None:
    data, fresh = pairs(3000), pairs(1000, 1)
    everything = [KernelMap(rows, 0.5) for rows in data]
    some = [
        KernelMap(rows[choose_landmarks(3000, exact=1000, landmarks=1000, rng=rng)], 0.5)
        for rng, rows in zip((np.random.default_rng(n) for n in (0, 1)), data, strict=True)
    ]
    exact, near = (kernel_cca(data, maps, 1e-3) for maps in (everything, some))
    np.testing.assert_allclose(near.correlations, exact.correlations, atol=5e-3)
    for number, side in enumerate(("left", "right")):
        theirs = projected(everything[number], fresh[number], getattr(exact, side))
        ours = projected(some[number], fresh[number], getattr(near, side))
        for component in range(2):
            found = np.corrcoef(ours[:, component], theirs[:, component])[0, 1]
            assert abs(found) > 0.999  # a sign is chosen by the landmarks' weights


def test_blocks_of_rows_have_the_kernel_of_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels, "BLOCK_ROWS", 3)
    rows = np.random.default_rng(0).standard_normal((11, 4))
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    one = KernelMap(unit[:5], 0.7)
    found = one.kernel_of_all(UnitRows(rows))
    np.testing.assert_allclose(found, one.kernel(unit), rtol=1e-13)


def test_a_row_of_zeros_has_no_direction_and_stays() -> None:
    rows = UnitRows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert rows[:].tolist() == [[0.6, 0.8], [0.0, 0.0]]
    assert (len(rows), rows.shape) == (2, (2, 2))
