import pytest

from training.demo.splits import SHARES, split_clips


def test_thirty_three_clips_split_into_20_5_and_8() -> None:
    splits = split_clips(33)
    assert [splits.count(name) for name in ("train", "val", "test")] == [20, 5, 8]


@pytest.mark.parametrize("val_first", [False, True])
def test_every_split_is_near_its_share_and_begins_a_longer_one(val_first: bool) -> None:
    longest = split_clips(200, val_first=val_first)
    for count in range(1, 200):
        splits = split_clips(count, val_first=val_first)
        assert splits == longest[:count]
        for name, share in SHARES.items():
            assert abs(splits.count(name) - share * count) < 1


def test_three_clips_reach_every_split_and_two_the_one_asked_for() -> None:
    assert sorted(split_clips(3)) == ["test", "train", "val"]
    assert split_clips(2) == ["train", "test"]
    assert split_clips(2, val_first=True) == ["train", "val"]
