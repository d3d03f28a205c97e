"""The training loop of everything that is trained: targets, judges and attackers' networks.

Every epoch draws its order and its augmentation from a generator seeded with (seed, epoch), so a
run that was killed and resumed ends in the same weights as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from .data import Images
from .precision import autocast
from .recipe import Recipe
from .resume import Conditions, epoch_generator, run_epochs


def fit(
    title: str,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    count: int,
    batch: Callable[[Tensor, torch.Generator], Sequence[Tensor]],
    loss: Callable[..., Tensor],
    rate: Callable[[int, int], float],
    epochs: int,
    batch_size: int,
    seed: int,
    identity: Mapping[str, Any],
    conditions: Conditions,
    device: torch.device,
    after_step: Callable[[], object] = lambda: None,
) -> float:
    """Train a network in place on `count` examples; return the seconds that it took.

    Args:
        batch: (positions, generator) -> the tensors of these examples, on the CPU; moved to the
            device, four-dimensional ones channels last.
        loss: of these tensors, in the precision of the conditions.
        rate: (step, steps an epoch) -> the step size of every parameter group.
        identity: what must be the same for an interrupted run to be resumed.
        after_step: called behind every step of the optimiser.
    """
    steps = math.ceil(count / batch_size)

    def train_epoch(epoch: int, step_done: Callable[[], object]) -> float:
        generator = epoch_generator(seed, epoch)
        total = torch.zeros((), device=device)
        order = torch.randperm(count, generator=generator)
        for step, rows in enumerate(order.split(batch_size), start=epoch * steps):
            for group in optimizer.param_groups:
                group["lr"] = rate(step, steps)
            tensors = [_moved(each, device) for each in batch(rows, generator)]
            with autocast(device, conditions.precision):
                error = loss(*tensors)
            optimizer.zero_grad(set_to_none=True)
            error.backward()
            optimizer.step()
            after_step()
            total += error.detach()
            step_done()
        return total.item() / steps

    return run_epochs(
        title,
        network,
        optimizer,
        train_epoch,
        epochs=epochs,
        steps=steps,
        identity=identity,
        conditions=conditions,
    )


def fit_classifier(
    title: str,
    network: nn.Module,
    logits: Callable[[Tensor], Tensor],
    data: Images,
    recipe: Recipe,
    *,
    identity: Mapping[str, Any],
    conditions: Conditions,
    device: torch.device,
) -> float:
    """Train a classifier in place on labelled images by its recipe; return the seconds taken.

    `logits` maps images N×C×H×W in [0, 1] to the logits that the recipe's loss is taken of.
    """
    network.to(device).to(memory_format=torch.channels_last).train()

    def batch(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = data.subset(rows)
        return recipe.augmented(chosen.floats(), generator), chosen.labels

    seconds = fit(
        title,
        network,
        recipe.optimizer([p for p in network.parameters() if p.requires_grad]),
        count=len(data),
        batch=batch,
        loss=lambda images, labels: recipe.loss(logits(images).float(), labels),
        rate=recipe.rate,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        identity={**identity, **asdict(recipe)},  # type: ignore[call-overload]
        conditions=conditions,
        device=device,
    )
    network.eval()
    return seconds


def _moved(values: Tensor, device: torch.device) -> Tensor:
    if values.dim() == 4:
        return values.to(device, memory_format=torch.channels_last)
    return values.to(device)
