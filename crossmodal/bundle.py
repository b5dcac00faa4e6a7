"""Bundles: exported encoders with all that is needed to run them the same way again.

A bundle is a directory: ``manifest.json`` names every other file with its sha256, and
the sha256 of the manifest itself is the *model id* that collections are tied to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from crossmodal.confidence import Confidence, parse_confidence
from crossmodal.durable import sha256_file, write_json
from crossmodal.encoder import Encoder, OnnxEncoder
from crossmodal.errors import BundleError, DataError, ModalityError
from crossmodal.frontends.catalog import restore_frontend
from crossmodal.frontends.frontend import FrontEnd, FrontEndSpec, parse_spec
from crossmodal.modality import Direction, Modality, parse_direction, parse_modality

BUNDLE_FORMAT = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec:
    """One modality's encoder: its graph and the features it takes.

    ``frontend`` is None where features came ready made; media is then refused.
    ``sequences`` says that the graph takes a clip's steps (time, ``input_dim``) instead of
    one pooled row.
    """

    file: str
    input_dim: int
    frontend: FrontEndSpec | None = None
    sequences: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleManifest:
    """What a bundle says of itself.

    ``same_modality_mask`` lists the embedding's dimensions to set to zero in the query
    when query and gallery are of one modality; ``fit`` tells the data, split, seed and
    settings of the fit; ``confidence`` maps directions to what their scores mean, empty
    where that was not fitted; ``direction`` is the only one across modalities that the
    encoders were trained for, None if they serve all; ``files`` maps each file to its
    sha256.
    """

    method: str
    dim: int
    encoders: Mapping[Modality, EncoderSpec]
    classes: tuple[str, ...] = ()
    same_modality_mask: tuple[int, ...] = ()
    fit: Mapping[str, Any] = field(default_factory=dict)
    confidence: Mapping[Direction, Confidence] = field(default_factory=dict)
    direction: Direction | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    format: int = BUNDLE_FORMAT


class Bundle:
    """An opened bundle whose every file was checked against the manifest."""

    def __init__(self, directory: Path, manifest: BundleManifest, model_id: str) -> None:
        """Use `Bundle.open`; this takes what it has checked."""
        self.directory = directory
        self.manifest = manifest
        self.model_id = model_id
        self._encoders: dict[Modality, Encoder] = {}
        self._frontends: dict[Modality, FrontEnd] = {}

    @classmethod
    def open(cls, directory: Path) -> Bundle:
        """Read a bundle, check every file's sha256 and refuse external data.

        Raises:
            BundleError: If a file is missing, damaged, foreign or from a newer build.
        """
        path = directory / MANIFEST
        try:
            raw = path.read_bytes()
        except OSError:
            raise BundleError(f"{directory.name}: no {MANIFEST}; is it a bundle?") from None
        manifest = _parse(raw, directory.name)
        for name, expected in manifest.files.items():
            file = directory / name
            if Path(name).name != name or file.is_symlink() or not file.is_file():
                raise BundleError(f"{directory.name}: {name} is missing or no plain file")
            actual = sha256_file(file)
            if actual != expected:
                raise BundleError(
                    f"{directory.name}: {name} has sha256 {actual[:12]}…, the manifest "
                    f"says {expected[:12]}…; export the bundle again"
                )
        for modality, spec in manifest.encoders.items():
            if spec.file not in manifest.files:
                raise BundleError(f"{directory.name}: {modality} graph is not listed")
        return cls(directory, manifest, hashlib.sha256(raw).hexdigest())

    @cached_property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities this bundle encodes, in a stable order."""
        return tuple(sorted(self.manifest.encoders))

    def serves(self, direction: Direction) -> bool:
        """Whether it was trained to search so; inside a modality every bundle does."""
        return direction.within or self.manifest.direction in (None, direction)

    def spec(self, modality: Modality) -> EncoderSpec:
        """Return one modality's encoder description.

        Raises:
            BundleError: If the bundle has no encoder for it.
        """
        try:
            return self.manifest.encoders[modality]
        except KeyError:
            raise BundleError(
                f"this bundle has no {modality} encoder, only {', '.join(self.modalities)}"
            ) from None

    def encoder(self, modality: Modality) -> Encoder:
        """Return the encoder, loaded once."""
        if modality not in self._encoders:
            spec = self.spec(modality)
            graph = (self.directory / spec.file).read_bytes()
            refuse_external_data(graph, spec.file)
            self._encoders[modality] = OnnxEncoder(
                graph,
                input_dim=spec.input_dim,
                dim=self.manifest.dim,
                name=spec.file,
                sequences=spec.sequences,
            )
        return self._encoders[modality]

    def frontend(self, modality: Modality) -> FrontEnd | None:
        """Return the front end of the fit, or None where features came ready made."""
        spec = self.spec(modality).frontend
        if spec is None:
            return None
        if modality not in self._frontends:
            self._frontends[modality] = restore_frontend(spec)
        return self._frontends[modality]


def write_manifest(directory: Path, manifest: BundleManifest) -> BundleManifest:
    """Write the manifest last, in one step, with the sha256 of every other file."""
    files = {
        path.name: sha256_file(path)
        for path in sorted(directory.iterdir())
        if path.is_file() and path.name != MANIFEST
    }
    whole = replace(manifest, files=files)
    confidence = {str(d): given.to_json() for d, given in sorted(whole.confidence.items())}
    value = asdict(replace(whole, confidence={})) | {"confidence": confidence}
    value.pop("direction")
    if whole.direction is not None:  # all others stay readable by builds before this field
        value["direction"] = str(whole.direction)
    write_json(directory / MANIFEST, value)
    return whole


def refuse_external_data(graph: bytes, name: str) -> None:
    """Refuse a graph that keeps weights outside its own file.

    ONNX Runtime resolves such data against the current directory, where no checksum of
    ours covers it. The field is recognised in the raw protobuf by its required key, so
    that no protobuf library is needed where bundles are served.

    Raises:
        BundleError: If the graph refers to external data.
    """
    if b"\x0a\x08location\x12" in graph:
        raise BundleError(f"{name}: external data is not allowed in a bundle")


def _parse(raw: bytes, name: str) -> BundleManifest:
    try:
        value = json.loads(raw)
        if value["format"] != BUNDLE_FORMAT:
            raise BundleError(
                f"{name}: bundle format {value['format']}, this build reads {BUNDLE_FORMAT}"
            )
        encoders = {
            parse_modality(modality): _encoder_spec(spec)
            for modality, spec in value["encoders"].items()
        }
        direction = value.get("direction")
        manifest = BundleManifest(
            **(
                value
                | {
                    "encoders": encoders,
                    "classes": tuple(value["classes"]),
                    "same_modality_mask": tuple(value["same_modality_mask"]),
                    "confidence": {
                        parse_direction(name): parse_confidence(given)
                        for name, given in value.get("confidence", {}).items()
                    },
                    "direction": None if direction is None else parse_direction(direction),
                }
            )
        )
    except ModalityError as error:
        raise BundleError(f"{name}: {MANIFEST}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, DataError) as error:
        raise BundleError(f"{name}: {MANIFEST} is damaged or not of a bundle") from error
    return manifest


def _encoder_spec(value: Mapping[str, Any]) -> EncoderSpec:
    frontend = value["frontend"]
    spec = None if frontend is None else parse_spec(frontend)
    return EncoderSpec(**{**value, "frontend": spec})
