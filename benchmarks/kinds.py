"""What the kinds of index find and take, by number and width of vectors.

Vectors stand in clusters; beside those of the usual width, some that are so wide that they
overlap, where an index that looks at a part of the vectors has to look at many. Every
gallery is searched with queries of the other modality, one after the other on one thread,
as widely as a recall of 0.99 needs, or as widely as its kind allows.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import faiss
import numpy as np

from benchmarks.clusters import NOISE, Clusters
from crossmodal.modality import Modality
from index.galleries.bases import BaseGallery, recall_of
from index.galleries.flat import FlatGallery
from index.galleries.hnsw import HnswGallery
from index.galleries.ivf import IvfGallery

SIZES = ((10_000, 128), (50_000, 128), (100_000, 128), (250_000, 128), (100_000, 512))
WIDE, WIDE_SIZES = 4.0, ((50_000, 128), (100_000, 128))
GRAPH_UP_TO = 20_000_000  # numbers in all: more take minutes to link
GALLERY = Modality.VISUAL
QUERIES, K, RECALL = 200, 10, 0.99


@dataclass(frozen=True)
class Measured:
    """One gallery: how long it took to make, what it finds, and how fast."""

    made_s: float
    recall: float
    searches_per_s: float


def main() -> None:
    """Print the figures of every kind and size."""
    faiss.omp_set_num_threads(1)
    result: dict[str, float] = {}
    for noise, sizes in ((NOISE, SIZES), (WIDE, WIDE_SIZES)):
        for count, dim in sizes:
            name = f"{count}x{dim}" + ("_wide" if noise == WIDE else "")
            print(name, file=sys.stderr)
            for kind, measured in measure(Clusters(count, dim, 0, noise), count, dim):
                result[f"{name}_{kind}_made_s"] = measured.made_s
                result[f"{name}_{kind}_recall"] = measured.recall
                result[f"{name}_{kind}_searches_per_s"] = measured.searches_per_s
    print(json.dumps(result))


def measure(clusters: Clusters, count: int, dim: int) -> Iterator[tuple[str, Measured]]:
    """Make every kind of gallery of the same vectors, and search it."""
    rows, seqs = clusters.draw(count)[GALLERY], np.arange(count)
    queries = clusters.queries(QUERIES)
    started = time.perf_counter()
    flat = FlatGallery.of(seqs, rows)
    yield flat.kind, Measured(time.perf_counter() - started, 1.0, rate(flat, queries))
    started = time.perf_counter()
    lists = IvfGallery.of(seqs, rows, seed=0)
    made_s = time.perf_counter() - started
    yield lists.kind, wide_enough(lists, made_s, queries)
    if count * dim <= GRAPH_UP_TO:
        started = time.perf_counter()
        graph = HnswGallery.of(seqs, rows)
        made_s = time.perf_counter() - started
        yield graph.kind, wide_enough(graph, made_s, queries)


def wide_enough(
    made: IvfGallery | HnswGallery, made_s: float, queries: np.ndarray
) -> Measured:
    """Search by the first width that finds enough, or else the last."""
    for width in made.widths:
        tried = made.measured(width, 0.0)
        recall = recall_of(tried, queries)
        if recall >= RECALL:
            break
    return Measured(made_s, recall, rate(tried, queries))


def rate(gallery: BaseGallery, queries: np.ndarray) -> float:
    """Return the best of three rates."""
    return max(_rate(gallery, queries) for _ in range(3))


def _rate(gallery: BaseGallery, queries: np.ndarray) -> float:
    started = time.perf_counter()
    for number in range(len(queries)):
        gallery.search(queries[number : number + 1], K)
    return len(queries) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
