"""Regression from features to images by a network of two layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from splitzoo.attacks import (
    Adversary,
    Capability,
    Draws,
    Examples,
    LearnedAttack,
    ask_edge,
    query_pixels,
)
from torch import Tensor, nn


class Regression(nn.Module):
    """Features N×… -> images N×C×H×W: a linear map, and a gated one beside it.

    Attributes:
        gate: how much of the gated map counts; a parameter of no layer.
    """

    def __init__(self, features: tuple[int, ...], images: tuple[int, ...], width: int) -> None:
        super().__init__()
        size, self.images = math.prod(features), images
        self.straight = nn.Linear(size, math.prod(images))
        self.narrow = nn.Linear(size, width)
        self.wide = nn.Linear(width, math.prod(images))
        self.gate = nn.Parameter(torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, features: Tensor) -> Tensor:
        """Not clamped; features as the edge sends them, divided by `scale`."""
        flat = features.flatten(1) / self.get_buffer("scale")
        gated = self.wide(torch.relu(self.narrow(flat)))
        images: Tensor = self.straight(flat) + self.gate * gated
        return images.view(-1, *self.images)


@dataclass(frozen=True, kw_only=True)
class TwoLayers(LearnedAttack):
    """g = argmin mean ‖g(f(x)) - x‖² over networks of two layers, x asked of the edge.

    Args:
        width: of the hidden layer.
        noise_images: queries to make where the setting grants no images.
    """

    name = "two_layers"
    requires = frozenset({Capability.QUERY})
    title = "Two layers"
    citation = "an example"
    TRAINING: ClassVar[tuple[str, ...]] = (*LearnedAttack.TRAINING, "width", "noise_images")
    brief: ClassVar[Mapping[str, Any]] = {**LearnedAttack.brief, "noise_images": 24}

    steps: int = 500
    width: int = 64
    noise_images: int = 2000

    def build(self, adversary: Adversary) -> nn.Module:
        return Regression(adversary.feature_shape, adversary.input_shape, self.width)

    def examples(self, adversary: Adversary, generator: torch.Generator) -> Examples:
        return ask_edge(adversary, query_pixels(adversary, self.noise_images, generator))

    def loss(self, network: nn.Module, pixels: Tensor, values: Tensor, cloud: nn.Module) -> Tensor:
        return F.mse_loss(network(values.float()).float(), pixels)

    def finish(self, network: nn.Module, examples: Examples) -> None:
        network.get_buffer("scale").fill_(examples.scale)  # what it learned from was divided by it

    def adopt(self, adversary: Adversary, network: nn.Module) -> nn.Module:
        return network

    @torch.no_grad()
    def online(self, state: nn.Module, features: Tensor, draws: Draws) -> Tensor:
        images: Tensor = state(features)
        return images.clamp(0, 1)
