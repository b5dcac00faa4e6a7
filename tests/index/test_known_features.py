import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crossmodal.durable import sha256_file
from crossmodal.embed import clip_features
from crossmodal.errors import DataError
from crossmodal.features import FeaturesFile, table, write_features
from crossmodal.frontends.catalog import create_frontend
from crossmodal.items import Segment
from crossmodal.media.decoder import Decoder
from crossmodal.modality import Modality
from crossmodal.sources import read_source
from index.build import build
from index.collection import Collection
from index.sources.known_features import KnownFeatures

AUDIO = Modality.AUDIO
LOGMEL = create_frontend("logmel")

MakeBundle = Callable[..., Path]


def write_tone(path: Path, hertz: float) -> None:
    samples = (8_000 * np.sin(2 * np.pi * hertz * np.arange(16_000) / 16_000)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two tones of a second in one class."""
    folder = tmp_path / "clips" / "audio" / "tone"
    folder.mkdir(parents=True)
    for name, hertz in (("low", 200), ("high", 3000)):
        write_tone(folder / f"{name}.wav", hertz)
    return tmp_path / "clips"


def prepared(path: Path, source: Path, **changes: object) -> Path:
    files = sorted(source.rglob("*.wav"))
    with Decoder(workers=1) as decoder:
        clips = [clip_features(file, {AUDIO: LOGMEL}, decoder) for file in files]
    rows = table(
        np.stack([features[AUDIO] for features, _, _ in clips]),
        id=[file.stem for file in files],
        media=[sha256_file(file) for file in files],
        duration=[seconds for _, seconds, _ in clips],
        frontend=LOGMEL.spec,
    )
    write_features(path, FeaturesFile("tones", {AUDIO: replace(rows, **changes)}))  # type: ignore[arg-type]
    return path


def never(*args: object, **kwargs: object) -> None:
    raise AssertionError("decoded again")


def test_known_clips_are_indexed_alike_without_decoding(
    tmp_path: Path,
    source: Path,
    tiny_bundle: MakeBundle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = tiny_bundle(["audio"], frontends={"audio": LOGMEL.spec})
    features = prepared(tmp_path / "features.h5", source)
    build(bundle, source, tmp_path / "decoded")
    monkeypatch.setattr(Decoder, "decode", never)
    build(bundle, source, tmp_path / "known", features=features)
    files = [tmp_path / name / "index" for name in ("decoded", "known")]
    one, other = ([path.read_bytes() for path in sorted(f.glob("*.faiss"))] for f in files)
    assert one == other
    assert len(one) == 1
    with Collection.open(tmp_path / "known") as collection:
        view = collection.view
        (low,) = [item_id for item_id in view.items if item_id.endswith("low")]
        ((hit, *_),) = view.search(AUDIO, view.vectors(low, AUDIO), 1)
        assert (hit.item_id, hit.segment) == (low, Segment(0.0, 1.0))
        stored, _ = collection.media(low)
        assert stored.read_bytes() == next(source.rglob("low.wav")).read_bytes()


def test_clips_without_a_split_are_of_that_of_their_features(
    tmp_path: Path, source: Path, tiny_bundle: MakeBundle
) -> None:
    bundle = tiny_bundle(["audio"], frontends={"audio": LOGMEL.spec})
    ids = [item.id for item in read_source(source)]
    (high,) = [item_id for item_id in ids if item_id.endswith("high")]
    features = prepared(
        tmp_path / "features.h5",
        source,
        id=np.array(sorted(ids), dtype=object),
        split=np.array(["test", "train"], dtype=object),
    )
    build(bundle, source, tmp_path / "data", features=features)
    with Collection.open(tmp_path / "data") as collection:
        splits = {i: item.metadata["split"] for i, item in collection.view.items.items()}
    assert splits == {i: "test" if i == high else "train" for i in ids}


def test_a_file_that_changed_is_decoded(
    tmp_path: Path,
    source: Path,
    tiny_bundle: MakeBundle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bundle = tiny_bundle(["audio"], frontends={"audio": LOGMEL.spec})
    features = prepared(tmp_path / "features.h5", source)
    changed = next(source.rglob("low.wav"))
    write_tone(changed, 1000)
    decoded: list[object] = []
    whole = Decoder.decode

    def watched(self: Decoder, path: Path, *args: object, **kwargs: object) -> object:
        decoded.append(path)
        return whole(self, path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Decoder, "decode", watched)
    build(bundle, source, tmp_path / "data", features=features)
    assert decoded == [changed]


def test_features_of_another_front_end_or_origin_are_refused(
    tmp_path: Path, source: Path, tiny_bundle: MakeBundle
) -> None:
    bundle = tiny_bundle(["audio"], frontends={"audio": LOGMEL.spec})
    foreign = replace(LOGMEL.spec, version=0)
    features = prepared(tmp_path / "foreign.h5", source, frontend=foreign)
    with pytest.raises(DataError, match="come from front end logmel"):
        build(bundle, source, tmp_path / "data", features=features)
    blank = np.array(["", ""], dtype=object)
    features = prepared(tmp_path / "blank.h5", source, media=blank)
    with pytest.raises(DataError, match="no row says which file"):
        build(bundle, source, tmp_path / "data", features=features)


def test_rows_are_found_by_content_and_stretch() -> None:
    rows = table(
        np.eye(4, 3, dtype=np.float32),
        id="abcd",
        start=[0, 1, 0, 0],
        end=[np.nan, 2, np.nan, np.nan],
        media=["aa", "aa", "", "bb"],
        duration=[5, 1, 5, np.nan],
    )
    known = KnownFeatures({AUDIO: rows})
    assert len(known) == 2
    whole = known.find(AUDIO, "aa", Segment())
    assert whole is not None
    assert (whole.features.tolist(), whole.duration_s) == ([1, 0, 0], 5)
    part = known.find(AUDIO, "aa", Segment(1.0, 2.0))
    assert part is not None
    assert part.features.tolist() == [0, 1, 0]
    assert known.find(AUDIO, "aa", Segment(0.0, 2.0)) is None
    assert known.find(AUDIO, "bb", Segment()) is None
    assert known.find(Modality.VISUAL, "aa", Segment()) is None
