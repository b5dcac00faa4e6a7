from __future__ import annotations

import numpy as np
import pytest

from crossmodal.frontends.timeline import (
    ENVELOPE_BINS,
    LAGS,
    RATES_HZ,
    binned,
    envelope,
    relative,
    rhythm,
)


def pulses(period: int, length: int, first: int = 0) -> np.ndarray:
    series = np.zeros(length)
    series[first::period] = 1.0
    return series


def test_bins_are_triangular_means_by_hand() -> None:
    series = np.array([1.0, 5.0, 3.0, 7.0])
    # bin 1 is centered on value 2 and weighs its neighbors by a half
    assert binned(series, 0.1, 0.2, 3).tolist() == pytest.approx(
        [(1 + 5 / 2) / 1.5, (5 / 2 + 3 + 7 / 2) / 2, 7.0]
    )


def test_bins_without_weight_are_zero() -> None:
    weights = np.array([0.0, 0.0, 1.0])
    assert binned(np.ones(3), 1.0, 1.0, 5, weights=weights).tolist() == [0, 0, 1, 0, 0]


def test_reach_widens_the_triangles() -> None:
    series = np.array([0.0, 4.0, 0.0])
    assert binned(series, 0.1, 0.1, 3).tolist() == pytest.approx([0, 4, 0])
    assert binned(series, 0.1, 0.1, 3, reach_s=0.2).tolist() == pytest.approx(
        [4 / 2 / 1.5, 2.0, 4 / 2 / 1.5]
    )


@pytest.mark.parametrize("step_s", [0.05, 0.1])
def test_an_event_peaks_in_the_bin_of_its_time_whatever_the_step(step_s: float) -> None:
    series = np.zeros(round(4 / step_s))
    series[round(2.4 / step_s)] = 3.0
    values = envelope(series, step_s)
    assert len(values) == ENVELOPE_BINS
    assert values.argmax() == 12  # 2.4 s in steps of 0.2 s
    assert values.max() == 1.0
    assert not values[20:].any()  # after the end of the clip


def test_relative_keeps_silence_silent() -> None:
    assert relative(np.zeros(3)).tolist() == [0, 0, 0]
    assert relative(np.array([1.0, 4.0])).tolist() == [0.25, 1.0]


@pytest.mark.parametrize("step_s", [0.05, 0.1])
def test_two_beats_a_second_give_a_lag_of_half_a_second_and_a_rate_of_two(
    step_s: float,
) -> None:
    values = rhythm(pulses(round(0.5 / step_s), round(5 / step_s), first=3), step_s)
    lags, rates = values[:LAGS], values[LAGS:]
    assert 2 + int(lags[2:8].argmax()) + 1 == 5  # of 0.1 s, away from lag 0's own width
    assert lags[4] > 0.7
    assert RATES_HZ[rates.argmax()] == pytest.approx(2.0)
    assert rates.sum() == pytest.approx(1.0)


def test_rhythm_does_not_change_with_scale_or_shift_of_level() -> None:
    series = np.random.default_rng(0).random(80)
    np.testing.assert_allclose(
        rhythm(7 * series + 2, 0.05), rhythm(series, 0.05), atol=1e-9
    )


@pytest.mark.parametrize("series", [np.zeros(40), np.full(40, 0.3), np.ones(1)])
def test_a_constant_has_no_rhythm(series: np.ndarray) -> None:
    assert not rhythm(series, 0.05).any()


def test_steady_motion_seen_through_alternating_gaps_has_no_rhythm_of_its_own() -> None:
    steady = 1.0 + 0.5 * np.sin(2 * np.pi * 1.0 * np.arange(60) / 10)
    uneven = steady * np.where(np.arange(60) % 2, 1.3, 0.7)
    np.testing.assert_allclose(rhythm(uneven, 0.1), rhythm(steady, 0.1), atol=0.06)
