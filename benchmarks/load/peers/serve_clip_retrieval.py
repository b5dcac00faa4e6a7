"""clip-retrieval's back end: its knn service on Flask's server, as ``clip_back`` has it.

``clip_back`` itself loads a CLIP model, which has to be downloaded, and listens on every
address. Queries come as embeddings, so that no model is asked; all else is its code. The
index is the one that its ``clip_index`` makes: by autofaiss, with that command's settings.
"""

import json
import sys
from pathlib import Path

import numpy as np


def declare_vision_operators() -> None:
    """Let torchvision be imported, which the package does at once and we never use.

    Its wheels are built beside a CUDA torch; beside any other their compiled operators do
    not load, and two of them are described at import all the same.
    """
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    LIBRARIES.append(library)


LIBRARIES: list[object] = []  # what is declared lives as long as its library


def build(vectors: np.ndarray, folder: Path) -> dict[str, object]:
    """Index the vectors, with the row as the only metadata, which it cannot go without."""
    import pandas

    declare_vision_operators()
    from clip_retrieval.clip_index import quantize

    (folder / "img_emb").mkdir()
    np.save(folder / "img_emb" / "img_emb_0.npy", vectors)
    (folder / "metadata").mkdir()
    rows = pandas.DataFrame({"image_path": [f"{row}.jpg" for row in range(len(vectors))]})
    rows.to_parquet(folder / "metadata" / "metadata_0.parquet")
    quantize(str(folder / "img_emb"), str(folder), "image", "4G", "16G", None)
    known = json.loads((folder / "image.json").read_text())
    return {"index": f"faiss {known['index_key']}", "settings": known["index_param"]}


def main() -> None:
    """Build or serve, as the command line says."""
    if sys.argv[1] == "build":
        vectors = np.load(sys.argv[2], allow_pickle=False)
        print(json.dumps(build(vectors, Path(sys.argv[3]))))
        return
    declare_vision_operators()
    from clip_retrieval.clip_back import (
        ClipResource,
        KnnService,
        load_index,
        load_metadata_provider,
    )
    from flask import Flask
    from flask_cors import CORS
    from flask_restful import Api

    folder = sys.argv[2]
    columns = ["url", "image_path", "caption", "NSFW"]
    provider, _ = load_metadata_provider(folder, False, False, None, columns, False)
    resource = ClipResource(
        device="cpu",
        model=None,
        preprocess=None,
        tokenizer=None,
        model_txt_mclip=None,
        safety_model=None,
        violence_detector=None,
        metadata_provider=provider,
        image_index=load_index(f"{folder}/image.index", False),
        text_index=None,
        ivf_old_to_new_mapping=None,
        columns_to_return=columns,
        metadata_is_ordered_by_ivf=False,
        aesthetic_embeddings=None,
    )
    app = Flask(__name__)
    resources = {"clip_resources": {"vectors": resource}}
    Api(app).add_resource(KnnService, "/knn-service", resource_class_kwargs=resources)
    CORS(app)
    app.run(host="127.0.0.1", port=int(sys.argv[3]), debug=False)


if __name__ == "__main__":
    main()
