from __future__ import annotations

from crossmodal.frontends.columns import layout, total_width


def test_stretches_follow_each_other_without_gap() -> None:
    widths = {"band": 3, "loudness": 1, "shape": 2}
    assert layout(widths) == {
        "band": slice(0, 3),
        "loudness": slice(3, 4),
        "shape": slice(4, 6),
    }
    assert total_width(widths) == 6
