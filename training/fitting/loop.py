"""The training loop: one loss, one optimiser, mixed precision on a GPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from crossmodal.errors import DivergenceError
from training.fitting.checkpoints import Checkpoints, epochs_left
from training.fitting.optimization import Moment, Optimization
from training.fitting.states import ModelState, NotedState, OptimizerState, Stateful

Batch = TypeVar("Batch")


def train_epochs(
    model: nn.Module,
    batches: Callable[[int], Iterable[Batch]],
    loss: Callable[[Batch], Mapping[str, Tensor]],
    settings: Optimization,
    *,
    steps_per_epoch: int,
    device: torch.device,
    after_step: Callable[[], None] = lambda: None,
    after_epoch: Callable[[int, Mapping[str, float]], None] = lambda epoch, losses: None,
    checkpoints: Checkpoints | None = None,
    beside: Sequence[Stateful] = (),
) -> None:
    """Minimise a loss over all epochs; the model is left in training mode.

    With checkpoints, an interrupted training goes on at the epoch after the one saved and
    ends as it would have: the batches of the epochs done are dealt again, unused.

    Args:
        model: Holds everything that is trained.
        batches: Gives the batches of an epoch, which are counted from 1.
        loss: Returns the term minimised as ``loss``, beside any that are only logged.
        settings: Epochs, optimiser and rates.
        steps_per_epoch: How many batches an epoch has.
        device: Where the model is; autocast is used on CUDA alone.
        after_step: Called when the weights have moved.
        after_epoch: Takes the epoch and the mean of every term; not called again for
            epochs done before an interruption.
        checkpoints: Where the state is kept, if anywhere. Batches may not depend on the
            model then.
        beside: What else changes from epoch to epoch, such as the keeper of the best.

    Raises:
        DivergenceError: If the loss stops being a finite number.
    """
    optimizer = settings.optimizer_of(model)
    steps = steps_per_epoch * settings.epochs
    step = 0
    precision = _precision(device)
    scaler = torch.amp.GradScaler(device.type, enabled=precision is torch.float16)
    parts: list[Stateful] = [ModelState(model), OptimizerState(optimizer)]
    parts += [NotedState(scaler), *beside]

    def replay(epoch: int) -> None:
        nonlocal step
        step += sum(1 for _ in batches(epoch))

    for epoch in epochs_left(checkpoints, settings.epochs, parts, replay):
        model.train()
        sums: dict[str, Tensor] = {}
        count = 0
        for batch in batches(epoch):
            share = settings.share(Moment(step, steps, epoch, settings.warmup))
            for group in optimizer.param_groups:
                group["lr"] = share * settings.rate
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.type, precision, enabled=precision is not None):
                terms = loss(batch)
            torch.autograd.backward(scaler.scale(terms["loss"]))
            if settings.clip is not None:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            scaler.step(optimizer)
            scaler.update()
            step += 1
            after_step()
            count += 1
            for name, value in terms.items():
                sums[name] = sums.get(name, torch.zeros((), device=device)) + value.detach()
        means = {name: float(value) / count for name, value in sums.items()}
        check_finite(epoch, means["loss"])
        after_epoch(epoch, means)


def check_finite(epoch: int, loss: float) -> None:
    """Check that a training still makes sense.

    Raises:
        DivergenceError: If the loss is no finite number.
    """
    if not math.isfinite(loss):
        raise DivergenceError(
            f"training diverged in epoch {epoch}: the loss is {loss}; lower the learning "
            "rate or check the features for extreme values"
        )


def _precision(device: torch.device) -> torch.dtype | None:
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
