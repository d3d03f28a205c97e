"""Edges whose architecture follows from shapes, for an adversary who does not know the true one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .decoder import Fit
from .network import Layers
from .portable import Portable
from .shapes import Shape, token_side
from .target import Half, Normalize

#: Pixels a side that a grid has at least from which a vector is computed.
_VECTOR = 7


def derived_edge(
    images: Shape,
    features: Shape,
    normalisation: tuple[tuple[float, ...], tuple[float, ...]],
    *,
    width: int = 64,
) -> Half:
    """A fresh edge that follows from shapes alone: images N×`images` -> features N×`features`.

    What an adversary tries who does not know the structure, where the paper names none: at each
    size two convolutions of 3×3 with a ReLU behind each, a pool between the sizes, twice as many
    channels behind the first, until the grid is as small as the features'; what an edge's borders
    have cost is cut. A vector comes from a fully connected layer, tokens from the grid's
    positions. Weights are those of He et al. (ICCV 2015), which keep a signal's scale.
    """
    layers: Layers = {"normalize": Normalize(*normalisation)}
    side = token_side(features)
    grid = features[1:] if len(features) == 3 else (side or _VECTOR,) * 2
    channels, height, wide = images
    wider, number = width, 1
    while True:
        for place in (1, 2):
            layers[f"conv{number}{place}"] = nn.Conv2d(channels, wider, 3, padding=1)
            layers[f"relu{number}{place}"] = nn.ReLU()
            channels = wider
        if min(height // grid[0], wide // grid[1]) < 2:
            break
        layers[f"pool{number}"] = nn.MaxPool2d(2)
        height, wide, wider, number = height // 2, wide // 2, 2 * width, number + 1
    if len(features) == 3 or side is not None:
        layers["fit"] = Fit((grid[0], grid[1]))
        layers["out"] = nn.Conv2d(channels, features[0 if side is None else 1], 3, padding=1)
    else:
        layers["flatten"] = nn.Flatten()
        layers["out"] = nn.Linear(channels * height * wide, math.prod(features))
        layers["shape"] = nn.Unflatten(1, features)
    if side is not None:
        layers["tokens"] = GridToTokens(features[0])
    for layer in layers.values():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return Half(layers, images, "images of a derived edge")


class GridToTokens(Portable, nn.Module):
    """A grid N×D×s×s -> tokens N×T×D, the mean of all as a class token in front if T > s²."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.tokens = tokens

    def forward(self, grid: Tensor) -> Tensor:
        found = grid.flatten(2).transpose(1, 2)
        if found.shape[1] == self.tokens:
            return found
        return torch.cat([found.mean(1, keepdim=True), found], 1)
