import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from training.correlation import linear_cca
from training.correlation.linear_cca import Moments, class_pair_moments, pair_moments, solve


def rows(count: int, dim: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, dim)) @ rng.standard_normal((dim, dim)) + 3


def assert_equal(found: Moments, expected: Moments, tolerance: float) -> None:
    for name in ("left_mean", "right_mean", "left", "right", "cross"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), rtol=0, atol=tolerance
        )


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_class_pair_moments_equal_those_of_every_pair_listed(offset: float) -> None:
    left, right = rows(23, 4, 0) + offset, rows(17, 5, 1) - offset
    left_labels = np.repeat([0, 1, 2, 4], [3, 9, 6, 5])
    right_labels = np.repeat([0, 2, 3, 4], [7, 2, 5, 3])
    pairs = [
        (i, j) for i in range(23) for j in range(17) if left_labels[i] == right_labels[j]
    ]
    i, j = np.array(pairs).T
    expected = pair_moments(left[i], right[j])
    found = class_pair_moments(left, right, left_labels, right_labels)
    assert_equal(found, expected, 1e-10 if offset == 0 else 1e-6)


def test_pair_moments_are_numpys_covariance() -> None:
    left, right = rows(5000, 4, 0), rows(5000, 3, 1)
    found = pair_moments(left, right)
    whole = np.cov(left.T, right.T, bias=True)
    np.testing.assert_allclose(found.left, whole[:4, :4], atol=1e-12)
    np.testing.assert_allclose(found.right, whole[4:, 4:], atol=1e-12)
    np.testing.assert_allclose(found.cross, whole[:4, 4:], atol=1e-12)
    np.testing.assert_allclose(found.left_mean, left.mean(axis=0), atol=1e-12)


def test_class_pair_moments_without_a_shared_class_are_refused() -> None:
    with pytest.raises(ValueError, match="no class is present in both"):
        class_pair_moments(
            rows(3, 2, 0), rows(3, 2, 1), np.zeros(3, np.int64), np.ones(3, np.int64)
        )


def test_solution_whitens_and_correlates_as_promised() -> None:
    left, right = rows(200, 4, 0), rows(200, 3, 1)
    right[:, 0] += 2 * left[:, 1]
    moments = pair_moments(left, right)
    solution = solve(moments, 1e-12)
    u = (left - moments.left_mean) @ solution.left
    v = (right - moments.right_mean) @ solution.right
    np.testing.assert_allclose(u.T @ u / 200, np.eye(3), atol=1e-8)
    np.testing.assert_allclose(v.T @ v / 200, np.eye(3), atol=1e-8)
    np.testing.assert_allclose(u.T @ v / 200, np.diag(solution.correlations), atol=1e-8)
    assert (np.diff(solution.correlations) <= 0).all()


def test_one_dimensional_solution_is_the_correlation_coefficient() -> None:
    rng = np.random.default_rng(0)
    left = rng.standard_normal((50, 1))
    right = -0.7 * left + rng.standard_normal((50, 1))
    expected = abs(np.corrcoef(left[:, 0], right[:, 0])[0, 1])
    solution = solve(pair_moments(left, right), 1e-12)
    assert solution.correlations[0] == pytest.approx(expected, abs=1e-9)
    assert solution.left[0, 0] > 0 > solution.right[0, 0]


def test_signs_do_not_depend_on_the_order_of_the_rows() -> None:
    left, right = rows(60, 4, 2), rows(60, 6, 3)
    order = np.random.default_rng(0).permutation(60)
    one = solve(pair_moments(left, right), 0.1)
    other = solve(pair_moments(left[order], right[order]), 0.1)
    np.testing.assert_allclose(one.left, other.left, atol=1e-8)
    assert (one.left[np.abs(one.left).argmax(axis=0), range(4)] > 0).all()


def test_a_ridge_makes_repeated_columns_solvable() -> None:
    left, right = np.repeat(rows(30, 2, 0), 2, axis=1), rows(30, 3, 1)
    with pytest.raises(np.linalg.LinAlgError):
        solve(pair_moments(left, right), 0.0)
    assert np.isfinite(solve(pair_moments(left, right), 1e-4).left).all()


def test_ridge_is_relative_to_the_scale_of_the_features() -> None:
    left, right = rows(40, 3, 0), rows(40, 3, 1)
    one = solve(pair_moments(left, right), 0.1)
    other = solve(pair_moments(100 * left, right), 0.1)
    np.testing.assert_allclose(one.correlations, other.correlations, atol=1e-10)


def test_class_pairs_determine_one_component_less_than_classes() -> None:
    labels = np.repeat(np.arange(4), 10)
    moments = class_pair_moments(rows(40, 8, 0), rows(40, 9, 1), labels, labels)
    assert solve(moments, 0.01).rank == 3


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_matched_blend_keeps_correlations_at_one_or_below(share: float) -> None:
    labels = np.repeat([0, 1, 2], [40, 5, 5])
    centre = np.eye(3)[labels] * 10
    left = centre + 0.01 * rows(50, 3, 0)
    right = centre + 0.01 * rows(50, 3, 1)
    by_class = class_pair_moments(left, right, labels, labels)
    blended = by_class.blend(pair_moments(left, right), share)
    assert solve(blended, 1e-9).correlations.max() <= 1 + 1e-9


def test_marginals_of_true_pairs_alone_let_correlations_exceed_one() -> None:
    values = np.repeat([-1.0, 0.0, 1.0], [30, 20, 30])
    labels = values.astype(np.int64) + 1
    by_class = class_pair_moments(values[:, None], values[:, None], labels, labels)
    by_pair = pair_moments(values[:, None], values[:, None])
    # class pairs: variance (900 + 900) / (900 + 400 + 900); true pairs: 60 / 80
    (found,) = solve(by_class.with_marginals(by_pair), 1e-12).correlations
    assert found == pytest.approx((1800 / 2200) / (60 / 80))


def test_penalties_are_added_as_they_are() -> None:
    left, right = rows(40, 3, 0), rows(40, 2, 1)
    penalties = left.T @ left, right.T @ right
    by_hand = pair_moments(left, right)
    by_hand.left[:] += 0.3 * penalties[0]
    by_hand.right[:] += 0.3 * penalties[1]
    found = solve(pair_moments(left, right), 0.3, penalties=penalties)
    expected = solve(by_hand, 0.0)
    np.testing.assert_allclose(found.correlations, expected.correlations, atol=1e-12)
    np.testing.assert_allclose(found.left, expected.left, atol=1e-12)


@pytest.mark.parametrize("by_class", [False, True])
def test_few_directions_of_many_are_the_first_of_all(by_class: bool) -> None:
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((900, 12)) * np.linspace(3, 1, 12)
    left, right = (
        rng.standard_normal((900, dim)) + shared @ rng.standard_normal((12, dim))
        for dim in (510, 520)
    )
    labels = rng.integers(0, 7, 900)
    moments = pair_moments(left, right)
    if by_class:
        moments = class_pair_moments(left, right, labels, labels)
    few, every = solve(moments, 0.5, components=8), solve(moments, 0.5)
    np.testing.assert_allclose(few.correlations, every.correlations[:8], atol=1e-9)
    assert few.rank == (6 if by_class else 8)
    for name in ("left", "right"):
        found, expected = getattr(few, name), getattr(every, name)
        np.testing.assert_allclose(found[:, : few.rank], expected[:, : few.rank], atol=1e-6)
        assert np.isfinite(found).all()


@pytest.mark.parametrize(("largest", "threads"), [(4, {1}), (3, {2})])
def test_small_matrices_are_solved_by_one_thread(
    monkeypatch: pytest.MonkeyPatch, largest: int, threads: set[int]
) -> None:
    seen: set[int] = set()
    factor = linear_cca.cholesky

    def watched(*given: np.ndarray, **options: bool) -> np.ndarray:
        # Of others (faiss brings its own) what an earlier test has set is seen as well.
        scipy_blas = (one for one in threadpool_info() if "scipy.libs" in one["filepath"])
        seen.update(one["num_threads"] for one in scipy_blas)
        factored: np.ndarray = factor(*given, **options)
        return factored

    monkeypatch.setattr(linear_cca, "cholesky", watched)
    monkeypatch.setattr(linear_cca, "ONE_THREAD", largest)
    with threadpool_limits(2, user_api="blas"):
        solve(pair_moments(rows(30, 4, 0), rows(30, 3, 1)), 0.1)
    assert seen == threads
