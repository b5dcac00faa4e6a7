"""Selection: settings and epochs chosen on validation data, everything tried on record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from crossmodal.faults import fault, field_of
from crossmodal.modality import Modality
from training.config import Settings, from_json, override
from training.data import TrainingData
from training.fitting.checkpoints import Checkpoints
from training.methods.catalog import method_named, preset_of
from training.methods.method import (
    FitContext,
    Method,
    Problem,
    Record,
    Towers,
    Training,
    as_taken,
    load_flat_state,
)
from training.protocol.validation import Score, score

TUNED = "tuned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A fitted method and how it came about.

    Attributes:
        method: Name of the method.
        preset: The preset the settings started from.
        settings: The settings chosen.
        problem: The sizes it was built for.
        towers: In evaluation mode, on the CPU.
        selection: What was tried on validation: metric, candidates with scores, choice.
        fit_split: The rows the towers were fitted on: ``train`` or ``train+val``.
        pairs: ``own``, ``drawn`` by chance from one class, or ``unused``.
        history: One record per epoch; empty for closed forms.
        training: Best and last epoch; None where there are none.
        notes: Remarks made while fitting.
        train_seconds: Wall-clock time of selection and fitting.
    """

    method: str
    preset: str
    settings: Settings
    problem: Problem
    towers: Towers
    selection: Mapping[str, Any]
    fit_split: str
    pairs: str
    history: Sequence[Record]
    training: Training | None
    notes: Sequence[str]
    train_seconds: float

    @property
    def same_modality_mask(self) -> tuple[int, ...]:
        """The dimensions to zero in a query that searches its own modality."""
        return method_named(self.method).same_modality_mask(self.settings, self.problem)

    @property
    def parameters(self) -> int:
        """How many numbers were fitted, standardisers and projections included."""
        state = (t for tower in self.towers.values() for t in tower.state_dict().values())
        return sum(tensor.numel() for tensor in state if tensor.is_floating_point())


@dataclass(frozen=True, slots=True)
class _Attempt:
    settings: Settings
    towers: Towers
    training: Training | None
    history: list[Record]
    notes: list[str]


def fit_method(
    name: str,
    preset: str,
    overrides: Mapping[str, str],
    train: TrainingData,
    validation: TrainingData | None,
    *,
    seed: int = 0,
    device: str = "cpu",
    log: Callable[[Record], None] = lambda record: None,
    candidates: Sequence[Settings] | None = None,
    checkpoints: Checkpoints | None = None,
) -> Fitted:
    """Fit a method, choosing on validation what neither preset nor overrides fix.

    Settings are chosen by class mAP, the mean of all directions; without labels by the
    mean reciprocal rank of the own pair; the score is on record also where there was
    nothing to choose, so that methods can be chosen by it. Closed forms are then fitted
    once more on train and validation together; networks keep the epoch best on
    validation.

    Args:
        name: Method name.
        preset: Where settings start; only ``tuned`` leaves any to be chosen.
        overrides: Settings given as text, which fix them.
        train: Training split.
        validation: Validation split; None takes the settings as they start.
        seed: Decides every draw; the same seed gives the same towers on one machine.
        device: Where networks train, as torch names devices.
        log: Takes a record per epoch and per candidate.
        candidates: Settings to choose from, in place of the method's grids.
        checkpoints: Where networks keep what an interrupted fit goes on from.

    Raises:
        ConfigError: If method, preset or a setting is unknown, or a value out of range.
        DataError: If the data lacks what the method learns from.
    """
    started = time.perf_counter()
    method = method_named(name)
    settings = override(preset_of(method, preset), overrides)
    grids = method.grids if preset == TUNED and validation is not None else ()
    if candidates is None or validation is None:
        candidates = expand(settings, grids, fixed=overrides)
    train = as_taken(method.card, train)
    if validation is not None:
        validation = as_taken(method.card, validation)
    candidates = _with_enough_items(candidates, train)
    if len(candidates) == 1:
        settings = candidates[0]
    fitter = _Fitter(
        method, Problem.of(train), seed, torch.device(device), log, checkpoints
    )

    selection: dict[str, Any] = {"candidates": []}
    kept: _Attempt | None = None
    if validation is not None:
        kept, selection = _choose(fitter, candidates, train, validation, log)
        settings = kept.settings
    fit_split = "train"
    if kept is None or method.refits(settings):
        fitting = train
        if validation is not None and method.refits(settings):
            fitting, fit_split = joined(train, validation), "train+val"
        kept = fitter.fit(settings, fitting, None, {})
    earlier_s = 0.0 if checkpoints is None else checkpoints.earlier_s
    return Fitted(
        method=name,
        preset=preset,
        settings=settings,
        problem=fitter.problem,
        towers=kept.towers,
        selection={**selection, "chosen": settings.to_json(), "fit_split": fit_split},
        fit_split=fit_split,
        pairs=_pairs_used(method, train),
        history=kept.history,
        training=kept.training,
        notes=kept.notes,
        train_seconds=time.perf_counter() - started + earlier_s,
    )


def fit_settings(
    name: str, settings: Settings, train: TrainingData, *, seed: int, device: str = "cpu"
) -> Towers:
    """Fit a method with settings already chosen, on these rows and no others.

    Raises:
        DataError: If the data lacks what the method learns from.
    """
    fitter = _Fitter(
        method_named(name),
        Problem.of(train),
        seed,
        torch.device(device),
        lambda record: None,
        None,
    )
    return fitter.fit(settings, train, None, {}).towers


def check_items(
    name: str, preset: str, overrides: Mapping[str, str], train: TrainingData
) -> None:
    """Check, before anything is fitted, that the items can determine the components.

    Raises:
        ConfigError: If method, preset or a setting is unknown, or a value out of range.
        DataError: If no candidate of the method's grids has few enough components.
    """
    method = method_named(name)
    settings = override(preset_of(method, preset), overrides)
    grids = method.grids if preset == TUNED else ()
    _with_enough_items(expand(settings, grids, fixed=overrides), train)


def restore(
    name: str, settings: Mapping[str, Any], problem: Problem, state: Mapping[str, Tensor]
) -> Towers:
    """Return towers from what a run saved, in evaluation mode.

    Args:
        name: Method name.
        settings: As in config.json, complete.
        problem: The sizes it was built for.
        state: What ``flat_state`` returned.

    Raises:
        ConfigError: If method or settings are not this build's.
        RuntimeError: If the state does not fit the towers.
    """
    method = method_named(name)
    towers = method.build(from_json(type(preset_of(method, TUNED)), settings), problem)
    load_flat_state(towers, state)
    return {modality: tower.eval() for modality, tower in towers.items()}


def expand(
    settings: Settings,
    grids: Sequence[Mapping[str, Sequence[Any]]],
    fixed: Mapping[str, Any] | Sequence[str],
) -> list[Settings]:
    """Return every candidate of alternative grids, without repetition.

    A fixed setting keeps its value: of the grids that list it, those with another value
    fall away, or, if no grid has that value, none of them does.

    Args:
        settings: What the grids vary.
        grids: Values by setting, each a product of its own.
        fixed: Names of settings not to vary.
    """
    left = list(grids)
    for name in fixed:
        value = getattr(settings, name)
        if any(value in grid.get(name, ()) for grid in left):
            left = [grid for grid in left if value in grid.get(name, (value,))]
    candidates: list[Settings] = []
    for grid in left:
        names = [name for name in grid if name not in fixed]
        for values in product(*(grid[name] for name in names)):
            candidate = replace(settings, **dict(zip(names, values, strict=True)))
            if candidate not in candidates:
                candidates.append(candidate)
    return candidates or [settings]


def joined(train: TrainingData, more: TrainingData) -> TrainingData:
    """Return both splits as one, pairs included."""
    offset = {m: len(train.features[m]) for m in train.modalities}
    pairs = None
    if train.pairs is not None:
        added = more.pairs or {m: np.zeros(0, np.int64) for m in train.modalities}
        pairs = {
            m: np.concatenate([train.pairs[m], added[m] + offset[m]])
            for m in train.modalities
        }

    def both(name: str) -> dict[Modality, Any]:
        ours, theirs = getattr(train, name), getattr(more, name)
        return {m: np.concatenate([ours[m], theirs[m]]) for m in train.modalities}

    return TrainingData(
        features=both("features"),
        labels=both("labels"),
        classes=train.classes,
        pairs=pairs,
        ids={m: [*train.ids[m], *more.ids[m]] for m in train.modalities},
        pair_keys={m: [*train.pair_keys[m], *more.pair_keys[m]] for m in train.modalities},
        groups=None
        if train.groups is None or more.groups is None
        else {m: [*train.groups[m], *more.groups[m]] for m in train.modalities},
    )


@dataclass(frozen=True, slots=True)
class _Fitter:
    """Fits one method for one problem from one seed."""

    method: Method[Any]
    problem: Problem
    seed: int
    device: torch.device
    log: Callable[[Record], None]
    checkpoints: Checkpoints | None

    def fit(
        self,
        settings: Settings,
        train: TrainingData,
        validation: TrainingData | None,
        memory: dict[Any, Any],
    ) -> _Attempt:
        history: list[Record] = []
        notes: list[str] = []

        def log(record: Record) -> None:
            history.append(record)
            self.log(record)

        context = FitContext(
            seed=self.seed,
            device=self.device,
            log=log,
            note=notes.append,
            memory=memory,
            checkpoints=self.checkpoints,
        )
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(self.seed)
            towers = self.method.build(settings, self.problem)
            training = self.method.fit(towers, train, validation, settings, context)
        for tower in towers.values():
            _freeze(tower)
        return _Attempt(settings, towers, training, history, list(dict.fromkeys(notes)))


def _choose(
    fitter: _Fitter,
    candidates: Sequence[Settings],
    train: TrainingData,
    validation: TrainingData,
    log: Callable[[Record], None],
) -> tuple[_Attempt, dict[str, Any]]:
    memory: dict[Any, Any] = {}
    first = candidates[0].to_json()
    varied = [
        name for name in first if len({str(c.to_json()[name]) for c in candidates}) > 1
    ]
    tried: list[dict[str, Any]] = []
    best: tuple[_Attempt, Score] | None = None
    for number, settings in enumerate(candidates, start=1):
        attempt = fitter.fit(settings, train, validation, memory)
        found = score(attempt.towers, validation)
        values = settings.to_json()
        record = {"settings": {name: values[name] for name in varied}, "score": found.mean}
        tried.append({**record, "directions": dict(found.directions)})
        log({"candidate": number, "candidates": len(candidates), **record})
        if best is None or found.mean > best[1].mean:
            best = attempt, found
    if best is None:
        raise ValueError("no candidates to choose from")
    chosen, found = best
    return chosen, {"metric": found.metric, "score": found.mean, "candidates": tried}


def _with_enough_items(
    candidates: Sequence[Settings], train: TrainingData
) -> list[Settings]:
    """Return the candidates whose components, the setting ``k``, the items can determine.

    Raises:
        DataError: If there is none.
    """
    fewest = min(train.modalities, key=lambda m: len(train.features[m]))
    items = len(train.features[fewest])
    width = min(rows.shape[-1] for rows in train.features.values())
    kept = [c for c in candidates if min(getattr(c, "k", 0), width) <= items]
    if not kept:
        k = min(getattr(c, "k", 0) for c in candidates)
        raise fault(
            field_of(fewest, "features", "train"),
            f"{items} training items cannot determine k={k} components",
            f"set k to {items} or less",
        )
    return kept


def _freeze(tower: nn.Module) -> None:
    tower.eval().to("cpu")
    for parameter in tower.parameters():
        parameter.requires_grad_(False)


def _pairs_used(method: Method[Any], train: TrainingData) -> str:
    if "pairs" not in method.card.supervision:
        return "unused"
    if train.pairs is not None:
        return "own"
    return "drawn" if method.card.needs_pairs else "unused"
