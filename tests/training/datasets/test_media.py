"""Media to features: what is kept, what is skipped, and what says where it came from."""

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crossmodal.durable import sha256_file
from crossmodal.errors import DataError
from crossmodal.frontends.catalog import create_frontend
from crossmodal.items import Segment, SourceItem
from crossmodal.media.decoder import Decoder
from crossmodal.modality import Modality
from training.datasets.media import Prepared, prepare_media

AUDIO = Modality.AUDIO
RATE = 16_000


def write_tone(path: Path, hertz: float, seconds: float = 1.0) -> Path:
    time_s = np.arange(int(RATE * seconds)) / RATE
    samples = (0.4 * np.sin(2 * np.pi * hertz * time_s) * 32_767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return path


WHOLE = Segment()


def item(name: str, path: Path, segment: Segment = WHOLE) -> SourceItem:
    return SourceItem(id=name, media={AUDIO: path}, label="tone", segment=segment)


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[..., Prepared]:
    def run(items: list[SourceItem], *, keep_steps: bool = False) -> Prepared:
        return prepare_media(
            items,
            {AUDIO: create_frontend("logmel")},
            name="tones",
            record=tmp_path / "record",
            workers=2,
            advance=lambda: None,
            keep_steps=keep_steps,
        )

    return run


def test_rows_tell_their_file_and_how_much_of_it_was_read(
    tmp_path: Path, prepare: Callable[..., Prepared]
) -> None:
    low, high = write_tone(tmp_path / "a.wav", 200), write_tone(tmp_path / "b.wav", 3000, 2)
    done = prepare([item("low", low), item("part", high, Segment(0.5, 1.25))])
    rows = done.data.modalities[AUDIO]
    assert list(rows.media) == [sha256_file(low), sha256_file(high)]
    assert rows.duration.tolist() == pytest.approx([1.0, 0.75])
    assert np.isnan(rows.end[0])
    assert rows.end[1] == 1.25


def test_one_bad_file_is_skipped_with_its_reason(
    tmp_path: Path, prepare: Callable[..., Prepared]
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound at all")
    good = [write_tone(tmp_path / f"{n}.wav", 200 + n) for n in range(3)]
    done = prepare([item("bad", bad), *(item(p.stem, p) for p in good)])
    assert list(done.data.modalities[AUDIO].id) == ["0", "1", "2"]
    assert [failure.item_id for failure in done.failures] == ["bad"]
    assert done.failures[0].reason


def test_nothing_readable_is_an_error(
    tmp_path: Path, prepare: Callable[..., Prepared]
) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"")
    with pytest.raises(DataError, match="no clip could be read; the first:"):
        prepare([item("bad", bad)])


def test_steps_are_kept_if_asked_and_pooled_come_to_what_they_are_without(
    tmp_path: Path, prepare: Callable[..., Prepared]
) -> None:
    low, high = write_tone(tmp_path / "a.wav", 200), write_tone(tmp_path / "b.wav", 3000, 2)
    items = [item("low", low), item("high", high)]
    pooled = prepare(items).data.modalities[AUDIO]
    done = prepare(items, keep_steps=True)
    assert done.reused == 0  # what was kept of the first has no steps
    rows = done.data.modalities[AUDIO]
    assert rows.length[1] == rows.steps > rows.length[0] > 1
    assert not rows.features[0, rows.length[0] :].any()
    np.testing.assert_array_equal(rows.pooled, pooled.features)
    again = prepare(items, keep_steps=True)
    assert again.reused == 2
    np.testing.assert_array_equal(again.data.modalities[AUDIO].features, rows.features)


def test_a_second_run_decodes_only_what_is_new_or_changed(
    tmp_path: Path,
    prepare: Callable[..., Prepared],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paths = [write_tone(tmp_path / f"{n}.wav", 300 + n) for n in range(3)]
    items = [item(path.stem, path) for path in paths]
    first = prepare(items[:2])
    decoded: list[Path] = []
    whole = Decoder.decode

    def watched(self: Decoder, source: Path, *args: object, **kwargs: object) -> object:
        decoded.append(source)
        return whole(self, source, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Decoder, "decode", watched)
    write_tone(paths[1], 900)
    again = prepare(items)
    assert sorted(decoded) == paths[1:]
    assert (first.reused, again.reused) == (0, 1)
    rows, before = again.data.modalities[AUDIO], first.data.modalities[AUDIO]
    np.testing.assert_array_equal(rows.features[0], before.features[0])
    assert rows.media[0] == before.media[0] == sha256_file(paths[0])
    assert rows.duration[0] == before.duration[0] == pytest.approx(1.0)
    assert not np.array_equal(rows.features[1], before.features[1])
