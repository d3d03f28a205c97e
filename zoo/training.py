"""Training the targets by the paper's recipe (§3.2), safe to interrupt at any moment.

The paper gives Adam and a step of 1e-3; batch size, ε, AMSGrad, epochs, schedule and
augmentation are those of the authors' released code. Every epoch draws its order and its
augmentation from a generator seeded with (seed, epoch), so a run that was killed and resumed
ends in the same weights as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .data import Images, load_dataset
from .errors import UnknownNameError
from .networks import NETWORKS, get_network
from .precision import autocast
from .resume import Conditions, epoch_generator, run_epochs
from .split import SplitModel


@dataclass(frozen=True)
class Recipe:
    """How a target is trained; every field ends up in the manifest."""

    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    adam_eps: float = 1e-3
    amsgrad: bool = True
    halve_every: int = 20
    augment: bool = False
    seed: int = 0


RECIPES = {"lenet": Recipe(epochs=20), "cifar_cnn": Recipe(epochs=50, augment=True)}


def train_target(
    name: str, *, device: torch.device, conditions: Conditions, recipe: Recipe | None = None
) -> tuple[SplitModel, float]:
    """Train the network `name` on its full training split; return it in eval mode, and seconds.

    A run that was interrupted goes on from the progress file of its `conditions`. The split of
    the returned model is its last layer.
    """
    if name not in NETWORKS:
        raise UnknownNameError("target", name, NETWORKS)
    network = get_network(name)
    recipe = recipe or RECIPES[name]
    data = load_dataset(network.dataset, "train")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = SplitModel(network, network.splits[-1])
    model.to(device).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(
        model.parameters(),
        lr=recipe.learning_rate,
        eps=recipe.adam_eps,
        amsgrad=recipe.amsgrad,
    )
    batches = math.ceil(len(data) / recipe.batch_size)

    def train_epoch(epoch: int, step_done: Callable[[], object]) -> float:
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * 0.5 ** (epoch // recipe.halve_every)
        generator = epoch_generator(recipe.seed, epoch)
        total = torch.zeros((), device=device)
        for indices in torch.randperm(len(data), generator=generator).split(recipe.batch_size):
            batch = data.subset(indices)
            images = batch.floats()
            if recipe.augment:
                images = augment(images, generator)
            images = images.to(device, memory_format=torch.channels_last)
            with autocast(device, conditions.precision):
                logits = model.cloud(model.edge(images))
            loss = F.cross_entropy(logits.float(), batch.labels.to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach()
            step_done()
        return total.item() / batches

    seconds = run_epochs(
        f"training {name}",
        model,
        optimizer,
        train_epoch,
        epochs=recipe.epochs,
        steps=batches,
        identity={"network": name, **asdict(recipe)},
        conditions=conditions,
    )
    return model.eval(), seconds


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Horizontal flip and a small random affine, an own draw for every image.

    Rotation within ±10°, shift within ±0.1 of the side, scale 0.9 to 1.1, black outside:
    the augmentation of the authors' released code. N×C×H×W in [0, 1] to the same.
    """
    count = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    angle, scale = torch.deg2rad(uniform(-10, 10)), uniform(0.9, 1.1)
    shift_x, shift_y = uniform(-0.2, 0.2), uniform(-0.2, 0.2)  # the side is 2 long in grid units
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = [flip * cos, -flip * sin, shift_x, sin, cos, shift_y]
    grid = F.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), list(images.shape), False)
    return F.grid_sample(images, grid, align_corners=False)


@torch.no_grad()
def accuracy(model: nn.Module, data: Images, device: torch.device) -> float:
    """Share of `data` that the network labels correctly."""
    hits = 0
    for start in range(0, len(data), 500):
        batch = data.subset(torch.arange(start, min(start + 500, len(data))))
        logits = model(batch.floats().to(device))
        hits += int((logits.argmax(1).cpu() == batch.labels).sum())
    return hits / len(data)


@torch.no_grad()
def active_units(model: SplitModel, data: Images, device: torch.device) -> dict[str, float]:
    """Share of non-zero units at each split, averaged over `data`.

    What a rectifier has set to zero is lost to every attack, so this decides what can be
    recovered from a split.
    """
    splits = get_network(model.network).splits
    active, units = dict.fromkeys(splits, 0), dict.fromkeys(splits, 0)
    for start in range(0, len(data), 500):
        values = data.subset(torch.arange(start, min(start + 500, len(data)))).floats().to(device)
        for name, layer in model.named_layers():
            values = layer(values)
            if name in active:
                active[name] += int(values.count_nonzero())
                units[name] += values.numel()
    return {name: active[name] / units[name] for name in splits}
