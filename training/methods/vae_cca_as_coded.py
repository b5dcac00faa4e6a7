"""VAE-CCA as its public code has it: no CCA, centres of chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from training.batches.class_masks import require_classes
from training.batches.sampling import Batch
from training.data import TrainingData
from training.fitting.best_epoch import BestEpoch
from training.fitting.loop import train_epochs
from training.fitting.variational import VariationalSettings, encoders, parts_of
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.towers.networks import NetworkTower

CODED = VariationalSettings(
    activation="linear",
    decoder=0,
    dropout=0.0,
    standardize=False,
    likeness="pearson",
    centers="random",
    literal_sums=True,
    sampled=True,
    rate=1e-4,
    beta1=0.5,
    weight_decay=0.0,
    schedule="constant",
    epochs=500,
    least_steps=0,
    batch=128,
    shuffle=False,
    score_every=5,
)


class VaeCcaAsCoded(EpochChosen):
    r"""Autoencoders that share their last encoder layers, shaped by labels and pairs.

    Objective: $L = L_{discr} + \lambda_1 L_V + \lambda_2 L_{corr} + \lambda_3 L_{dist} +
    \lambda_4 L_{center}$, as ``vae_cca`` has it but for what the authors' code does: there
    is no canonical correlation at all; the likelihood takes half the Pearson correlation
    of two latent vectors, each centred over its own features; the divergence is summed
    over batch and features while the reconstruction is averaged; labels, likelihood and
    distance act on sampled latents; the class centres are drawn at random at every call,
    which pulls latents towards noise; pairs come in file order and the rate is constant.
    The embedding is the latent mean at unit norm.

    Supervision: labels and pairs.

    Departures: the code keeps epoch 495, here validation chooses; its features were
    normalised by a script that is not published, here they are taken as they come.
    ``paper`` and ``as_coded`` are the same; ``tuned`` learns the centres, averages all
    terms, applies them to latent means, shuffles, standardises and takes larger steps.

    Source:
        Public code of Zhang et al. 2023, Variational autoencoder with CCA for audio-visual
        cross-modal retrieval.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="vae_cca_as_coded",
        title="Variational autoencoders as in the code of VAE-CCA",
        source="code of Zhang et al. 2023",
        supervision="labels+pairs",
        needs_pairs=True,
        embedding="latent means",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, VariationalSettings]] = {
        "paper": CODED,
        "as_coded": CODED,
        "tuned": VariationalSettings(
            activation="linear", decoder=0, likeness="pearson", batch=256, epochs=30
        ),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: VariationalSettings, problem: Problem) -> Towers:
        """Return one encoder per modality."""
        return {
            modality: NetworkTower(problem.dims[modality], network)
            for modality, network in encoders(settings, problem).items()
        }

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: VariationalSettings,
        context: FitContext,
    ) -> Training:
        """Train; the epoch best on validation is kept, the last without validation.

        Raises:
            DataError: If there are no two classes to tell apart, or training diverges.
        """
        require_classes(train, "VAE-CCA")
        parts = parts_of(towers, context.paired(train), settings, context)
        model, centers, batches = parts.model, parts.centers, parts.batches
        passes = settings.passes(len(batches))
        keeper = BestEpoch(towers, validation, context.log)

        def loss(batch: Batch) -> dict[str, Tensor]:
            latents = model.latents({m: parts.prepared.rows(m, batch) for m in batch.rows})
            terms = model.terms(latents, batch, centers)
            return {"loss": model.total(terms), **terms}

        def after_epoch(epoch: int, terms: Mapping[str, float]) -> None:
            if settings.is_scored(epoch, passes):
                keeper.see(epoch, terms)
            else:
                keeper.pass_over(epoch, terms)

        train_epochs(
            model,
            lambda epoch: batches,
            loss,
            settings.optimization(passes, settings.schedule),
            steps_per_epoch=len(batches),
            device=context.device,
            after_step=centers.after_step,
            after_epoch=after_epoch,
            checkpoints=context.checkpoints,
            beside=[keeper, centers],
        )
        return keeper.finish()
