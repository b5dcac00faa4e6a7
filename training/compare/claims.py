"""The claims there are: what the papers say of the order of methods and their variants.

Figures are class mAP, the mean of both directions, of the tables named.
"""

from __future__ import annotations

from training.compare.claim import FIRST, Claim

CHAPTER_4 = "Zeng 2020, table 4.1"
TABLE_5_2 = "Zeng 2020, table 5.2"
TABLE_5_3 = "Zeng 2020, table 5.3"
EICS = "Zeng et al. 2023, tables 2 and 4"
VAE = "Zhang et al. 2023, tables 3 and 4"
VEGAS, AVE, MV = "VEGAS", "AVE-15", "MV-10K"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        key="labels_help_cca",
        source=TABLE_5_2,
        statement="CCA gains from the pairs of a class.",
        order=("c_cca", "cca"),
        scope={VEGAS: (0.648, 0.323), MV: (0.197, 0.183)},
    ),
    Claim(
        key="labels_help_kcca",
        source=TABLE_5_2,
        statement="Kernel CCA gains from the pairs of a class.",
        order=("c_kcca", "kcca"),
        scope={VEGAS: (0.326, 0.279), MV: (0.182, 0.174)},
    ),
    Claim(
        key="labels_help_dcca",
        source=TABLE_5_2,
        statement="Deep CCA gains from the pairs of a class.",
        order=("c_dcca", "dcca"),
        scope={VEGAS: (0.698, 0.418), MV: (0.209, 0.183)},
    ),
    Claim(
        key="networks_help_cca",
        source=TABLE_5_2,
        statement="Without labels, networks find more than linear projections.",
        order=("dcca", "cca"),
        scope={VEGAS: (0.418, 0.323)},
    ),
    Claim(
        key="kernels_hurt_cca",
        source=TABLE_5_2,
        statement="Without labels, a kernel finds less than linear projections.",
        order=("cca", "kcca"),
        scope={VEGAS: (0.323, 0.279), MV: (0.183, 0.174)},
    ),
    Claim(
        key="labels_before_networks",
        source=TABLE_5_2,
        statement="Linear projections with labels find more than networks without.",
        order=("c_cca", "dcca"),
        scope={VEGAS: (0.648, 0.418), MV: (0.197, 0.183)},
    ),
    Claim(
        key="networks_help_c_cca",
        source=TABLE_5_2,
        statement="With labels, networks find more than linear projections.",
        order=("c_dcca", "c_cca"),
        scope={VEGAS: (0.698, 0.648), MV: (0.209, 0.197)},
    ),
    Claim(
        key="sequences_help_c_cca",
        source=TABLE_5_2,
        statement="With labels, recurrent networks find more than linear projections of "
        "means over time.",
        order=("lstm_c_cca", "c_cca"),
        scope={VEGAS: (0.690, 0.648)},
    ),
    Claim(
        key="triplets_on_projections",
        source=TABLE_5_3,
        statement="Triplets on cluster CCA find more than either alone.",
        order=("tnn_c_cca", "c_cca", "tnn"),
        shape=FIRST,
        scope={VEGAS: (0.742, 0.648, 0.138), MV: (0.223, 0.197, 0.136)},
    ),
    Claim(
        key="triplets_before_the_rest",
        source=TABLE_5_2,
        statement="Triplets on cluster CCA find more than deep, hashing and game methods.",
        order=("tnn_c_cca", "c_dcca", "agah", "acmr", "ucal", "ugach"),
        shape=FIRST,
        scope={
            VEGAS: (0.742, 0.698, 0.570, 0.443, 0.421, 0.171),
            MV: (0.223, 0.209, 0.205, 0.188, 0.186, 0.113),
        },
    ),
    Claim(
        key="which_triplets_on_projections",
        source=TABLE_5_3,
        statement="On cluster CCA the more triplets count the better: all, semi-hard, "
        "random, hard.",
        order=(
            "tnn_c_cca:strategy=batch_all",
            "tnn_c_cca:strategy=semi_hard",
            "tnn_c_cca:strategy=random",
            "tnn_c_cca:strategy=hard",
        ),
        scope={VEGAS: (0.742, 0.708, 0.645, 0.596)},
    ),
    Claim(
        key="which_triplets_alone",
        source=TABLE_5_3,
        statement="On plain features semi-hard triplets are best and hard ones worst.",
        order=("tnn:strategy=semi_hard", "tnn:strategy=batch_all", "tnn:strategy=hard"),
        scope={VEGAS: (0.147, 0.138, 0.117), MV: (0.142, 0.136, 0.118)},
    ),
    Claim(
        key="which_distance",
        source="Zeng 2020, table 5.4",
        statement="Triplets by cosine find more than by Euclidean distance.",
        order=("tnn_c_cca:distance=cosine", "tnn_c_cca:distance=euclidean"),
        scope={VEGAS: (0.742, 0.475)},
    ),
    Claim(
        key="supervised_deep_cca",
        source=CHAPTER_4,
        statement="Networks on true and class pairs find more than any other kind of CCA.",
        order=("s_dcca", "c_cca", "dcca", "cca", "kcca", "multi_view"),
        shape=FIRST,
        scope={MV: (0.218, 0.197, 0.184, 0.184, 0.178, 0.146)},
    ),
    Claim(
        key="more_pairs",
        source="Zeng 2020, section 4.3",
        statement="The more pairs of a class are added to the true ones the better.",
        order=("s_dcca:fraction=1", "s_dcca:fraction=0.5", "s_dcca:fraction=0"),
        scope={MV: ()},
    ),
    Claim(
        key="two_spaces",
        source=EICS,
        statement="An explicit and an implicit space side by side find more than one "
        "that is shared, and more than either.",
        order=(
            "eics:space=both",
            "eics:space=ex_im_share",
            "eics:space=explicit",
            "eics:space=implicit",
        ),
        shape=FIRST,
        scope={VEGAS: (0.788, 0.777, 0.690, 0.618), AVE: (0.308, 0.261, 0.238, 0.242)},
    ),
    Claim(
        key="explicit_space_without_labels",
        source=EICS,
        statement="The explicit space alone, without labels, finds more than the other "
        "methods without labels.",
        order=("eics:sigma=1:space=explicit", "ucal", "cca", "kcca", "ugach"),
        shape=FIRST,
        scope={
            VEGAS: (0.690, 0.441, 0.330, 0.281, 0.181),
            AVE: (0.238, 0.152, 0.190, 0.134, 0.162),
        },
    ),
    Claim(
        key="eics_before_the_rest",
        source=EICS,
        statement="Two spaces find more than triplets, label regression and deep CCA.",
        order=("eics", "tnn_c_cca", "dscmr", "c_dcca"),
        shape=FIRST,
        scope={VEGAS: (0.788, 0.745, 0.727, 0.719), AVE: (0.308, 0.256, 0.285, 0.229)},
    ),
    Claim(
        key="vae_cca_before_the_rest",
        source=VAE,
        statement="Variational networks with CCA find more than triplets, label regression "
        "and deep CCA.",
        order=("vae_cca", "tnn_c_cca", "dscmr", "c_dcca"),
        shape=FIRST,
        scope={VEGAS: (0.812, 0.745, 0.727, 0.719), AVE: (0.350, 0.256, 0.285, 0.229)},
    ),
    Claim(
        key="regression_before_game",
        source=VAE,
        statement="Label regression in a shared layer finds more than the modality game.",
        order=("dscmr", "acmr"),
        scope={VEGAS: (0.727, 0.454), AVE: (0.285, 0.161)},
    ),
    Claim(
        key="labels_help_the_game",
        source=VAE,
        statement="The modality game gains from labels.",
        order=("acmr", "ucal"),
        scope={VEGAS: (0.454, 0.441), AVE: (0.161, 0.152)},
    ),
    Claim(
        key="game_before_cca",
        source=VAE,
        statement="The modality game with labels finds more than CCA.",
        order=("acmr", "cca"),
        scope={VEGAS: (0.454, 0.330)},
    ),
    Claim(
        key="labels_help_hashing",
        source=VAE,
        statement="Adversarial hashing gains from labels.",
        order=("agah", "ugach"),
        scope={VEGAS: (0.573, 0.181), AVE: (0.198, 0.162)},
    ),
    Claim(
        key="complete_triplets",
        source="Zeng et al. 2022, abstract",
        statement="Triplets of every mixture of modalities find more than triplets on "
        "cluster CCA.",
        order=("cctl", "tnn_c_cca"),
        scope={VEGAS: (), AVE: ()},
    ),
    Claim(
        key="two_stages",
        source="Zeng and Yu 2023, abstract",
        statement="A second stage of hard triplets with synthetic points finds more than "
        "one without the points, and than the first stage alone.",
        order=(
            "two_stage_triplet",
            "two_stage_triplet:synthesis=false",
            "two_stage_triplet:second_share=0",
        ),
        shape=FIRST,
        scope={VEGAS: (), AVE: ()},
    ),
    Claim(
        key="classifiers_suffice",
        source="this project, expected of any labeled data",
        statement="Two classifiers, each of one modality, find more of a class than the "
        "methods that learn a common space.",
        order=("posterior_product", "vae_cca", "eics", "tnn_c_cca", "dscmr"),
        shape=FIRST,
        scope={"any": ()},
    ),
)
