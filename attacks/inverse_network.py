"""Inverse-Network: the black-box attack of §5."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..zoo import inverse_network
from .learned import Examples, LearnedAttack, ask_edge, query_pixels
from .threat_model import Adversary, Capability, Setting


@dataclass(frozen=True, kw_only=True)
class InverseNetwork(LearnedAttack):
    """Regression from features to images, g = argmin mean ||g(f(x)) - x||² (Eq. 4, Algorithm 2).

    Queries the edge with the images that the setting grants, or with Gaussian noise where it
    grants none. The architectures are the small ones of the authors' released code; the paper
    trains by stochastic gradient descent, here with Adam's step sizes.

    Args:
        architecture: "network/split" of `zoo.inverses`.
        noise_images: queries to make where the setting grants no images.
    """

    requires = frozenset({Capability.QUERY})
    title = "Inverse-Network"
    citation = "He, Zhang and Lee, ACSAC 2019, §5, Algorithm 2"
    TRAINING: ClassVar[tuple[str, ...]] = (
        *LearnedAttack.TRAINING,
        "architecture",
        "noise_images",
    )

    architecture: str
    noise_images: int = 10_000

    def architecture_in(self, setting: Setting) -> dict[str, str]:
        return {"inverse": self.architecture}

    def build(self, adversary: Adversary) -> nn.Module:
        return inverse_network(self.architecture)

    def examples(self, adversary: Adversary, generator: torch.Generator) -> Examples:
        pixels = query_pixels(adversary, self.noise_images, generator)
        return ask_edge(adversary, pixels)

    def loss(self, network: nn.Module, pixels: Tensor, values: Tensor, cloud: nn.Module) -> Tensor:
        return F.mse_loss(network(values.float()).float(), pixels)

    @torch.no_grad()
    def finish(self, network: nn.Module, examples: Examples) -> None:
        """Fold the features' scale into the first layer, which is linear in them."""
        first = next(iter(network.children()))
        first.get_parameter("weight").div_(examples.scale)

    def adopt(self, adversary: Adversary, network: nn.Module) -> nn.Module:
        return network

    @torch.no_grad()
    def online(self, state: nn.Module, features: Tensor, generator: torch.Generator) -> Tensor:
        images: Tensor = state(features)
        return images.clamp(0, 1)
