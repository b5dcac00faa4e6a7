"""Public data sets: where their features are offered, and what they must look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.datasets.download import PinnedFile
from training.datasets.shapes import SHAPES, SetShape


@dataclass(frozen=True, slots=True)
class Place:
    """A page that offers the data by hand, and where its address is printed."""

    url: str
    holds: str
    printed_in: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicSet:
    """One public data set.

    Attributes:
        name: What ``fetch`` calls it.
        title: What it is.
        source: The paper.
        files: What ``fetch`` downloads: pinned by checksum, direct addresses.
        places: Pages to visit by hand; nobody verified what lies there today.
        shapes: What a features file of it may look like.
        usage: The command that uses what was fetched.
        remarks: What one must know before using it.
    """

    name: str
    title: str
    source: str
    files: tuple[PinnedFile, ...] = ()
    places: tuple[Place, ...] = ()
    shapes: tuple[SetShape, ...] = ()
    usage: str
    remarks: tuple[str, ...] = ()


_CMR = "README of github.com/ZenzenDatabase/CMR"
_DCLMA = "README of github.com/zhangjiwei-japan/cross-modal-visual-audio-retrieval"
_AVE_CODE = "README of github.com/YapengTian/AVE-ECCV18"
_DRIVE = "https://drive.google.com"
_NORMALIZED = (
    "files named *_norm.h5 circulate whose features somebody scaled; --check says on which "
    "rows, and reading refuses those scaled with test rows"
)

_WIKIPEDIA_AT = (
    "https://raw.githubusercontent.com/emanuetre/crossmodal/"
    "40db7f5338a150ef8feff2787f4bb8b3df809355/wikipedia_info"
)
_AVE_AT = (
    "https://raw.githubusercontent.com/YapengTian/AVE-ECCV18/"
    "93f843fed72fb17394df76330df958b0c2dbde76/data"
)
_RAVDESS_CONVERSION = """\
import pickle, numpy as np  # opening a pickle runs what it says: only where you trust it
rows = pickle.load(open("au_mfcc.pkl", "rb"))
ids = sorted(rows)
x = np.array([rows[i] for i in ids])
part = lambda n: np.array([int(i.split("-")[n]) for i in ids])
np.savez("ravdess_au_mfcc.npz", visual=x[:, :35].astype("f4"), audio=x[:, 35:].astype("f4"),
         label=part(2) - 1, actor=part(6), id=np.array(ids))"""

PUBLIC: Mapping[str, PublicSet] = {
    public.name: public
    for public in (
        PublicSet(
            name="vegas",
            title="VEGAS: 28,103 paired clips, 10 classes, VGGish and Inception features",
            source="Zhou et al. 2018, arXiv:1712.01393; features: Zeng et al. 2020, "
            "arXiv:1908.03737",
            places=(
                Place(
                    f"{_DRIVE}/file/d/142VXU9-3P2HcaCWCQVlezRGJguGnHeHD/view",
                    "features file of one 80/20 split",
                    _DCLMA,
                ),
                Place(
                    f"{_DRIVE}/drive/folders/1-N1uQDkwvWEBJmzRexHUA0QrRFDuvKBu",
                    "vegas_feature.h5, and vegas.zip with features and five folds",
                    _CMR,
                ),
            ),
            shapes=(SHAPES["vegas"],),
            usage="python -m training fit --data vegas_feature.h5 --method c_cca --out RUN",
            remarks=(
                "the thesis reports five folds, the later papers one split; the public "
                "code evaluates one fold only",
                _NORMALIZED,
            ),
        ),
        PublicSet(
            name="ave",
            title="AVE-15 and AVE-28: audio-visual events, 15 or 28 classes",
            source="Tian et al. 2018, arXiv:1803.08842",
            files=(
                PinnedFile(
                    name="Annotations.txt",
                    url=f"{_AVE_AT}/Annotations.txt",
                    sha256="0d24a9ec5cd4ceb779ebd83d74e83ec8"
                    "e55c5e468cede3f320fb57346c9dd321",
                    size_bytes=144_287,
                ),
                PinnedFile(
                    name="train_order.h5",
                    url=f"{_AVE_AT}/train_order.h5",
                    sha256="a216fcdd02782ba9d10c9ea79116120e"
                    "b3be467740e58290e1b340d42a590456",
                    size_bytes=28_856,
                ),
                PinnedFile(
                    name="val_order.h5",
                    url=f"{_AVE_AT}/val_order.h5",
                    sha256="5692aec0efb30e4efa49a867a902c199"
                    "3b4c88a7d3ec19879349e540e7a5d9ca",
                    size_bytes=5_360,
                ),
                PinnedFile(
                    name="test_order.h5",
                    url=f"{_AVE_AT}/test_order.h5",
                    sha256="f9bb79defc1f784ca5dda9cdd3ee52af"
                    "6d24ccb399a1cfab6bf0d373f5681076",
                    size_bytes=5_360,
                ),
            ),
            places=(
                Place(
                    f"{_DRIVE}/file/d/14Qdprd8_9cdih3QDN726kJTzaoo9Y8Y-/view",
                    "AVE-15 features file",
                    _DCLMA,
                ),
                Place(
                    f"{_DRIVE}/open?id=1FjKwe79e0u96vdjIVwfRQ1V6SoDHe7kK",
                    "the videos of AVE-28",
                    _AVE_CODE,
                ),
                Place(
                    f"{_DRIVE}/file/d/1F6p4BAOY-i0fDXUOhG7xHuw_fnO5exBS/view",
                    "AVE-28 sound features, 10 x 128 a clip",
                    _AVE_CODE,
                ),
                Place(
                    f"{_DRIVE}/file/d/1hQwbhutA3fQturduRnHMyfRqdrRHgmC9/view",
                    "AVE-28 picture features (7.7 GB)",
                    _AVE_CODE,
                ),
            ),
            shapes=(SHAPES["ave15-189"], SHAPES["ave15-391"], SHAPES["ave28"]),
            usage="python -m training fit --data AVE_feature_updated_squence.h5 "
            "--method c_cca --out RUN",
            remarks=(
                "what is fetched are the annotations and split orders of AVE-28, without "
                "features",
                "AVE-15 is 15 of the 28 classes, 1,955 clips; papers cut it 1,766/189 or "
                "1,564/391: a score needs its gallery size beside it, and neither may "
                "stand beside one of AVE-28",
                _NORMALIZED,
            ),
        ),
        PublicSet(
            name="wikipedia",
            title="Wikipedia: 2,866 articles, picture (128) and text (10), 10 classes",
            source="Rasiwasia et al. 2010, A New Approach to Cross-Modal Multimedia "
            "Retrieval",
            files=(
                PinnedFile(
                    name="raw_features.mat",
                    url=f"{_WIKIPEDIA_AT}/raw_features.mat",
                    sha256="ca628f765a69575e168ab29eb97f5ade"
                    "12fadf47b31de1328c7ff631c7f225ae",
                    size_bytes=1_075_232,
                ),
                PinnedFile(
                    name="trainset_txt_img_cat.list",
                    url=f"{_WIKIPEDIA_AT}/trainset_txt_img_cat.list",
                    sha256="30c1ba8afbe90da5986de9b12496b6dd"
                    "2e4680d3876b79ab7aae2e437d5819a3",
                    size_bytes=155_153,
                ),
                PinnedFile(
                    name="testset_txt_img_cat.list",
                    url=f"{_WIKIPEDIA_AT}/testset_txt_img_cat.list",
                    sha256="ec3123ee31cc89dd95fbeb23eb73b2ec"
                    "fd1d8909bba863723471aad99408c1eb",
                    size_bytes=49_494,
                ),
                PinnedFile(
                    name="categories.list",
                    url=f"{_WIKIPEDIA_AT}/categories.list",
                    sha256="4929f3ee00e9de9ffe11f9ab18fc8919"
                    "b0f6182cc801309409df2f2d05e2b0f5",
                    size_bytes=75,
                ),
            ),
            shapes=(SHAPES["wikipedia"],),
            usage="python -m training prepare DIR --out wikipedia.h5",
            remarks=("its directions are visual2text and text2visual",),
        ),
        PublicSet(
            name="ravdess",
            title="RAVDESS speech: 1,440 clips of 24 actors, 8 emotions, action units (35) "
            "and sound statistics (259)",
            source="Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391",
            places=(
                Place(
                    "https://github.com/KangHyunWook/Pytorch-implementation-of-Multimodal-"
                    "emotion-recognition-on-RAVDESS-dataset",
                    "au_mfcc.pkl, a pickle of 3,458,006 bytes",
                    "the repository's list of files",
                ),
            ),
            shapes=(SHAPES["ravdess"],),
            usage="python -m training prepare ravdess_au_mfcc.npz --out ravdess.h5",
            remarks=(
                "this project opens no pickle, for opening one runs its content; convert "
                f"it by:\n{_RAVDESS_CONVERSION}",
                "actors 1-19 train and 20-24 test; numbers of splits that mix actors are "
                "not comparable",
            ),
        ),
    )
}
