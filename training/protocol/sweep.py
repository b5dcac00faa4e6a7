"""Sweeps: one method fitted with every combination of declared settings, each scored.

Layout of the directory: ``points/KEY.json``, one fit each (``key``, ``settings`` varied,
``seed``, ``score``, ``directions``, ``train_seconds``), and ``sweep.json``, written last:
``format``, ``command``, ``environment``, ``request``, ``metric`` and all ``points``.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from crossmodal.durable import sha256_file, write_json
from crossmodal.errors import ConfigError
from crossmodal.faults import naming
from crossmodal.features import FeaturesFile
from training.checks import check_scored, check_training_file
from training.compare.provenance import made_by
from training.config import Settings, override
from training.data import TrainingData, class_names, training_data
from training.environment import environment
from training.methods.catalog import method_named, preset_of
from training.methods.method import as_taken
from training.protocol.selection import fit_method
from training.protocol.splits import with_validation
from training.protocol.trials import Trials, averaged
from training.protocol.validation import score

FORMAT = 1
CARD, POINTS = "sweep.json", "points"
VALIDATION_SEED = 0  # as in a comparison: seeds differ in training alone
SCORED_ON = {"val": "validation", "test": "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest:
    """What is varied, and on what.

    Attributes:
        data: Features file.
        method: Method.
        preset: Where settings start.
        varied: Values as text, by setting; every combination is fitted.
        overrides: Settings given as text, the same in every fit.
        seeds: One fit of each combination per seed.
        split: What is scored: ``val`` (fitted on train alone) or ``test``.
        device: Where networks train.
    """

    data: Path
    method: str
    preset: str = "tuned"
    varied: Mapping[str, tuple[str, ...]]
    overrides: Mapping[str, str]
    seeds: tuple[int, ...] = (0,)
    split: str = "val"
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.split not in SCORED_ON:
            raise ConfigError(f"--split must be val or test, got {self.split!r}")
        twice = sorted(set(self.varied) & set(self.overrides))
        if twice:
            raise ConfigError(f"{twice[0]} is both varied and set")
        for texts in self.combinations():  # a wrong value is said before the first fit
            self.settings(texts)

    @property
    def fits(self) -> int:
        """How many fits there are."""
        return len(self.combinations()) * len(self.seeds)

    def combinations(self) -> list[dict[str, str]]:
        """Return every combination of the values varied, the last one fastest."""
        return [
            dict(zip(self.varied, texts, strict=True))
            for texts in product(*self.varied.values())
        ]

    def settings(self, texts: Mapping[str, str]) -> Settings:
        """Return the settings of one combination.

        Raises:
            ConfigError: If a setting is unknown or a value out of range.
        """
        start = preset_of(method_named(self.method), self.preset)
        return override(start, {**self.overrides, **texts})


@dataclass(frozen=True)
class Sweep:
    """A finished sweep."""

    directory: Path
    card: Mapping[str, Any]

    @classmethod
    def open(cls, directory: Path) -> Sweep:
        """Read a sweep.

        Raises:
            ConfigError: If the directory holds none, or one of another format.
        """
        try:
            card = json.loads((directory / CARD).read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{directory}: holds no finished sweep") from error
        if card["format"] != FORMAT:
            raise ConfigError(f"{directory}: format {card['format']}, expected {FORMAT}")
        return cls(directory, card)

    @property
    def trials(self) -> Trials:
        """The combinations and their scores, averaged over seeds."""
        request = self.card["request"]
        found = ((p["settings"], p["score"], p["directions"]) for p in self.card["points"])
        return Trials(
            request["method"],
            SCORED_ON[request["split"]],
            self.card["metric"],
            averaged(found),
        )


def parse_varied(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return ``KEY=V1,V2`` texts as values by key.

    Raises:
        ConfigError: If a text has another form, or a key or value comes twice.
    """
    varied: dict[str, tuple[str, ...]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        parts = tuple(part.strip() for part in values.split(","))
        if not (key and equals and all(parts)) or key in varied:
            raise ConfigError(f"--vary {text}: expected KEY=V1,V2,…, each key once")
        if len(set(parts)) < len(parts):
            raise ConfigError(f"--vary {text}: a value comes twice")
        varied[key] = parts
    return varied


def run_sweep(
    request: SweepRequest,
    data: FeaturesFile,
    out: Path,
    advance: Callable[[], None] = lambda: None,
) -> Sweep:
    """Fit and score every combination; what an earlier run finished is taken over.

    Args:
        request: What is varied.
        data: The features file, read.
        out: The directory.
        advance: Called once per fit done.

    Raises:
        ConfigError: If the directory holds something else.
        DataError: If a split is missing or the method lacks what it learns from.
    """
    points = out / POINTS
    if out.exists() and any(out.iterdir()) and not points.is_dir():
        raise ConfigError(f"{out}: not empty and no sweep; choose another --out")
    with naming(request.data):
        parts = _parts(request, data)
    points.mkdir(parents=True, exist_ok=True)
    basis = [FORMAT, sha256_file(request.data), made_by(request.method), request.split]
    found = []
    for texts, seed in product(request.combinations(), request.seeds):
        settings = request.settings(texts)
        content = json.dumps([*basis, request.preset, settings.to_json(), seed])
        key = hashlib.sha256(content.encode()).hexdigest()[:20]
        path = points / f"{key}.json"
        if not path.is_file():
            with naming(request.data):
                point = _point(request, settings, texts, seed, parts)
            write_json(path, {"key": key, **point})
        found.append(json.loads(path.read_text()))
        advance()
    there = environment(request.device)
    plain = asdict(request) | {"data": str(request.data)}
    card = {
        "format": FORMAT,
        "command": there.pop("command"),
        "environment": there,
        "data": data.name,
        "request": plain | {"seeds": list(request.seeds)},
        "metric": found[0]["metric"],
        "points": found,
    }
    write_json(out / CARD, card)
    return Sweep.open(out)


def _parts(request: SweepRequest, data: FeaturesFile) -> dict[str, TrainingData]:
    check_training_file(data)
    cut = with_validation(data, seed=VALIDATION_SEED)
    check_scored(cut, request.split)
    classes = class_names(cut.of_split("train"))
    wanted = {"train", "val", request.split}
    return {split: training_data(cut, split, classes) for split in sorted(wanted)}


def _point(
    request: SweepRequest,
    settings: Settings,
    texts: Mapping[str, str],
    seed: int,
    parts: Mapping[str, TrainingData],
) -> dict[str, Any]:
    """Fit and score one combination.

    A closed form is refitted on train and validation once its settings are chosen: scored
    on validation it would be scored on what it has seen, so there it gets train alone.
    """
    closed = method_named(request.method).refits(settings)
    withheld = closed and request.split == "val"
    started = time.perf_counter()
    fitted = fit_method(
        request.method,
        request.preset,
        {**request.overrides, **texts},
        parts["train"],
        None if withheld else parts["val"],
        seed=seed,
        device=request.device,
        candidates=[settings],
    )
    seconds = time.perf_counter() - started
    card = method_named(request.method).card
    found = score(fitted.towers, as_taken(card, parts[request.split]))
    values = settings.to_json()
    return {
        "settings": {key: values[key] for key in texts},
        "seed": seed,
        "metric": found.metric,
        "score": found.mean,
        "directions": dict(found.directions),
        "train_seconds": seconds,
    }
