"""The front ends there are: one table, and the ways to get one from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crossmodal.errors import FrontEndError
from crossmodal.frontends import mobilenet, yamnet
from crossmodal.frontends.framestats import FrameStats
from crossmodal.frontends.frontend import FrontEnd, FrontEndSpec
from crossmodal.frontends.logmel import LogMel
from crossmodal.frontends.mobilenet import Mobilenet
from crossmodal.frontends.weights import WeightsFile, weights_directory
from crossmodal.frontends.yamnet import Yamnet
from crossmodal.modality import Modality, parse_modality


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontEndCard:
    """One front end of the table.

    ``create`` takes the weights file or the directory to search for it; where
    ``weights`` is None it is not looked at.
    """

    name: str
    modality: Modality
    summary: str
    create: Callable[[Path], FrontEnd]
    weights: WeightsFile | None = None


FRONTENDS: Mapping[str, FrontEndCard] = {
    card.name: card
    for card in (
        FrontEndCard(
            name="logmel",
            modality=Modality.AUDIO,
            summary="log-mel bands, onsets and pitch every 50 ms; no weights",
            create=lambda _: LogMel(),
        ),
        FrontEndCard(
            name="framestats",
            modality=Modality.VISUAL,
            summary="colors, edges, foreground and motion 10 times a second; no weights",
            create=lambda _: FrameStats(),
        ),
        FrontEndCard(
            name="yamnet",
            modality=Modality.AUDIO,
            summary="1024 activations per 0.975 s of a network trained on AudioSet",
            create=Yamnet,
            weights=yamnet.WEIGHTS,
        ),
        FrontEndCard(
            name="mobilenet",
            modality=Modality.VISUAL,
            summary="1024 activations a second of a network trained on ImageNet",
            create=Mobilenet,
            weights=mobilenet.WEIGHTS,
        ),
    )
}


def create_frontend(
    name: str, modality: Modality | None = None, weights: Path | None = None
) -> FrontEnd:
    """Return the front end of that name.

    Args:
        name: A key of ``FRONTENDS``.
        modality: What it must be for, if that matters.
        weights: The weights file, or a directory searched below by file name; by default
            the directory of ``EARSHOT_WEIGHTS``, else the user's cache. Read when the
            first clip comes.

    Raises:
        FrontEndError: If there is no such front end, or it is for another modality;
            lists the choices.
    """
    fitting = [
        card for card in FRONTENDS.values() if modality is None or card.modality == modality
    ]
    card = next((card for card in fitting if card.name == name), None)
    if card is None:
        kind = "front end" if modality is None else f"front end for {modality}"
        choices = ", ".join(card.name for card in fitting) or "none"
        raise FrontEndError(f"unknown {kind} {name!r}: expected one of {choices}")
    return card.create(weights_directory() if weights is None else weights)


def restore_frontend(spec: FrontEndSpec) -> FrontEnd:
    """Return the front end that gives the very features the spec describes.

    Raises:
        FrontEndError: If this build's front end of that name differs in anything the
            spec declares: version, sizes, settings or weights; names what differs.
    """
    frontend = create_frontend(spec.name, spec.modality)
    wanted, here = _as_stored(spec), _as_stored(frontend.spec)
    if wanted != here:
        differing = ", ".join(
            f"{key} (expected {wanted.get(key)!r}, this build has {here.get(key)!r})"
            for key in sorted(wanted.keys() | here.keys())
            if wanted.get(key) != here.get(key)
        )
        raise FrontEndError(
            f"front end {spec.name!r} differs from the one the features were made with: "
            f"{differing}; prepare and fit again with this build, or use the build of then"
        )
    return frontend


def parse_choices(choices: Iterable[str]) -> Mapping[Modality, FrontEnd]:
    """Return the front ends written as ``modality=name``, by modality.

    Raises:
        FrontEndError: If a choice is written otherwise, names an unknown front end or one
            of another modality, or a modality comes twice.
        ModalityError: If there is no such modality.
    """
    frontends: dict[Modality, FrontEnd] = {}
    for choice in choices:
        text, equals, name = choice.partition("=")
        if not equals:
            raise FrontEndError(f"expected MODALITY=NAME, as audio=logmel, got {choice!r}")
        modality = parse_modality(text)
        if modality in frontends:
            raise FrontEndError(f"more than one front end for {modality}: {choice!r}")
        frontends[modality] = create_frontend(name, modality)
    return frontends


def _as_stored(spec: FrontEndSpec) -> dict[str, Any]:
    """Return the spec's fields, settings last and flat, as JSON would give them back."""
    fields: dict[str, Any] = json.loads(json.dumps(asdict(spec)))
    settings = fields.pop("settings")
    return fields | {f"settings.{key}": value for key, value in settings.items()}
