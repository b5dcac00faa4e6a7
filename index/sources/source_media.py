"""Media into items: every clip of a source decoded, embedded and, if wanted, copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from crossmodal.bundle import Bundle
from crossmodal.durable import sha256_file
from crossmodal.embed import embed_clip, embed_features
from crossmodal.embeddings import Embeddings
from crossmodal.errors import BundleError, CrossmodalError, DataError, FrontEndError
from crossmodal.items import Segment, SourceItem
from crossmodal.media.decoder import Decoder
from crossmodal.modality import Modality
from index.sources.known_features import KnownFeatures
from index.storage.media import MediaFiles
from index.storage.new_items import NewItem, NewVector


class Skipped(NamedTuple):
    """An item that was left out, and why."""

    item_id: str
    reason: str


def embed_media(
    items: Sequence[SourceItem],
    bundle: Bundle,
    *,
    media: MediaFiles | None,
    workers: int,
    advance: Callable[[], None],
    known: KnownFeatures | None = None,
    decoder: Decoder | None = None,
) -> Iterator[NewItem | Skipped]:
    """Yield each item embedded, in the order given; a bad file costs only its own item.

    Args:
        items: What to read; modalities the bundle lacks are left out.
        bundle: What to embed with.
        media: Where to keep copies of the files; None keeps none.
        workers: Clips decoded at a time.
        advance: Called once per item done.
        known: Features by the bundle's own front ends; what is there is not decoded.
        decoder: Decodes the clips; by default one that lives as long as this.

    Raises:
        FrontEndError: If the bundle cannot read media, here or at all.
        BundleError: If an encoder cannot be loaded.
        DataError: If the bundle encodes no modality of any item.
    """
    offered = {modality for item in items for modality in item.media}
    used = sorted(offered & set(bundle.modalities))
    if not used:
        raise DataError(
            f"the source offers {', '.join(sorted(offered))}, the bundle encodes "
            f"{', '.join(bundle.modalities)}"
        )
    for modality in used:  # once, before threads ask for them
        bundle.encoder(modality)
        bundle.frontend(modality)
    with ExitStack() as stack:
        decodes = decoder or stack.enter_context(Decoder(workers=workers))
        pool = stack.enter_context(ThreadPoolExecutor(workers))

        def embed(item: SourceItem) -> NewItem | Skipped:
            try:
                return _embed(item, bundle, decodes, media, known)
            except (FrontEndError, BundleError):
                raise  # no other clip would fare better
            except (CrossmodalError, OSError) as error:
                return Skipped(item.id, str(error) or type(error).__name__)

        for outcome in pool.map(embed, items):
            advance()
            yield outcome


def metadata_of(item: SourceItem) -> dict[str, Any]:
    """Return what is stored as an item's metadata: its own, and split, pair and group."""
    known = {"split": item.split, "pair": item.pair, "group": item.group}
    return {**item.metadata, **{name: value for name, value in known.items() if value}}


def _embed(
    item: SourceItem,
    bundle: Bundle,
    decoder: Decoder,
    media: MediaFiles | None,
    known: KnownFeatures | None,
) -> NewItem | Skipped:
    by_file: dict[Path, list[Modality]] = {}
    for modality, path in sorted(item.media.items()):
        if modality in bundle.modalities:
            by_file.setdefault(path, []).append(modality)
    if not by_file:
        return Skipped(item.id, f"the bundle encodes no {' or '.join(sorted(item.media))}")
    vectors = []
    for path, modalities in by_file.items():
        start_s, end_s = item.segment.start_s, item.segment.end_s
        found = known and _embed_known(item, path, modalities, bundle, known)
        if found:
            embeddings, duration_s = found
        else:
            clip = embed_clip(
                bundle, path, tuple(modalities), decoder, start_s=start_s, end_s=end_s
            )
            embeddings, duration_s = clip.embeddings, clip.duration_s
        if end_s is None and duration_s > 0:
            end_s = start_s + duration_s
        vectors += [
            NewVector(modality, row, Segment(start_s, end_s))
            for modality, rows in embeddings.items()
            for row in rows
        ]
    return NewItem(
        id=item.id,
        label=item.label,
        metadata=metadata_of(item),
        media_sha256=media.add(next(iter(by_file))) if media else None,
        vectors=vectors,
    )


def _embed_known(
    item: SourceItem,
    path: Path,
    modalities: Sequence[Modality],
    bundle: Bundle,
    known: KnownFeatures,
) -> tuple[Mapping[Modality, Embeddings], float] | None:
    """Return what decoding would give; None if features of a modality are missing."""
    sha256 = sha256_file(path)
    rows = {m: known.find(m, sha256, item.segment) for m in modalities}
    found = {m: row for m, row in rows.items() if row is not None}
    if len(found) < len(rows):
        return None
    embeddings = {m: embed_features(bundle, m, row.features) for m, row in found.items()}
    return embeddings, found[modalities[0]].duration_s
