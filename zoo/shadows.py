"""Edges that an adversary trains in place of the one it cannot see (paper §6, Table 5)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

from torch import Tensor, nn

from .errors import UnknownNameError
from .network import Layers, get_network
from .target import Half, Normalize, chain_target


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
    "diff_net" at a split that Table 5 has no structure for: `derived_edge` has one for any.
    """
    design = get_network(network)
    if structure == "same_net":
        edge = chain_target(design, split).edge
        edge.pixels = False  # a descent leaves [0, 1] on its way
        return edge
    if structure != "diff_net":
        raise UnknownNameError("structure", structure, STRUCTURES)
    target = f"{network}/{split}"
    if target not in OTHER_STRUCTURES:
        raise UnknownNameError("shadow of another structure", target, OTHER_STRUCTURES)
    layers: Layers = {"normalize": Normalize(design.mean, design.std)}
    layers |= OTHER_STRUCTURES[target]()
    return Half(layers, design.input_shape, f"images of {network}")


def fresh_copy(edge: nn.Module) -> nn.Module:
    """An edge of the same structure and nothing of its knowledge, on the CPU.

    Layers are drawn, and their statistics begun anew, as PyTorch does when they are made. What
    they leave is drawn from a normal distribution of deviation 0.02: a parameter that belongs to
    no layer of PyTorch's, such as a class token, and a stored buffer. Variances that they leave
    become 1; what no checkpoint stores is constant and stays, and so do whole numbers.
    """
    twin = copy.deepcopy(edge).cpu().requires_grad_(True)
    knowing = [*twin.parameters(), *(buffer for _, buffer in _stored_buffers(twin))]
    for tensor in knowing:
        tensor.data.fill_(math.nan)  # so that what nobody draws anew is seen
    for layer in twin.modules():
        names = ("reset_parameters", "_reset_parameters")
        reset = next((getattr(layer, name) for name in names if hasattr(layer, name)), None)
        if reset is not None:
            reset()
    for name, buffer in _stored_buffers(twin):
        if name.endswith("var") and buffer.isnan().any():
            buffer.fill_(1.0)
    for tensor in knowing:
        if tensor.isnan().any():
            nn.init.normal_(tensor, std=0.02)
    return twin


def _stored_buffers(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Real-valued buffers that checkpoints keep; the constants of a traced graph are none."""
    stored = module.state_dict(keep_vars=True)
    return [
        (name, buffer)
        for name, buffer in module.named_buffers()
        if name in stored
        and buffer.is_floating_point()
        and not name.rpartition(".")[2].startswith("_tensor_constant")
    ]
