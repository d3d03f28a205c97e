"""The target networks of He, Zhang and Lee (ACSAC 2019, §3.2, Table 2), layer by layer.

Shapes, padding and normalisation are those of the authors' released code, which the paper's
text leaves open. Every named layer is a split point but `flatten`, which moves no information
and belongs to the fully connected layer behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from .errors import UnknownNameError

Layers = dict[str, nn.Module]


@dataclass(frozen=True)
class Network:
    """A target architecture: what it eats, what it answers, and its layers by name.

    `layers()` builds a fresh, randomly initialised stack from pixels to logits. Normalisation
    is not among the layers: the edge half puts it first, with `mean` and `std` per channel.
    """

    name: str
    title: str
    dataset: str
    input_shape: tuple[int, int, int]
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layers: Callable[[], Layers]

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the layers that the network can be split behind, in order."""
        return tuple(name for name in self.layers() if name != "flatten")


def _lenet() -> Layers:
    return {
        "conv1": nn.Conv2d(1, 8, 5),
        "relu1": nn.ReLU(),
        "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(8, 16, 5),
        "relu2": nn.ReLU(),
        "pool2": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(256, 120),
        "fc1_relu": nn.ReLU(),
        "fc2": nn.Linear(120, 84),
        "fc2_relu": nn.ReLU(),
        "fc3": nn.Linear(84, 10),
    }


def _cifar_cnn() -> Layers:
    layers: Layers = {}
    channels = 3
    for block, width in enumerate((64, 128, 128), start=1):
        for position in (1, 2):
            layers[f"conv{block}{position}"] = nn.Conv2d(channels, width, 3, padding=1)
            layers[f"relu{block}{position}"] = nn.ReLU()
            channels = width
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    layers["flatten"] = nn.Flatten()
    layers["fc1"] = nn.Linear(2048, 512)
    layers["fc1_sigmoid"] = nn.Sigmoid()
    layers["fc2"] = nn.Linear(512, 10)
    return layers


NETWORKS: dict[str, Network] = {
    "lenet": Network(
        name="lenet",
        title="LeNet",
        dataset="mnist",
        input_shape=(1, 28, 28),
        num_classes=10,
        mean=(0.5,),
        std=(0.5,),
        layers=_lenet,
    ),
    "cifar_cnn": Network(
        name="cifar_cnn",
        title="CIFAR CNN",
        dataset="cifar10",
        input_shape=(3, 32, 32),
        num_classes=10,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        layers=_cifar_cnn,
    ),
}


def get_network(name: str) -> Network:
    """The network of that name; UnknownNameError lists the known ones."""
    try:
        return NETWORKS[name]
    except KeyError:
        raise UnknownNameError("network", name, NETWORKS) from None
