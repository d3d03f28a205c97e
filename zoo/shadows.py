"""Edges that an adversary trains in place of the one it cannot see (paper §6, Table 5)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from .errors import UnknownNameError
from .networks import Layers, get_network
from .split import Half, Normalize, SplitModel


def _five_by_five(count: int) -> Layers:
    """5×5 convolutions of 64, 128, … channels, a ReLU behind each and a pool between."""
    layers: Layers = {}
    channels = 3
    for number, width in enumerate((64, 128, 128)[:count], start=1):
        if number > 1:
            layers[f"pool{number - 1}"] = nn.MaxPool2d(2)
        layers[f"conv{number}"] = nn.Conv2d(channels, width, 5, padding=2)
        layers[f"relu{number}"] = nn.ReLU()
        channels = width
    return layers


#: The edges "of another structure", by target, in the released code's sizes.
OTHER_STRUCTURES: dict[str, Callable[[], Layers]] = {
    "lenet/conv1": lambda: {"conv1": nn.Conv2d(1, 8, 3), "conv2": nn.Conv2d(8, 8, 3)},
    "lenet/relu2": lambda: {
        "conv1": nn.Conv2d(1, 8, 3),
        "relu1": nn.ReLU(),
        "conv2": nn.Conv2d(8, 8, 3),
        "relu2": nn.ReLU(),
        "pool1": nn.MaxPool2d(2),
        "conv3": nn.Conv2d(8, 16, 3),
        "relu3": nn.ReLU(),
        "conv4": nn.Conv2d(16, 16, 3),
        "relu4": nn.ReLU(),
    },
    "cifar_cnn/conv11": lambda: {
        "conv1": nn.Conv2d(3, 16, 3, padding=1),
        "conv2": nn.Conv2d(16, 64, 3, padding=1),
    },
    "cifar_cnn/relu22": lambda: _five_by_five(2),
    "cifar_cnn/relu32": lambda: _five_by_five(3),
}
STRUCTURES = ("same_net", "diff_net")


def shadow_edge(network: str, split: str, structure: str) -> nn.Module:
    """A fresh edge for `network` split behind `split`: images N×C×H×W in [0, 1] -> features.

    Args:
        structure: "same_net", the target's own layers, or "diff_net", those of Table 5.

    Raises UnknownNameError where there is no such network, split or structure, and for
    "diff_net" at a split that Table 5 has no structure for.
    """
    design = get_network(network)
    if structure == "same_net":
        return SplitModel(design, split).edge
    if structure != "diff_net":
        raise UnknownNameError("structure", structure, STRUCTURES)
    target = f"{network}/{split}"
    if target not in OTHER_STRUCTURES:
        raise UnknownNameError("shadow of another structure", target, OTHER_STRUCTURES)
    layers: Layers = {"normalize": Normalize(design.mean, design.std)}
    layers |= OTHER_STRUCTURES[target]()
    return Half(layers, design.input_shape, f"images of {network}")
