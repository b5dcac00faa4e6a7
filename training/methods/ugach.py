"""Unsupervised generative adversarial cross-modal hashing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from training.config import Settings, check_choice, check_range
from training.data import TrainingData
from training.fitting.best_epoch import BestEpoch
from training.fitting.checkpoints import epochs_left
from training.fitting.loop import check_finite
from training.fitting.standardizing import fit_standardizers
from training.games.neighbor_game import HashPlayer, NeighborGame
from training.methods.kinds import EpochChosen
from training.methods.method import FitContext, MethodCard, Problem, Towers, Training
from training.towers.code_tower import CodeTower
from training.towers.networks import mlp

NORMALIZERS = ("candidates", "drawn")
OPTIMIZERS = ("adam", "sgd")


@dataclass(frozen=True, slots=True, kw_only=True)
class UgachSettings(Settings):
    """Settings of generative adversarial hashing.

    Attributes:
        bits: Length of the code.
        hidden: Width of the hidden layer, of generator and critic alike.
        standardize: Whether features are standardised first.
        neighbors: Neighbours per pair and modality that count as true.
        margin: Of the critic's hinge, as a share of the bits.
        pool: Share of the pairs that the generator chooses from for a batch.
        negatives: Proposals per query.
        pretrain: Epochs of the critic against chance before the game.
        warm: Whether the generator starts from the pre-trained critic.
        rounds: Of the game.
        critic_epochs: Epochs of the critic per round.
        generator_epochs: Epochs of the generator per round.
        normalize_over: What the generator's probabilities sum to 1 over.
        baseline: Whether the mean reward is subtracted.
        optimizer: Of both.
        critic_rate: Learning rate of the critic.
        generator_rate: Learning rate of the generator.
        weight_decay: Of matrices, in both.
        decay: Factor on both rates every ``decay_steps``.
        decay_steps: How many steps that is.
        batch: Queries per step.
    """

    bits: int = 64
    hidden: int = 512
    standardize: bool = True
    neighbors: int = 10
    margin: float = 0.125
    pool: float = 0.02
    negatives: int = 2
    pretrain: int = 10
    warm: bool = True
    rounds: int = 10
    critic_epochs: int = 1
    generator_epochs: int = 1
    normalize_over: str = "candidates"
    baseline: bool = True
    optimizer: str = "adam"
    critic_rate: float = 1e-3
    generator_rate: float = 1e-4
    weight_decay: float = 1e-4
    decay: float = 0.9
    decay_steps: int = 1000
    batch: int = 256

    def __post_init__(self) -> None:
        check_range("bits", self.bits, 2, 4096)
        check_range("hidden", self.hidden, 1, 65536)
        check_range("neighbors", self.neighbors, 1, 10_000)
        check_range("margin", self.margin, 0, 1)
        check_range("pool", self.pool, 0, 1)
        check_range("negatives", self.negatives, 1, 1000)
        check_range("pretrain", self.pretrain, 0, 100_000)
        check_range("rounds", self.rounds, 1, 100_000)
        check_range("critic_epochs", self.critic_epochs, 1, 1000)
        check_range("generator_epochs", self.generator_epochs, 1, 1000)
        check_choice("normalize_over", self.normalize_over, NORMALIZERS)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_range("critic_rate", self.critic_rate, 1e-8, 10)
        check_range("generator_rate", self.generator_rate, 1e-8, 10)
        check_range("weight_decay", self.weight_decay, 0, 10)
        check_range("decay", self.decay, 0.01, 1)
        check_range("decay_steps", self.decay_steps, 1, 10**9)
        check_range("batch", self.batch, 1, 1_000_000)


PAPER = UgachSettings(
    bits=10,
    hidden=8192,
    standardize=False,
    warm=False,
    rounds=30,
    generator_epochs=2,
    optimizer="sgd",
    critic_rate=1e-3,
    generator_rate=1e-2,
    weight_decay=0.01,
    decay_steps=20_000,
    batch=64,
)


class Ugach(EpochChosen):
    r"""Two pairs of hash functions: one proposes neighbours, the other tells them apart.

    With D the squared distance of sigmoid codes, the critic minimises
    $[m + D(q, p^{true}) - D(q, p^{gen})]_+$ in its codes. The generator proposes with
    $p(p|q) = \mathrm{softmax}(-D)$ in its own and climbs the expected reward, the sigmoid
    of the critic's hinge, by the score-function gradient. True are the neighbours of the
    query's pair in a symmetric graph of nearest pairs, by either modality's features. A
    batch's candidates are one draw of the pairs, for all its queries.

    Supervision: pairs; labels only choose the round, where validation data has them. The
    embedding is the sign code of the generator over the root of the bits.

    Departures: batches of 64 queries where the source steps after each; the mean reward
    is subtracted, which only lessens the gradient's variance; the ``tuned`` generator
    starts from the pre-trained critic, as the score-function gradient alone moves little.

    Presets: ``paper`` with the 10 outputs that comparisons gave it; ``as_coded`` differs
    in what the public code does: probabilities are normalised over the two proposals
    alone and no mean is subtracted.

    Source:
        Zhang, Peng and Yuan 2018, Unsupervised generative adversarial cross-modal
        hashing, AAAI, and its public code.
    """

    card: ClassVar[MethodCard] = MethodCard(
        name="ugach",
        title="Unsupervised generative adversarial cross-modal hashing",
        source="Zhang, Peng and Yuan 2018",
        supervision="pairs",
        needs_pairs=True,
        embedding="sign code",
        exportable=True,
    )
    presets: ClassVar[Mapping[str, UgachSettings]] = {
        "paper": PAPER,
        "as_coded": replace(PAPER, normalize_over="drawn", baseline=False),
        "tuned": UgachSettings(),
    }
    grids: ClassVar[tuple[Mapping[str, tuple[Any, ...]], ...]] = ()

    def build(self, settings: UgachSettings, problem: Problem) -> Towers:
        """Return the generator's hash functions."""
        return hash_functions(settings, problem)

    def fit(
        self,
        towers: Towers,
        train: TrainingData,
        validation: TrainingData | None,
        settings: UgachSettings,
        context: FitContext,
    ) -> Training:
        """Play; the round best on validation is kept, the last without validation.

        Raises:
            DataError: If there are no pairs and none can be drawn, or training diverges.
        """
        train = context.paired(train)
        critic = hash_functions(settings, Problem.of(train))
        for side in (towers, critic):
            if settings.standardize:
                fit_standardizers(side, train)
            for modality in train.modalities:
                side[modality].to(context.device).train()
        game = NeighborGame(
            train,
            neighbors=settings.neighbors,
            standardize=settings.standardize,
            margin=settings.margin * settings.bits,
            pool=settings.pool,
            negatives=settings.negatives,
            batch=settings.batch,
            among_drawn=settings.normalize_over == "drawn",
            baseline=settings.baseline,
            seed=context.seed,
            device=context.device,
        )
        judge = _player(critic, settings.critic_rate, settings)
        keeper = BestEpoch(towers, validation, context.log)
        parts = [keeper, *game.states, *judge.states]
        for epoch in epochs_left(context.checkpoints, settings.pretrain, parts):
            loss = game.train_critic(judge, None)
            check_finite(epoch, loss)
            keeper.tell({"pretraining": epoch, "critic": loss})
        if settings.warm:
            for modality, tower in towers.items():
                tower.load_state_dict(critic[modality].state_dict())
        proposer = _player(towers, settings.generator_rate, settings)
        parts += proposer.states
        for epoch in epochs_left(context.checkpoints, settings.rounds, parts):
            for tower in towers.values():
                tower.train()
            terms = {}
            for _ in range(settings.critic_epochs):
                terms["critic"] = game.train_critic(judge, proposer)
            for _ in range(settings.generator_epochs):
                terms["generator"], terms["reward"] = game.train_generator(proposer, judge)
            check_finite(epoch, terms["critic"] + terms["generator"])
            keeper.see(epoch, terms)
        return keeper.finish()


def hash_functions(settings: UgachSettings, problem: Problem) -> Towers:
    """Return one hash function per modality."""
    return {
        m: CodeTower(
            problem.dims[m],
            mlp([problem.dims[m], settings.hidden, settings.bits], activation="tanh"),
        )
        for m in problem.modalities
    }


def _player(towers: Towers, rate: float, settings: UgachSettings) -> HashPlayer:
    return HashPlayer(
        towers,
        optimizer=settings.optimizer,
        rate=rate,
        weight_decay=settings.weight_decay,
        decay=settings.decay,
        decay_steps=settings.decay_steps,
    )
