"""The training loop: AdamW, warm-up then cosine decay, mixed precision on a GPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from crossmodal.errors import DataError

Batch = TypeVar("Batch")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdamWSettings:
    """How a network is trained.

    Attributes:
        epochs: How many.
        rate: Highest learning rate.
        weight_decay: Of matrices; vectors (biases, norms, temperatures) have none.
        warmup: Share of the steps over which the rate rises from zero.
        clip: Largest norm of the gradient.
    """

    epochs: int
    rate: float
    weight_decay: float
    warmup: float = 0.0
    clip: float = 5.0


def learning_rate(step: int, steps: int, warmup: float) -> float:
    """Return the share of the highest rate at a step: linear up, cosine down to zero.

    Args:
        step: From 0.
        steps: In all.
        warmup: Share of the steps spent rising.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def train_epochs(
    model: nn.Module,
    batches: Callable[[int], Iterable[Batch]],
    loss: Callable[[Batch], Mapping[str, Tensor]],
    settings: AdamWSettings,
    *,
    steps_per_epoch: int,
    device: torch.device,
    after_step: Callable[[], None] = lambda: None,
    after_epoch: Callable[[int, Mapping[str, float]], None] = lambda epoch, losses: None,
) -> None:
    """Minimise a loss over all epochs; the model is left in training mode.

    Args:
        model: Holds everything that is trained.
        batches: Gives the batches of an epoch, which are counted from 1.
        loss: Returns the term minimised as ``loss``, beside any that are only logged.
        settings: Epochs and rates.
        steps_per_epoch: How many batches an epoch has.
        device: Where the model is; autocast is used on CUDA alone.
        after_step: Called when the weights have moved.
        after_epoch: Takes the epoch and the mean of every term.

    Raises:
        DataError: If the loss stops being a finite number.
    """
    optimizer = torch.optim.AdamW(_groups(model, settings.weight_decay), lr=settings.rate)
    steps = steps_per_epoch * settings.epochs
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: learning_rate(step, steps, settings.warmup)
    )
    precision = _precision(device)
    scaler = torch.amp.GradScaler(device.type, enabled=precision is torch.float16)
    for epoch in range(1, settings.epochs + 1):
        model.train()
        sums: dict[str, Tensor] = {}
        count = 0
        for batch in batches(epoch):
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.type, precision, enabled=precision is not None):
                terms = loss(batch)
            torch.autograd.backward(scaler.scale(terms["loss"]))
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
            after_step()
            count += 1
            for name, value in terms.items():
                sums[name] = sums.get(name, torch.zeros((), device=device)) + value.detach()
        means = {name: float(value) / count for name, value in sums.items()}
        if not math.isfinite(means["loss"]):
            raise DataError(
                f"training diverged in epoch {epoch}: the loss is {means['loss']}; lower "
                "the learning rate or check the features for extreme values"
            )
        after_epoch(epoch, means)


def _groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    trained = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _precision(device: torch.device) -> torch.dtype | None:
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
