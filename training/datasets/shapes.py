"""Shapes of the public audio-visual feature sets: sizes, widths and class names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crossmodal.modality import Modality


@dataclass(frozen=True, slots=True, kw_only=True)
class SetShape:
    """What a features file of a data set must look like.

    Attributes:
        name: The data set with its split, as ``ave15-189``.
        train: Pairs for training, the set's own validation pairs included.
        test: Pairs for test.
        dims: Width of each modality's features.
        classes: Class names; their order in public files is not documented.
    """

    name: str
    train: int
    test: int
    dims: Mapping[Modality, int]
    classes: tuple[str, ...]

    @property
    def items(self) -> int:
        """Pairs in all."""
        return self.train + self.test


_VGGISH_AND_INCEPTION = {Modality.AUDIO: 128, Modality.VISUAL: 1024}
_AVE15 = (
    "clock", "motorcycle", "train horn", "bark", "cat", "bus", "rodents", "toilet flush",
    "acoustic guitar", "frying", "chainsaw", "horse", "helicopter", "infant cry", "truck",
)  # fmt: skip
_AVE28 = (
    *_AVE15, "accordion", "banjo", "church bell", "female speech", "airplane", "flute",
    "goat", "male speech", "mandolin", "race car", "shofar", "ukulele", "violin",
)  # fmt: skip

SHAPES: Mapping[str, SetShape] = {
    shape.name: shape
    for shape in (
        SetShape(
            name="vegas",
            train=22_482,
            test=5_621,
            dims=_VGGISH_AND_INCEPTION,
            classes=(
                "chainsaw", "rail transport", "helicopter", "baby cry", "drum", "snoring",
                "printer", "fireworks", "water flowing", "dog",
            ),
        ),
        SetShape(
            name="ave15-189",
            train=1_766,
            test=189,
            dims=_VGGISH_AND_INCEPTION,
            classes=_AVE15,
        ),
        SetShape(
            name="ave15-391",
            train=1_564,
            test=391,
            dims=_VGGISH_AND_INCEPTION,
            classes=_AVE15,
        ),
        SetShape(
            name="ave28",
            train=3_339 + 402,
            test=402,
            dims={Modality.AUDIO: 128, Modality.VISUAL: 512},
            classes=_AVE28,
        ),
        SetShape(
            name="wikipedia",
            train=2_173,
            test=693,
            dims={Modality.VISUAL: 128, Modality.TEXT: 10},
            classes=(
                "art", "biology", "geography", "history", "literature", "media", "music",
                "royalty", "sport", "warfare",
            ),
        ),
        SetShape(
            name="ravdess",
            train=1_140,
            test=300,
            dims={Modality.AUDIO: 259, Modality.VISUAL: 35},
            classes=(
                "neutral", "calm", "happy", "sad", "angry", "fearful", "disgust",
                "surprised",
            ),
        ),
    )
}  # fmt: skip
"""The sets by name; the two of AVE-15 cut the same 1,955 clips differently."""
