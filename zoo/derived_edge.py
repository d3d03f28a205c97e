"""Edges whose architecture follows from shapes, for an adversary who does not know the true one."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .decoder import Decoder, Fit, Standardize
from .network import Layers
from .portable import Portable
from .shapes import Shape, token_side
from .target import Half, Normalize

#: Pixels a side that a grid has at least from which a vector is computed.
_VECTOR = 7
#: The share of features at the least of all values from which on it is where a layer saturates.
_SATURATED = 0.01


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
    if side is not None:
        layers["tokens"] = GridToTokens(features[0])
    elif len(features) != 3:
        layers["flatten"] = nn.Flatten()
        layers["out"] = nn.Linear(channels * height * wide, math.prod(features))
        layers["shape"] = nn.Unflatten(1, features)
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


class EdgeCopy(Portable, nn.Module):
    """A derived edge that answers on the scale of given features, and saturates where they do."""

    least: Tensor

    def __init__(self, edge: Half, features: Shape) -> None:
        super().__init__()
        self.edge = edge
        self.scale = Standardize(features)
        self.register_buffer("least", torch.tensor(-torch.inf))

    def forward(self, images: Tensor) -> Tensor:
        return self._free(images).clamp_min(self.least)

    def error(self, images: Tensor, features: Tensor) -> Tensor:
        """Mean squared error, to be trained by: as if nothing saturated wherever the features do
        not, so that a number which is at its least everywhere still learns (Tobin, 1958)."""
        answers, saturated = self._free(images).float(), features <= self.least
        answers = torch.where(saturated, answers.clamp_min(self.least), answers)
        return F.mse_loss(answers, features)

    def _free(self, images: Tensor) -> Tensor:
        return self.scale.undo(self.edge.unchecked(images))

    @torch.no_grad()
    def fit(self, features: Tensor) -> None:
        """Take scale and saturation from features N×…: behind a ReLU many are 0, and none less."""
        self.scale.fit(features)
        least = features.amin()
        if (features == least).float().mean() > _SATURATED:
            self.least.copy_(least)

    @torch.no_grad()
    def rescale(self, scale: float) -> None:
        """Answer features that are so many times as large."""
        self.scale.rescale(scale)
        self.least.mul_(scale)


class DecoderAndCopy(Portable, nn.Module):
    """What an adversary learns from an edge's answers: to invert it, and to answer like it.

    Features N×`features` -> images N×`images`, as `decoder` has them; `edge` maps them back.

    Args:
        features, images, normalisation: as `Decoder` and `derived_edge` take them.
        width: channels of the decoder.
        copy_width: channels of the copy at the size of the images.
    """

    def __init__(
        self,
        features: Shape,
        images: Shape,
        normalisation: tuple[tuple[float, ...], tuple[float, ...]],
        *,
        width: int = 64,
        copy_width: int = 64,
    ) -> None:
        super().__init__()
        self.decoder = Decoder(features, images, width=width)
        derived = derived_edge(images, features, normalisation, width=copy_width)
        self.edge = EdgeCopy(derived, features)

    def forward(self, features: Tensor) -> Tensor:
        images: Tensor = self.decoder(features)
        return images

    def fit(self, features: Tensor) -> None:
        """Take the scale of features N×…."""
        self.decoder.standardize.fit(features)
        self.edge.fit(features)

    def rescale(self, scale: float) -> None:
        """Take and answer features that are so many times as large."""
        self.decoder.standardize.rescale(scale)
        self.edge.rescale(scale)
