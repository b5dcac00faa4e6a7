"""Kinds of methods: what follows from how one is fitted, the same for all of a kind."""

from __future__ import annotations

from training.methods.method import Problem


class _EveryDimension:
    """Embeds so that every dimension counts in every direction."""

    def same_modality_mask(self, settings: object, problem: Problem) -> tuple[int, ...]:
        """Return no dimension: all count in every direction."""
        return ()


class EpochChosen(_EveryDimension):
    """Is trained by epochs, of which validation chooses one."""

    def refits(self, settings: object) -> bool:
        """Validation chose the epoch, so it stays out of training."""
        return False


class ClosedForm(_EveryDimension):
    """Is solved at once."""

    def refits(self, settings: object) -> bool:
        """A closed form needs no validation data once its settings are chosen."""
        return True
