"""Tiny targets of different kinds, on which an attack is tried in seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...zoo import Images, Target
from ...zoo.network import Layers
from ...zoo.pixels import to_8_bit
from ..adversary import Adversary, grant, oracle
from ..procedural import procedural_images
from ..settings import Setting

#: Images that are attacked, and images that an adversary holds.
SECRETS, OWN = 5, 24


@dataclass(frozen=True)
class Place:
    """A tiny target: what it is in words, and how its halves are built.

    Attributes:
        words: what an author is told of it.
        input_shape: C×H×W.
        halves: builds the layers of edge and cloud.
    """

    words: str
    input_shape: tuple[int, int, int]
    halves: Callable[[], tuple[Layers, Layers]]

    def target(self) -> Target:
        """The target with weights of its own, the same each time."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(1)
            edge, cloud = self.halves()
            channels = self.input_shape[0]
            target = Target(
                edge,
                cloud,
                network="tiny",
                split=list(edge)[-1],
                input_shape=self.input_shape,
                normalisation=((0.3,) * channels, (0.4,) * channels),
                architecture={"tiny": self.words},
            )
        return target.eval()

    def secrets(self) -> Tensor:
        """The images that are attacked, N×C×H×W in [0, 1]."""
        return procedural_images(SECRETS, self.input_shape, torch.Generator().manual_seed(2))

    def own(self) -> Images:
        """The images that an adversary holds, with a label of each kind."""
        drawn = procedural_images(OWN, self.input_shape, torch.Generator().manual_seed(3))
        labels = torch.arange(OWN) % self.target().num_classes
        return Images(to_8_bit(drawn), labels)

    def adversary(self, setting: Setting, device: torch.device) -> Adversary:
        """One of that setting, with all that it grants on the device."""
        target = self.target()
        return Adversary.granted(
            grant(setting, target),
            device=device,
            answer=oracle(target.to(device)),
            data=self.own,
        )


def _convolution() -> tuple[Layers, Layers]:
    cloud: Layers = {"relu": nn.ReLU(), "flatten": nn.Flatten(), "out": nn.Linear(216, 3)}
    return {"conv": nn.Conv2d(1, 6, 3)}, cloud


def _pooled() -> tuple[Layers, Layers]:
    edge = {"conv": nn.Conv2d(3, 5, 3, padding=1), "relu": nn.ReLU(), "pool": nn.MaxPool2d(2)}
    return edge, {"flatten": nn.Flatten(), "out": nn.Linear(120, 4)}


def _vector() -> tuple[Layers, Layers]:
    edge = {"flatten": nn.Flatten(), "hidden": nn.Linear(64, 24), "relu": nn.ReLU()}
    return edge, {"out": nn.Linear(24, 7)}


PLACES = (
    Place("1×8×8 images behind a convolution, 3 classes", (1, 8, 8), _convolution),
    Place("3×8×12 images behind convolution, ReLU and pool, 4 classes", (3, 8, 12), _pooled),
    Place("1×8×8 images behind a fully connected layer, 7 classes", (1, 8, 8), _vector),
)
