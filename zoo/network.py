"""A target architecture as a value, and the ones that there are: a file each in `targets/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import torch
from torch import nn

from . import targets
from .discovery import named
from .errors import UnknownNameError
from .recipe import Recipe

Layers = dict[str, nn.Module]


@dataclass(frozen=True)
class Network:
    """A target architecture: what it eats, what it answers, and its layers by name.

    Attributes:
        name, title: in identifiers, and on a page.
        dataset: name of the data set that it is trained on.
        input_shape, num_classes: C×H×W of an image, and the number of logits.
        mean, std: per channel. Normalisation is not among the layers: the edge half puts it first.
        layers: builds a fresh, randomly initialised stack from pixels to logits. Every layer is a
            split point but `flatten`, which moves no information and belongs to the layer behind.
        recipe: how it is trained; None for one that is not.
    """

    name: str
    title: str
    dataset: str
    input_shape: tuple[int, ...]
    num_classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    layers: Callable[[], Layers]
    recipe: Recipe | None = None

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the layers that the network can be split behind, in order."""
        return _splits(self.layers)


@cache
def _splits(layers: Callable[[], Layers]) -> tuple[str, ...]:
    with torch.random.fork_rng(devices=[]):  # asking for names draws no random number
        return tuple(name for name in layers() if name != "flatten")


@cache
def networks() -> Mapping[str, Network]:
    """Every target architecture by name: the `NETWORK` of each file in `zoo/targets/`."""
    return MappingProxyType(named(targets, "NETWORK"))


def get_network(name: str) -> Network:
    """The network of that name; UnknownNameError lists the known ones."""
    try:
        return networks()[name]
    except KeyError:
        raise UnknownNameError("network", name, networks()) from None
