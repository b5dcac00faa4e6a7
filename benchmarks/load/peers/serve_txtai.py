"""txtai's own API over vectors made elsewhere, with the index that it chooses.

Its search takes text, so a query is its vector in base64; the transform below, which txtai
calls for every query, reads it back.
"""

import base64
import json
import os
import sys
from pathlib import Path

import numpy as np


def transform(texts: list[str]) -> np.ndarray:
    """Return the vectors (texts, dim) that texts spell."""
    raw = [base64.urlsafe_b64decode(text) for text in texts]
    return np.stack([np.frombuffer(one, dtype="<f4") for one in raw])


SETTINGS = {"method": "external", "transform": "serve_txtai.transform"}


def build(vectors: np.ndarray, folder: Path) -> dict[str, object]:
    """Index the vectors under their row numbers."""
    from txtai import Embeddings

    embeddings = Embeddings(SETTINGS)
    embeddings.index((row, vector, None) for row, vector in enumerate(vectors))
    embeddings.save(str(folder / "index"))
    settings = "as txtai chooses it"
    return {
        "index": f"faiss {embeddings.config['build']['settings']['components']}",
        "settings": settings,
    }


def main() -> None:
    """Build or serve, as the command line says."""
    os.environ["ALLOW_RESOLVE_TRANSFORM"] = "True"
    if sys.argv[1] == "build":
        vectors = np.load(sys.argv[2], allow_pickle=False)
        print(json.dumps(build(vectors, Path(sys.argv[3]))))
        return
    folder = Path(sys.argv[2])
    config = folder / "config.yml"
    config.write_text(json.dumps({"path": str(folder / "index"), "embeddings": SETTINGS}))
    os.environ["CONFIG"] = str(config)
    import uvicorn

    port = int(sys.argv[3])
    uvicorn.run(
        "txtai.api:app", host="127.0.0.1", port=port, log_level="warning", access_log=False
    )


if __name__ == "__main__":
    main()
