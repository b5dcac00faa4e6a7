import json
from pathlib import Path

import pytest

from crossmodal.errors import DataError
from crossmodal.modality import Modality
from crossmodal.sources import read_source


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_labelled_folder_gives_an_item_per_file(tmp_path: Path) -> None:
    for name in (
        "audio/cat/one.wav",
        "images/cat/one.jpg",
        "audio/cat/heard.mp4",
        "video/dog/deep/two.mp4",
        "video/dog/notes.txt",
    ):
        touch(tmp_path / name)
    items = {item.id: item for item in read_source(tmp_path)}
    assert set(items) == {
        *("audio_cat_one", "audio_cat_heard"),
        *("images_cat_one", "video_dog_deep_two"),
    }
    assert set(items["audio_cat_one"].media) == {Modality.AUDIO}
    assert set(items["audio_cat_heard"].media) == {Modality.AUDIO}
    assert set(items["images_cat_one"].media) == {Modality.VISUAL}
    video = items["video_dog_deep_two"]
    assert video.label == "dog"
    assert set(video.media.values()) == {tmp_path / "video/dog/deep/two.mp4"}


def test_manifest_rows_carry_all_they_say(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(
        "path,modality,label,split,id,pair,group,start,end,mood\n"
        "a.mp4,audio+visual,cat,train,x1,p1,g1,1.5,3,calm\n"
        "b.wav,audio,,,,,,,,\n"
    )
    first, second = read_source(tmp_path / "m.csv")
    assert (first.id, first.label, first.split) == ("x1", "cat", "train")
    assert (first.pair, first.group) == ("p1", "g1")
    assert (first.segment.start_s, first.segment.end_s) == (1.5, 3.0)
    assert first.metadata == {"mood": "calm"}
    assert first.media[Modality.VISUAL] == tmp_path / "a.mp4"
    assert second.id == "b"
    assert (second.label, second.split, second.pair) == (None, None, None)
    assert second.metadata == {}


def test_json_manifest_equals_csv(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(
        json.dumps([{"path": "a.jpg", "label": "cat", "split": "test"}])
    )
    (tmp_path / "m.csv").write_text("path,label,split\na.jpg,cat,test\n")
    assert read_source(tmp_path / "m.json") == read_source(tmp_path / "m.csv")


def test_names_that_are_no_ids_get_distinct_stable_ids(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(
        "path,start\n" + f"{'x' * 90}.wav,\né.wav,\nè.wav,\né.wav,2\n"
    )
    first = [item.id for item in read_source(tmp_path / "m.csv")]
    assert len(set(first)) == 4
    assert [item.id for item in read_source(tmp_path / "m.csv")] == first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.wav,x\n", "no column 'path', found file, label"),
        ("path,label\n,x\n", "row 1: path is empty"),
        ("path,modality\na.wav,smell\n", "row 1: unknown modality"),
        ("path\na.xyz\n", "row 1: modality is empty"),
        ("path,split\na.wav,training\n", "row 1: .*split must be train, val or test"),
        ("path,id\na.wav,../x\n", "row 1: an item id"),
        ("path,id\na.wav,x\nb.wav,x\n", "two rows bear the id x"),
        ("path,start\na.wav,-1\n", "row 1: start must be seconds"),
        ("path,start,end\na.wav,3,2\n", "row 1: end 2.0 is not after start"),
        ("path\n", "no clips found"),
    ],
)
def test_bad_manifest_is_refused_by_row_and_field(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_source(tmp_path / "m.csv")


def test_missing_or_empty_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_source(tmp_path / "nowhere")
    touch(tmp_path / "other/images/cat/one.webp")
    with pytest.raises(DataError, match=r"no clips below .*end in \.webp; a manifest"):
        read_source(tmp_path / "other")
    with pytest.raises(DataError, match="expected audio/<label>"):
        read_source(tmp_path)
    (tmp_path / "m.json").write_text("{}")
    with pytest.raises(DataError, match="JSON list"):
        read_source(tmp_path / "m.json")


def test_a_folder_with_a_manifest_is_read_by_it(tmp_path: Path) -> None:
    touch(tmp_path / "audio/cat/one.wav")
    touch(tmp_path / "audio/cat/two.wav")
    (tmp_path / "manifest.csv").write_text(
        "path,modality,label,split\naudio/cat/one.wav,audio,cat,test\n"
    )
    (item,) = read_source(tmp_path)
    assert (item.split, item.media) == (
        "test",
        {Modality.AUDIO: tmp_path / "audio/cat/one.wav"},
    )
