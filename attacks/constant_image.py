"""What every figure is to be held against: an answer that looks at no feature."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .adversary import Adversary
from .base import Attack
from .draws import Draws
from .settings import Capability


@dataclass(frozen=True, kw_only=True)
class GrayImage(Attack):
    """Plain gray for every image: what an adversary knows who knows nothing."""

    name = "gray_image"
    requires = frozenset[Capability]()
    title = "Gray image"
    citation = "a baseline"
    baseline = True

    def offline(self, adversary: Adversary, generator: torch.Generator) -> Tensor:
        return torch.full(adversary.input_shape, 0.5, device=adversary.device)

    def online(self, state: Tensor, features: Tensor, draws: Draws) -> Tensor:
        return state.expand(len(features), *state.shape).clone()


@dataclass(frozen=True, kw_only=True)
class MeanImage(GrayImage):
    """The mean of the adversary's own images, the constant of the least squared error."""

    name = "mean_image"
    requires = frozenset({Capability.DATA})
    title = "Mean image"

    def offline(self, adversary: Adversary, generator: torch.Generator) -> Tensor:
        pixels = adversary.data.pixels
        return (pixels.double().mean(0) / 255).float().to(adversary.device)
