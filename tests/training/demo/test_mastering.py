import numpy as np
import pytest

from training.demo.mastering import MAX_TILT_DB, Recording, limit, tilt
from training.demo.sound import SAMPLE_RATE_HZ, noise, sine

PINK = noise(np.random.default_rng(0), 3.0, 20, 12_000, slope_db=-3)


def power_centroid_hz(sound: np.ndarray) -> float:
    power = np.abs(np.fft.rfft(sound)) ** 2
    return float(np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE_HZ) @ power / power.sum())


@pytest.mark.parametrize("centroid_hz", [500, 1000, 3000])
def test_tilt_gives_broadband_sound_the_centroid(centroid_hz: float) -> None:
    assert power_centroid_hz(tilt(PINK, centroid_hz)) == pytest.approx(
        centroid_hz, rel=0.05
    )


def test_tilt_stays_within_its_limit_where_the_centroid_is_out_of_reach() -> None:
    two_tones = sine(np.full(32_000, 1000.0)) + sine(np.full(32_000, 2000.0))
    tilted = np.abs(np.fft.rfft(tilt(two_tones, 10_000)))
    rise_db = 20 * np.log10(tilted[2000] / tilted[1000])
    assert rise_db == pytest.approx(MAX_TILT_DB, abs=0.01)


def test_limit_leaves_quiet_samples_and_bends_loud_ones_below_full_scale() -> None:
    sound = np.array([0.0, 0.5, -0.69, 0.9, -3.0])
    limited = limit(sound)
    assert limited[:3].tolist() == sound[:3].tolist()
    assert 0.7 < limited[3] < 0.9
    assert -1 < limited[4] < -0.9


def test_recording_has_the_level_it_names() -> None:
    recording = Recording(
        rms_db=-30, centroid_hz=800, noise_db=-20, noise_slope_db=-3, hum_hz=50.0, taps=()
    )
    taken = recording.take(PINK, np.random.default_rng(0))
    assert 10 * np.log10(np.mean(taken.astype(float) ** 2)) == pytest.approx(-30, abs=0.1)
    assert taken.dtype == np.float32


def test_recording_adds_noise_at_its_level() -> None:
    def recorded(noise_db: float) -> np.ndarray:
        recording = Recording(
            rms_db=-20,
            centroid_hz=1000,
            noise_db=noise_db,
            noise_slope_db=0,
            hum_hz=0,
            taps=(),
        )
        tone = np.zeros(SAMPLE_RATE_HZ)
        tone[: SAMPLE_RATE_HZ // 2] = sine(np.full(SAMPLE_RATE_HZ // 2, 1000.0))
        return recording.take(tone, np.random.default_rng(0)).astype(float)

    def near_1_khz(part: np.ndarray) -> float:
        """Return the power where the tilt, which turns about 1 kHz, changes nothing."""
        return float((np.abs(np.fft.rfft(part))[280:345] ** 2).sum())

    levels = []
    for noise_db in (-30, -20):
        taken = recorded(noise_db)
        silent, sounding = taken[20_000:30_000], taken[2_000:12_000]
        levels.append(10 * np.log10(near_1_khz(silent) / near_1_khz(sounding)))
    assert levels[1] - levels[0] == pytest.approx(10, abs=1.5)
