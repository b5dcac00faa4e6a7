"""The methods there are; a new one is added here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crossmodal.errors import ConfigError
from training.config import Settings
from training.methods.aadml import Aadml
from training.methods.acmr import Acmr
from training.methods.agah import Agah
from training.methods.c_cca import ClusterCca
from training.methods.c_dcca import ClusterDeepCca
from training.methods.c_kcca import ClusterKernelCca
from training.methods.cca import Cca
from training.methods.cctl import Cctl
from training.methods.dcca import DeepCca
from training.methods.dscmr import Dscmr
from training.methods.earshot import Earshot
from training.methods.eics import Eics
from training.methods.kcca import KernelCca
from training.methods.lstm_c_cca import LstmClusterCca
from training.methods.method import Method
from training.methods.multi_view import MultiView
from training.methods.posterior_product import PosteriorProduct
from training.methods.random import Random
from training.methods.s_dcca import SupervisedDeepCca
from training.methods.supcon import Supcon
from training.methods.tnn import Tnn
from training.methods.tnn_c_cca import TnnCCca
from training.methods.two_stage_triplet import TwoStageTriplet
from training.methods.ucal import Ucal
from training.methods.ugach import Ugach
from training.methods.vae_cca import VaeCca
from training.methods.vae_cca_as_coded import VaeCcaAsCoded

METHODS: Mapping[str, Method[Any]] = {
    "random": Random(),
    "cca": Cca(),
    "kcca": KernelCca(),
    "c_cca": ClusterCca(),
    "c_kcca": ClusterKernelCca(),
    "multi_view": MultiView(),
    "dcca": DeepCca(),
    "c_dcca": ClusterDeepCca(),
    "s_dcca": SupervisedDeepCca(),
    "lstm_c_cca": LstmClusterCca(),
    "tnn": Tnn(),
    "tnn_c_cca": TnnCCca(),
    "dscmr": Dscmr(),
    "cctl": Cctl(),
    "two_stage_triplet": TwoStageTriplet(),
    "aadml": Aadml(),
    "eics": Eics(),
    "posterior_product": PosteriorProduct(),
    "vae_cca": VaeCca(),
    "vae_cca_as_coded": VaeCcaAsCoded(),
    "ugach": Ugach(),
    "agah": Agah(),
    "ucal": Ucal(),
    "acmr": Acmr(),
    "supcon": Supcon(),
    "earshot": Earshot(),
}


def method_named(name: str) -> Method[Any]:
    """Return the method of that name.

    Raises:
        ConfigError: If there is none; the message lists them.
    """
    if name not in METHODS:
        raise ConfigError(f"unknown method {name!r}: expected one of {', '.join(METHODS)}")
    return METHODS[name]


def preset_of(method: Method[Any], preset: str) -> Settings:
    """Return a preset's settings.

    Raises:
        ConfigError: If the method lacks it; the message lists those it has.
    """
    if preset not in method.presets:
        raise ConfigError(
            f"{method.card.name} has no preset {preset!r}: expected one of "
            f"{', '.join(method.presets)}"
        )
    settings: Settings = method.presets[preset]
    return settings
