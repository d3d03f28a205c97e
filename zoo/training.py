"""Training the targets, and what is reported of a trained one."""

from __future__ import annotations

import torch
from torch import Tensor

from .data import Images, load_dataset
from .errors import UnknownNameError
from .fitting import fit_classifier
from .network import get_network, networks
from .recipe import Recipe
from .resume import Conditions
from .target import Target, chain_target

#: Images that a trained network is asked at a time.
_BATCH = 500


def recipes() -> dict[str, Recipe]:
    """The recipe of every target that has one."""
    found = {name: network.recipe for name, network in networks().items()}
    return {name: recipe for name, recipe in found.items() if recipe is not None}


def train_target(
    name: str, *, device: torch.device, conditions: Conditions, recipe: Recipe | None = None
) -> tuple[Target, float]:
    """Train the network `name` on its full training split; return it in eval mode, and seconds.

    A run that was interrupted goes on from the progress file of its `conditions`. The split of
    the returned target is its last layer.
    """
    known = recipes()
    if name not in known:
        raise UnknownNameError("target", name, known)
    network = get_network(name)
    recipe = recipe or known[name]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(recipe.seed)
        for _ in range(recipe.discarded):
            network.layers()
        model = chain_target(network, network.splits[-1])
    seconds = fit_classifier(
        f"training {name}",
        model,
        lambda images: model.cloud(model.edge(images)),
        load_dataset(network.dataset, "train"),
        recipe,
        identity={"network": name},
        conditions=conditions,
        device=device,
    )
    return model, seconds


@torch.no_grad()
def accuracy(model: torch.nn.Module, data: Images, device: torch.device) -> float:
    """Share of `data` that the network labels correctly."""
    hits = 0
    for start in range(0, len(data), _BATCH):
        batch = data.subset(torch.arange(start, min(start + _BATCH, len(data))))
        logits = model(batch.floats().to(device))
        hits += int((logits.argmax(1).cpu() == batch.labels).sum())
    return hits / len(data)


@torch.no_grad()
def active_units(model: Target, data: Images, device: torch.device) -> dict[str, float]:
    """Share of non-zero units at each split, averaged over `data`.

    What a rectifier has set to zero is lost to every attack, so this decides what can be
    recovered from a split.
    """
    splits = get_network(model.network).splits
    active, units = dict.fromkeys(splits, 0), dict.fromkeys(splits, 0)
    for start in range(0, len(data), _BATCH):
        values: Tensor = data.subset(torch.arange(start, min(start + _BATCH, len(data)))).floats()
        values = values.to(device)
        for name, layer in model.named_layers():
            values = layer(values)
            if name in active:
                active[name] += int(values.count_nonzero())
                units[name] += values.numel()
    return {name: active[name] / units[name] for name in splits}
