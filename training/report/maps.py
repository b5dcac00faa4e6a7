"""Maps: t-SNE of audio, of visual and of both, before and after a method.

The same clips in every map: of each class those whose keys have the smallest checksums, so
that both members of a pair are there and no draw is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
from jaxtyping import Float, Int
from matplotlib import patheffects
from matplotlib.axes import Axes
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from crossmodal.modality import Modality
from training.compare.results import Items
from training.report.classes import class_names
from training.report.drawing import COLORS, INK, MARKERS, as_svg, drawn, panels
from training.report.page import figure
from training.report.standing import Standing

MOST_ITEMS = 160  # of each modality
MOST_CLASSES = 24  # more cannot be told apart
WIDTH = 50  # principal components before t-SNE
PERPLEXITY = 30.0
ITERATIONS = 400
SEED = 0
REFERENCE = "c_cca"  # the classical method the papers put between before and after

Rows = Int[np.ndarray, "chosen"]
Points = Float[np.ndarray, "points 2"]
Matrix = Float[np.ndarray, "items dim"]


def maps(standing: Standing, most: int = MOST_ITEMS) -> list[str]:
    """Return the maps: raw features, the classical reference, and the best entry.

    Args:
        standing: The comparison.
        most: Items of each modality in a map.
    """
    results = standing.results
    classes = class_names(standing)
    items = results.items()
    rows = {modality: choose(part, most) for modality, part in items.items()}
    if not 1 < len(classes) <= MOST_CLASSES or min(map(len, rows.values())) < 4:
        return []
    labels = {m: np.array(items[m].label)[rows[m]] for m in rows}
    layers = {"before": {m: f[rows[m]] for m, f in results.features().items()}}
    for name in dict.fromkeys((*_reference(standing), *standing.best(1))):
        embeddings = results.embeddings(name)
        if embeddings:
            layers[name] = {m: embeddings[m][rows[m]] for m in rows}
    modalities = sorted(rows)
    with drawn():
        canvas, axes = panels(len(layers), len(modalities) + 1, width=3.5, height=3.3)
        for line, (title, layer) in zip(axes, layers.items(), strict=True):
            for panel, modality in zip(line, modalities, strict=False):
                points = {modality: embed_plane(layer[modality])}
                _draw(panel, points, labels, classes, named=True)
                panel.set_title(f"{title}: {modality}")
            _draw(line[-1], together(layer), labels, classes, named=False)
            line[-1].set_title(f"{title}: both")
        handles, names = axes[0][0].get_legend_handles_labels()
        canvas.legend(handles, names, loc="outside lower center", ncols=6)
        svg = as_svg(canvas, "maps")
    shown = ", ".join(f"{len(rows[m])} {m}" for m in modalities)
    return [
        figure(
            svg,
            f"t-SNE (perplexity {PERPLEXITY:g} or less, seed {SEED}, {ITERATIONS} "
            f"iterations) of {shown} items, the same in every map. In the maps of both, "
            f"filled marks are {modalities[0]}, hollow {' and '.join(modalities[1:])}. "
            "Features before have no common space: for their joint map each modality is "
            "standardised and cut to equally many principal components, which relates "
            "nothing to nothing. "
            "Distances between far groups mean little in any such map.",
        )
    ]


def choose(items: Items, most: int) -> Rows:
    """Return the rows drawn, in order: of every class a share like its size."""
    keys = [pair or item for pair, item in zip(items.pair, items.id, strict=True)]
    labels = np.array(items.label)
    share = min(1.0, most / max(1, len(labels)))
    chosen: list[int] = []
    for name in sorted(set(items.label) - {""}):
        members = np.flatnonzero(labels == name).tolist()
        members.sort(key=lambda row: (crc32(keys[row].encode()), keys[row]))
        chosen += members[: max(1, round(share * len(members)))]
    return np.array(sorted(chosen), dtype=np.int64)


def embed_plane(rows: Matrix) -> Points:
    """Return the t-SNE of some rows."""
    few = min(WIDTH, *rows.shape)
    reduced = PCA(few, random_state=SEED).fit_transform(rows.astype(np.float64))
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    model = TSNE(
        perplexity=perplexity, init="pca", random_state=SEED, max_iter=ITERATIONS, n_jobs=1
    )
    points: np.ndarray = model.fit_transform(reduced)
    return points


def together(layer: Mapping[Modality, Matrix]) -> dict[Modality, Points]:
    """Return one t-SNE of the rows of all modalities, apart again."""
    modalities = sorted(layer)
    widths = {layer[m].shape[1] for m in modalities}
    parts = [layer[m] for m in modalities]
    if len(widths) > 1 or _is_raw(parts):
        few = min(WIDTH, *(side for part in parts for side in part.shape))
        parts = [_reduced(part, few) for part in parts]
    ends = np.cumsum([len(part) for part in parts])[:-1]
    planes = np.split(embed_plane(np.concatenate(parts)), ends)
    return dict(zip(modalities, planes, strict=True))


def _is_raw(parts: Sequence[Matrix]) -> bool:
    """Whether the rows are features: embeddings have unit norm."""
    return any(np.abs(np.linalg.norm(p, axis=1) - 1).max() > 1e-3 for p in parts)


def _reduced(rows: Matrix, few: int) -> Float[np.ndarray, "items few"]:
    scale = rows.std(axis=0)
    standard = (rows - rows.mean(axis=0)) / np.where(scale > 0, scale, 1)
    reduced: np.ndarray = PCA(few, random_state=SEED).fit_transform(standard)
    scaled: np.ndarray = reduced / reduced.std()
    return scaled


def _reference(standing: Standing) -> tuple[str, ...]:
    return (REFERENCE,) if REFERENCE in standing.ranked else ()


def _draw(
    panel: Axes,
    points: Mapping[Modality, Points],
    labels: Mapping[Modality, np.ndarray],
    classes: Sequence[str],
    *,
    named: bool,
) -> None:
    for number, name in enumerate(classes):
        color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
        for order, (modality, plane) in enumerate(points.items()):
            mine = plane[labels[modality] == name]
            panel.scatter(
                mine[:, 0],
                mine[:, 1],
                s=16,
                marker=marker,
                facecolor=color if order == 0 else "none",
                edgecolor=color,
                linewidth=0.8,
                label=name if order == 0 else None,
            )
    if named:
        _name_classes(panel, points, labels, classes)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.grid(visible=False)
    for side in ("top", "right"):
        panel.spines[side].set_visible(True)


def _name_classes(
    panel: Axes,
    points: Mapping[Modality, Points],
    labels: Mapping[Modality, np.ndarray],
    classes: Sequence[str],
) -> None:
    """Write a class's name where its points are thickest, so that color is not needed."""
    ((modality, plane),) = points.items()
    for name in classes:
        mine = plane[labels[modality] == name]
        if not len(mine):
            continue
        middle = mine[np.abs(mine - np.median(mine, axis=0)).sum(axis=1).argmin()]
        halo = [patheffects.withStroke(linewidth=2.5, foreground="white")]
        written = panel.annotate(
            name, middle, ha="center", va="center", fontsize=8, color=INK, path_effects=halo
        )
        written.set_in_layout(False)
