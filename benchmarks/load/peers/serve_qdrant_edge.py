"""Qdrant's embedded engine: its default HNSW graph, cosine, behind the minimal route."""

import json
import sys
from pathlib import Path

import numpy as np
from minimal import serve
from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeShard,
    EdgeVectorParams,
    Point,
    Query,
    QueryRequest,
    UpdateOperation,
)

AT_ONCE = 1000


def build(vectors: np.ndarray, folder: Path) -> dict[str, object]:
    """Store the vectors under their row numbers and let the shard index them."""
    params = EdgeVectorParams(size=vectors.shape[1], distance=Distance.Cosine)
    shard = EdgeShard.create(str(folder / "shard"), EdgeConfig(vectors=params))
    for first in range(0, len(vectors), AT_ONCE):
        rows = vectors[first : first + AT_ONCE].tolist()
        points = [Point(id=first + n, vector=row) for n, row in enumerate(rows)]
        shard.update(UpdateOperation.upsert_points(points))
    shard.optimize()
    info = shard.info()
    shard.close()
    indexed = info.indexed_vectors_count
    kind = "HNSW, defaults" if indexed else "plain scan, by its own threshold"
    return {"index": kind, "indexed": indexed, "segments": info.segments_count}


def main() -> None:
    """Build or serve, as the command line says."""
    if sys.argv[1] == "build":
        vectors = np.load(sys.argv[2], allow_pickle=False)
        print(json.dumps(build(vectors, Path(sys.argv[3]))))
        return
    shard = EdgeShard.load(str(Path(sys.argv[2]) / "shard"))

    def search(vector: list[float], k: int) -> list[int]:
        return [
            hit.id
            for hit in shard.query(QueryRequest(limit=k, query=Query.Nearest(vector)))
        ]

    serve(search, int(sys.argv[3]))


if __name__ == "__main__":
    main()
