import math

import numpy as np
import pytest

from training.demo.events import Event, beats, latest, ringing


def test_beats_without_jitter_are_evenly_spaced_and_stay_inside() -> None:
    onsets = beats(np.random.default_rng(0), 5.0, 0.4, jitter=0)
    assert np.diff(onsets) == pytest.approx(0.4)
    assert onsets[0] >= 0.1
    assert 5.0 - 0.05 - 0.4 <= onsets[-1] < 5.0 - 0.05


def test_beats_with_jitter_keep_the_mean_period() -> None:
    gaps = np.diff(beats(np.random.default_rng(1), 400.0, 0.5, jitter=0.1))
    assert gaps.mean() == pytest.approx(0.5, rel=0.02)
    assert gaps.std() == pytest.approx(0.05, rel=0.15)


def test_latest_is_the_nearest_past_event_of_the_place() -> None:
    events = (Event(1.0, place=0), Event(2.0, place=1), Event(3.0, place=0))
    assert latest(events, 2.5) == events[1]
    assert latest(events, 2.5, place=0) == events[0]
    assert latest(events, 2.0) == events[1]
    assert latest(events, 0.5) is None


def test_ringing_fades_by_e_per_decay_and_never_exceeds_one() -> None:
    events = [Event(1.0, strength=0.5)]
    assert ringing(events, 0.9, decay_s=0.2) == 0
    assert ringing(events, 1.0, decay_s=0.2) == 0.5
    assert ringing(events, 1.2, decay_s=0.2) == pytest.approx(0.5 / math.e)
    assert ringing([Event(1.0), Event(1.0)], 1.0, decay_s=0.2) == 1.0
    assert ringing(events, 1.0, decay_s=0.2, place=3) == 0
