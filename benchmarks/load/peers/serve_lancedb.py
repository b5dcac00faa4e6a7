"""LanceDB's embedded engine behind the minimal route.

Its default index, IVF_PQ, finds a fifth of the ten best here; this is the one that its
documentation names for recall, IVF_HNSW_SQ, with default settings.
"""

import json
import sys
import warnings
from pathlib import Path

import lancedb
import numpy as np
import pyarrow
from minimal import serve

TABLE, KIND, LEAST = "vectors", "IVF_HNSW_SQ", 5000


def build(vectors: np.ndarray, folder: Path) -> dict[str, object]:
    """Store the vectors and index them; a few are scanned, as it cannot train on them."""
    flat = pyarrow.array(vectors.ravel())
    column = pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    rows = pyarrow.table({"id": np.arange(len(vectors)), "vector": column})
    table = lancedb.connect(folder / "db").create_table(TABLE, rows)
    if len(vectors) < LEAST:
        return {"index": "none: plain scan"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a newer way to say the same
        table.create_index(metric="cosine", vector_column_name="vector", index_type=KIND)
    return {"index": f"{KIND}, defaults"}


def main() -> None:
    """Build or serve, as the command line says."""
    if sys.argv[1] == "build":
        vectors = np.load(sys.argv[2], allow_pickle=False)
        print(json.dumps(build(vectors, Path(sys.argv[3]))))
        return
    table = lancedb.connect(Path(sys.argv[2]) / "db").open_table(TABLE)

    def search(vector: list[float], k: int) -> list[int]:
        query = table.search(np.array(vector, dtype=np.float32)).distance_type("cosine")
        found = query.limit(k).select(["id", "_distance"]).to_arrow()
        ids: list[int] = found["id"].to_pylist()
        return ids

    serve(search, int(sys.argv[3]))


if __name__ == "__main__":
    main()
