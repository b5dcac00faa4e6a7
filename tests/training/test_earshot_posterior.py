import numpy as np

from training.classification.earshot_posterior import choose_judged


def test_every_class_is_judged_by_its_share() -> None:
    labels = np.repeat([0, 1, 2], [600, 390, 10])
    rng = np.random.default_rng(0)
    chosen = choose_judged(rng.permutation(labels), 100, rng)
    assert (np.diff(chosen) > 0).all()
    order = np.random.default_rng(0).permutation(labels)
    np.testing.assert_array_equal(np.bincount(order[chosen]), [60, 39, 1])


def test_no_class_goes_unjudged() -> None:
    labels = np.repeat(np.arange(50), 4)
    chosen = choose_judged(labels, 20, np.random.default_rng(0))
    assert sorted(labels[chosen]) == list(range(50))


def test_few_items_are_all_judged() -> None:
    labels = np.array([0, 1, 1, 0])
    chosen = choose_judged(labels, 4, np.random.default_rng(0))
    np.testing.assert_array_equal(chosen, np.arange(4))
